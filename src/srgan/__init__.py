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
    from srgan.client import AsyncClient, Client, ServiceError
    from srgan.io.formats import UnsupportedImage
    from srgan.io.images import read, write
    from srgan.models.catalogue import shipped
    from srgan.models.loading import load
    from srgan.models.metadata import Metadata
    from srgan.models.model import Model
    from srgan.quality.metrics import lpips, psnr, ssim
    from srgan.upscaling.options import UpscaleOptions
    from srgan.upscaling.pipeline import prepare, upscale_file

    __version__: str

__all__ = [
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

_HOMES = {
    "AsyncClient": "client",
    "Client": "client",
    "Metadata": "models.metadata",
    "Model": "models.model",
    "ServiceError": "client",
    "UnsupportedImage": "io.formats",
    "UpscaleOptions": "upscaling.options",
    "load": "models.loading",
    "lpips": "quality.metrics",
    "prepare": "upscaling.pipeline",
    "psnr": "quality.metrics",
    "read": "io.images",
    "shipped": "models.catalogue",
    "ssim": "quality.metrics",
    "upscale_file": "upscaling.pipeline",
    "write": "io.images",
}


if not TYPE_CHECKING:  # for which a name that there is not would exist, and be any object

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from srgan.util import versions

            return versions.of("srgan")
        if name not in _HOMES:
            raise AttributeError(f"module 'srgan' has no attribute {name!r}")
        return getattr(import_module(f"srgan.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
