"""Both engines are checked against arithmetic and each other, and with hostile files."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srgan.models import catalogue, engines
from srgan.util import parallel

KINDS = ["onnxruntime", "openvino"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def save(path, nodes, weights=(), inputs=("lr",), outputs=("sr",)):
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(i, TensorProto.FLOAT, ["b", "h", "w", 3]) for i in inputs],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["b", "h", "w", 3]) for o in outputs],
        weights,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("elsewhere", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, {"srgan.name": "größer", "other": "4"})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def tripling(tmp_path):
    factor = numpy_helper.from_array(np.float32([1, 2, 3]), "factor")
    return save(tmp_path / "a.onnx", [helper.make_node("Mul", ["lr", "factor"], ["sr"])], [factor])


def test_run_computes_the_graph(tripling, kind):
    images = np.random.default_rng(0).random((2, 4, 5, 3), dtype=np.float32)
    sr = engines.open_engine(tripling, kind).run(images)
    assert sr.dtype == np.float32
    np.testing.assert_allclose(sr, images * [1, 2, 3], rtol=1e-6)


def test_one_engine_takes_any_size(tripling, kind):
    engine = engines.open_engine(tripling, kind)
    for shape in [(1, 1, 1, 3), (1, 40, 5, 3), (3, 7, 9, 3), (1, 1, 1, 3)]:
        np.testing.assert_allclose(engine.run(np.ones(shape, np.float32))[..., 2], 3)


def test_run_takes_views(tripling, kind):
    images = np.random.default_rng(0).random((1, 8, 6, 3), dtype=np.float32)
    for view in (images[:, ::-2], images.swapaxes(1, 2), images[..., ::-1]):
        sr = engines.open_engine(tripling, kind).run(view)
        np.testing.assert_allclose(sr, view * [1, 2, 3], rtol=1e-6)


def test_results_are_not_overwritten_by_the_next_run(tripling, kind):
    engine = engines.open_engine(tripling, kind)
    first = engine.run(np.zeros((1, 4, 4, 3), np.float32))
    engine.run(np.ones((1, 4, 4, 3), np.float32))
    np.testing.assert_array_equal(first, 0)


def test_engines_agree(tiny_model):
    lr = np.random.default_rng(0).random((1, 33, 47, 3), dtype=np.float32)
    one, other = (engines.open_engine(tiny_model, kind).run(lr) for kind in KINDS)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_threads_share_an_engine(tiny_model, kind):
    engine = engines.open_engine(tiny_model, kind)
    inputs = [np.full((1, 20 + i, 24, 3), i / 8, np.float32) for i in range(8)]
    expected = [engine.run(images) for images in inputs]
    wrong = []

    def work(i):
        for _ in range(20):
            if not np.array_equal(engine.run(inputs[i]), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_metadata_is_what_the_file_says(tripling, kind):
    metadata = engines.open_engine(tripling, kind).metadata
    assert dict(metadata) == {"srgan.name": "größer", "other": "4"}


def test_a_missing_file_is_named(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match=r"gone\.onnx"):
        engines.open_engine(tmp_path / "gone.onnx", kind)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x89PNG\r\n\x1a\n", b"\x08\x08" * 500])
def test_a_file_that_is_no_model_is_named_in_silence(tmp_path, kind, content, capfd):
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"a\.onnx is not an ONNX model, or is cut short\. Download"
    ):
        engines.open_engine(path, kind)
    assert capfd.readouterr() == ("", "")


def test_a_model_cut_short_is_refused(tiny_model, tmp_path, kind):
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny_model.read_bytes()[:1000])
    with pytest.raises(
        ValueError, match=r"cut\.onnx is not an ONNX model, or is cut short\."
    ) as error:
        engines.open_engine(path, kind)
    assert "\n" not in str(error.value)


def test_unknown_operators_are_refused(tmp_path, kind):
    node = helper.make_node("RunCommand", ["lr"], ["sr"], domain="elsewhere")
    with pytest.raises(ValueError, match="is not an ONNX model that"):
        engines.open_engine(save(tmp_path / "a.onnx", [node]), kind)


@pytest.mark.parametrize("ends", [{"inputs": ("lr", "b")}, {"outputs": ("sr", "b")}])
def test_a_model_of_two_inputs_or_outputs_is_refused(tmp_path, kind, ends):
    nodes = [
        helper.make_node("Sum", list(ends.get("inputs", ["lr"])), [name])
        for name in ends.get("outputs", ["sr"])
    ]
    with pytest.raises(ValueError, match="it has 2 inputs or outputs where one is needed"):
        engines.open_engine(save(tmp_path / "a.onnx", nodes, **ends), kind)


def external(location, **said):
    tensor = helper.make_tensor("factor", TensorProto.FLOAT, [3], b"\0" * 12, raw=True)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **said}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


@pytest.mark.parametrize("holder", ["initialiser", "constant"])
def test_weights_beside_a_model_are_read(tmp_path, kind, holder):
    (tmp_path / "a.onnx.data").write_bytes(np.float32([1, 2, 3]).tobytes())
    path = with_weights(tmp_path, "a.onnx.data", holder)
    lr = np.full((1, 2, 2, 3), 0.5, np.float32)
    assert np.array_equal(engines.open_engine(path, kind).run(lr)[0, 0, 0], [0.5, 1, 1.5])


@pytest.mark.parametrize("holder", ["initialiser", "constant"])
@pytest.mark.parametrize(
    "place", ["{folder}/secret", "../secret", "inner/../secret", "inner/secret", "link", "..", ""]
)
def test_weights_elsewhere_are_not_read(tmp_path, kind, place, holder):
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    for file in (tmp_path / "secret", folder / "inner" / "secret"):
        file.write_bytes(np.float32([1, 2, 3]).tobytes())
    (folder / "link").symlink_to(tmp_path / "secret")
    path = with_weights(folder, place.format(folder=folder), holder)
    with pytest.raises(ValueError, match="expected a file in its own folder"):
        engines.open_engine(path, kind)


@pytest.mark.parametrize(
    ("said", "size", "words"),
    [
        ({}, None, "is not beside it. Copy that, too"),
        ({}, 11, "They do not belong together"),
        ({"offset": "4"}, 12, "They do not belong together"),
        ({"offset": "-4"}, 12, "They do not belong together"),
        ({"length": "8"}, 12, "its shape needs 12"),
        ({"length": "many"}, 12, "says no type or place of 'factor'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, said, size, words):
    if size is not None:
        (tmp_path / "weights").write_bytes(bytes(size))
    with pytest.raises(ValueError, match=words):
        engines.open_engine(with_weights(tmp_path, "weights", "initialiser", **said))


def test_weights_of_a_negative_shape_are_refused(tmp_path):
    (tmp_path / "weights").write_bytes(bytes(12))
    path = with_weights(tmp_path, "weights", "initialiser")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].dims[:] = [-3]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="its shape needs -12"):
        engines.open_engine(path)


def test_weights_of_another_file_change_the_fingerprint(tmp_path):
    path = with_weights(tmp_path, "weights", "initialiser")
    found = set()
    for value in (1, 2):
        (tmp_path / "weights").write_bytes(np.float32([value] * 3).tobytes())
        found |= {catalogue.fingerprint(path), catalogue.sha256(path)}
    assert len(found) == 4


def with_weights(folder, location, holder, **said):
    """A model whose factor, [1, 2, 3], is said to be in another file."""
    tensor = external(location, **said)
    nodes = [helper.make_node("Mul", ["lr", "factor"], ["sr"])]
    if holder == "constant":
        nodes.insert(0, helper.make_node("Constant", [], ["factor"], value=tensor))
    return save(folder / "a.onnx", nodes, [tensor] if holder == "initialiser" else [])


def test_no_spelling_of_external_data_goes_unseen(tmp_path):
    path = tmp_path / "a.onnx"
    save(path, [helper.make_node("Mul", ["lr", "factor"], ["sr"])], [external("secret")])
    entry = b"\x0a\x08location\x12\x06secret"
    longer = b"\x0a\x88\x80\x00location\x12\x06secret"  # the length 8 in three bytes
    spelt = onnx.StringStringEntryProto.FromString(longer)
    assert spelt == onnx.StringStringEntryProto.FromString(entry)  # protobuf reads both
    path.write_bytes(path.read_bytes().replace(entry, longer))
    with pytest.raises(ValueError, match="keeps weights in another file"):
        engines.open_engine(path, data=path.read_bytes())


def test_the_word_location_is_no_external_data(make_model, kind):
    engines.open_engine(make_model(training_data="photos of one location"), kind)


def test_a_missing_engine_says_how_to_install_it(tiny_model, tmp_path):
    # An interpreter without the engine: a file of its name that fails as a missing one does.
    (tmp_path / "openvino.py").write_text("raise ModuleNotFoundError('openvino')")
    code = f"from srgan.models import engines; engines.open_engine({str(tiny_model)!r}, 'openvino')"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert "The engine openvino is not installed. Run: pip install openvino" in done.stderr


def test_bfloat16_is_refused_where_it_would_be_slow(tiny_model):
    openvino = pytest.importorskip("openvino")
    with pytest.raises(ValueError, match="Only OpenVINO computes in bfloat16"):
        engines.open_engine(tiny_model, "onnxruntime", precision="bfloat16")
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        engine = engines.open_engine(tiny_model, "openvino", precision="bfloat16")
        lr = np.random.default_rng(0).random((1, 20, 30, 3), dtype=np.float32)
        exact = engines.open_engine(tiny_model, "openvino").run(lr)
        assert 0 < np.abs(engine.run(lr) - exact).max() < 0.02
    else:
        with pytest.raises(ValueError, match="This processor does not compute in bfloat16"):
            engines.open_engine(tiny_model, "openvino", precision="bfloat16")


_AT_ONCE = """
import sys, threading
import numpy as np
from srgan.models import catalogue, engines

