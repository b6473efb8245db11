"""Which pictures of a source are to be done: once each, and no two under one name."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from srgan.cluster.manifest import Manifest
from srgan.cluster.rows import FAILED, Row, key
from srgan.cluster.sources import Item


class Todo:
    """What is left of a source.

    Args:
        book: What is done.
        name: The pattern of the results' names.

    Attributes:
        skipped: Pictures that need no more work, so far.
        failed_before: Of these, the ones without a result.
    """

    def __init__(self, book: Manifest, name: str) -> None:
        self._book, self._name = book, name
        self._places: set[bytes] = set()
        self.skipped = self.failed_before = 0

    def of(self, items: Iterable[Item]) -> Iterator[Item | Row]:
        """Yields the items that are to be done, and rows of those that cannot be."""
        for item in items:
            path = PurePosixPath(item.place)
            path = path if "{ext}" in self._name or item.cell else path.with_suffix("")
            taken = key(str(path), None)
            if item.key in self._book.done:
                self.skipped += 1
                self.failed_before += item.key in self._book.failed
            elif item.error:
                yield item.lost(FAILED, item.error, self._book.options)
                continue
            elif taken in self._places:
                said = f"Another picture becomes {path}, too. Rename one of them, or use "
                yield item.lost(FAILED, said + '--name "{stem}-{ext}".', self._book.options)
            else:
                yield item
            self._places.add(taken)
