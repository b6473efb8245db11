"""What several test files need: the shared pictures, and small models made on the spot."""

from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

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
