"""Super-resolution: turns small photographs into large, sharp ones.

    import srgan

    srgan.upscale_file("photo.jpg", "photo_x4.png")

    model = srgan.load("srgan-x4")
    sr = model.upscale(srgan.read("photo.jpg"))

Names are imported when they are first used, so that `import srgan` is immediate.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srgan.images import UnsupportedImage, read, write
    from srgan.inference import upscale_file
    from srgan.metrics import lpips, psnr, ssim
    from srgan.models import Metadata, Model, load, shipped

__all__ = [
    "Metadata",
    "Model",
    "UnsupportedImage",
    "load",
    "lpips",
    "psnr",
    "read",
    "shipped",
    "ssim",
    "upscale_file",
    "write",
]

_MODULES = {
    "images": ("UnsupportedImage", "read", "write"),
    "inference": ("upscale_file",),
    "metrics": ("lpips", "psnr", "ssim"),
    "models": ("Metadata", "Model", "load", "shipped"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"srgan.{module}"), name)
    raise AttributeError(f"module 'srgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
