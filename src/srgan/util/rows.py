"""Rows of pictures, which come some at a time."""

from collections.abc import Iterable, Iterator

import numpy as np


class Window:
    """A window that moves down over rows as they come.

    Args:
        bands: The rows, some at a time.
        top: The number of the first of them.
    """

    def __init__(self, bands: Iterable[np.ndarray], top: int = 0):
        self._bands = iter(bands)
        self._held: list[np.ndarray] = []
        self._top = top  # of what is held

    def take(self, wanted: slice) -> np.ndarray:
        """The rows `wanted`; those above them will not be asked for again."""
        while self._top + sum(map(len, self._held)) < wanted.stop:
            self._held.append(next(self._bands))
        joined = np.concatenate(self._held)[wanted.start - self._top :]
        self._held, self._top = [joined], wanted.start
        return joined[: wanted.stop - wanted.start]


class Cutter:
    """Cuts rows that come in bands, where frames end."""

    def __init__(self, bands: Iterator[np.ndarray]):
        self._bands = bands
        self._left = np.empty(0)

    def take(self, count: int) -> Iterator[np.ndarray]:
        """The next `count` rows."""
        while count:
            band = self._left if len(self._left) else next(self._bands)
            part, self._left = band[:count], band[count:]
            count -= len(part)  # before it is given away, and nothing more may be asked for
            yield part
