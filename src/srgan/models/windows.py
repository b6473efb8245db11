"""Networks that take windows of one size alone, on pictures of any size."""

import itertools
from collections.abc import Mapping

import numpy as np

from srgan.models import engines


class Windowed:
    """Enlarges a picture by windows that overlap by a quarter, and are blended there.

    What such a network makes of a whole picture is nowhere defined. Windows begin at multiples of
    `step`, so that a part of a picture that begins there is cut in the same way.

    Args:
        engine: What takes `(batch, *size, 3)`.
        size: Height and width of the windows, in lr pixels.
        scale: Factor from lr to sr.

    Attributes:
        step: Pixels from one window to the next.
        reach: lr pixels to each side that an output pixel may depend on.
    """

    def __init__(self, engine: engines.Engine, size: tuple[int, int], scale: int) -> None:
        self._engine, self._size, self._scale = engine, size, scale
        self.metadata: Mapping[str, str] = engine.metadata
        self._shared = max(min(size) // 8, 1) * 2  # pixels of two neighbours
        self.step = min(size) - self._shared
        self.reach = 2 * self.step

    def run(self, images: np.ndarray) -> np.ndarray:
        """Maps `(batch, height, width, 3)` to what is `scale` times as large.

        Args:
            images: Of sides that are multiples of `step`.
        """
        return self._blend(images)[0]

    def deviation(self, images: np.ndarray) -> float:
        """Returns how far blending moves values, in grey levels: 99.9 % of those by less.

        From what the window made that counts most there, where windows overlap.

        Args:
            images: As `run` takes them, of more than one window.
        """
        blended, main, shared = self._blend(images)
        moved = 255 * np.abs(blended - main)[shared]
        return float(np.quantile(moved, 0.999)) if moved.size else 0.0

    def _blend(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pictures, what the windows made that count most, and where there are several."""
        batch, height, width, colours = images.shape
        side, scale, margin = self.step + self._shared, self._scale, self._shared // 2
        rows, columns = -(-height // self.step), -(-width // self.step)
        ends = [
            (margin, count * self.step - length + margin)
            for count, length in ((rows, height), (columns, width))
        ]
        padded = np.pad(images, ((0, 0), *ends, (0, 0)), "symmetric")
        shape = (batch, scale * padded.shape[1], scale * padded.shape[2], colours)
        blended, main = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        most, total = (np.zeros((1, *shape[1:3], 1), np.float32) for _ in range(2))
        ramp = _ramp(side, self._shared, scale)
        weight = (ramp[:, None] * ramp)[None, :, :, None]
        for top, left in itertools.product(range(rows), range(columns)):
            top, left = top * self.step, left * self.step
            window = padded[:, top : top + side, left : left + side]
            sr = self._engine.run(_filled(window, self._size))[:, : scale * side, : scale * side]
            place = np.s_[:, _times(top, side, scale), _times(left, side, scale)]
            blended[place] += weight * sr
            main[place] = np.where(weight > most[place], sr, main[place])
            most[place] = np.maximum(most[place], weight)
            total[place] += weight  # less than one at the ends, where no neighbour follows
        inside = np.s_[:, _times(margin, height, scale), _times(margin, width, scale)]
        shared = np.broadcast_to(most < 0.999 * total, shape)
        return (blended / total)[inside], main[inside], shared[inside]


def _times(first: int, count: int, scale: int) -> slice:
    return slice(scale * first, scale * (first + count))


def _ramp(side: int, shared: int, scale: int) -> np.ndarray:
    """Weights along a window, which add up to one where two overlap."""
    rise = (np.arange(shared * scale) + 0.5) / (shared * scale)
    ramp = np.ones(side * scale, np.float32)
    ramp[: len(rise)], ramp[len(ramp) - len(rise) :] = rise, rise[::-1]
    return ramp


def _filled(window: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A square window as large as the network wants it."""
    below, right = size[0] - window.shape[1], size[1] - window.shape[2]
    return np.pad(window, ((0, 0), (0, below), (0, right), (0, 0)), "edge")
