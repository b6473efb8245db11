"""How an LR image was made from its HR image: papers scale down by MATLAB's bicubic alone."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from srgan.numeric import resize

MATLAB = "MATLAB's bicubic"
UNKNOWN = "made in another way"

_EQUAL = 0.98  # share of the values
_EDGE = 2  # lr pixels that see what is outside, which newer MATLABs mirror
_ALIKE = 1.0  # grey levels, root of the mean square, of a way named
_SIDE = 64  # lr pixels of the middle, where a shift is looked for

_PILLOW = {
    "a box filter (the mean of each block)": Image.Resampling.BOX,
    "Pillow's bilinear": Image.Resampling.BILINEAR,
    "Pillow's Hamming": Image.Resampling.HAMMING,
    "Pillow's bicubic": Image.Resampling.BICUBIC,
    "Pillow's Lanczos": Image.Resampling.LANCZOS,
}


_ORDINALS = {2: "2nd", 3: "3rd"}
_LANCZOS = np.sinc(np.arange(-3.5, 4)) * np.sinc(np.arange(-3.5, 4) / 4)

_UNFILTERED = {  # weights of the pixels round the middle of a block
    "bilinear without a filter, as OpenCV's": (0.5, 0.5),
    "bicubic without a filter, as OpenCV's": (-0.09375, 0.59375, 0.59375, -0.09375),  # a = -0.75
    "bicubic without a filter, as MATLAB's so": (-0.0625, 0.5625, 0.5625, -0.0625),  # a = -0.5
    "Lanczos without a filter, as OpenCV's": tuple((_LANCZOS / _LANCZOS.sum()).tolist()),
}


def name(hr: np.ndarray, lr: np.ndarray, scale: int) -> str:
    """Returns the way that gives `lr` from `hr`, in words: `MATLAB`, another one, or `UNKNOWN`.

    Args:
        hr: `(scale * height, scale * width, 3)`, uint8 RGB.
        lr: `(height, width, 3)`, likewise.
        scale: Factor between them.

    Example:
        >>> hr = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> name(hr, resize.downscale(hr, 4), 4), name(hr, hr[::4, ::4], 4)
        ("MATLAB's bicubic", 'every 4th pixel, without a filter')
    """
    if _equal(resize.downscale(hr, scale), lr) >= _EQUAL:
        return MATLAB
    size = lr.shape[1], lr.shape[0]
    ways = {
        way: np.asarray(Image.fromarray(hr).resize(size, filter_))
        for way, filter_ in _PILLOW.items()
    }
    ways |= _every(hr, scale)
    ways |= {way: _between(hr, scale, weights) for way, weights in _UNFILTERED.items()}
    equal = max(ways, key=lambda way: _equal(ways[way], lr))
    if _equal(ways[equal], lr) >= _EQUAL:
        return equal
    distances = {way: _distance(made, lr) for way, made in ways.items()}
    distances |= _shifts(hr, lr, scale)
    nearest = min(distances, key=lambda way: distances[way])
    return nearest if distances[nearest] < _ALIKE else UNKNOWN


def _every(hr: np.ndarray, scale: int) -> dict[str, np.ndarray]:
    """Of each block, the pixel at one place."""
    plain = f"every {_ORDINALS.get(scale, f'{scale}th')} pixel, without a filter"
    ways = {
        f"{plain}, from row {y} and column {x} on": hr[y::scale, x::scale]
        for y in range(scale)
        for x in range(scale)
    }
    middle = scale // 2
    return {
        plain: hr[::scale, ::scale],
        f"{plain}, as Pillow's nearest": hr[middle::scale, middle::scale],
    } | ways


def _between(hr: np.ndarray, scale: int, weights: Sequence[float]) -> np.ndarray:
    """The values in the middle of each block, from so many of the nearest pixels alone.

    Where the scale is odd, that is the pixel in the middle.
    """
    if scale % 2:
        return hr[scale // 2 :: scale, scale // 2 :: scale]
    made, reach = hr.astype(float), len(weights) // 2
    for axis in (0, 1):
        length = made.shape[axis]
        first = np.arange(scale // 2 - reach, length - reach, scale)
        places = [np.clip(first + k, 0, length - 1) for k in range(len(weights))]
        taken = np.stack([made.take(place, axis) for place in places])
        made = np.tensordot(weights, taken, axes=1)
    return np.floor(np.clip(made, 0, 255) + 0.5)


def _shifts(hr: np.ndarray, lr: np.ndarray, scale: int) -> dict[str, float]:
    """How far bicubic by whole hr pixels beside the place is from lr, in the middle of both."""
    height, width = (min(_SIDE, side - 2) for side in lr.shape[:2])
    if min(height, width) < 8:
        return {}
    top, left = ((side - part) // 2 for side, part in zip(lr.shape, (height, width), strict=False))
    wanted = lr[top : top + height, left : left + width][2:-2, 2:-2]
    found = {}
    steps = range(-scale, scale + 1)
    for y, x in ((y, x) for y in steps for x in steps):
        part = hr[
            top * scale + y : (top + height) * scale + y,
            left * scale + x : (left + width) * scale + x,
        ]
        way = (
            f"MATLAB's bicubic, shifted by {-x} pixels of HR to the right and {-y} down"
            if (y, x) != (0, 0)
            else ("nearly MATLAB's bicubic, rounded otherwise")
        )
        found[way] = _distance(resize.downscale(part, scale)[2:-2, 2:-2], wanted)
    return found


def _equal(one: np.ndarray, two: np.ndarray) -> float:
    inside = slice(_EDGE, -_EDGE) if min(two.shape[:2]) >= 4 * _EDGE else slice(None)
    return float(np.mean((one == two)[inside, inside]))


def _distance(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one.astype(float) - two) ** 2)))
