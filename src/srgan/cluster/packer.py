"""Has results packed into files of many, while a batch runs."""

from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from srgan.cluster import shards
from srgan.cluster.manifest import FOLDER, Manifest
from srgan.cluster.places import Place
from srgan.cluster.room import Unwritable, staying
from srgan.cluster.rows import Key, Row


class Packer:
    """What is made and not packed, and what is being packed.

    Args:
        layout: Of the destination; a tree has nothing to pack.
        shard: So many results go into a file.
        book: The manifest.
        destination: That of the batch.

    Attributes:
        packing: Who packs what into which file, by the promises of their end; nothing where
            results are taken out of one.
    """

    def __init__(
        self, layout: shards.Layout, shard: int, book: Manifest, destination: Place
    ) -> None:
        self._layout: shards.Layout = layout
        self._shard, self._book, self._destination = shard, book, destination
        self._made: list[Row] = []
        self._dropping: list[Any] = []
        self._outdated: dict[str, set[Key]] | None = None  # in files that are there already
        if layout == "tree" or not book.resumes:
            self._outdated = {}
        self.packing: dict[Any, tuple[Any, str, list[Row]]] = {}

    @property
    def has_work(self) -> bool:
        return bool(self._made or self.packing or self._outdated)

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
        if is_end and not self._made and not self.packing:
            self._leave_out(actors)

    def _leave_out(self, actors: Sequence[Any]) -> None:
        """Has results taken out of their files whose pictures have newer ones in others."""
        if self._outdated is None:
            self._outdated = self._book.outdated()
        for number, (name, keys) in enumerate(self._outdated.items() if actors else ()):
            actor = actors[number % len(actors)]
            promise = actor.leave_out.remote(keys, name, self._destination.uri)
            self.packing[promise] = actor, name, []

    def take(self, promise: Any) -> Iterator[Row]:
        """Yields the rows of a file, which name it.

        Raises:
            Unwritable: If who packs cannot write; another worker may.
            RayActorError: If who packs is dead; another worker does it.
            OSError: If results cannot be read, or the file cannot be sent to its place.
        """
        actor, name, rows = self.packing.pop(promise)
        try:
            packed: Any = ray.get(promise)
        except RayError as error:
            if isinstance(error, RayTaskError) and not isinstance(error.cause, Unwritable):
                said = error.cause
                raise staying(said) if isinstance(said, OSError) else said from None
            if rows:
                self._book.shards.discard(name)  # another does it; its file may be there already
                self._made += rows
            if isinstance(error, RayTaskError):
                raise error.cause from None
            if isinstance(error, RayActorError):
                raise
            return
        if not packed:
            (self._outdated or {}).pop(name, None)
            return
        self._book.note(*packed)
        self._book.flush()
        self._dropping.append(actor.drop.remote([row.output for row in packed]))
        yield from packed

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
