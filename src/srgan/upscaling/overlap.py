"""How much tiles have to overlap, where a network sees much farther than it looks."""

from typing import NamedTuple

import numpy as np

from srgan.models.model import Model
from srgan.quality import softness

_CANDIDATES = (16, 32, 48, 64, 96)  # lr pixels
_HEIGHT, _CONTEXT, _KEPT = 64, 128, 32  # of what is tried
_SEEN = 1.0  # grey levels


class Overlap(NamedTuple):
    """What tiles share, and what that costs.

    Attributes:
        pixels: On each side.
        error: In grey levels, which 99.9 % of the values within 32 pixels of a cut stay below,
            compared with a context of 128 pixels.
    """

    pixels: int
    error: float


def measure(model: Model, lr: np.ndarray, candidates: tuple[int, ...]) -> list[Overlap]:
    """Returns what overlaps cost in the most detailed part of a picture.

    A strip of 64 pixels is enlarged with a context of 128 pixels on its left, and with less.

    Args:
        model: What enlarges.
        lr: `(height, width, 3)`, float in [0, 1] or uint8.
        candidates: In pixels.
    """
    strip = lr[softness.sharpest(lr.mean(axis=2), _HEIGHT, _CONTEXT + _KEPT)]
    context = strip.shape[1] - min(_KEPT, strip.shape[1] // 2)
    scale = model.scale
    whole = _enlarged(model, strip)[:, scale * context :]
    found = []
    for pixels in candidates:
        part = _enlarged(model, strip[:, max(context - pixels, 0) :])
        kept = part[:, scale * min(pixels, context) :]
        found.append(Overlap(pixels, float(np.quantile(255 * np.abs(kept - whole), 0.999))))
    return found


def enough(model: Model, lr: np.ndarray) -> Overlap | None:
    """Returns the smallest overlap whose error nobody sees: less than a grey level, or None.

    Args:
        model: What enlarges.
        lr: As `measure` takes it.
    """
    for pixels in _CANDIDATES:
        if pixels < model.metadata.receptive_field:
            (found,) = measure(model, lr, (pixels,))
            if found.error < _SEEN:
                return found
    return None


def _enlarged(model: Model, lr: np.ndarray) -> np.ndarray:
    height, width = model.requirements.padded(*lr.shape[:2])
    return model.upscale(lr, tile=max(height, width))
