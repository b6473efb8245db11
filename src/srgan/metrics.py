"""Image quality by the protocol `y-crop4`: uint8 RGB arrays `(height, width, 3)` in, a float out.

psnr, ssim and lpips compare sr with the hr image it should be, lr_psnr compares it with the lr
image it was made from, and grid judges it alone.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from srgan import engines, resize

LPIPS_MINIMUM = 31  # pixels; of fewer, AlexNet's two poolings leave nothing


class Scores(NamedTuple):
    """How good one sr image is."""

    psnr: float  # dB
    ssim: float  # 1 is best
    lpips: float  # 0 is best
    lr_psnr: float  # dB
    grid: float  # photos have about 0.04


def score(hr: np.ndarray, lr: np.ndarray, sr: np.ndarray, scale: int) -> Scores:
    """Returns all measures of one sr image; psnr and ssim leave out `scale` pixels at the edges."""
    return Scores(
        psnr(hr, sr, border=scale),
        ssim(hr, sr, border=scale),
        lpips(hr, sr),
        lr_psnr(lr, sr),
        grid(sr, scale),
    )


def luma(image: np.ndarray) -> np.ndarray:
    """Returns the luma Y of a uint8 RGB image as MATLAB's `rgb2ycbcr` defines it, unrounded.

    Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 (ITU-R BT.601), from 16 to 235.

    Returns:
        `(height, width)`, float64.

    Example:
        >>> luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).round(9)
        array([[ 16., 235.]])
    """
    _check(image)
    return 16 + image @ (np.array([65.481, 128.553, 24.966]) / 255)


def psnr(hr: np.ndarray, sr: np.ndarray, border: int = 0) -> float:
    """Peak signal-to-noise ratio of the luma, 10 log10(255^2 / MSE).

    Args:
        hr: Reference, `(height, width, 3)`, uint8 RGB.
        sr: Image to score, likewise.
        border: Pixels to leave out at each edge; papers leave out `scale`.

    Returns:
        Decibels; `inf` if the lumas are equal.

    Raises:
        ValueError: If the images are not uint8 RGB, differ in shape, or `border` leaves nothing.

    Example:
        >>> black, grey = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 51, np.uint8)
        >>> round(psnr(black, grey), 2)  # 20 log10(255 / 43.8): luma has 219 steps for 255
        15.3
    """
    return _decibels(np.subtract(*_lumas(hr, sr, border, minimum=1)))


def ssim(hr: np.ndarray, sr: np.ndarray, border: int = 0) -> float:
    """Structural similarity of the luma (Wang et al. 2004, eq. 13).

    With local means m, variances v and the covariance c, weighted by an 11x11 Gaussian (sigma
    1.5) wherever that fits into the image, the mean of

    (2 m_hr m_sr + C1) (2 c + C2) / ((m_hr^2 + m_sr^2 + C1) (v_hr + v_sr + C2)).

    Args:
        hr: Reference, `(height, width, 3)`, uint8 RGB.
        sr: Image to score, likewise.
        border: Pixels to leave out at each edge; papers leave out `scale`.

    Returns:
        At most 1, which equal images have.

    Raises:
        ValueError: If the images are not uint8 RGB, differ in shape, or `border` leaves fewer
            than 11x11 pixels.
    """
    y_hr, y_sr = _lumas(hr, sr, border, minimum=11)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    window = _gaussian(radius=5, sigma=1.5)
    mean_hr, mean_sr = _blur(y_hr, window), _blur(y_sr, window)
    product, squares = mean_hr * mean_sr, mean_hr**2 + mean_sr**2
    covariance = _blur(y_hr * y_sr, window) - product
    variances = _blur(y_hr**2 + y_sr**2, window) - squares
    similarity = (2 * product + c1) * (2 * covariance + c2)
    return float(np.mean(similarity / ((squares + c1) * (variances + c2))))


def lpips(hr: np.ndarray, sr: np.ndarray) -> float:
    """Perceptual distance LPIPS v0.1 with AlexNet (Zhang et al. 2018, eq. 1).

    The squared difference of the unit-length features of five layers, weighted as people judged
    pairs of images, and averaged over the image. Run from float16 weights: within 3e-5 of float32.

    Args:
        hr: Reference, `(height, width, 3)`, uint8 RGB, at least 31x31.
        sr: Image to score, likewise.

    Returns:
        0 for equal images; x4, bicubic has 0.3 to 0.5 and RealSR 0.08 to 0.17.

    Raises:
        ValueError: If the images are not uint8 RGB, differ in shape, or are too small.
    """
    _check_pair(hr, sr)
    if min(hr.shape[:2]) < LPIPS_MINIMUM:
        raise ValueError(
            f"LPIPS needs {LPIPS_MINIMUM}x{LPIPS_MINIMUM} pixels; got {_size(hr)}. "
            "Score a larger image."
        )
    return float(_alexnet().run(np.stack([hr, sr]).astype(np.float32) / 255))


def lr_psnr(lr: np.ndarray, sr: np.ndarray) -> float:
    """Consistency: the PSNR over RGB between `lr` and the bicubic downscale of `sr`.

    Args:
        lr: The input, `(height, width, 3)`, uint8 RGB.
        sr: What was made of it, `(scale * height, scale * width, 3)`, uint8 RGB.

    Returns:
        Decibels; `inf` if scaling down gives `lr` back exactly.

    Raises:
        ValueError: If the images are not uint8 RGB, or the size of `sr` is no multiple of `lr`'s.
    """
    _check(lr)
    _check(sr)
    scale = sr.shape[0] // lr.shape[0]
    if sr.shape[:2] != (scale * lr.shape[0], scale * lr.shape[1]):
        raise ValueError(
            f"The sides of sr must be one integer multiple of those of lr; got {_size(sr)} "
            f"and {_size(lr)}."
        )
    return _decibels(lr.astype(np.float64) - resize.downscale(sr, scale))


def grid(sr: np.ndarray, scale: int) -> float:
    """Strength of a checkerboard or weave, which upscaling by `scale` may leave.

    With r the luma minus its Gaussian blur (sigma 1), 8 pixels left out at each edge, and e the
    mean of r^2 over the pixels of each of the scale x scale sub-pixel phases: std(e) / mean(e).
    Photos have no preferred phase and score about 0.04; a weave is seen from 0.1.

    Args:
        sr: Image to judge, `(height, width, 3)`, uint8 RGB, sides of at least 16 + `scale`.
        scale: Period of the pattern in pixels.

    Returns:
        From 0 (also for a flat image) to sqrt(scale^2 - 1), when one phase has all the energy.

    Raises:
        ValueError: If the image is not uint8 RGB, or too small.
    """
    y = luma(sr)
    if min(y.shape) < 16 + scale:
        raise ValueError(
            f"GRID at scale={scale} needs {16 + scale}x{16 + scale} pixels; got {_size(sr)}."
        )
    detail = y[8:-8, 8:-8] - _blur(y[4:-4, 4:-4], _gaussian(radius=4, sigma=1.0))
    energy = [
        np.mean(detail[top::scale, left::scale] ** 2)
        for top in range(scale)
        for left in range(scale)
    ]
    return float(np.std(energy) / max(np.mean(energy), 1e-9))


@cache
def _alexnet() -> engines.Engine:
    return engines.open_engine(Path(__file__).parent / "weights" / "lpips-alex.onnx")


def _lumas(
    hr: np.ndarray, sr: np.ndarray, border: int, minimum: int
) -> tuple[np.ndarray, np.ndarray]:
    """The lumas of both images without the border, which must leave `minimum` pixels a side."""
    _check_pair(hr, sr)
    height, width = hr.shape[:2]
    if border < 0 or min(height, width) - 2 * border < minimum:
        raise ValueError(
            f"border={border} must leave at least {minimum}x{minimum} pixels; got {_size(hr)}."
        )
    inside = slice(border, height - border), slice(border, width - border)
    return luma(hr[inside]), luma(sr[inside])


def _check_pair(hr: np.ndarray, sr: np.ndarray) -> None:
    _check(hr)
    _check(sr)
    if hr.shape != sr.shape:
        raise ValueError(
            f"hr and sr must be of one size; got {_size(hr)} and {_size(sr)}. "
            "Was the hr image cropped to a multiple of the scale?"
        )


def _check(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"Metrics take uint8 RGB images (height, width, 3); got {image.dtype} of shape "
            f"{image.shape}. Convert floats in [0, 1] with images.to_uint8."
        )


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"


def _decibels(difference: np.ndarray) -> float:
    mean_square = np.mean(difference**2)
    return float(10 * np.log10(255**2 / mean_square)) if mean_square else float("inf")


def _gaussian(radius: int, sigma: float) -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def _blur(plane: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Convolves both axes with `window`, wherever it fits."""
    plane = sliding_window_view(plane, len(window), axis=0) @ window
    return sliding_window_view(plane, len(window), axis=1) @ window
