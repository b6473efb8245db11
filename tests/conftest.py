"""What several test files need: the shared pictures, and small models made on the spot."""

import contextlib
import http.server
import json
import logging
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import hypothesis
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srgan.numeric import resize
from srgan.quality import datasets, headline, methods, metrics
from srgan.quality.summary import ImageResult, Table, judge

# Several processes test at once; threads of each on top of that only wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("srgan", deadline=None)
hypothesis.settings.load_profile("srgan")

METADATA = {
    "srgan.name": "tiny",
    "srgan.scale": "2",
    "srgan.receptive_field": "2",
    "srgan.consistency_rounds": "0",
    "srgan.training_data": "none",
    "srgan.licence": "CC0",
    "srgan.scores": "none",
    "srgan.config_hash": "0",
}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of pictures beside the repository, which is not part of it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the pictures in {folder}")
    return folder


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes an ONNX model as srgan's export does: two convolutions and a pixel shuffle, NHWC.

    Args of the returned function:
        gain: Factor of the last kernel.
        metadata: Changes to METADATA; None removes a key.
    """

    def make(gain: float = 1.0, **metadata: str | None) -> Path:
        rng = np.random.default_rng(0)
        scale = 2
        shapes = {"first": (8, 3, 3, 3), "last": (3 * scale**2, 8, 3, 3)}
        kernels = {name: rng.normal(0, 0.15, shape) for name, shape in shapes.items()}
        kernels["last"] *= gain
        nodes = [
            helper.make_node("Transpose", ["lr"], ["nchw"], perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["first"], ["first32"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["last"], ["last32"], to=TensorProto.FLOAT),
            helper.make_node("Conv", ["nchw", "first32"], ["conv1"], pads=[1, 1, 1, 1]),
            helper.make_node("LeakyRelu", ["conv1"], ["features"], alpha=0.2),
            helper.make_node("Conv", ["features", "last32"], ["conv2"], pads=[1, 1, 1, 1]),
            helper.make_node("DepthToSpace", ["conv2"], ["large"], blocksize=scale, mode="CRD"),
            helper.make_node("Sigmoid", ["large"], ["bounded"]),
            helper.make_node("Transpose", ["bounded"], ["sr"], perm=[0, 2, 3, 1]),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["batch", "h", "w", 3])],
            [helper.make_tensor_value_info("sr", TensorProto.FLOAT, ["batch", "H", "W", 3])],
            [
                numpy_helper.from_array(kernel.astype(np.float16), name)
                for name, kernel in kernels.items()
            ],
        )
        opsets = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        changed = METADATA | {f"srgan.{key}": value for key, value in metadata.items()}
        helper.set_model_props(model, {k: v for k, v in changed.items() if v is not None})
        path = tmp_path_factory.mktemp("models") / "tiny.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture(scope="session")
def tiny_model(make_model: Callable[..., Path]) -> Path:
    """An ONNX file with srgan's metadata: x2, receptive field 2, no projection."""
    return make_model()


@contextmanager
def mounted(folder, options):
    """A real file system of its own in memory, where the tests may mount one."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture
def full_disk(tmp_path):
    """A folder with room for 64 KiB."""
    resource = pytest.importorskip("resource", reason="needs a POSIX system")
    try:
        with mounted(tmp_path, "size=64k") as is_small:
            if not is_small:
                before = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
            yield tmp_path
            if not is_small:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")


@pytest.fixture
def dig(monkeypatch):
    """Makes folders in a folder, the last of which cannot be read: its path is too long."""

    def dig(folder):
        with monkeypatch.context() as context:
            context.chdir(folder)
            for _ in range(20):
                Path("deep" * 60).mkdir()
                os.chdir("deep" * 60)

    return dig


@pytest.fixture(autouse=True, scope="module")
def one_copy_of_each_module():
    """Who imports the package anew has to undo all of it: later tests would patch another copy."""
    yield
    for name, module in [*sys.modules.items()]:
        parent, _, child = name.rpartition(".")
        if parent.partition(".")[0] == "srgan" and parent in sys.modules:
            found = getattr(sys.modules[parent], child, module)
            assert found is module or found.__name__ != name, name  # else a namesake


@pytest.fixture
def caplog(caplog, monkeypatch):
    """The log, also after a test whose program kept its lines to itself, or silenced others."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("srgan", "uvicorn"):
            monkeypatch.setattr(logging.getLogger(name), "disabled", False)
            monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    return caplog


@pytest.fixture
def read_only(tmp_path):
    if os.name == "nt":
        pytest.skip("needs the permissions of a POSIX system")
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        yield tmp_path
        tmp_path.chmod(0o755)
        return
    with mounted(tmp_path, "ro") as is_read_only:  # permissions do not bind root
        if not is_read_only:
            pytest.skip("root can write everywhere here, and cannot mount")
        yield tmp_path


