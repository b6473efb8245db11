"""Has results packed into files of many, while a batch runs."""

from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from srgan.cluster import shards
from srgan.cluster.manifest import FOLDER, Manifest
from srgan.cluster.places import Place
from srgan.cluster.room import Unwritable, staying
from srgan.cluster.rows import Row


class Packer:
    """What is made and not packed, and what is being packed.

    Args:
        layout: Of the destination; a tree has nothing to pack.
        shard: So many results go into a file.
        book: The manifest.
        destination: That of the batch.

    Attributes:
        packing: Who packs what into which file, by the promises of their end.
    """

    def __init__(
        self, layout: shards.Layout, shard: int, book: Manifest, destination: Place
    ) -> None:
        self._layout: shards.Layout = layout
        self._shard, self._book, self._destination = shard, book, destination
        self._made: list[Row] = []
        self._dropping: list[Any] = []
        self.packing: dict[Any, tuple[Any, str, list[Row]]] = {}

    @property
    def has_work(self) -> bool:
        return bool(self._made or self.packing)

    def uses(self, actor: Any) -> bool:
        """Whether a worker packs something."""
        return any(one is actor for one, _, _ in self.packing.values())

    def add(self, row: Row) -> None:
        """Takes the row of a result that is to be packed."""
        self._made.append(row)

    def pack(self, actors: Sequence[Any], is_end: bool) -> None:
        """Has results packed by workers, if there are enough for a file, or no more will come."""
        while actors and len(self._made) >= (1 if is_end else self._shard):
            rows, self._made = self._made[: self._shard], self._made[self._shard :]
            number = len(self._book.shards)
            while (name := shards.name(number, self._layout)) in self._book.shards:
                number += 1
            self._book.shards.add(name)
            actor = actors[number % len(actors)]
            self.packing[actor.pack.remote(rows, name, self._destination.uri)] = actor, name, rows

    def take(self, promise: Any) -> Iterator[Row]:
        """Yields the rows of a file, which name it.

        Raises:
            Unwritable: If who packs cannot write; another worker may.
            RayActorError: If who packs is dead; another worker does it.
            OSError: If results cannot be read, or the file cannot be sent to its place.
        """
        actor, name, rows = self.packing.pop(promise)
        try:
            rows = ray.get(promise)
        except RayError as error:
            if isinstance(error, RayTaskError) and not isinstance(error.cause, Unwritable):
                said = error.cause
                raise staying(said) if isinstance(said, OSError) else said from None
            self._book.shards.discard(name)  # another worker does it; its file may be there already
            self._made += rows
            if isinstance(error, RayTaskError):
                raise error.cause from None
            if isinstance(error, RayActorError):
                raise
            return
        self._book.note(*rows)
        self._book.flush()
        self._dropping.append(actor.drop.remote([row.output for row in rows]))
        yield from rows

    def sweep(self) -> None:
        """Removes what was packed, and files of many that a kill left without rows."""
        if self._layout == "tree":
            return
        if self._dropping:
            ray.wait(self._dropping, num_returns=len(self._dropping))
        (self._destination / FOLDER / "results").remove_folder()
        for path, _ in self._destination.walk():
            if path.startswith("shard-") and path not in self._book.shards:
                (self._destination / path).remove()
