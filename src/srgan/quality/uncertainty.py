"""The expected error of a result: how far it is from the truth where detail is hallucinated.

Many images have the same lr image; they differ in its null space, what the downscale does not see.
The PSNR model returns about the mean of them, a GAN model one of them. If both are consistent with
lr, all they disagree in lies in the null space; and where a likely image is far from the mean, the
true one is too. What the GAN model leaves out of that follows the contrast.
"""

from collections.abc import Iterable

import numpy as np

from srgan.io import images
from srgan.models.metadata import Calibration
from srgan.numeric.color import blur

WINDOW = 9  # pixels, side of the window around a pixel that its value is of
REACH = WINDOW // 2 + 1  # pixels to the farthest one that a value depends on

_BORDER = 4  # pixels at each edge that nothing is fitted to
_ROUNDS = 10  # of the fit, after which it moves no more
_LEAST = 0.5  # grey levels; an expectation below counts as so much where errors are weighted


def expected_error(sr: np.ndarray, psnr_sr: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Returns how far a GAN model's result is expected to be from the truth, for each pixel.

    Args:
        sr: What the GAN model, at full realism, made of an lr image, `(height, width, channels)`,
            RGB or grey, without alpha; float in [0, 1], uint8 or uint16.
        psnr_sr: What the PSNR model made of it, of the same shape.
        calibration: Of the two, from the metadata of the GAN model.

    Returns:
        `(height, width)` float32, in grey levels of 255: the expected mean of |sr - hr| over the
        channels and the 9x9 window around the pixel. A part of the images gives the same values
        (to 1e-5) at all pixels that are `REACH` or farther from where it was cut.

    Raises:
        ValueError: If the images are not RGB or grey of one size, or not finite.
    """
    disagreement, contrast = cues(sr, psnr_sr)
    error = calibration.disagreement * disagreement + calibration.contrast * contrast
    return error + np.float32(calibration.base)


def calibrate(results: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Calibration:
    """Returns the calibration that fits the errors on some photos; see `fit`.

    Args:
        results: hr, and what the GAN model and the PSNR model made of its LR image, each
            `(height, width, 3)`, uint8, of at least 13x13 pixels.
    """
    rows = []
    for hr, sr, psnr_sr in results:
        error = np.abs(sr.astype(np.float32) - hr).mean(axis=2)
        height, width = error.shape
        middles = windows(height, width, _BORDER)
        rows.append([plane[middles].ravel() for plane in (*cues(sr, psnr_sr), window_mean(error))])
    disagreement, contrast, error = map(np.concatenate, zip(*rows, strict=True))
    return fit(disagreement, contrast, error)


def fit(disagreement: np.ndarray, contrast: np.ndarray, error: np.ndarray) -> Calibration:
    """Returns the calibration that least squares give, errors in relation to what is expected.

    Args:
        disagreement: D of each window, grey levels, `(windows,)`.
        contrast: C, likewise.
        error: What was found.

    Example:
        >>> d, c = np.arange(10.0), np.arange(10.0) % 3
        >>> np.round(fit(d, c, 2 * d + 0.5 * c + 1), 6)
        array([2. , 0.5, 1. ])
    """
    cue = np.stack([disagreement, contrast, np.ones_like(error)], axis=1).astype(np.float64)
    weights = np.ones(len(cue))
    constants = np.zeros(3)
    for _ in range(_ROUNDS):
        constants = np.linalg.lstsq(cue * weights[:, None], error * weights, rcond=None)[0]
        weights = 1 / np.maximum(cue @ constants, _LEAST)
    a, b, c = map(float, constants)
    return Calibration(a, b, c)


def windows(height: int, width: int, border: int) -> tuple[slice, slice]:
    """Returns the middles of windows that do not overlap, from the top left corner on.

    Example:
        >>> windows(30, 20, 4)
        (slice(8, 26, 9), slice(8, 16, 9))
    """
    first = border + WINDOW // 2
    return slice(first, height - border, WINDOW), slice(first, width - border, WINDOW)


def cues(sr: np.ndarray, psnr_sr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns what `expected_error` is made of: disagreement, and contrast.

    Means over the channels and a window of |sr - psnr_sr|, and of the absolute slopes of psnr_sr
    (central differences, down plus across). Beyond the image's edges, both are as on them.

    Args:
        sr: As in `expected_error`.
        psnr_sr: Likewise.

    Returns:
        Two arrays `(height, width)`, float32, grey levels.

    Raises:
        ValueError: As in `expected_error`.

    Example:
        >>> grey = np.full((9, 9, 3), 100, np.uint8)
        >>> disagreement, contrast = cues(grey + np.uint8(10), grey)
        >>> disagreement[4, :3].round(3), contrast[4, :3]
        (array([10., 10., 10.], dtype=float32), array([0., 0., 0.], dtype=float32))
    """
    if sr.shape != psnr_sr.shape or sr.ndim != 3 or sr.shape[2] not in (1, 3) or not sr.size:
        raise ValueError(
            "sr and psnr_sr must be RGB or grey images (height, width, channels) of one size; got "
            f"{sr.shape} and {psnr_sr.shape}. Were they made from one lr image, at one scale?"
        )
    if not (np.isfinite(sr).all() and np.isfinite(psnr_sr).all()):
        raise ValueError("sr or psnr_sr has values that are not finite, which no result has.")
    *size, count = sr.shape
    disagreement, contrast = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for channel in range(count):
        plane, other = (255 * images.to_float(image[:, :, channel]) for image in (sr, psnr_sr))
        disagreement += np.abs(plane - other) / count
        other = np.pad(other, 1, mode="edge")
        contrast += np.abs(other[2:, 1:-1] - other[:-2, 1:-1]) / (2 * count)
        contrast += np.abs(other[1:-1, 2:] - other[1:-1, :-2]) / (2 * count)
    return window_mean(disagreement), window_mean(contrast)


def window_mean(plane: np.ndarray) -> np.ndarray:
    """Returns the mean of `(height, width)` over the window around each pixel, edges repeated.

    Example:
        >>> plane = np.zeros((20, 20), np.float32)
        >>> plane[10, 10] = 81
        >>> window_mean(plane)[4:8, 10].round(4)
        array([0., 0., 1., 1.], dtype=float32)
    """
    window = np.full(WINDOW, 1 / WINDOW, np.float32)
    return blur(np.pad(plane, WINDOW // 2, mode="edge"), window)