class MadeEvaluation:
    """An evaluation of drawn images by methods that add a constant to them, x4."""

    protocol, scale = "y-crop4", 4

    def __init__(self, cases, offsets, curve, size, failed, referenced, noise):
        self.cases = [datasets.Case(*case) for case in cases]
        self.offsets = offsets
        self.methods = [
            methods.Method(name, curve if curve and name.startswith(curve) else name)
            for name in offsets
        ]
        self._size, self._failed, self._referenced, self._noise = size, failed, referenced, noise
        self.results = [
            ImageResult(case, method, self._scores(case, method), self._error(case, method), {})
            for case in self.cases
            for method in offsets
        ]
        self.originals = {}
        self.reference = next(iter(offsets))
        self.provenance = {"command": "srgan evaluate", "versions": {"srgan": "0.1.0"}}

    @property
    def _tables(self):
        return [
            Table(dataset, list(self.offsets), self.results, {})
            for dataset in dict.fromkeys(case.dataset for case in self.cases)
        ]

    @property
    def summaries(self):
        return {table.dataset: table.summary() for table in self._tables}

    @property
    def differences(self):
        return judge([row for one in self._tables for row in one.differences(self.reference)])

    @property
    def headlines(self):
        return headline.find(self._tables, self.differences, self.reference)

    def result(self, case, method):
        (found,) = [one for one in self.results if (one.case, one.method) == (case, method)]
        return found

    def hr(self, case):
        return self._original(case) if self._referenced else None

    def lr(self, case):
        return resize.downscale(self._original(case), self.scale)

    def sr(self, case, method):
        if (case.name, method) in self._failed:
            return None
        # Originals are from 40 to 200, so that adding up to 50 never clips.
        return self._original(case) + np.uint8(self.offsets[method])

    def _original(self, case):
        """A ramp with a bright disc, and noise, of its own for each image."""
        height, width = self._size
        seed = self.cases.index(case)
        y, x = np.mgrid[:height, :width]
        image = 60 + 60 * x / width + 10 * (seed % 3)
        image[(y - height / 2) ** 2 + (x - width / 3) ** 2 < (height / 4) ** 2] = 160
        noise = np.random.default_rng(seed).uniform(-self._noise, self._noise, (height, width, 3))
        return (image[..., None] + noise).astype(np.uint8)

    def _scores(self, case, method):
        """PSNR and LPIPS both fall from method to method and from image to image."""
        if self._error(case, method):
            return None
        position = self.cases.index(case) + list(self.offsets).index(method)
        fields = dict.fromkeys(metrics.Scores._fields, 0.5)
        if self._referenced:
            fields |= {"psnr": 30.0 - position, "lpips": 0.4 - 0.03 * position}
        else:
            fields |= {"psnr": np.nan, "ssim": np.nan, "lpips": np.nan}
        return metrics.Scores(**fields)

    def _error(self, case, method):
        return "It ran out of memory." if (case.name, method) in self._failed else ""


@pytest.fixture(scope="session")
def make_evaluation() -> Callable[..., MadeEvaluation]:
    """Makes an evaluation to report, without running any model.

    Args of the returned function:
        cases: Pairs of data set and name.
        offsets: What each method adds to the original, up to 50, by its name.
        curve: Methods whose name begins so are settings of one model.
        size: Height and width of the originals.
        failed: Pairs of the name of an image and a method.
        referenced: Whether there are originals.
        noise: Half the range of the noise, up to 20.
    """

    def make(
        cases=(("Made", "one"), ("Made", "two"), ("Other", "three")),
        offsets=None,
        curve="",
        size=(96, 144),
        failed=(),
        referenced=True,
        noise=3,
    ):
        offsets = offsets or {"bicubic": 20, "model": 5}
        return MadeEvaluation(cases, offsets, curve, size, set(failed), referenced, noise)

    return make


