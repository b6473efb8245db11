"""uint8 RGB images `(height, width, 3)` to planes of numbers, for measuring."""

from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Colour = Literal["y", "rgb"]


def luma(image: np.ndarray) -> np.ndarray:
    """Returns the luma Y of a uint8 RGB image as MATLAB's `rgb2ycbcr` defines it, unrounded.

    Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 (ITU-R BT.601), from 16 to 235.

    Returns:
        `(height, width)`, float64.

    Raises:
        ValueError: If the image is not uint8 RGB.

    Example:
        >>> luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).round(9)
        array([[ 16., 235.]])
    """
    check(image)
    return 16 + image @ (np.array([65.481, 128.553, 24.966]) / 255)


def planes(image: np.ndarray, colour: Colour) -> list[np.ndarray]:
    """Returns what is measured of an image: its luma, or its three channels, as float64.

    Raises:
        ValueError: If the image is not uint8 RGB.
    """
    if colour == "y":
        return [luma(image)]
    check(image)
    return [image[..., channel].astype(np.float64) for channel in range(3)]


def gaussian(radius: int, sigma: float) -> np.ndarray:
    """Returns the samples of a Gaussian at -radius..radius, their sum 1."""
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def blur(plane: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Convolves both axes of `(height, width)` with a symmetric `window`, wherever it fits."""
    plane = sliding_window_view(plane, len(window), axis=0) @ window
    return sliding_window_view(plane, len(window), axis=1) @ window


def check(image: np.ndarray) -> None:
    """Raises ValueError unless the image is uint8 RGB."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"Metrics take uint8 RGB images (height, width, 3); got {image.dtype} of shape "
            f"{image.shape}. Convert floats in [0, 1] with images.to_uint8."
        )


def check_pair(hr: np.ndarray, sr: np.ndarray, minimum: int = 1) -> None:
    """Raises ValueError unless both are uint8 RGB of one size, of `minimum` pixels a side."""
    check(hr)
    check(sr)
    if hr.shape != sr.shape:
        raise ValueError(
            f"hr and sr must be of one size; got {size(hr)} and {size(sr)}. "
            "Was the hr image cropped to a multiple of the scale?"
        )
    if min(hr.shape[:2]) < minimum:
        raise ValueError(f"This measure needs {minimum}x{minimum} pixels; got {size(hr)}.")


def size(image: np.ndarray) -> str:
    """Returns "height x width" for messages."""
    return f"{image.shape[0]}x{image.shape[1]}"
