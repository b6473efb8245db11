"""Which states are kept, and that no damaged one is taken for a good one."""

import keras
import numpy as np
import pytest

from srgan.train import checkpoints
from srgan.train.checkpoints import Checkpoints


def state(value=0.0):
    values = {"generator/000": np.full((2, 3), value, np.float32), "step": np.int64(value)}
    return {name: keras.Variable(x, dtype=str(x.dtype)) for name, x in values.items()}


def kept(folder):
    return sorted(int(path.stem) for path in folder.glob("*.npz"))


def test_every_bit_of_a_file_is_under_a_checksum_or_without_effect(tmp_path):
    file = tmp_path / "state.npz"
    checkpoints.save(file, state(3.0))
    data = file.read_bytes()
    found = state()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            checkpoints.restore(file, found)
        except ValueError:
            continue
        np.testing.assert_array_equal(found["generator/000"], 3.0)
        assert int(found["step"]) == 3


def test_the_last_three_regular_states_are_kept_and_the_newest_in_between(tmp_path):
    saved = Checkpoints(tmp_path, 10)
    found = []
    for step in (0, 10, 13, 20, 30, 35, 40):
        saved.save(state(), step)
        found.append(kept(tmp_path))
    assert found == [
        [0],
        [0, 10],
        [0, 10, 13],
        [0, 10, 20],
        [10, 20, 30],
        [10, 20, 30, 35],
        [20, 30, 40],
    ]


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", lambda data: b"PK"])
def test_damaged_states_are_skipped_with_a_warning(tmp_path, caplog, damage):
    saved, found = Checkpoints(tmp_path, 10), state()
    for step in (0, 10, 20):
        saved.save(state(step), step)
    newest = tmp_path / "00000020.npz"
    newest.write_bytes(damage(newest.read_bytes()))
    assert saved.restore(found)
    assert int(found["step"]) == 10
    assert "00000020.npz is damaged, or no checkpoint" in caplog.text


def test_a_folder_of_damaged_states_is_an_error_and_an_empty_one_is_none(tmp_path):
    saved = Checkpoints(tmp_path / "checkpoints", 10)
    assert not saved.exist()
    assert not saved.restore(state())
    saved.save(state(), 0)
    (tmp_path / "checkpoints" / "00000000.npz").write_bytes(b"nothing")
    assert saved.exist()
    with pytest.raises(ValueError, match=r"None of the checkpoints in .* can be read"):
        saved.restore(state())


def test_a_divergence_looks_at_regular_states_before_a_step(tmp_path):
    saved, found = Checkpoints(tmp_path, 10), state()
    for step in (0, 10, 15):
        saved.save(state(step), step)
    assert saved.restore(found, below=17)
    assert int(found["step"]) == 10
    assert saved.restore(found, below=10)
    assert int(found["step"]) == 0
    assert not saved.restore(found, below=0)
    saved.replace_after(found, 0)
    assert kept(tmp_path) == [0]