@pytest.fixture(scope="module")
def browser_of() -> Iterator[Callable[..., AbstractContextManager[Any]]]:
    """Opens the browser that is there, without a window, in a block.

    Args of the returned function:
        options: Of its command line.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    paths = [path for name in names if (path := shutil.which(name))]
    if not paths:
        pytest.skip(f"needs a browser: one of {', '.join(names)} on the PATH")
    # Root may not use the sandbox, and the only pages it opens are ours.
    sandbox = [] if getattr(os, "geteuid", lambda: 1)() else ["--no-sandbox"]
    with playwright.sync_playwright() as driver:

        @contextmanager
        def open_browser(*options: str) -> Iterator[Any]:
            opened = driver.chromium.launch(executable_path=paths[0], args=[*sandbox, *options])
            yield opened
            opened.close()

        yield open_browser


@pytest.fixture(scope="module")
def browser(browser_of: Callable[..., AbstractContextManager[Any]]) -> Iterator[Any]:
    """The browser that is there."""
    with browser_of() as opened:
        yield opened


@pytest.fixture(scope="session")
def answering() -> Callable[..., AbstractContextManager[str]]:
    """Runs an HTTP server with the given handler in a block, which gets its address."""

    @contextmanager
    def run(handler: Any) -> Iterator[str]:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    return run


@pytest.fixture(scope="session")
def browser_page(
    answering: Callable[..., AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of the page that needs no server: of files alone, without headers of its own."""
    root = Path(__file__).parents[1]
    if not (root / "examples" / "browser" / "node_modules").is_dir():
        pytest.skip("needs onnxruntime-web: run npm install --prefix examples/browser")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, root / "tools" / "browser_page.py", folder / "try"]
    subprocess.run(command, check=True)

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any):
            super().__init__(*args, directory=str(folder))

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def copyfile(self, source: Any, outputfile: Any) -> None:
            with contextlib.suppress(ConnectionError):  # of a page that is closed
                super().copyfile(source, outputfile)

    with answering(Files) as address:
        yield f"http://{address}/try/"


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[int]]:
    """Runs the service in a block, which gets its port.

    Args of the returned function:
        served: Models.
        hosts: As `server.application` takes them.
        origins: Likewise.
        header_timeout: As `running.Server` takes it.
        state: As `server.application` takes it; so are tokens, rate and proxies.
        port: To listen on; 0 takes any that is free.
        limits: What differs from `server.DEFAULT_LIMITS`.
    """
    server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
    running = pytest.importorskip("srgan.server.running", exc_type=ImportError)

    @contextmanager
    def run(
        *served: str,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        header_timeout: float = 10,
        state: Path | None = None,
        tokens: Mapping[str, str] | None = None,
        rate: float | None = None,
        proxies: Sequence[str] = (),
        port: int = 0,
        **limits: Any,
    ) -> Iterator[int]:
        limits = server.DEFAULT_LIMITS._replace(**limits)
        app = server.application(
            served,
            limits,
            hosts=hosts,
            origins=origins,
            state=state,
            tokens=tokens,
            rate=rate,
            proxies=proxies,
        )
        with socket.create_server(("127.0.0.1", port)) as listening:
            service = running.Server(app, header_timeout, drain=5)
            thread = threading.Thread(target=service.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield listening.getsockname()[1]
            finally:
                service.should_exit = True
                thread.join()

    return run


@pytest.fixture(scope="session")
def randomise() -> Callable[[Any], Any]:
    """Sets every weight of a network from a fixed seed, and returns the network.

    Kernels keep the variance of what they are given, and no vector is at its neutral value: of
    fresh weights, zero biases and tiny kernels would hide a wrong slope or a wrong order.
    """

    def set_weights(network: Any) -> Any:
        rng = np.random.default_rng(0)
        for layer in network.layers:
            for weight in layer.weights:
                shape = tuple(weight.shape)
                if weight.name == "kernel":
                    value = rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape)
                elif weight.name in ("gamma", "moving_variance"):
                    value = rng.uniform(0.5, 1.5, shape)
                elif weight.name == "alpha":
                    value = rng.uniform(0.05, 0.5, shape)
                else:
                    value = rng.normal(0, 0.1, shape)
                weight.assign(value)
        return network

    return set_weights


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    """Nine crops of real photos."""
    from skimage import data as photos

    from srgan.io import images

    root = tmp_path_factory.mktemp("photos")
    for i, photo in enumerate((photos.astronaut(), photos.chelsea(), photos.coffee())):
        for j in range(3):
            crop = photo[80 * j : 80 * j + 96, 100 : 196 + 8 * i]
            images.write(root / f"{i}{j}.png", crop)
    return root


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory):
    """The first two convolutions of a VGG16, with random weights: features, if not ImageNet's."""
    rng = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("vgg") / "vgg16.npz"
    arrays = {}
    for i, channels in ((1, 3), (2, 64)):
        arrays[f"block1_conv{i}/kernel"] = rng.normal(0, 0.1, (3, 3, channels, 64))
        arrays[f"block1_conv{i}/bias"] = rng.normal(0, 0.1, 64)
    np.savez(file, **{name: array.astype(np.float32) for name, array in arrays.items()})
    return file


