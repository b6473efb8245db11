"""Every generator is written in every format, and run by the format's own runtime."""

import json
import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from srgan.export import exporters
from srgan.export.exporters import FORMATS, ExportTask
from srgan.io import images
from srgan.models import loading
from srgan.models.metadata import Metadata
from srgan.networks.efficient import span
from srgan.networks.generators import residual, rrdbnet, srresnet
from srgan.networks.graph import receptive_field
from srgan.numeric import projection, resize
from srgan.util import resources
from srgan.verification import certificate, runtimes

NETWORKS = {
    "residual": lambda: residual(4, filters=8, blocks=2),
    "srresnet": lambda: srresnet(4, filters=8, blocks=2),
    "rrdbnet": lambda: rrdbnet(2, filters=8, blocks=1, growth=4),
    "span": lambda: span(2, filters=8),
}
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "guides" / "export.md"
# Of TensorFlow Lite's GPU delegate, and integer arithmetic (tensorflow/lite/delegates/gpu).
MOBILE = {
    "ADD",
    "CONCATENATION",
    "CONV_2D",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "LEAKY_RELU",
    "LOGISTIC",
    "MUL",
    "NEG",
    "QUANTIZE",
    "RELU",
    "SUB",
}


def photo(height=20, width=31, batch=1):
    paths = sorted(resources.PHOTOS.glob("*.webp"))
    crops = [
        resize.downscale(images.read(path), 4)[10 : 10 + height, 20 : 20 + width]
        for path in paths[:batch]
    ]
    return np.clip(np.stack(crops), 0, 1)


def tame(network):
    """Makes the results as large as those of a trained network, so that few are clipped."""
    factor = {"residual": 0.1, "span": 0.01}.get(network.name.rpartition("_x")[0])
    if factor:
        tail = network.get_layer("tail").kernel
        tail.assign(factor * tail)
    return network


def job(network, size=None):
    metadata = Metadata(
        name="tiny",
        scale=int(network.name[-1]),
        receptive_field=receptive_field(network),
        consistency_rounds=3,
        training_data="none: random weights",
        licence="CC0",
        scores="",
        config_hash="0",
    )
    crops = photo(20, 24, 4)
    return ExportTask(network, metadata, size, [*crops, 0 * crops[0], 0 * crops[0] + 1])


@pytest.fixture(scope="module")
def write(randomise, tmp_path_factory):
    """Writes a network in a format, once; returns the network and the file."""
    done = {}

    def once(name, kind):
        if (name, kind) not in done:
            network = tame(randomise(NETWORKS[name]()))
            folder = tmp_path_factory.mktemp(kind)
            done[name, kind] = network, folder / FORMATS[kind].write(job(network), folder)
        return done[name, kind]

    return once


