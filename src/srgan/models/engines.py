"""Runs an ONNX file of one input and one output: a small protocol, and two engines behind it.

Both compute in float32 on the processor, or OpenVINO in bfloat16 where that has it, compile a model
once for images of any size, and may be used by several threads at once.
"""

import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from srgan.models import external_data
from srgan.util import downloads, parallel

if TYPE_CHECKING:
    import openvino

# What engines say of a file that is none.
_NO_MODEL = "protobuf|parsing|it has 0 inputs"
Kind = Literal["onnxruntime", "openvino"]
Precision = Literal["float32", "bfloat16"]
_CUDA = "CUDAExecutionProvider"
_providers = ["CPUExecutionProvider"]  # of ONNX Runtime, the preferred ones first


class Engine(Protocol):
    """A model that is ready to run."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts stored in the file (`metadata_props`)."""
        ...

    def run(self, images: np.ndarray) -> np.ndarray:
        """Maps a float32 batch `(batch, height, width, channels)` to the model's output.

        Raises:
            MemoryError: If there is too little.
            ValueError: If the model fails on them.
        """
        ...


def open_engine(
    path: str | os.PathLike[str],
    kind: Kind = "onnxruntime",
    calls: int = 1,
    precision: Precision = "float32",
    data: bytes | None = None,
) -> Engine:
    """Reads an ONNX file into an engine.

    Nothing but the file, and weights beside it, is read, and nothing in it is executed but the
    engine's operators.

    Args:
        path: The file.
        kind: Both engines give the same values to about 1e-6. ONNX Runtime is the smaller one;
            OpenVINO is as fast, or faster on processors with AVX-512.
        calls: How many at a time the engine will run, from as many threads; the processor cores
            that this process may use are shared among them.
        precision: bfloat16 is twice as fast on processors that compute with it, by OpenVINO alone.
        data: What to read in place of the file's contents; `path` is then only a name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not an ONNX model that the engine can run, or neither engine nor
            processor have the precision.
        ModuleNotFoundError: If the engine is not installed.
    """
    data = read(path) if data is None else data
    if external_data.is_named(data):  # the engine would read any file
        raise ValueError(
            f"{path} keeps weights in another file where that is not allowed. Save it again "
            "without external data."
        )
    if precision == "bfloat16":
        _check_bfloat16(kind)
    try:
        if kind == "openvino":
            return _OpenVino(data, calls, precision)
        return _OnnxRuntime(data, calls)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"The engine {kind} is not installed. Run: pip install {kind}", name=kind
        ) from error
    except Exception as error:  # ONNX Runtime's own exceptions have no other common base
        if re.search(_NO_MODEL, str(error), re.IGNORECASE):
            raise ValueError(
                f"{path} is not an ONNX model, or is cut short. "
                f"{downloads.advice(data) or 'Download or export it again.'}"
            ) from error
        raise ValueError(
            f"{path} is not an ONNX model that {kind} can run ({_reason(error)}); expected one "
            "input and one output. Download or export it again, or update the engine."
        ) from error


def read(path: str | os.PathLike[str]) -> bytes:
    """Returns what is in a file that may be an ONNX file, with weights that lie beside it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is too large to be one, or its weights are not there.
    """
    path = Path(path)
    if (size := path.stat().st_size) > external_data.MAX_BYTES:
        raise ValueError(
            f"{path} has {size / 2**30:.1f} GiB; expected at most 2, as an ONNX file has. "
            "Is it one?"
        )
    data = path.read_bytes()
    return external_data.inline(path, data) if external_data.is_named(data) else data


def _check_bfloat16(kind: Kind) -> None:
    """Raises if it would be refused, or computed in software, which is many times slower."""
    if kind != "openvino":
        raise ValueError("Only OpenVINO computes in bfloat16. Choose the engine openvino.")
    with suppress(ModuleNotFoundError):  # which is said later
        if "BF16" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ValueError("This processor does not compute in bfloat16. Choose float32.")


def use_gpu() -> None:
    """Has ONNX Runtime compute on the GPU in this process; to be said before anything is opened.

    Raises:
        ValueError: If the one that is installed cannot.
    """
    import onnxruntime

    if _CUDA not in (found := onnxruntime.get_available_providers()):
        raise ValueError(
            f"ONNX Runtime computes by {', '.join(found)} here, and not on GPUs. Install "
            "onnxruntime-gpu in place of onnxruntime."
        )
    _providers[:] = [_CUDA, "CPUExecutionProvider"]


