"""What holds for the package as a whole."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import srgan
from srgan.io import images
from srgan.models import engines
from srgan.verification import certificate, probes

SOURCES = sorted(Path(srgan.__file__).parent.rglob("*.py"))
HEAVY = {
    "keras",
    "numpy",
    "onnxruntime",
    "openvino",
    "pyarrow",
    "pyvips",
    "ray",
    "rich",
    "tensorflow",
}


def modules_after(*arguments):
    """The modules that a process has imported after a command of `srgan`."""
    code = "import sys; from srgan.cli import main; main(); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "command", ["", "upscale", "batch", "train", "export", "verify", "serve", "convert"]
)
def test_help_imports_nothing_heavy(command):
    assert modules_after(*command.split(), "--help") & HEAVY == set()


def test_upscaling_imports_neither_the_training_half_nor_its_framework(tiny_model, tmp_path):
    images.write(tmp_path / "photo.png", np.zeros((8, 8, 3)))
    large = tmp_path / "large.png"
    loaded = modules_after("upscale", tmp_path / "photo.png", "-o", large, "--model", tiny_model)
    assert large.exists()
    assert not loaded & {"tensorflow", "keras", "torch", "jax", "srgan.train"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_lr_is_an_image_and_never_a_learning_rate(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\blr\s*[:=]\s*[\d.]+e?-?\d*", text)
    assert not re.search(r"optimizer\.lr\b", text)


def test_verifying_needs_no_tensorflow(tiny_model, tmp_path):
    batches = probes.make(2)
    engine = engines.open_engine(tiny_model)
    results = {name: engine.run(lr) for name, lr in batches.items() if name != probes.TIMED}
    shutil.copy(tiny_model, tmp_path)
    probes.write_reference(tmp_path, batches, results)
    certificate.certify(tmp_path, "tiny.onnx", "onnx", 60, {})
    loaded = modules_after("verify", tmp_path)
    assert not loaded & {"tensorflow", "keras", "torch", "jax", "openvino", "srgan.train"}