def tree(path):
    """A .tflite file as objects."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))


def operators(path):
    names = {value: key for key, value in vars(schema.BuiltinOperator).items()}
    model = tree(path)
    codes = [names[code.builtinCode] for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "name",
    ["residual", *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(NETWORKS)[1:])],
)
def test_every_generator_is_the_same_in_every_format(name, kind, write):
    network, path = write(name, kind)
    runtime = runtimes.open_runtime(path)
    for lr in (photo(20, 31), photo(9, 16, batch=3)):
        expected = network(lr).numpy()
        if FORMATS[kind].projects:
            expected = np.stack(
                [projection.project(sr, small, 3) for sr, small in zip(expected, lr, strict=True)]
            )
        sr = runtime.run(lr)
        assert sr.shape == expected.shape
        assert sr.dtype == np.float32
        error = 255 * (np.clip(sr, 0, 1) - np.clip(expected, 0, 1))
        psnr = 10 * np.log10(255**2 / max(np.mean(error**2), 1e-9))
        # Random weights spread values more widely than trained ones, which costs int8 more.
        assert psnr > (30 if kind.endswith("int8") else certificate.MIN_PSNR[kind])


@pytest.mark.parametrize("kind", ["onnx", "onnx-fp16"])
def test_onnx_files_run_on_both_engines(kind, write):
    network, path = write("rrdbnet", kind)
    results = [
        loading.load(path, engine).upscale(photo()[0]) for engine in ("onnxruntime", "openvino")
    ]
    np.testing.assert_allclose(results[0], results[1], atol=2e-3)
    assert loading.load(path).metadata == job(network).metadata


def test_half_precision_and_int8_make_files_smaller(randomise, tmp_path):
    network = tame(randomise(residual(4, filters=48, blocks=2)))
    sizes = {}
    for kind in FORMATS:
        if kind != "savedmodel":
            (tmp_path / kind).mkdir()
            FORMATS[kind].write(job(network), tmp_path / kind)
            sizes[kind] = sum(path.stat().st_size for path in (tmp_path / kind).iterdir())
    for family in ("onnx", "tflite", "openvino"):
        assert sizes[f"{family}-fp16"] < 0.65 * sizes[family]
    for family in ("tflite", "openvino"):
        assert sizes[f"{family}-int8"] < 0.5 * sizes[family]


@pytest.mark.parametrize("kind", ["tflite", "tflite-fp16", "tflite-int8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_tflite_has_only_operations_of_mobile_delegates(name, kind, write):
    path = write(name, kind)[1]
    found = operators(path)
    assert set(found) <= MOBILE
    shuffles = {"residual": 2, "srresnet": 2, "rrdbnet": 1, "span": 1}  # an enlargement is one, too
    assert found.count("DEPTH_TO_SPACE") == shuffles[name]
    for tensor in tree(path).subgraphs[0].tensors:
        assert len(tensor.shape if tensor.shape is not None else []) <= 4


def test_int8_tensors_are_integers_and_kernels_have_a_step_for_every_channel(write):
    path = write("residual", "tflite-int8")[1]
    graph = tree(path).subgraphs[0]
    assert {tensor.type for tensor in graph.tensors} <= {
        schema.TensorType.INT8,
        schema.TensorType.INT32,  # biases
    }
    steps = [
        len(graph.tensors[operator.inputs[1]].quantization.scale)
        for operator in graph.operators
        if len(operator.inputs) == 3  # picture, kernel, bias
    ]
    assert sorted(steps) == [3] + [8] * 6 + [256]
    lr = Interpreter(str(path)).get_input_details()[0]
    assert lr["quantization"] == (pytest.approx(1 / 255), -128)  # any 8-bit picture, exactly


@pytest.mark.parametrize(
    ("kind", "numbers"), [("tflite", "float32 RGB"), ("tflite-int8", "int8, quantised RGB")]
)
def test_tflite_files_say_what_they_take(kind, numbers, write):
    network, path = write("residual", kind)
    model = tree(path)
    (entry,) = [entry for entry in model.metadata if entry.name == b"srgan"]
    described = json.loads(bytes(model.buffers[entry.buffer].data))
    assert described["scale"] == 4
    assert described["lr"] == f"{numbers} in [0, 1], (1, height, width, 3)"
    assert Metadata.model_validate(described) == job(network).metadata
    (signature,) = Interpreter(str(path)).get_signature_list().items()
    assert signature == ("serving_default", {"inputs": ["lr"], "outputs": ["sr"]})


@pytest.mark.parametrize("kind", ["tflite", "tflite-int8"])
def test_tflite_files_of_a_fixed_size_say_so(kind, randomise, tmp_path):
    network = tame(randomise(NETWORKS["residual"]()))
    path = tmp_path / FORMATS[kind].write(job(network, size=(20, 24)), tmp_path)
    assert set(operators(path)) <= MOBILE
    interpreter = Interpreter(str(path))
    assert tuple(interpreter.get_input_details()[0]["shape"]) == (1, 20, 24, 3)
    assert tuple(interpreter.get_output_details()[0]["shape"]) == (1, 80, 96, 3)
    assert -1 not in interpreter.get_input_details()[0]["shape_signature"]
    sr = runtimes.open_runtime(path).run(photo(20, 24))
    assert np.abs(sr - network(photo(20, 24))).mean() < 0.02


@pytest.mark.parametrize("kind", ["tflite", "tflite-int8"])
def test_the_example_of_the_documentation_runs_by_litert_alone(kind, write, tmp_path):
    network, path = write("residual", kind)
    example = (DOCUMENTATION.read_text()).split("```python\n")[1].split("```")[0]
    banned = "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'srgan']))\n"
    images.write(tmp_path / "lr.png", photo()[0])
    arguments = [path, tmp_path / "lr.png", tmp_path / "sr.png"]
    command = [sys.executable, "-c", banned + example, *map(str, arguments)]
    subprocess.run(command, capture_output=True, check=True)
    expected = np.clip(network(images.read(tmp_path / "lr.png")[None])[0], 0, 1)
    error = 255 * (images.read(tmp_path / "sr.png") - expected)
    assert np.sqrt(np.mean(error**2)) < (0.4 if kind == "tflite" else 3)


@pytest.mark.slow
def test_a_saved_model_serves_pictures_and_files_in_a_fresh_process(write, tmp_path):
    network, path = write("residual", "savedmodel")
    lr = images.to_uint8(photo(20, 31)[0])
    images.write(tmp_path / "a.png", lr)
    images.write(tmp_path / "b.png", lr[:9, ::-1])
    images.write(tmp_path / "c.jpg", lr)
    subprocess.run(
        [
            sys.executable,
            "-c",
            """
import pathlib, sys
import numpy, tensorflow
folder, model = pathlib.Path(sys.argv[2]), tensorflow.saved_model.load(sys.argv[1])
read = lambda name: (folder / name).read_bytes()
serve = model.signatures["serve_images"]
for i, names in enumerate((["a.png", "b.png"], ["c.jpg"])):
    encoded = tensorflow.constant([read(name) for name in names])
    for j, file in enumerate(serve(encoded)["images_bytes"]):
        (folder / f"sr{i}{j}.png").write_bytes(file.numpy())
