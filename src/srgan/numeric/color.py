"""RGB images `(height, width, 3)` of 8 or 16 bits to planes of grey levels, for measuring."""

from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Colour = Literal["y", "rgb"]

LUMA = np.array([65.481, 128.553, 24.966]) / 255  # weights of R, G and B in 0..255 (BT.601)


class TooSmallError(ValueError):
    """An image has fewer pixels than a measure needs."""


def luma(image: np.ndarray) -> np.ndarray:
    """Returns the luma Y of an RGB image as MATLAB's `rgb2ycbcr` defines it, unrounded.

    Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 (ITU-R BT.601), from 16 to 235.

    Returns:
        `(height, width)`, float64.

    Raises:
        ValueError: If the image is not RGB, uint8 or float in [0, 1].

    Example:
        >>> luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).round(9)
        array([[ 16., 235.]])
    """
    return 16 + levels(as_image(image)) @ LUMA


def planes(image: np.ndarray, colour: Colour) -> list[np.ndarray]:
    """Returns what is measured of an image: its luma, or its three channels, as float64.

    Raises:
        ValueError: If the image is not RGB, uint8 or float in [0, 1].
    """
    if colour == "y":
        return [luma(image)]
    image = levels(as_image(image)).astype(np.float64)
    return [image[..., channel] for channel in range(3)]


def gaussian(radius: int, sigma: float) -> np.ndarray:
    """Returns the samples of a Gaussian at -radius..radius, their sum 1."""
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def blur(plane: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Convolves both axes of `(height, width)` with a symmetric `window`, wherever it fits."""
    plane = sliding_window_view(plane, len(window), axis=0) @ window
    return sliding_window_view(plane, len(window), axis=1) @ window


def as_image(image: np.ndarray) -> np.ndarray:
    """Returns an image as RGB integers; floats are rounded half up, as files of 8 bits hold them.

    Raises:
        ValueError: If it is not RGB, uint8, uint16 or float in [0, 1].
    """
    is_float = np.issubdtype(image.dtype, np.floating)
    known = is_float or image.dtype in (np.uint8, np.uint16)
    if image.ndim != 3 or image.shape[2] != 3 or not known:
        raise ValueError(
            f"Metrics take RGB images (height, width, 3), uint8, uint16 or float in [0, 1]; got "
            f"{image.dtype} of shape {image.shape}."
        )
    if not is_float:
        return image
    if image.size and not (image.min() >= 0 and image.max() <= 1):  # NaN compares as false
        raise ValueError(
            f"Metrics take float images in [0, 1]; got {image.min():g} to {image.max():g}. "
            "Divide 8-bit values by 255, or pass them as uint8."
        )
    return np.floor(image * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def levels(image: np.ndarray) -> np.ndarray:
    """Returns integers as grey levels from 0 to 255, which of 16 bits have fractions."""
    return image / 257 if image.dtype == np.uint16 else image


def of_one_depth(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns two images of integers, both rounded half up to 8 bits if only one has 16."""
    if first.dtype == second.dtype:
        return first, second
    first, second = (np.floor(levels(image) + 0.5).astype(np.uint8) for image in (first, second))
    return first, second


def as_pair(hr: np.ndarray, sr: np.ndarray, minimum: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Returns two images as `as_image` does; ValueError unless both have one size.

    16 bits count if both have them; else they are rounded half up to 8.

    Args:
        hr: Reference.
        sr: Image to compare with it.
        minimum: Pixels a side that the measure needs.
    """
    hr, sr = as_image(hr), as_image(sr)
    hr, sr = of_one_depth(hr, sr)
    if hr.shape != sr.shape:
        raise ValueError(
            f"hr and sr must be of one size; got {size(hr)} and {size(sr)}. "
            "Was the hr image cropped to a multiple of the scale?"
        )
    if min(hr.shape[:2]) < minimum:
        raise TooSmallError(f"This measure needs {minimum}x{minimum} pixels; got {size(hr)}.")
    return hr, sr


def size(image: np.ndarray) -> str:
    """Returns "WIDTHxHEIGHT" for messages."""
    return f"{image.shape[1]}x{image.shape[0]}"