class _OnnxRuntime:
    def __init__(self, model: bytes, calls: int):
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it asks for a host on the net
        import onnxruntime

        self._options = onnxruntime.RunOptions
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(parallel.available_cores() // calls, 1)
        # Memory that is given back between operations costs 5 % more time, and saves half of it:
        # tiles may be twice as large, and overlap less.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4  # errors are raised; they need not go to stderr too
        # Without its fallback, of which it would print that it tried the same again.
        self._session = onnxruntime.InferenceSession(
            model, options, providers=_providers, enable_fallback=0
        )
        self._input = _only(self._session.get_inputs()).name
        _only(self._session.get_outputs())
        self.metadata = self._session.get_modelmeta().custom_metadata_map

    def run(self, images: np.ndarray) -> np.ndarray:
        options = self._options()
        end = partial(setattr, options, "terminate", True)  # before the next operation
        with _naming_faults(), parallel.ended_by(end):
            run = partial(self._session.run, None, {self._input: images}, options)
            return np.asarray(parallel.interruptible(run, end)[0])


@cache
def openvino_core() -> "openvino.Core":
    """The one of this process, which stays until its end.

    With its last core, OpenVINO frees the stack that signals are handled on, and which it sets for
    the thread that first compiled a model. If that happens in another thread, the next Ctrl-C ends
    the process with a segmentation fault.
    """
    import openvino

    return openvino.Core()


class _OpenVino:
    def __init__(self, model: bytes, calls: int, precision: Precision):
        import openvino
        from openvino.frontend import FrontEndManager

        # Its table of sample types is made when it is first needed. Two threads that need it at
        # once wait for each other for ever: one makes it, and waits for Python, which the other
        # has, and waits for the table.
        _ = openvino.Tensor(np.zeros(1, np.float32)).data
        # `Core.read_model` would try every format that OpenVINO knows.
        frontend = FrontEndManager().load_by_framework("onnx")
        graph = frontend.convert(frontend.load(io.BytesIO(model)))
        _only(graph.inputs)
        self._output = _only(graph.outputs)
        # Compiled for any size: a static shape runs no faster than the noise of measurement,
        # and compiling each costs as much as running it once, and its own copy of the weights.
        self._compiled = openvino_core().compile_model(
            graph,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": parallel.available_cores(),
                # Else OpenVINO takes bfloat16 by itself where the processor has it.
                "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
                "NUM_STREAMS": calls,
            },
        )
        stored = graph.get_rt_info("framework").astype(dict) if "framework" in graph.rt_info else {}
        self.metadata = {key: text.astype(str) for key, text in stored.items()}

    def run(self, images: np.ndarray) -> np.ndarray:
        request = self._compiled.create_infer_request()  # its own, so that threads do not share
        with _naming_faults():  # its own cancelling comes when all is done
            return request.infer([images])[0]


class SelfEnsemble:
    """The mean of what an engine makes of a picture in its eight orientations, turned back."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self.metadata = engine.metadata

    def run(self, images: np.ndarray) -> np.ndarray:
        turned = []
        for turns in range(4):
            for mirrored in (False, True):
                x = np.rot90(images, turns, axes=(1, 2))
                x = np.ascontiguousarray(x[:, :, ::-1] if mirrored else x)
                y = self._engine.run(x)
                y = y[:, :, ::-1] if mirrored else y
                turned.append(np.rot90(y, -turns, axes=(1, 2)))
        return np.mean(turned, axis=0)


@contextmanager
def _naming_faults() -> Iterator[None]:
    """Raises what engines say in exceptions of their own as a MemoryError or a ValueError."""
    try:
        yield
    except Exception as error:
        if re.search("alloc|out of memory", str(error), re.IGNORECASE):
            raise MemoryError("There is not enough memory for the model.") from error
        raise ValueError(f"The model cannot run on this picture ({_reason(error)}).") from error


def _reason(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    # Without the place in ONNX Runtime's source, as long as the rest.
    return re.sub(r"\S+\.(cc|h):\d+ .*?\) (?=[A-Z])", "", line) or type(error).__name__


def _only(ports: Any) -> Any:
    if len(ports) != 1:
        raise ValueError(f"it has {len(ports)} inputs or outputs where one is needed")
    return ports[0]
