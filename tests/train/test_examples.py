"""The examples of trainings of one's own run, and leave models that upscale."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import srgan

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_loss", "own_generator", "own_data"])
def test_an_example_trains_a_model(name, photo_folder, tmp_path):
    command = [sys.executable, EXAMPLES / f"{name}.py", photo_folder, tmp_path, "--steps", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    model = srgan.load(done.stdout.strip().splitlines()[-1])
    lr = np.random.default_rng(0).random((9, 12, 3), np.float32)
    assert model.upscale(lr).shape == (36, 48, 3)
