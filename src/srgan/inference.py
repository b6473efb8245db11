"""From image file to image file."""

import os
from collections.abc import Callable

import numpy as np

from srgan import images, models


def upscale_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    model: models.Model | str | os.PathLike[str] = "srgan-x4",
    overwrite: bool = False,
    tile: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Upscales an image file, and writes the result whole or not at all.

    Everything that can be known to be wrong is found before the work begins.

    Args:
        source: A PNG, JPEG, WebP or TIFF file; see `images.read`.
        destination: Its suffix chooses the format; see `images.write`.
        model: A shipped model's name, the path of an ONNX file, or, for many files, what
            `models.load` returned.
        overwrite: Replace an existing `destination`.
        tile: Side of the tiles, in pixels of `source`; smaller ones need less memory.
        progress: Called as `progress(done, total)` after each tile.

    Raises:
        UnsupportedImage: If `source` is not an image, or `destination` cannot hold the result.
        OSError: If `source`, the model or the folder of `destination` is missing, `destination`
            exists, or the disk is full.
        ValueError: If the model's file is not a model, or is damaged.
    """
    images.check_destination(destination, overwrite)
    lr = images.read(source)
    if not isinstance(model, models.Model):
        model = models.load(model)
    height, width = (side * model.metadata.scale for side in lr.shape[:2])
    images.check_destination(destination, overwrite, height, width)
    images.write(destination, model.upscale(lr, tile, progress, np.uint8), overwrite)
