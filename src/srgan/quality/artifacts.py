"""What the eye sees in an upscaled image: sharpness, ringing, aliasing, a checkerboard, a cast.

RGB arrays `(height, width, 3)` in, uint8 or float in [0, 1], a float out.
Where a formula speaks of y, that is the
luma (`color.luma`), in grey levels.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from srgan.numeric.color import (
    TooSmallError,
    as_image,
    as_pair,
    blur,
    gaussian,
    levels,
    luma,
    size,
)

_ROUNDING = 0.33 / 12
"""Energy of the luma of an image that was rounded to 8 bits: 1/12 in each channel, by its weight.

What has less detail is flat, but for some pixels that are one level off.
"""
_STRONG_EDGE = 32.0  # grey levels from a pixel to the next; 7 % of the pixels of Kodak24 are
_PLAIN = 12.0  # grey levels within which a surrounding of hr is plain
_PLAIN_REACH = 3  # pixels of it: what is softer than hr ends there


def sharpness(reference: np.ndarray, sr: np.ndarray) -> float:
    """Gradient energy of `sr` in relation to that of a reference: hr, or the bicubic enlargement.

    E(sr) / E(reference), E being the mean of (dy/dx)^2 + (dy/dy)^2 by differences of neighbours
    (the energy of the gradient, Subbarao and Choi 1993).

    Args:
        reference: `(height, width, 3)`, uint8 RGB, at least 2x2.
        sr: Image to judge, likewise.

    Returns:
        1 if it is as sharp, less if it is softer, more if it is sharper or noisy; `nan` if the
        reference is flat.

    Raises:
        ValueError: If the images are not uint8 RGB of one size of at least 2x2.
    """
    reference, sr = as_pair(reference, sr, minimum=2)
    energy = _gradient_energy(reference)
    return _gradient_energy(sr) / energy if energy else float("nan")


def overshoot(hr: np.ndarray, sr: np.ndarray, scale: int) -> np.ndarray:
    """How far `sr` leaves the range of luma that `hr` has around the same place, at strong edges.

    max(y_sr - max_N y_hr, min_N y_hr - y_sr, 0), N being the pixels at most `scale` rows and
    columns away; 0 farther than 2 `scale` from an edge where the luma of hr rises by 32 grey
    levels from a pixel to the next. The range lets textures differ: only what is brighter or
    darker than all of the HR image nearby is an overshoot. y_sr is taken without the median of its
    differences to y_hr, since a picture that is brighter as a whole has no halos (`colour_drift`).

    Args:
        hr: Reference, `(height, width, 3)`, uint8 RGB, at least 2x2.
        sr: Image to judge, likewise.
        scale: The factor by which sr was enlarged: halos are about so wide.

    Returns:
        `(height, width)`, float64, grey levels.

    Raises:
        ValueError: If the images are not uint8 RGB of one size of at least 2x2.
    """
    hr, sr = as_pair(hr, sr, minimum=2)
    y_hr, y_sr = _alike_on_the_whole(hr, sr)
    excess = np.maximum(y_sr - _highest(y_hr, scale), -_highest(-y_hr, scale) - y_sr)
    return np.maximum(excess, 0) * _near_edges(y_hr, reach=2 * scale)


def ringing(hr: np.ndarray, sr: np.ndarray, scale: int) -> float:
    """Returns the mean `overshoot` beside strong edges, in grey levels; 0 if there are none.

    Raises:
        ValueError: If the images are not uint8 RGB of one size of at least 2x2.
    """
    total = overshoot(hr, sr, scale).sum()
    return float(total / max(_near_edges(luma(hr), reach=2 * scale).sum(), 1))


def echoes(hr: np.ndarray, sr: np.ndarray, scale: int) -> np.ndarray:
    """How far `sr` leaves what is plain in `hr` beside strong edges: dots, ripples, second edges.

    max(y_sr - max_N y_hr, min_N y_hr - y_sr, 0), N being the pixels at most 3 rows and columns
    away, where the luma of hr differs by at most 12 grey levels in N, up to 4 `scale` pixels from
    an edge where it rises by 32 from a pixel to the next; 0 elsewhere. y_sr is taken as in
    `overshoot`. Complements `overshoot`,
    whose range holds both sides of an edge, so that what lies between them is none.

    Args:
        hr: Reference, `(height, width, 3)`, uint8 RGB, at least 2x2.
        sr: Image to judge, likewise.
        scale: The factor by which sr was enlarged: echoes are about so far apart.

    Returns:
        `(height, width)`, float64, grey levels.

    Raises:
        ValueError: If the images are not uint8 RGB of one size of at least 2x2.
    """
    hr, sr = as_pair(hr, sr, minimum=2)
    y_hr, y_sr = _alike_on_the_whole(hr, sr)
    high, low = _highest(y_hr, _PLAIN_REACH), -_highest(-y_hr, _PLAIN_REACH)
    excess = np.maximum(np.maximum(y_sr - high, low - y_sr), 0)
    return excess * _plain_beside_edges(y_hr, scale)


def echo(hr: np.ndarray, sr: np.ndarray, scale: int) -> float:
    """Returns the mean of `echoes` where hr is plain beside strong edges; 0 if it is nowhere.

    Raises:
        ValueError: If the images are not uint8 RGB of one size of at least 2x2.
    """
    total = echoes(hr, sr, scale).sum()
    return float(total / max(_plain_beside_edges(luma(hr), scale).sum(), 1))


def aliasing(hr: np.ndarray, sr: np.ndarray, scale: int) -> float:
    """How much of the detail that the lr image cannot hold came back as a false, coarse pattern.

    Sampling at every `scale`-th pixel makes the frequencies above the lr image's limit of
    1 / (2 scale) cycles a pixel appear below it ("fold"). With L the part of a luma below the
    limit, and F what the rest of hr's becomes when it folds, both as spectra of the lr grid:

    Re sum (L_sr - L_hr) conj(F) / sum |F|^2,

    the least-squares amount of F in sr's error. Computed under a Hann window, so that the edges of
    the image do not leak into every frequency.

    Args:
        hr: Reference, `(height, width, 3)`, uint8 RGB, sides multiples of `scale`.
        sr: Image to judge, likewise.
        scale: The factor by which sr was enlarged.

    Returns:
        0 without aliasing, 1 if all of it folded, as by leaving pixels out without a filter;
        `nan` if hr has no such detail.

    Raises:
        ValueError: If the images are not uint8 RGB of one size, a multiple of `scale`.
    """
    hr, sr = as_pair(hr, sr, minimum=scale)
    height, width = hr.shape[:2]
    if height % scale or width % scale:
        raise ValueError(
            f"Aliasing at scale={scale} needs sides that are multiples of it; got {size(hr)}."
        )
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    below = (np.abs(rows) < 0.5 / scale) & (np.abs(columns) < 0.5 / scale)
    # An lr sample lies in the middle of its block of hr pixels.
    to_middle = np.exp(1j * np.pi * (rows + columns) * (scale - 1))
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]

    def fold(spectrum: np.ndarray) -> np.ndarray:
        blocks = spectrum.reshape(scale, height // scale, scale, width // scale)
        return blocks.sum(axis=(0, 2))

    spectra = []
    for image in (hr, sr):
        y = luma(image)
        spectra.append(np.fft.fft2((y - y.mean()) * window) * to_middle)
    folded = fold(spectra[0] * ~below)
    error = fold((spectra[1] - spectra[0]) * below)
    energy = np.sum(np.abs(folded) ** 2)
    # A flat image has rounding errors for detail.
    if energy < 1e-12 * height * width:
        return float("nan")
    return float(np.sum(error * folded.conj()).real / energy)


def grid(sr: np.ndarray, scale: int) -> float:
    """Strength of the grid artifact: fine detail that is stronger on some pixels of a grid.

    With r the luma minus its Gaussian blur (sigma 1), 8 pixels left out at each edge, and e the
    mean of r^2 over the pixels of each of the scale x scale sub-pixel phases: std(e) / mean(e).
    Photos have no preferred phase and score about 0.04; the artifact is seen from 0.1.

    Args:
        sr: Image to judge, `(height, width, 3)`, uint8 RGB, sides of at least 16 + `scale`.
        scale: Period of the pattern in pixels.

    Returns:
        From 0 to sqrt(scale^2 - 1), when one phase has all the energy; `nan` if the image is flat:
        if the mean of e is less than rounding to 8 bits alone would leave.

    Raises:
        ValueError: If the image is not uint8 RGB, or too small.
    """
    energy = [np.mean(phase**2) for phase in _phases(sr, scale)]
    mean = np.mean(energy)
    return float(np.std(energy) / mean) if mean >= _ROUNDING else float("nan")


def checkerboard(sr: np.ndarray, scale: int) -> float:
    """Amplitude of a pattern that repeats every `scale` pixels, as transposed convolutions leave.

    With r as in `grid`, and m the mean of r over each of the scale x scale phases: std(m). By
    Parseval's theorem, the root of r's energy at the frequencies (i, j) / scale, the mean left
    out. Sees a faint regular pattern in smooth regions, where `grid` sees one in textures.

    Args:
        sr: Image to judge, `(height, width, 3)`, uint8 RGB, sides of at least 16 + `scale`.
        scale: Period of the pattern in pixels.

    Returns:
        Grey levels; photos have less than 0.1.

    Raises:
        ValueError: If the image is not uint8 RGB, or too small.
    """
    return float(np.std([np.mean(phase) for phase in _phases(sr, scale)]))


def colour_drift(lr: np.ndarray, sr: np.ndarray) -> float:
    """Returns the largest shift of a channel's mean from `lr` to `sr`, in grey levels.

    Raises:
        ValueError: If the images are not uint8 RGB.
    """
    lr, sr = as_image(lr), as_image(sr)
    shift = levels(sr).mean(axis=(0, 1)) - levels(lr).mean(axis=(0, 1))
    return float(np.abs(shift).max())


def _gradient_energy(image: np.ndarray) -> float:
    y = luma(image)
    return float(np.mean(np.diff(y, axis=0) ** 2) + np.mean(np.diff(y, axis=1) ** 2))


def _alike_on_the_whole(hr: np.ndarray, sr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The luma of both, that of sr without the median of its differences."""
    y_hr, y_sr = luma(hr), luma(sr)
    return y_hr, y_sr - np.median(y_sr - y_hr)


