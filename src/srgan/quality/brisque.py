"""BRISQUE: what people would say of a picture's quality, learned from their judgements."""

from functools import cache

import numpy as np

from srgan.numeric.color import TooSmallError, as_image, size
from srgan.quality import scene_statistics
from srgan.util import resources

SMALLEST = 16  # pixels a side
_NEIGHBOURS = (0, 1), (1, 0), (1, 1), (-1, 1)
_GAMMA = 0.05  # of the radial basis functions


def brisque(image: np.ndarray, border: int = 0) -> float:
    """Blind/Referenceless Image Spatial Quality Evaluator (Mittal, Moorthy and Bovik 2012).

    18 statistics of the locally normalised luma and of the products of its neighbours, at full and
    half size, go into a support vector regression that its authors trained on people's judgements
    of degraded photos (LIVE).

    Args:
        image: `(height, width, 3)`, RGB, at least 16x16 inside the border; an odd last row or
            column is left out.
        border: Pixels to leave out at each edge.

    Returns:
        About 0, the best, to 100; `nan` if the picture is flat.

    Raises:
        ValueError: If the image is not RGB, or too small.
    """
    image = as_image(image)
    height, width = (side - 2 * border - side % 2 for side in image.shape[:2])
    if min(height, width) < SMALLEST:
        raise TooSmallError(
            f"BRISQUE needs {SMALLEST}x{SMALLEST} pixels; got {size(image)} with border={border}. "
            "Score a larger image."
        )
    plane = scene_statistics.grey(image[border : border + height, border : border + width])
    features = np.array([*_features(plane), *_features(scene_statistics.half(plane))])
    lowest, highest, vectors, weights, offset = _model()
    scaled = 2 * (features - lowest) / (highest - lowest) - 1
    kernel = np.exp(-_GAMMA * np.sum((vectors - scaled) ** 2, axis=1))
    return float(weights @ kernel + offset)


def _features(plane: np.ndarray) -> list[float]:
    normalised = scene_statistics.normalised(plane, beyond="constant")
    square, magnitude = np.mean(normalised**2), np.mean(np.abs(normalised))
    found = [scene_statistics.shape_of(float(magnitude**2 / square)) if square else np.nan, square]
    for neighbour in _NEIGHBOURS:
        products = normalised * np.roll(normalised, neighbour, axis=(0, 1))
        shape, left, right, _, mean = (x[0] for x in scene_statistics.fit(products.reshape(1, -1)))
        found += [shape, mean, left**2, right**2]
    return found


@cache
def _model() -> tuple[np.ndarray, ...]:
    """Range of the features, support vectors with their weights, and offset of the sum."""
    with np.load(resources.WEIGHTS / "brisque.npz") as file:
        names = ("lowest", "highest", "vectors", "weights", "offset")
        return tuple(file[name].astype(np.float64) for name in names)
