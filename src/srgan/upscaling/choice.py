"""Which shipped model fits a picture: one for clean pictures, or one for degraded ones."""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from srgan.io import images, stream
from srgan.quality import degradation
from srgan.upscaling.options import UpscaleOptions

AUTO = "auto"  # in place of a model's name
DEGRADED = "srgan-photo-x4"

# Where srgan-photo-x4 begins to have the better LPIPS on Kodak24: benchmarks/choice.py.
_NOISE = 1.5  # grey levels
_RINGING = 1.4  # grey levels
_SOFT = 0.3  # of `degradation.detail`

_LOOKED_AT = 1024  # pixels a side, in the middle


class Choice(NamedTuple):
    """A model and why.

    Attributes:
        model: Its name.
        reason: What was found, for people; "" in a clean picture.
    """

    model: str
    reason: str


def choose(source: str | os.PathLike[str] | bytes, options: UpscaleOptions) -> Choice:
    """Looks at the middle of a picture, and returns the model that fits it.

    Args:
        source: As `pipeline.prepare` takes it.
        options: What is asked for: up to x2, a clean picture has a model of its own.

    Raises:
        UnsupportedImage, OSError: As `stream.Picture` does.
    """
    reason = describe(_middle(source, options))
    return Choice(DEGRADED if reason else options.default_model, reason)


def describe(rgb: np.ndarray) -> str:
    """Returns what makes a picture one for `DEGRADED`, for people, or "".

    Args:
        rgb: `(height, width, 3)`, uint8.
    """
    if min(rgb.shape[:2]) < degradation.SMALLEST:
        return ""
    found = degradation.measure(rgb)
    if found.jpeg:
        return f"it was compressed as JPEG, in steps of {found.jpeg:.0f} grey levels"
    if found.ringing > _RINGING:
        return f"JPEG left {found.ringing:.0f} grey levels round its letters"
    if found.noise > _NOISE:
        return f"it has noise of {found.noise:.0f} grey levels"
    if 0 < found.detail < _SOFT:
        return "it is soft: little of its detail is fine"
    return ""


def _middle(source: str | os.PathLike[str] | bytes, options: UpscaleOptions) -> np.ndarray:
    """The middle of the first frame, `(height, width, 3)` uint8; colours of transparent pixels."""
    picture = stream.Picture(source, options.max_pixels, ".png", srgb=True)
    top, left = (max(side - _LOOKED_AT, 0) // 2 for side in (picture.height, picture.width))
    bottom = min(top + _LOOKED_AT, picture.height)
    rows = np.concatenate(list(_between(picture.rows(), top, bottom)))
    rows = images.from_float(images.to_float(rows[:, left : left + _LOOKED_AT]), np.uint8)
    return rows[..., :3] if rows.shape[2] > 2 else rows[..., :1].repeat(3, axis=2)


def _between(bands: Iterator[np.ndarray], top: int, bottom: int) -> Iterator[np.ndarray]:
    done = 0
    for band in bands:
        yield band[max(top - done, 0) : max(bottom - done, 0)]
        done += len(band)
        if done >= bottom:
            return