def _highest(plane: np.ndarray, reach: int) -> np.ndarray:
    """The highest value at most `reach` rows and columns away."""
    for axis in (0, 1):
        margin = [(reach, reach) if axis == a else (0, 0) for a in (0, 1)]
        padded = np.pad(plane, margin, mode="edge")
        plane = sliding_window_view(padded, 2 * reach + 1, axis=axis).max(axis=-1)
    return plane


def _near_edges(y: np.ndarray, reach: int) -> np.ndarray:
    steep = np.zeros(y.shape, bool)
    steep[1:] |= np.abs(np.diff(y, axis=0)) >= _STRONG_EDGE
    steep[:, 1:] |= np.abs(np.diff(y, axis=1)) >= _STRONG_EDGE
    return _highest(steep, reach)


def _plain_beside_edges(y: np.ndarray, scale: int) -> np.ndarray:
    spread = _highest(y, _PLAIN_REACH) + _highest(-y, _PLAIN_REACH)
    return (spread <= _PLAIN) & _near_edges(y, reach=4 * scale)


def _phases(sr: np.ndarray, scale: int) -> list[np.ndarray]:
    """The fine detail of an image, cut into its scale x scale sub-pixel phases."""
    y = luma(sr)
    if min(y.shape) < 16 + scale:
        raise TooSmallError(
            f"GRID at scale={scale} needs {16 + scale}x{16 + scale} pixels; got {size(sr)}."
        )
    detail = y[8:-8, 8:-8] - blur(y[4:-4, 4:-4], gaussian(radius=4, sigma=1.0))
    return [detail[top::scale, left::scale] for top in range(scale) for left in range(scale)]
