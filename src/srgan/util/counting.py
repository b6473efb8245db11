"""Reports of how far work is."""

import itertools
from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called as `progress(done, total)` after each part; what it raises ends the work."""


def counter(progress: Progress | None, total: int) -> Callable[[], None]:
    """Returns what is to be called after each of `total` parts, and tells `progress`."""
    done = itertools.count(1)

    def count() -> None:
        if progress:
            progress(next(done), total)

    return count