@pytest.fixture(scope="session")
def tiny():
    """Every part of a run, in a few steps."""
    from srgan.train import config

    return config.Config(
        validate_every=2,
        precision="float32",
        generator=config.Residual(filters=16, blocks=1),
        pretrain=config.Pretrain(steps=4, batch_size=2, hr_patch=32, warmup=1),
        adversarial=config.Adversarial(
            steps=3,
            batch_size=2,
            hr_patch=64,
            window=48,
            taps={"conv1_2": 1.0},
            grid_weight=1.0,
            discriminator_filters=4,
            discriminator_steps=1,
            ramp=2,
        ),
    )


class Written:
    """Files of weights, made byte by byte as PyTorch and safetensors do."""

    STORAGES: ClassVar = {
        "float32": "FloatStorage",
        "float16": "HalfStorage",
        "int64": "LongStorage",
    }

    def __init__(self) -> None:
        self.views: tuple[None, ...] = ()  # after each storage in the old format

    def pickled(self, value: Any, arrays: dict[str, np.ndarray]) -> bytes:
        """The instructions of a pickle that make a value; `arrays` gets those in it, by key."""
        match value:
            case bytes():  # instructions of the test's own
                return value
            case None:
                return b"N"
            case bool():
                return b"\x88" if value else b"\x89"
            case int():
                return b"\x8a\x08" + value.to_bytes(8, "little", signed=True)
            case str():
                return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
            case tuple():
                return b"(" + b"".join(self.pickled(one, arrays) for one in value) + b"t"
            case list():
                return b"](" + b"".join(self.pickled(one, arrays) for one in value) + b"e"
            case dict():
                items = (self.pickled(one, arrays) for pair in value.items() for one in pair)
                return b"}(" + b"".join(items) + b"u"
            case np.ndarray():
                key = str(len(arrays))
                arrays[key] = value
                return self.tensor(value.shape, value.size, key, value.dtype.name, arrays)
        raise TypeError(type(value))

    def tensor(self, shape, count, key="0", dtype="float32", arrays=None, strides=None, offset=0):
        """The instructions that make a tensor, whatever they claim."""
        if strides is None:
            strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
        storage = b"ctorch\n" + self.STORAGES[dtype].encode() + b"\n"
        arrays = {} if arrays is None else arrays
        place = ("storage", storage, key, "cpu", count, *self.views)
        place = self.pickled(place, arrays) + b"Q"
        return (
            b"ctorch._utils\n_rebuild_tensor_v2\n"
            + self.pickled((place, offset, shape, strides, False, None), arrays)
            + b"R"
        )

    def zipped(self, path: Path, value: Any, compression=zipfile.ZIP_STORED, **arrays) -> Path:
        """Writes what `torch.save` does since PyTorch 1.6; `arrays` are added, as `key_0`."""
        found: dict[str, np.ndarray] = {}
        pickle = b"\x80\x02" + self.pickled(value, found) + b"."
        found |= {key.removeprefix("key_"): array for key, array in arrays.items()}
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("archive/data.pkl", pickle)
            archive.writestr("archive/version", "3\n")
            archive.writestr("archive/byteorder", "little")
            for key, array in found.items():
                archive.writestr(f"archive/data/{key}", array.tobytes())
        return path

    def legacy(self, path: Path, value: Any) -> Path:
        """Writes what `torch.save` did before."""
        arrays: dict[str, np.ndarray] = {}
        self.views = (None,)
        saved = self.pickled(value, arrays)
        self.views = ()
        magic = b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
        parts = (magic, self.pickled(1001, {}), self.pickled({}, {}), saved)
        pickles = (*parts, self.pickled(list(arrays), {}))
        written = b"".join(b"\x80\x02" + part + b"." for part in pickles)
        values = (struct.pack("<q", one.size) + one.tobytes() for one in arrays.values())
        path.write_bytes(written + b"".join(values))
        return path

    def safetensors(self, path: Path, arrays: dict[str, np.ndarray], **changes: Any) -> Path:
        """Writes that format; `changes` are to the entries of its header."""
        kinds = {"float32": "F32", "float16": "F16", "int64": "I64"}
        header, at = {}, 0
        for name, array in arrays.items():
            place = [at, at + array.nbytes]
            entry = {"dtype": kinds[array.dtype.name], "shape": array.shape, "data_offsets": place}
            header[name] = entry | changes.get(name, {})
            at += array.nbytes
        text = json.dumps(header | {k: v for k, v in changes.items() if k not in arrays}).encode()
        values = b"".join(array.tobytes() for array in arrays.values())
        path.write_bytes(struct.pack("<Q", len(text)) + text + values)
        return path


@pytest.fixture(scope="session")
def written() -> Written:
    """Makes files of weights."""
    return Written()
