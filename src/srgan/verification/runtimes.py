"""Runs an exported model in the runtime of its format, each as its users do.

The network alone, lr to sr, except for a SavedModel, which has the projection inside.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from srgan.models import engines
from srgan.util import frameworks, parallel


class Runtime(Protocol):
    """An exported model that is ready to run."""

    @property
    def packages(self) -> tuple[str, ...]:
        """What computes it, by the names of the package index."""
        ...

    def run(self, images: np.ndarray) -> np.ndarray:
        """Maps a float32 batch `(batch, height, width, 3)` in [0, 1] to the model's output."""
        ...


def open_runtime(path: Path) -> Runtime:
    """Opens an exported model.

    Args:
        path: An .onnx, .tflite or OpenVINO .xml file, or the folder of a TensorFlow SavedModel.

    Raises:
        FileNotFoundError: If there is nothing.
        ModuleNotFoundError: If the runtime is not installed.
        ValueError: If it is none of these, or its runtime cannot read it.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no exported model {path}.")
    kinds = {".onnx": _Onnx, ".tflite": _LiteRt, ".xml": _OpenVino}
    kind = _SavedModel if path.is_dir() else kinds.get(path.suffix)
    if kind is None:
        raise ValueError(
            f"{path} is no exported model; expected an .onnx, .tflite or .xml file, or the folder "
            "of a SavedModel."
        )
    try:
        return kind(path)
    except ModuleNotFoundError as error:
        package = kind.packages[0]
        raise ModuleNotFoundError(
            f"{path} needs {package}, which is missing. Run: pip install {package}"
        ) from error
    except Exception as error:  # each runtime has exceptions of its own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path} cannot be read by {kind.packages[0]} ({reason}). Export it again."
        ) from error


class _Onnx:
    packages = ("onnxruntime",)

    def __init__(self, path: Path) -> None:
        self.run = engines.open_engine(path).run


class _LiteRt:
    packages = ("ai-edge-litert",)

    def __init__(self, path: Path) -> None:
        from ai_edge_litert import interpreter

        self._interpreter: Any = interpreter.Interpreter(
            model_content=path.read_bytes(), num_threads=parallel.available_cores()
        )
        self._lr = self._interpreter.get_input_details()[0]
        self._sr = self._interpreter.get_output_details()[0]

    def run(self, images: np.ndarray) -> np.ndarray:
        return np.concatenate([self._one(image[None]) for image in images])

    def _one(self, image: np.ndarray) -> np.ndarray:
        if tuple(self._lr["shape"]) != image.shape:
            self._interpreter.resize_tensor_input(self._lr["index"], image.shape)
            self._lr = self._lr | {"shape": image.shape}
        self._interpreter.allocate_tensors()
        if self._lr["dtype"] == np.int8:
            step, zero = self._lr["quantization"]
            image = np.clip(np.round(image / step + zero), -128, 127).astype(np.int8)
        self._interpreter.set_tensor(self._lr["index"], image)
        self._interpreter.invoke()
        sr = self._interpreter.get_tensor(self._sr["index"])
        if sr.dtype == np.int8:
            step, zero = self._sr["quantization"]
            sr = (sr.astype(np.float32) - zero) * np.float32(step)
        return sr


class _OpenVino:
    packages = ("openvino",)

    def __init__(self, path: Path) -> None:
        from openvino.frontend import FrontEndManager

        # `Core.read_model` would try every format that OpenVINO knows.
        frontend = FrontEndManager().load_by_framework("ir")
        graph = frontend.convert(frontend.load(str(path)))
        self._compiled = engines.openvino_core().compile_model(
            graph,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": parallel.available_cores(),
                "INFERENCE_PRECISION_HINT": "f32",  # of what is not quantised
                "PERFORMANCE_HINT": "LATENCY",
            },
        )

    def run(self, images: np.ndarray) -> np.ndarray:
        return self._compiled(images)[0]


class _SavedModel:
    packages = ("tensorflow",)

    def __init__(self, path: Path) -> None:
        frameworks.import_tensorflow()
        import tensorflow

        self._constant = tensorflow.constant
        self._model = tensorflow.saved_model.load(str(path))  # keeps the variables alive
        self._serve = self._model.signatures["serving_default"]

    def run(self, images: np.ndarray) -> np.ndarray:
        return self._serve(lr=self._constant(images))["sr"].numpy()
