"""Batches mixed from themselves: augmentations that are functions of a batch and of chance."""

import numpy as np

from srgan.numeric import resize

_BETA = 1.2  # of the weights of mixup, as Yoo et al. have it
_SHARE = 0.7  # of a side of a crop that the rectangle of CutBlur has, on average


def mixup(batch: tuple[np.ndarray, ...], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Blends each image of a batch with another (Zhang et al. 2018, eq. 1): w x_i + (1 - w) x_j.

    Args:
        batch: lr, hr, `(batch, height, width, 3)`.
        rng: Draws the order, and w from Beta(1.2, 1.2), one for all.
    """
    weight = np.float32(rng.beta(_BETA, _BETA))
    order = rng.permutation(len(batch[0]))
    return tuple(weight * images + (1 - weight) * images[order] for images in batch)


def cutblur(lr: np.ndarray, hr: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Cleans a rectangle of degraded images, or all around it (CutBlur, Yoo et al. 2020, eq. 1).

    A network learns where to restore, and where to leave alone. The paper pastes hr into enlarged
    lr; here lr has its own size, so that what is pasted is the bicubic downscale of hr.

    Args:
        lr: `(batch, height, width, 3)` in [0, 1], degraded.
        hr: As many, larger.
        rng: Draws the images, rectangles and sides.
        share: Of the images that are changed.

    Returns:
        As `lr`.
    """
    count, height, width, _ = lr.shape
    scale = hr.shape[1] // height
    mixed = lr.copy()
    for i in range(count):
        chosen, inside = rng.random() < share, rng.random() < 0.5
        sides = [
            max(1, round(min(1.0, rng.normal(_SHARE, 0.1)) * side)) for side in (height, width)
        ]
        y, x = (
            int(rng.integers(side - part + 1))
            for side, part in zip((height, width), sides, strict=True)
        )
        if not chosen:
            continue
        clean = resize.downscale(hr[i], scale)
        area = np.zeros((height, width, 1), bool)
        area[y : y + sides[0], x : x + sides[1]] = True
        mixed[i] = np.where(area == inside, clean, lr[i])
    return mixed
