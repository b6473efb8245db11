"""Which pictures of a source are to be done: once each, and no two under one name."""

from collections.abc import Iterable, Iterator

from srgan.cluster import owners
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
        self._seen: set[bytes] = set()  # names of results, and of what lists may name twice
        self.skipped = self.failed_before = 0

    def of(self, items: Iterable[Item]) -> Iterator[Item | Row]:
        """Yields the items that are to be done, and rows of those that cannot be."""
        for item in items:
            name = owners.of_item(item, self._name)
            taken, listed = key(name, None), key(item.source, None)
            is_taken = taken in self._seen
            if is_taken and item.part:  # a tar may have two members of one name
                item = item._replace(source=f"{item.source}@{item.part[0]}")
            if item.key in self._book.done:
                self.skipped += 1
                self.failed_before += item.key in self._book.failed
            elif listed in self._seen:
                self.skipped += 1
                continue
            elif item.error:
                yield self._failed(item, item.error)
                continue
            elif is_taken:
                said = f"Another picture becomes {name}, too. Rename one of them, or, if their "
                yield self._failed(item, said + 'suffixes differ, use --name "{stem}-{ext}".')
            elif self._book.owners.has_other(name, item.source):
                said = f"{name} is there already, of another picture. Rename this one, or choose "
                yield self._failed(item, said + "another destination.")
                continue  # that one may have to be made again
            else:
                yield item
            self._seen.add(taken)
            if item.changed is None and not item.part:
                self._seen.add(listed)

    def _failed(self, item: Item, error: str) -> Row:
        return item.lost(FAILED, error, self._book.options)