lr = tensorflow.io.decode_image(read("a.png"))[None] / 255
sr = model.signatures["serving_default"](lr=tensorflow.cast(lr, tensorflow.float32))["sr"]
numpy.save(folder / "sr.npy", sr)
""",
            path,
            tmp_path,
        ],
        capture_output=True,
        check=True,
    )
    small = lr[None] / np.float32(255)
    expected = np.clip(projection.project(network(small).numpy()[0], small[0], 3), 0, 1)
    np.testing.assert_allclose(np.load(tmp_path / "sr.npy")[0], expected, atol=1e-4)
    off = images.read_uint8(tmp_path / "sr00.png").astype(int) - images.to_uint8(expected)
    assert np.abs(off).max() <= 1
    assert np.mean(off != 0) < 0.01
    assert images.read(tmp_path / "sr01.png").shape == (36, 124, 3)
    assert images.read(tmp_path / "sr10.png").shape == (80, 124, 3)


def test_a_saved_model_has_only_operations_of_tensorflow(write):
    path = write("residual", "savedmodel")[1]
    operations = {
        node.op for function in saved(path).graph_def.library.function for node in function.node_def
    }
    assert {"Conv2D", "DecodeImage", "EncodePng"} <= operations
    known = {name for name in dir(tf.raw_ops) if not name.startswith("_")}
    assert operations - known <= {"PartitionedCall", "StatefulPartitionedCall"}
    assert not [name for name in operations if "Py" in name]  # Python's functions


def saved(path):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return model.meta_graphs[0]


@pytest.mark.slow  # imports TensorFlow once more
def test_saved_model_cli_shows_both_signatures_with_sizes_left_open(write):
    path = write("residual", "savedmodel")[1]
    shown = subprocess.run(
        [
            *(sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"),
            *("show", "--dir", str(path), "--tag_set", "serve", "--all"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    default = shown.partition("signature_def['serving_default']")[2]
    assert "inputs['lr']" in default
    assert "shape: (-1, -1, -1, 3)" in default
    files = shown.partition("signature_def['serve_images']")[2]
    assert "inputs['images_bytes']" in files
    assert "dtype: DT_STRING" in files


def test_openvino_files_say_what_they_are(write):
    import openvino

    network, path = write("residual", "openvino-int8")
    stored = openvino.Core().read_model(path).get_rt_info("srgan").astype(dict)
    metadata = job(network).metadata.model_dump()
    assert {key: value.astype(str) for key, value in stored.items()} == {
        key: str(value) for key, value in metadata.items()
    }


def test_every_format_has_a_limit():
    assert list(exporters.FORMATS) == list(certificate.MIN_PSNR)


def test_formats_name_their_packages_as_the_index_does():
    assert exporters.FORMATS["tflite"].distributions == ["ai-edge-litert"]


class Table:
    """A table of a FlatBuffer, by the numbers of its fields."""

    def __init__(self, data, place):
        self._table = flatbuffers.table.Table(bytearray(data), place)

    def _at(self, field):
        return self._table.Pos + self._table.Offset(4 + 2 * field)

    def text(self, field):
        return self._table.String(self._at(field)).decode()

    def table(self, field):
        return Table(self._table.Bytes, self._table.Indirect(self._at(field)))

    def tables(self, field):
        offset = self._table.Offset(4 + 2 * field)
        first, count = self._table.Vector(offset), self._table.VectorLen(offset)
        places = [self._table.Indirect(first + 4 * index) for index in range(count)]
        return [Table(self._table.Bytes, place) for place in places]

    def number(self, field, flags):
        return self._table.Get(flags, self._at(field))

    def float(self, field):
        first = self._table.Vector(self._table.Offset(4 + 2 * field))
        return self._table.Get(flatbuffers.number_types.Float32Flags, first)


@pytest.mark.parametrize("kind", ["tflite", "tflite-int8"])
def test_tflite_has_the_standard_metadata(kind, write):
    model = tree(write("residual", kind)[1])
    (entry,) = (entry for entry in model.metadata if entry.name == b"TFLITE_METADATA")
    data = bytes(model.buffers[entry.buffer].data)
    assert data[4:8] == b"M001"
    root = Table(data, int.from_bytes(data[:4], "little"))
    assert [root.text(field) for field in (0, 5, 7)] == ["tiny", "CC0", "1.0.0"]
    (subgraph,) = root.tables(3)
    byte, signed = flatbuffers.number_types.Uint8Flags, flatbuffers.number_types.Int8Flags
    for field, name in ((2, "lr"), (3, "sr")):
        (image,) = subgraph.tables(field)
        assert image.text(0) == name
        content = image.table(3)
        assert content.number(0, byte) == 2  # ImageProperties
        assert content.table(1).number(0, signed) == 1  # RGB
        (unit,) = image.tables(4)
        assert unit.number(0, byte) == 1  # NormalizationOptions
        assert (unit.table(1).float(0), unit.table(1).float(1)) == (0, 255)
        assert (image.table(5).float(0), image.table(5).float(1)) == (1, 0)
