"""Crops of photos as training batches, at random.

Batch k is a pure function of (seed, k), so that a run can be repeated and resumed exactly. Only
numpy here: the framework sees finished arrays.
"""

from typing import Protocol

import numpy as np


class Photos(Protocol):
    """Pictures that crops are cut from.

    Attributes:
        scale: Factor from lr to hr.
        ends: Cumulated areas in lr pixels, for choosing photos in proportion to their area.
    """

    scale: int
    ends: np.ndarray

    def __getitem__(self, index: int, /) -> tuple[np.ndarray, ...]:
        """Images of one place, uint8: lr `(height, width, 3)`, and others `scale` times as large.

        The first of those is hr.
        """
        ...


def batch(
    photos: Photos,
    k: int,
    seed: int,
    batch_size: int,
    hr_patch: int,
    candidates: int = 1,
    part: slice = slice(None),
) -> tuple[np.ndarray, ...]:
    """Returns batch `k` of a run: random crops, mirrored and turned by multiples of 90 degrees.

    Args:
        photos: Where the crops are cut from.
        k: Number of the batch.
        seed: Of the run.
        batch_size: Crops in the batch, at least one.
        hr_patch: Side of an hr crop in pixels, a multiple of the scale.
        candidates: See `crop`.
        part: The crops of the batch that are wanted; others are drawn, but not made.

    Returns:
        `(lr, hr)`, and what else `photos` have; float32 in [0, 1]. Of the whole batch:
        `(batch_size, hr_patch // scale, hr_patch // scale, 3)`, and
        `(batch_size, hr_patch, hr_patch, 3)` for all but lr.
    """
    rng = np.random.default_rng((seed, k))
    crops = []
    wanted = range(batch_size)[part]
    for number in range(batch_size):
        drawn = [_crop(photos, rng, hr_patch // photos.scale) for _ in range(candidates)]
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        if number not in wanted:
            continue
        images = _most_detailed(drawn, photos.scale)
        turned = [np.rot90(image, turns) for image in images]
        crops.append([image[:, ::-1] for image in turned] if mirrored else turned)
    return tuple(np.stack(images).astype(np.float32) / 255 for images in zip(*crops, strict=True))


def crop(
    photos: Photos, rng: np.random.Generator, lr_patch: int, candidates: int = 1
) -> tuple[np.ndarray, ...]:
    """Returns views of one place of a photo, which is chosen in proportion to its area.

    Args:
        photos: Where the crop is cut from.
        rng: Chooses the place.
        lr_patch: Side of the crop in lr pixels.
        candidates: Crops that are drawn, of which the one with the most `detail` is taken. Half of
            most photos is sky, or out of focus, and teaches nothing.
    """
    crops = [_crop(photos, rng, lr_patch) for _ in range(candidates)]
    return _most_detailed(crops, photos.scale)


def _most_detailed(crops: list[tuple[np.ndarray, ...]], scale: int) -> tuple[np.ndarray, ...]:
    return max(crops, key=lambda crop: detail(crop[1], scale)) if crops[1:] else crops[0]


def detail(hr: np.ndarray, scale: int) -> float:
    """Returns how much of a crop lr does not hold: the variance of green within its lr pixels.

    Args:
        hr: `(height, width, 3)`, uint8, sides multiples of `scale`.
        scale: Pixels of hr along each side of a pixel of lr.

    Example:
        >>> flat = np.full((8, 8, 3), 100, np.uint8)
        >>> striped = flat.copy()
        >>> striped[::2] += 20
        >>> detail(flat, 4), detail(striped, 4)
        (0.0, 100.0)
    """
    height, width = hr.shape[:2]
    green = hr[:, :, 1].astype(np.float32)
    means = green.reshape(height // scale, scale, width // scale, scale).mean(axis=(1, 3))
    return float(np.mean(green**2) - np.mean(means**2))


def _crop(photos: Photos, rng: np.random.Generator, lr_patch: int) -> tuple[np.ndarray, ...]:
    images = photos[int(np.searchsorted(photos.ends, rng.integers(photos.ends[-1]), side="right"))]
    height, width = images[0].shape[:2]
    y = int(rng.integers(height - lr_patch + 1))
    x = int(rng.integers(width - lr_patch + 1))

    def cut(image: np.ndarray, scale: int) -> np.ndarray:
        rows, columns = (slice(scale * at, scale * (at + lr_patch)) for at in (y, x))
        return image[rows, columns]

    lr, *large = images
    return cut(lr, 1), *(cut(image, photos.scale) for image in large)
