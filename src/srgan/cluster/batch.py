"""Hands out the pictures of a batch to workers on Ray, and keeps the manifest.

Actors, and not a pipeline of Ray Data: what a picture needs goes from its store to one worker and
from there to its place, so that nothing of it passes through Ray's object store, and who dies with
which pictures in hand is known, and which one is to blame (docs/scale.md has the figures).
"""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from srgan.cluster import lease, shards
from srgan.cluster.manifest import FOLDER, Manifest
from srgan.cluster.places import Place, place
from srgan.cluster.plan import Plan, prepared, settings_of, task_of
from srgan.cluster.rows import DONE, FAILED, QUARANTINED, Row, key, now
from srgan.cluster.sources import Item
from srgan.cluster.worker import Task, Unwritable, Worker

_AT_ONCE = 2  # pictures in a worker's hands: one is read or written while the other is enlarged
_TRIES = 2  # of a picture whose worker dies
_STARTS = 3  # of workers, all of which die
_FLUSH = 2.0  # seconds until rows are written
_LOOK = 10.0  # seconds until it is seen that the cluster has grown


@dataclass
class _Member:
    """A worker, and what is in its hands, by the promise of its result."""

    actor: Any
    hands: dict[Any, Item] = field(default_factory=dict)
    is_alone: bool = False  # with a picture that is suspected of ending workers


