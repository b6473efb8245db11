"""Clipping to [0, 1] that keeps the brightness of an image.

A one-pixel pattern near white has no enlargement that scales down to it: the bicubic kernel
averages over neighbours, so that the light pixels would have to be lighter than white. The
consistency projection asks for that, and a plain clip makes such a pattern darker as a whole.
Here, what clipping takes away is given to the pixels around, as far as they have room.
"""

import threading

import numpy as np

REACH = 2  # lr pixels that a sample of the result sees
_UNHEARD = 0.5 / 255  # of the brightness of an lr pixel: less is not worth the time
_STRAINED = 4 / 255  # what an lr pixel loses of brightness to count as one that cannot be kept


class Strain:
    """Counts the lr pixels that no image in [0, 1] keeps; for many threads.

    Attributes:
        pixels: That were looked at, those of overlaps again.
        strained: Of them, those that a plain clip would change by more than 4 of 255 grey levels.
    """

    def __init__(self) -> None:
        self.pixels = self.strained = 0
        self._lock = threading.Lock()

    @property
    def share(self) -> float:
        """Of all pixels, 0 to 1."""
        return self.strained / max(self.pixels, 1)

    def add(self, pixels: int, strained: int) -> None:
        with self._lock:
            self.pixels += pixels
            self.strained += strained


def clip(sr: np.ndarray, scale: int, strain: Strain | None = None) -> np.ndarray:
    """Clips an image to [0, 1], and moves what that takes to the pixels around.

    With e = sr - clip(sr), averaged over the scale x scale block of each lr pixel and smoothed by
    [1 2 1] / 4, pixels move towards white by the part of their room, 1 - sr, that makes up for
    e > 0, and towards black likewise for e < 0. The brightness of an area is kept, its contrast is
    not. Where nothing is lost, nothing is changed.

    Args:
        sr: `(scale * height, scale * width, channels)`, float, any range.
        scale: Upscaling factor.
        strain: Counts.

    Returns:
        Same shape, float32.
    """
    clipped = np.clip(sr, 0, 1, dtype=np.float32)
    raw = _blocks(sr - clipped, scale)
    if strain:
        strain.add(raw[..., 0].size, int((np.abs(raw).max(axis=2) > _STRAINED).sum()))
    lost = _smooth(raw)
    lost = np.sign(lost) * np.maximum(np.abs(lost) - _UNHEARD, 0)
    found = np.argwhere(lost.any(axis=2))
    if not len(found):
        return clipped
    # All that changes is within a pixel of what is lost, and depends on another one around.
    (top, left), (bottom, right) = found.min(axis=0), found.max(axis=0) + 1
    outer = np.s_[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2]
    part = tuple(slice(scale * side.start, scale * side.stop) for side in outer)
    area, lost = clipped[part], lost[outer]
    mean = _smooth(_blocks(clipped, scale))[outer]
    for room, missing, sign in ((1 - mean, lost, 1), (mean, -lost, -1)):
        share = np.clip(np.maximum(missing, 0) / np.maximum(room, 1e-3), 0, 1)
        if share.any():
            free = 1 - area if sign > 0 else area
            area += sign * free * _interpolate(share, scale)
    return clipped


def _blocks(image: np.ndarray, scale: int) -> np.ndarray:
    """The mean of each scale x scale block."""
    height, width, channels = image.shape
    rows = image.reshape(height // scale, scale, width, channels).mean(axis=1)
    return rows.reshape(len(rows), width // scale, scale, channels).mean(axis=2)


def _smooth(image: np.ndarray) -> np.ndarray:
    """[1 2 1] / 4 along both axes, which leaves nothing of patterns of single pixels."""
    for axis in (0, 1):
        padded = np.pad(image, [(1, 1) if axis == side else (0, 0) for side in range(3)], "edge")
        padded = padded.swapaxes(0, axis)
        image = (padded[:-2] + 2 * padded[1:-1] + padded[2:]).swapaxes(0, axis) / 4
    return image


def _interpolate(image: np.ndarray, scale: int) -> np.ndarray:
    """Bilinear enlargement, between the centres of the blocks."""
    for axis in (0, 1):
        image = image.swapaxes(0, axis)
        place = np.clip((np.arange(scale * len(image)) + 0.5) / scale - 0.5, 0, len(image) - 1)
        below = place.astype(int)
        above = np.minimum(below + 1, len(image) - 1)
        weight = (place - below).astype(np.float32)[:, None, None]
        image = (image[below] * (1 - weight) + image[above] * weight).swapaxes(0, axis)
    return image
