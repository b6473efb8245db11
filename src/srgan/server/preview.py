"""A look at the middle of a picture and at what a model makes of it, before the whole is made."""

from pathlib import Path

import numpy as np
from pydantic import Field

from srgan.io import images, stream
from srgan.server.catalogue import Catalogue
from srgan.server.requests import ErrorMapRequest, Limits
from srgan.upscaling import choice
from srgan.upscaling.options import UpscaleOptions

LARGEST = 256
"""Side of what is enlarged, in pixels of the picture."""


class PreviewRequest(ErrorMapRequest):
    """What is asked of a preview."""

    realism: float | None = Field(default=None, ge=0, le=1, description="As of an enlargement.")
    side: int = Field(
        default=128,
        ge=1,
        le=16_384,
        description="Of the square in the middle of the picture, in its pixels; if it is to be "
        f"enlarged, at most {LARGEST} count.",
    )
    enlarge: bool = Field(
        default=True, description="Otherwise, the square itself is sent, as browsers can show it."
    )


def make(
    catalogue: Catalogue, limits: Limits, asked: PreviewRequest, data: bytes, path: Path
) -> tuple[str, tuple[str, ...], tuple[int, int]]:
    """Writes a square of a picture, enlarged or not, as PNG of 8 bits in sRGB.

    Returns:
        The model's name, what is to be said of it, and the width and height of the picture.

    Raises:
        UnsupportedImage, ValueError: As `choice.choose` and `Catalogue.open` do.
    """
    realism = None if asked.realism is None else round(asked.realism, 2)
    options = UpscaleOptions.parse(realism=realism, max_megapixels=limits.megapixels)
    picture = stream.Picture(data, options.max_pixels, ".png", srgb=True)
    size = picture.width, picture.height
    picture.close()
    side = min(asked.side, LARGEST) if asked.enlarge else asked.side
    square = choice.middle(data, options, side)
    if not asked.enlarge:
        images.write(path, square)
        return "", (), size
    model, chosen = catalogue.open_for(asked.model, options, data)
    images.write(path, model.upscale(square, dtype=np.uint8))
    return chosen.model, chosen.notes, size