class Batch:
    """One batch, in a block of `opened`.

    Attributes:
        skipped: Pictures that were done before.
    """

    def __init__(self, plan: Plan, task: Task, book: Manifest, destination: Place) -> None:
        self._plan, self._task, self._book, self._destination = plan, task, book, destination
        self._members: list[_Member] = []
        self._starting: dict[Any, _Member] = {}
        self._next: deque[Item] = deque()
        self._suspects: deque[Item] = deque()
        self._tries: dict[bytes, int] = {}  # of pictures whose workers ended
        self._places: set[bytes] = set()
        self._made: list[Row] = []  # and not packed
        self._packing: dict[Any, tuple[str, list[Row]]] = {}  # files of many, by promise
        self._dropping: list[Any] = []
        self._owners: dict[Any, _Member] = {}
        self._looked = -_LOOK
        self._failures = self._retired = 0
        self.skipped = 0

    def run(self, items: Iterable[Item]) -> Iterator[Row]:
        """Yields the row of each picture, once it is decided.

        Raises:
            OSError: If no worker can write.
            RuntimeError: If workers do not start.
            ValueError: If they have other versions, or no model.
        """
        found = self._new(items)
        try:
            while True:
                yield from self._give(found)
                left = self._next or self._suspects or self._owners
                self._pack(self._plan.shard if left else 1)
                if not left and not self._packing and not self._made:
                    break
                self._book.flush(_FLUSH)
                pending = [*self._starting, *self._packing, *self._owners]
                if not pending:  # workers are about to be started
                    time.sleep(0.1)
                elif ray.wait(pending, num_returns=1, timeout=1.0)[0]:
                    for ref in ray.wait(pending, num_returns=len(pending), timeout=0)[0]:
                        yield from self._take(ref)
            self._book.finish()
            self._sweep()
        finally:
            self._book.flush()
            for member in (*self._members, *self._starting.values()):
                ray.kill(member.actor)

    def _new(self, items: Iterable[Item]) -> Iterator[Item | Row]:
        """The items that are to be done, and rows of those that cannot be."""
        for item in items:
            path = PurePosixPath(item.place)
            path = path if "{ext}" in self._plan.name or item.cell else path.with_suffix("")
            taken = key(str(path), None)
            if item.key in self._book.done:
                self.skipped += 1
            elif taken in self._places:
                yield Row(
                    item.source,
                    item.changed,
                    status=FAILED,
                    error=f"Another picture becomes {path}, too. Rename one of them, or use "
                    '--name "{stem}-{ext}".',
                    ended=now(),
                )
            else:
                yield item
            self._places.add(taken)

    def _give(self, found: Iterator[Item | Row]) -> Iterator[Row]:
        """Fills the workers' hands."""
        while not self._next and (item := next(found, None)):
            yield from self._queued(item)
        if self._next or self._suspects or self._made:
            self._staff()
        for member in self._members:
            while len(member.hands) < _AT_ONCE and not member.is_alone:
                if self._suspects:
                    if member.hands:
                        break  # until they are empty
                    member.is_alone = True
                    self._hand(member, self._suspects.popleft())
                elif self._next:
                    self._hand(member, self._next.popleft())
                    while not self._next and (item := next(found, None)):
                        yield from self._queued(item)
                else:
                    break

    def _queued(self, item: Item | Row) -> Iterator[Row]:
        if isinstance(item, Row):
            self._book.note(item)
            yield item
        else:
            self._next.append(item)

    def _hand(self, member: _Member, item: Item) -> None:
        may_exist = self._book.resumes or item.key in self._tries
        ref = member.actor.upscale.remote(item, may_exist)
        member.hands[ref], self._owners[ref] = item, member

    def _take(self, ref: Any) -> Iterator[Row]:
        """Takes what a worker has made, or what became of the worker."""
        if ref in self._starting:
            self._welcome(ref)
        if ref in self._packing:
            yield from self._packed(ref)
        member = self._owners.get(ref)
        if member is None:  # what died with another
            return
        row: Any
        try:
            row = ray.get(ref)
        except RayTaskError as error:
            if isinstance(error.cause, Unwritable):
                self._retire(member, error.cause)
                return
            cause = f"{type(error.cause).__name__}: {error.cause}"
            row = self._lost(member.hands[ref], FAILED, cause)
        except RayError as error:
            yield from self._bury(member, error)
            return
        del member.hands[ref], self._owners[ref]
        member.is_alone = False
        if row.status == DONE and self._plan.layout != "tree":
            self._made.append(row)
        else:
            self._book.note(row)
            yield row

    def _lost(self, item: Item, status: str, error: str) -> Row:
        options = self._task.settings
        return Row(
            item.source, item.changed, options=options, status=status, error=error, ended=now()
        )

    def _bury(self, member: _Member, error: RayError) -> Iterator[Row]:
        """What was in a dead worker's hands is tried once more, each alone with its worker."""
        self._dismiss(member)
        self._looked = -_LOOK
        for item in member.hands.values():
            tries = self._tries[item.key] = self._tries.get(item.key, 0) + 1
            if tries < _TRIES:
                self._suspects.append(item)
                continue
            cause = str(error).strip().splitlines()[0].rstrip(".")
            row = self._lost(item, QUARANTINED, f"It ended its worker {tries} times: {cause}.")
            self._book.note(row)
            yield row

    def _retire(self, member: _Member, error: Unwritable) -> None:
        """Does without a worker that cannot write; the others do its work."""
        self._dismiss(member)
        self._retired += 1
        for item in member.hands.values():
            self._tries.setdefault(item.key, 0)  # its result may be there
            self._next.append(item)
        if not self._members and not self._starting:
            advice = "what was done stays, and the same command goes on with the rest"
            if error.errno:
                reason = f"{os.strerror(error.errno)}; {advice}"
                raise OSError(error.errno, reason, error.filename)
            raise OSError(f"{str(error).rstrip('.')}; {advice}.")

    def _dismiss(self, member: _Member) -> None:
        self._members.remove(member)
        for ref in member.hands:
            del self._owners[ref]
        ray.kill(member.actor)  # it may be only out of reach

    def _staff(self) -> None:
        """Starts workers for what the cluster has, and in place of dead ones."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        wanted = self._plan.workers
        if wanted is None:
            wanted = max(int(ray.cluster_resources().get("CPU", 0)) // self._plan.cores, 1)
        actor = ray.remote(Worker).options(
            num_cpus=self._plan.cores, max_concurrency=_AT_ONCE, max_restarts=0
        )
        while len(self._members) + len(self._starting) + self._retired < wanted:
            member = _Member(actor.remote(self._task))
            self._starting[member.actor.start.remote()] = member

    def _welcome(self, ref: Any) -> None:
        member = self._starting.pop(ref)
        try:
            ray.get(ref)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            self._failures += 1
            self._looked = -_LOOK
            if self._failures >= _STARTS and not self._members:
                raise RuntimeError(
                    f"Workers do not start: {str(error).strip()} Is srgan[ray] installed on all "
                    "machines?"
                ) from error
            return
        self._failures = 0
        self._members.append(member)

    def _pack(self, least: int) -> None:
        """Has results packed, if there are enough for a file of many."""
        while len(self._made) >= least and self._made and self._members:
            rows, self._made = self._made[: self._plan.shard], self._made[self._plan.shard :]
            number = len(self._book.shards)
            while (name := shards.name(number, self._plan.layout)) in self._book.shards:
                number += 1
            self._book.shards.add(name)
            actor = self._members[number % len(self._members)].actor
            self._packing[actor.pack.remote(rows, name, self._destination.uri)] = name, rows

    def _packed(self, ref: Any) -> Iterator[Row]:
        name, rows = self._packing.pop(ref)
        try:
            rows = ray.get(ref)
        except RayTaskError as error:
            raise error.cause from None
        except RayError:  # another worker does it, and its file may be there already
            self._book.shards.discard(name)
            self._made += rows
            return
        self._book.note(*rows)
        self._book.flush()
        if self._members:
            drop = self._members[0].actor.drop
            self._dropping.append(drop.remote([row.output for row in rows]))
        yield from rows

    def _sweep(self) -> None:
        """Removes what was packed, and files of many that a kill left without rows."""
        if self._plan.layout == "tree":
            return
        if self._dropping:
            ray.wait(self._dropping, num_returns=len(self._dropping))
        (self._destination / FOLDER / "results").remove_folder()
        for path, _ in self._destination.walk():
            if path.startswith("shard-") and path not in self._book.shards:
                (self._destination / path).remove()


@contextmanager
def opened(plan: Plan) -> Iterator[Batch]:
    """Prepares a batch, and holds its destination in the block, in which Ray has to be connected.

    Raises:
        BlockingIOError: If another batch holds it.
        OSError: If the model is missing, or the destination cannot be reached.
        ValueError: If the destination was made with other settings, or its manifest is damaged.
    """
    models = prepared(plan)
    settings = settings_of(plan, models)
    destination = place(plan.destination)
    with lease.hold(destination / FOLDER):
        book = Manifest(destination, settings, plan.retry)
        results = destination.uri
        if plan.layout != "tree":
            results = f"{destination.uri}/{FOLDER}/results"
        yield Batch(plan, task_of(plan, models, results, book.options), book, destination)
