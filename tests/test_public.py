"""What `import srgan` offers, and how little it costs."""

import os
import subprocess
import sys

import pytest

import srgan


def run(code):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout.split()


def test_the_public_names():
    assert srgan.__all__ == [
        "AsyncClient",
        "Client",
        "Metadata",
        "Model",
        "ServiceError",
        "UnsupportedImage",
        "UpscaleOptions",
        "load",
        "lpips",
        "prepare",
        "psnr",
        "read",
        "shipped",
        "ssim",
        "upscale_file",
        "write",
    ]


@pytest.mark.parametrize("name", srgan.__all__)
def test_each_public_name_exists_and_is_documented(name):
    assert getattr(srgan, name).__doc__
    assert name in dir(srgan)


def test_an_unknown_name_is_named():
    with pytest.raises(AttributeError, match="no attribute 'upscale_fil'"):
        _ = srgan.upscale_fil


def test_import_loads_nothing_else():
    loaded = run("import sys, srgan; print(*(m.partition('.')[0] for m in sys.modules))")
    assert not {"numpy", "pyvips", "pydantic", "onnxruntime", "openvino", "httpx"} & set(loaded)


def test_upscaling_loads_neither_the_training_half_nor_a_framework(tiny_model):
    loaded = run(
        "import sys, numpy, srgan\n"
        f"srgan.load({str(tiny_model)!r}).upscale(numpy.zeros((4, 4, 3)))\n"
        "print(*sys.modules)"
    )
    assert not {"tensorflow", "keras", "torch", "srgan.train"} & set(loaded)
