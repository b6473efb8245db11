"""No kill of a real process loses anything."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tomli_w

BEGUN = "00000000.npz"


def arrays(file):
    with np.load(file, allow_pickle=False) as opened:
        return {name: opened[name] for name in opened.files}


def newest(run, stage):
    """The newest checkpoint of a stage, or None."""
    return max((run / stage / "checkpoints").glob("*.npz"), default=None)


@pytest.mark.long
@pytest.mark.slow
def test_a_run_stopped_and_resumed_three_times_ends_with_the_same_weights_and_scores(
    photo_folder, vgg_file, tiny, tmp_path
):
    settings = tiny.model_copy(  # with enough steps to be killed among them, twice in the first
        update={
            stage: getattr(tiny, stage).model_copy(update={"steps": steps})
            for stage, steps in {"pretrain": 40, "adversarial": 16}.items()
        }
        | {"validate_every": 4}
    )
    file = tmp_path / "config.toml"
    file.write_text(tomli_w.dumps(settings.model_dump(mode="json")))

    named = [photo_folder, "--config", file, "--vgg-weights", vgg_file]

    def start(folder, *options):
        command = [sys.executable, "-m", "srgan", "train", "-o", folder, *options]
        return subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(process):
        _, error = process.communicate(timeout=600)
        assert process.returncode == 0, error

    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    finish(start(straight, *named))
    kills = [
        (signal.SIGINT, "pretrain", 130),
        (signal.SIGKILL, "pretrain", -signal.SIGKILL),
        (signal.SIGKILL, "adversarial", -signal.SIGKILL),
    ]
    options = named
    for kill, during, code in kills:
        before = newest(stopped, during)
        process = start(stopped, *options)
        deadline = time.monotonic() + 300
        while newest(stopped, during) in (before, stopped / during / "checkpoints" / BEGUN):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, kill)
        process.communicate(timeout=60)
        assert process.returncode == code
        options = ["--resume"]
    assert not (stopped / "adversarial" / "model.onnx").exists()
    finish(start(stopped, *options))

    for stage in ("pretrain", "adversarial"):
        expected, got = (arrays(newest(run, stage)) for run in (straight, stopped))
        assert got.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    # No row is lost, and none is there twice that was written after the last checkpoint.
    for table in (
        "pretrain/validation.csv",
        "adversarial/validation.csv",
        "adversarial/gradient_norms.csv",
    ):
        assert (stopped / table).read_text() == (straight / table).read_text()
