"""Grey pictures and transparent ones, through a model of three colours."""

from collections.abc import Callable

import numpy as np

REACH = 16  # lr pixels that an output pixel sees farther than through the model alone

_NEAR, _FAR = 4, 16  # radii of the windows that colours are taken from
_STILL = 4  # where alpha is constant as far as this, it stays as it is


def upscale(run: Callable[[np.ndarray], np.ndarray], lr: np.ndarray) -> np.ndarray:
    """Upscales `(height, width, channels)` with `run`, which takes and gives three channels.

    Grey is repeated, and the result averaged. Alpha is upscaled as a grey picture of its own, and
    the colours after those of transparent pixels were replaced by those of the nearest opaque ones,
    weighted by alpha: what cannot be seen has no influence, and edges get no fringe. (Upscaling
    colours times alpha, and dividing, is the same only for linear filters; networks are not.)

    Args:
        run: Maps RGB in [0, 1] to RGB.
        lr: Float in [0, 1], with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels.

    Returns:
        As many channels as `lr` has.
    """
    if lr.shape[2] == 3:
        return run(lr)
    if lr.shape[2] == 1:
        return run(lr.repeat(3, axis=2)).mean(axis=2, keepdims=True)
    colour, alpha = lr[..., :-1], lr[..., -1:]
    low, high = alpha.min(), alpha.max()
    if low < 1:
        colour = _fill(colour, alpha)
    sr = upscale(run, colour)
    scale = len(sr) // len(lr)
    if low == high:
        enlarged = np.full((*sr.shape[:2], 1), low, sr.dtype)
    else:
        enlarged = upscale(run, alpha)
        still = _window(np.minimum, alpha) == _window(np.maximum, alpha)
        repeated = alpha.repeat(scale, axis=0).repeat(scale, axis=1)
        enlarged = np.where(still.repeat(scale, axis=0).repeat(scale, axis=1), repeated, enlarged)
    return np.concatenate([sr, enlarged], axis=2)


def _fill(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours, those around in place of what is transparent."""
    weighted = np.concatenate([colour * alpha, alpha], axis=2)
    # Far colours count only where there are no near ones.
    around = _mean(weighted, _NEAR) + 1e-3 * _mean(weighted, _FAR)
    known = around[..., -1:]
    nearby = np.divide(around[..., :-1], known, out=np.full_like(colour, 0.5), where=known > 1e-7)
    return alpha * colour + (1 - alpha) * nearby


def _mean(image: np.ndarray, radius: int) -> np.ndarray:
    """The mean over a square window; zeros beyond the border."""
    for axis in (0, 1):
        margin = [(0, 0)] * 3
        margin[axis] = (radius, radius)
        padded = np.pad(image, margin).swapaxes(0, axis)
        length = image.shape[axis]
        # Not by running sums, whose rounding would depend on where a tile begins.
        total = padded[:length].copy()
        for k in range(1, 2 * radius + 1):
            total += padded[k : k + length]
        image = (total / (2 * radius + 1)).swapaxes(0, axis)
    return image


def _window(extreme: Callable, image: np.ndarray) -> np.ndarray:
    """The least or largest value in a square window, within the image."""
    for axis in (0, 1):
        margin = [(0, 0)] * 3
        margin[axis] = (_STILL, _STILL)
        padded = np.pad(image, margin, mode="edge").swapaxes(0, axis)
        found = padded[: image.shape[axis]]
        for k in range(1, 2 * _STILL + 1):
            found = extreme(found, padded[k : k + image.shape[axis]])
        image = found.swapaxes(0, axis)
    return image
