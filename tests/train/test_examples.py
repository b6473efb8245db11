"""The examples of trainings of one's own run, and leave models that upscale."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import srgan

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_loss", "own_generator", "own_data"])
def test_an_example_trains_a_model_and_goes_on_with_its_run(name, photo_folder, tmp_path):
    command = [sys.executable, EXAMPLES / f"{name}.py", photo_folder, tmp_path, "--steps"]
    subprocess.run([*command, "2"], capture_output=True, check=True)
    resumed = [*command, "4", "--resume"]
    done = subprocess.run(resumed, capture_output=True, text=True, check=True)
    with open(tmp_path / "pretrain" / "log.csv") as log:
        assert [int(row["step"]) for row in csv.DictReader(log)] == [2, 4]
    model = srgan.load(done.stdout.strip().splitlines()[-1])
    lr = np.random.default_rng(0).random((9, 12, 3), np.float32)
    assert model.upscale(lr).shape == (36, 48, 3)
