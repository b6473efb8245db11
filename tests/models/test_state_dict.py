"""Weights are read as they were saved, and nothing else is: no code, no lies, no bombs."""

import json
import pickle
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from srgan.models.state_dict import read_state_dict

MADE = Path(__file__).parent / "weights"
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4) / 8


def refused(path, *said):
    """The error of a file, which is one line with the file's name."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_state_dict(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))
    for text in said:
        assert text in message


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "plain.safetensors"])
def test_files_of_pytorch_and_safetensors_are_read_exactly(name):
    state = read_state_dict(MADE / name)
    assert set(state) == {"full", "part", "turned", "half", "brain", "count", "none"}
    np.testing.assert_array_equal(state["full"], VALUES)
    np.testing.assert_array_equal(state["part"], VALUES[1:])
    np.testing.assert_array_equal(state["turned"], VALUES.T)
    np.testing.assert_array_equal(state["half"], VALUES.astype(np.float16))
    np.testing.assert_array_equal(state["brain"], VALUES)
    assert state["half"].dtype == np.float16
    assert state["brain"].dtype == np.float32
    assert state["count"] == 7
    assert state["none"].shape == (0, 3)


def test_of_a_checkpoint_the_model_is_taken_without_the_prefix_of_data_parallel():
    state = read_state_dict(MADE / "checkpoint.pth")
    assert set(state) == {"weight", "bias"}
    np.testing.assert_array_equal(state["weight"], np.arange(6).reshape(2, 3))


def test_a_moving_average_goes_before_the_weights(written, tmp_path):
    value = {"params": {"a": VALUES}, "params_ema": {"a": 2 * VALUES}, "iter": 7}
    state = read_state_dict(written.zipped(tmp_path / "a.pth", value))
    np.testing.assert_array_equal(state["a"], 2 * VALUES)


@pytest.mark.parametrize("prefix", ["netG.", "generator.", "module.net_g."])
def test_what_all_names_begin_with_is_taken_off(written, tmp_path, prefix):
    value = {f"{prefix}a": VALUES, f"{prefix}b": VALUES}
    assert read_state_dict(written.zipped(tmp_path / "a.pth", value)).keys() == {"a", "b"}


@pytest.mark.parametrize("depth", range(4))
def test_wrappers_are_looked_into(written, tmp_path, depth):
    value = {"module.a": VALUES}
    for key in ("params", "state_dict", "of my own")[:depth]:
        value = {key: value, "other": 1} if key != "of my own" else {key: value}
    state = read_state_dict(written.legacy(tmp_path / "a.pth", value))
    np.testing.assert_array_equal(state["a"], VALUES)


def test_what_the_tests_write_is_what_pytorch_reads(written, tmp_path):
    torch = pytest.importorskip("torch", reason="needs torch")
    for write in (written.zipped, written.legacy):
        loaded = torch.load(write(tmp_path / "a.pth", {"a": VALUES}), weights_only=True)
        np.testing.assert_array_equal(loaded["a"].numpy(), VALUES)


def test_a_pickled_program_is_refused_and_not_run(written, tmp_path):
    trace = tmp_path / "trace"
    run = b"cbuiltins\nopen\n" + written.pickled((str(trace), "w"), {}) + b"R"
    for write in (written.zipped, written.legacy):
        refused(write(tmp_path / "a.pth", {"a": VALUES, "b": run}), "builtins.open", "run")
    assert not trace.exists()


class Opens:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_python_are_refused_and_not_run(written, tmp_path, protocol):
    trace = tmp_path / "trace"
    made = pickle.dumps({"a": Opens(trace)}, protocol)
    (tmp_path / "a.pth").write_bytes(made)
    refused(tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "b.pth", "w") as archive:
        archive.writestr("archive/data.pkl", made)
    refused(tmp_path / "b.pth", "open" if protocol else "is")
    assert not trace.exists()


def test_whole_models_and_programs_are_refused_by_name():
    refused(MADE / "whole.pth", "torch.nn.modules.linear.Linear", "state_dict")
    refused(MADE / "script.pt", "TorchScript", "state_dict")


@pytest.mark.parametrize(
    "instructions",
    [
        b"i__builtin__\nopen\n",
        b"(c__builtin__\nlist\no",
        b"ccollections\nOrderedDict\n)\x81",
        b"\x82\x01",
        b"P1\n",
        b"cbuiltins\nlist\n)R",
        b"ctorch\nFloatStorage\n)R",
        b"ctorch.hub\nload\n",
    ],
)
def test_no_instruction_makes_an_object(written, tmp_path, instructions):
    refused(written.zipped(tmp_path / "a.pth", {"a": VALUES, "b": instructions}))


@pytest.mark.parametrize(
    "instructions",
    [
        b"R",
        b"u",
        b"0" * 9,
        b"h\x07",
        b"]a",
        b"}J\x01\x00\x00\x00u",
        b"t",
        b"b",
        b"Q",
        b"}a",
        b"\xff",
    ],
)
@pytest.mark.parametrize("write", ["zipped", "legacy"])
def test_broken_pickles_are_said_to_be_damaged(written, tmp_path, instructions, write):
    refused(getattr(written, write)(tmp_path / "a.pth", instructions), "damaged")


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((3, 5), None, 0),
        ((3, 4), None, 1),
        ((10**6, 10**6), (0, 0), 0),
        ((-1, 4), None, 0),
        ((3, 4), (-4, 1), 11),
        ((3, 4), (4,), 0),
        ((1,) * 40, None, 0),
        ((3, 4), None, -1),
    ],
)
def test_tensors_outside_their_values_are_refused(written, tmp_path, shape, strides, offset):
    tensor = written.tensor(shape, 12, strides=strides, offset=offset)
    refused(written.zipped(tmp_path / "a.pth", {"a": tensor}, key_0=VALUES), "tensor of")


def test_values_that_are_not_as_many_as_said_are_refused(written, tmp_path):
    tensor = written.tensor((2**40,), 2**40)
    refused(written.zipped(tmp_path / "a.pth", {"a": tensor}, key_0=VALUES), "48 bytes")
    refused(written.zipped(tmp_path / "a.pth", {"a": written.tensor((3,), 3)}), "no part")


def test_the_same_values_under_many_names_do_not_fill_the_memory(written, tmp_path):
    big = np.zeros(2**18, np.float32)
    value = {f"a{i}": written.tensor((2**18,), 2**18) for i in range(1000)}
    path = written.zipped(tmp_path / "a.pth", value, key_0=big)
    refused(path, "more weights")


def test_compressed_archives_are_refused_before_they_grow(written, tmp_path):
    path = tmp_path / "a.pth"
    written.zipped(path, {"a": np.zeros(2**24, np.float32)}, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    refused(path, "compressed")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**21


def test_archives_whose_parts_overlap_are_refused(written, tmp_path):
    path = written.zipped(tmp_path / "a.pth", {"a": np.zeros(2**16, np.float32)})
    data = path.read_bytes()
    start = data.rindex(b"PK\x05\x06")
    entries = data.index(b"PK\x01\x02")
    last = data[data.rindex(b"PK\x01\x02") : start]
    copies = b"".join(last.replace(b"data/0", b"data/%d" % i) for i in range(1, 9))
    (count,) = struct.unpack_from("<H", data, start + 10)
    end = struct.pack(
        "<HHHHIIH", 0, 0, count + 8, count + 8, start + len(copies) - entries, entries, 0
    )
    path.write_bytes(data[:start] + copies + b"PK\x05\x06" + end)
    refused(path, "holds")


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "plain.safetensors", "checkpoint.pth"])
def test_files_cut_short_anywhere_are_refused(tmp_path, name):
    data = (MADE / name).read_bytes()
    path = tmp_path / name
    for length in range(0, len(data) - 1, max(len(data) // 60, 1)):
        path.write_bytes(data[:length])
        refused(path)


@pytest.mark.parametrize("write", ["zipped", "legacy", "safetensors"])
def test_weights_that_are_not_numbers_are_refused_by_name(written, tmp_path, write):
    broken = np.where(VALUES == 1, np.nan, VALUES)
    value = {"fine": VALUES, "body.0.weight": broken.astype(np.float16)}
    refused(getattr(written, write)(tmp_path / "a", value), "NaN", "body.0.weight")


@pytest.mark.parametrize(
    "entry",
    [
        {"data_offsets": [0, 2**40]},
        {"data_offsets": [-48, 0]},
        {"data_offsets": [0, 44]},
        {"data_offsets": [0]},
        {"data_offsets": [0.0, 48.0]},
        {"data_offsets": None},
        {"shape": [3, 5]},
        {"shape": [-3, -4]},
        {"shape": [2**70, 2**70]},
        {"shape": "3x4"},
        {"dtype": "F99"},
        {"dtype": ["F32"]},
    ],
)
def test_headers_of_safetensors_that_lie_are_refused(written, tmp_path, entry):
    refused(written.safetensors(tmp_path / "a.safetensors", {"a": VALUES}, a=entry), "'a'")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b'{"a": 1}', "'a'"),
        (b'{"a": ', "JSON"),
        (b"{" + b'"a":{' * 5000, "JSON"),
        (b'{"a": {}, "a": {}}', "twice"),
        (b"{\xff}", "JSON"),
        (b"{}", "nothing"),
    ],
)
def test_headers_of_safetensors_that_are_none_are_refused(tmp_path, header, said):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    refused(path, said)


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    for size in (2**63, 2**24, 100):
        path.write_bytes(struct.pack("<Q", size) + b'{"a": 1}')
        refused(path, "cut short")


@pytest.mark.parametrize("value", [{}, {"epoch": 3}, [VALUES], VALUES, 7, {7: VALUES}])
def test_what_is_no_model_is_refused(written, tmp_path, value):
    refused(written.zipped(tmp_path / "a.pth", value), "state_dict")


@pytest.mark.parametrize("name", ["a\nb", "a b", "", "a" * 300, "\x1b[2J"])
def test_names_that_no_model_has_are_refused(written, tmp_path, name):
    refused(written.zipped(tmp_path / "a.pth", {name: VALUES}), "name")


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\x03\x04", b"\x89PNG", b"\x80", b"\x80\x02", b"version"]
)
def test_other_files_are_refused(tmp_path, data):
    (tmp_path / "a.pth").write_bytes(data)
    refused(tmp_path / "a.pth")


@pytest.mark.parametrize(("first", "second"), [((0, 16), (8, 24)), ((0, 16), (24, 40))])
def test_tensors_that_overlap_or_leave_a_hole_are_refused(tmp_path, first, second):
    header = {
        name: {"dtype": "F32", "shape": [4], "data_offsets": span}
        for name, span in (("a", first), ("b", second))
    }
    text = json.dumps(header).encode()
    path = tmp_path / "lying.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(second[1]))
    with pytest.raises(ValueError, match=rf"begins at byte {second[0]}, where .* ends at 16"):
        read_state_dict(path)
