"""A lock keeps others out, and dies with its process."""

import subprocess
import sys

import pytest

from srgan.util import locks

HOLD = """
import sys, time, pathlib
from srgan.util import locks
with locks.exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_by_one_alone_and_given_back(tmp_path):
    file = tmp_path / ".lock"
    for _ in range(2):
        with (
            locks.exclusive(file),
            pytest.raises(BlockingIOError, match=r"\.lock is locked by another process"),
            locks.exclusive(file),
        ):
            pass


def test_a_killed_process_leaves_no_lock(tmp_path):
    file = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), locks.exclusive(file):
            pass
        process.kill()
        process.wait()
    with locks.exclusive(file):
        pass
