"""How much of a photo's detail is fine, from its pixels: less after blur and enlargement."""

import math

import numpy as np

from srgan.numeric import resize

_MARGIN = 8  # pixels, where a resized tile has seen replicated ones
_TILE = 256  # side of what is looked at for detail
_SHRINKING = (1.5, 2, 3, 4, 6, 8)
_FINE, _MIDDLE, _COARSE = 1.5, 4, 16  # factors of shrinking, whose loss is the detail of a size
_ROUNDING = (1 - 1 / _FINE**2) / 6  # mean square of what is fine in two roundings to grey levels
_CONTRAST = 0.3  # of the coarse detail: what the middle one has at least in sharp photos
_DIRECTIONS = 12


def detail(luma: np.ndarray, noise: float = 0.0) -> float:
    """Returns how much of a photo's detail is fine: 0.5 in sharp photos, near 0 in soft ones.

    With L_f the root mean square of x - U_f D_f x, which scaling down by f and up again loses,
    it is L_1.5 / L_4. Natural images have about equal energy in every octave of frequencies
    (Field 1987), so that sharp ones differ little; an enlarged or blurred one has nothing above
    some frequency. Strong blur leaves little of L_4 either, and what is finest is then the
    rounding to 8 bits: that is taken off L_1.5, and L_4 counts as at least 0.3 L_16. It is
    measured on the sharpest part of the photo, that of the largest mean |Laplacian|, so that a
    photo with a blurred background counts as sharp.

    Args:
        luma: `(height, width)`, 0 to 255, at least 48 pixels a side.
        noise: Standard deviation of noise in it, that is taken off each of them.

    Returns:
        At least 0; `nan` if there is nothing but rounding.
    """
    return _fine_share(luma[sharpest(luma, _TILE, _TILE)].astype(np.float32), noise)


def sharp_at(luma: np.ndarray, least: float, noise: float = 0.0) -> float:
    """Returns by how much a soft photo has to be scaled down for `detail` to be `least`.

    The smallest sufficient of 1.5, 2, 3, 4, 6 and 8, or the largest that leaves enough to judge.
    """
    tile = luma[sharpest(luma, _TILE, _TILE)].astype(np.float32)
    for factor in _SHRINKING:
        height, width = (round(side / factor) for side in tile.shape)
        if min(height, width) < 4 * _MARGIN:
            return factor
        small = resize.bicubic(tile[:, :, None], height, width)[:, :, 0]
        if _fine_share(small, noise / factor) >= least:
            return factor
    return _SHRINKING[-1]


def smear(luma: np.ndarray) -> float:
    """Returns how much less fine detail there is in some directions than in others, as of motion.

    The spectrum of the sharpest part is cut into 12 directions. In each, the fine share is the root
    of the mean power at 0.28 to 0.45 cycles a pixel over that at 0.03 to 0.1. Motion takes it away
    in all directions but those across, while walls and bridges lack it in a few.

    Args:
        luma: `(height, width)`, 0 to 255, at least 48 pixels a side.

    Returns:
        The share that 60 % of the directions stay below, over the largest: 0.45 to 0.9 in photos.
    """
    tile = luma[sharpest(luma, _TILE, _TILE)].astype(np.float64)
    height, width = tile.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2 / np.sum(window**2)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    radius, angle = np.hypot(rows, columns), np.arctan2(-rows, columns)
    shares = []
    for direction in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        apart = np.abs((angle - direction + np.pi / 2) % np.pi - np.pi / 2)
        sector = apart < np.pi / _DIRECTIONS
        fine = power[sector & (radius > 0.28) & (radius < 0.45)].mean() - 1 / 6  # rounding
        middle = power[sector & (radius > 0.03) & (radius < 0.1)].mean()
        shares.append(math.sqrt(max(fine, 0.0) / max(middle, 1e-9)))
    return float(np.quantile(shares, 0.6)) / max(*shares, 1e-9)


def sharpest(luma: np.ndarray, height: int, width: int) -> tuple[slice, slice]:
    """Returns where a picture has the largest mean |Laplacian|: the part with the most detail.

    Args:
        luma: `(height, width)`.
        height: Of the part, or less if the picture has less.
        width: Likewise.
    """
    luma = luma.astype(np.float32)
    height, width = (min(pair) for pair in zip((height, width), luma.shape, strict=True))
    edges = np.pad(luma, 1, mode="edge")
    laplacian = edges[:-2, 1:-1] + edges[2:, 1:-1] + edges[1:-1, :-2] + edges[1:-1, 2:] - 4 * luma
    sums = np.pad(np.abs(laplacian).cumsum(axis=0, dtype=np.float64).cumsum(axis=1), [(1, 0)] * 2)
    inside = sums[height:, width:] - sums[height:, :-width] - sums[:-height, width:]
    inside += sums[:-height, :-width]
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    return slice(int(y), int(y) + height), slice(int(x), int(x) + width)


def _fine_share(tile: np.ndarray, noise: float) -> float:
    fine, middle, coarse = (_lost(tile, factor, noise) for factor in (_FINE, _MIDDLE, _COARSE))
    if coarse**2 < _ROUNDING:
        return float("nan")
    return fine / max(middle, _CONTRAST * coarse, noise)


def _lost(tile: np.ndarray, factor: float, noise: float) -> float:
    """Root mean square, in grey levels, of what scaling down by `factor` and up again loses.

    Without the share of it that white noise has, or two roundings in what is fine.
    """
    height, width = tile.shape
    small = resize.bicubic(tile[:, :, None], round(height / factor), round(width / factor))
    lost = (tile - resize.bicubic(small, height, width)[:, :, 0])[
        _MARGIN:-_MARGIN, _MARGIN:-_MARGIN
    ]
    rounding = _ROUNDING if factor == _FINE else 0.0
    energy = np.mean(lost**2) - max(rounding, noise**2 * (1 - 1 / factor**2))
    return float(np.sqrt(max(energy, 0.0)))
