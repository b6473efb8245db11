"""Which picture each result is of: the names that pictures and rows have in common."""

import re
from array import array
from pathlib import PurePosixPath

import numpy as np

from srgan.cluster.rows import key
from srgan.cluster.sources import Item
from srgan.upscaling.inputs import has_suffix

_FIELD = re.compile(r"({\w+})")


class Owners:
    """The sources of results, by their names: 16 bytes each, since there may be millions."""

    def __init__(self) -> None:
        self._pairs = array("Q")
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, name: str, source: str) -> None:
        """Notes whose result has a name."""
        self._pairs.extend((_number(name), _number(source)))
        self._sorted = None

    def has_other(self, name: str, source: str) -> bool:
        """Whether a result has that name, and is of another source."""
        if not self._pairs:
            return False
        if self._sorted is None:
            pairs = np.frombuffer(self._pairs, np.uint64).reshape(-1, 2)
            pairs = pairs[np.argsort(pairs[:, 0])]
            self._sorted = pairs[:, 0], pairs[:, 1]
        names, sources = self._sorted
        number = np.uint64(_number(name))
        first, end = (np.searchsorted(names, number, side) for side in ("left", "right"))
        return bool(first < end and np.uint64(_number(source)) not in sources[first:end])


def of_item(item: Item, pattern: str) -> str:
    """Returns what a picture's result will be called, as far as that is known before it is opened.

    Args:
        item: The picture.
        pattern: Of the names, as `inputs.named` takes it. Its model stays as it is there, and a
            suffix that it lacks is left out.
    """
    path = PurePosixPath(item.place)
    known = {"{stem}": path.stem, "{ext}": path.suffix[1:].lower()}
    if item.cell:  # whose suffix follows from what is in it
        known = {"{stem}": path.name}
    name = _FIELD.sub(lambda found: known.get(found[1], found[1]), pattern or "{stem}")
    return path.with_name(name).as_posix()


def of_row(output: str, model: str | None, pattern: str) -> str:
    """Returns the same of a result that is there.

    Args:
        output: Its path in the destination.
        model: Which made it.
        pattern: Of the names.
    """
    path, pattern = PurePosixPath(output), pattern or "{stem}"
    name = path.name if has_suffix(pattern) else path.stem
    if "{model}" in pattern:
        parts = _FIELD.split(pattern)
        known = {"{model}": re.escape(str(model)), "{stem}": "(.*)", "{ext}": "(.*)"}
        expression = "".join(known.get(part, re.escape(part)) for part in parts)
        if found := re.fullmatch(expression, name, re.DOTALL):
            texts = iter(found.groups())
            fields = ("{stem}", "{ext}")
            name = "".join(next(texts) if part in fields else part for part in parts)
    return path.with_name(name).as_posix()


def _number(text: str) -> int:
    return int.from_bytes(key(text, None)[:8])