sys.setswitchinterval(1e-6)
engine = engines.open_engine(sys.argv[1], "openvino", calls=2)
gate = threading.Barrier(2)


def run():
    gate.wait()
    engine.run(np.zeros((1, 20, 20, 3), np.float32))


threads = [threading.Thread(target=run) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.slow
def test_the_first_calls_of_a_process_may_come_from_two_threads_at_once(tripling):
    pytest.importorskip("openvino")
    for _ in range(12):  # without what prevents it, one in seven waited for ever
        subprocess.run([sys.executable, "-c", _AT_ONCE, tripling], check=True, timeout=60)


def test_a_run_ends_when_it_is_told_to():
    engine = engines.open_engine(catalogue.path("srgan-x4"), "onnxruntime", 1, "float32")
    lr = np.zeros((1, 400, 400, 3), np.float32)
    stop = parallel.Stop()
    timer = threading.Timer(0.3, stop)
    timer.start()
    with stop.ends(), pytest.raises(ValueError, match="terminate"):  # not a result, after seconds
        engine.run(lr)
    timer.join()


@pytest.mark.skipif(os.name == "nt", reason="needs a timer's signal")
def test_ctrl_c_ends_a_run_of_the_main_thread_early():
    engine = engines.open_engine(catalogue.path("srgan-x4"), "onnxruntime", 1, "float32")

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    began = time.monotonic()
    try:
        engine.run(np.zeros((1, 120, 120, 3), np.float32))
        a_ninth = time.monotonic() - began
        signal.setitimer(signal.ITIMER_REAL, a_ninth)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            engine.run(np.zeros((1, 360, 360, 3), np.float32))
        assert time.monotonic() - began < 4.5 * a_ninth
    finally:
        signal.signal(signal.SIGALRM, before)


_INTERRUPTED = """
import gc, os, signal, sys, threading
import numpy as np
from srgan.models import engines

opened = [engines.open_engine(sys.argv[1], sys.argv[2])]
opened[0].run(np.zeros((1, 8, 8, 3), np.float32))

def drop():
    opened.clear()
    gc.collect()

thread = threading.Thread(target=drop)
thread.start()
thread.join()
signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored in the background
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process there")
def test_ctrl_c_is_heard_after_another_thread_dropped_an_engine(tripling, kind):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _INTERRUPTED, str(tripling), kind]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
