"""Hands out the pictures of a batch to workers on Ray, and keeps the manifest.

Actors, and not a pipeline of Ray Data: what a picture needs goes from its store to one worker and
from there to its place, so that nothing of it passes through Ray's object store, and who dies with
which pictures in hand is known, and which one is to blame (docs/scale.md has the figures).
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from srgan.cluster import crew, lease
from srgan.cluster.blame import Blame
from srgan.cluster.crew import Crew, Member, Work
from srgan.cluster.large import Large, Piece
from srgan.cluster.local import as_text
from srgan.cluster.manifest import FOLDER, Manifest
from srgan.cluster.packer import Packer
from srgan.cluster.patience import TRIES, Refused
from srgan.cluster.places import Place, as_uri, place
from srgan.cluster.plan import Plan, prepared, settings_of, source_of, task_of
from srgan.cluster.room import Unwritable, staying
from srgan.cluster.rows import DONE, FAILED, QUARANTINED, Row
from srgan.cluster.sources import Item
from srgan.cluster.todo import Todo
from srgan.cluster.worker import Task
from srgan.util import files

_FLUSH = 2.0  # seconds until rows are written
_CALL = 1.0  # second of a call to a worker, if its pictures take less
_MAX_PICTURES = 16  # of a call
_STRIPS = 2  # for each worker, in memory at a time


class Batch:
    """One batch, in a block of `opened`."""

    def __init__(self, plan: Plan, task: Task, book: Manifest, destination: Place) -> None:
        self._plan, self._task, self._book = plan, task, book
        self._destination = destination
        self._crew = Crew(partial(crew.worker, task), plan.cores, plan.gpus, plan.workers)
        self._next: deque[Item] = deque()
        self._in_strips: deque[Item] = deque()  # large ones, one after the other
        self._large: Large | None = None
        self._blame = Blame()
        self._refused: set[bytes] = set()  # pictures, by their store
        self._todo = Todo(book, plan.name)
        self._pace = _CALL  # seconds of a picture, of late
        self._written: set[Path] = set()  # folders of this machine, at the end
        self._packer = Packer(plan.layout, plan.shard, book, destination)

    @property
    def skipped(self) -> int:
        """Pictures that need no more work, so far."""
        return self._todo.skipped

    @property
    def failed_before(self) -> int:
        """Of these, the ones without a result."""
        return self._todo.failed_before

    @property
    def in_strips(self) -> tuple[str, int, int] | None:
        """The large picture in work, if its strips are known: how many of how many are joined."""
        large = self._large  # others may ask while `run` goes on
        return (large.item.source, large.joined, large.count) if large and large.count else None

    def run(self, items: Iterable[Item]) -> Iterator[Row]:
        """Yields the row of each picture, once it is decided.

        Raises:
            OSError: If no worker can write, rows cannot be written, or a store does not let
                pictures be read.
            RuntimeError: If workers do not start.
            ValueError: If they have other versions, or no model.
        """
        found = self._todo.of(items)
        try:
            while True:
                yield from self._give(found)
                left = self._has_work or self._crew.owners
                free = [m.actor for m in self._crew.members if not m.is_alone]
                self._packer.pack(free, is_end=not left)
                if not left and not self._packer.has_work:
                    break
                self._book.flush(_FLUSH)
                pending = [*self._crew.starting, *self._packer.packing, *self._crew.owners]
                pending += self._large.pending if self._large else ()
                if not pending:  # workers are about to be started
                    time.sleep(0.1)
                elif ray.wait(pending, num_returns=1, timeout=1.0)[0]:
                    for ref in ray.wait(pending, num_returns=len(pending), timeout=0)[0]:
                        yield from self._take(ref)
            self._book.finish()
            self._packer.sweep()
        finally:
            try:
                self._book.flush()
            finally:
                self._written = self._being_written()
                self._crew.end()
                if self._large:
                    self._large.end()

    def sweep(self) -> None:
        """Removes what was half written at the end, if that came early; when nobody writes more."""
        for folder in self._written:
            files.remove_partial(folder)

    def _being_written(self) -> set[Path]:
        """The folders of this machine where something is half written."""
        items = [work.item for work in self._crew.works()]
        items += [self._large.item] if self._large else []
        results = place(self._task.results)
        made = [results / item.place for item in items]  # file systems are not hashable
        made += [self._destination / name for _, name, _ in self._packer.packing.values()]
        return {file.local.parent for file in made if file.local}

    def _give(self, found: Iterator[Item | Row]) -> Iterator[Row]:
        """Fills the workers' hands."""
        yield from self._look_ahead(found, 1)
        if self._has_work or self._packer.has_work:
            self._crew.staff()
        if not self._crew.is_ready:
            return
        self._go_on_in_strips()
        for member in self._crew.members:
            while len(member.hands) < crew.AT_ONCE and not member.is_alone:
                if self._blame.suspects:
                    if member.hands:
                        break  # until they are empty
                    member.is_alone = True
                    self._hand(member, [self._blame.suspects.popleft()])
                elif self._large and not member.has_strip and (strip := self._large.next()):
                    self._hand(member, [strip])
                elif self._next:
                    count = min(max(int(_CALL / self._pace), 1), _MAX_PICTURES)
                    yield from self._look_ahead(found, count)
                    count = min(count, len(self._next))
                    self._hand(member, [self._next.popleft() for _ in range(count)])
                    yield from self._look_ahead(found, 1)
                else:
                    break

    def _look_ahead(self, found: Iterator[Item | Row], count: int) -> Iterator[Row]:
        """Finds as many pictures that are to be done, if there are."""
        while len(self._next) < count:
            try:
                item = next(found, None)
            except OSError as error:
                raise staying(error) from error
            if item is None:
                break
            if isinstance(item, Row):
                self._book.note(item)
                yield item
            else:
                self._next.append(item)

    def _go_on_in_strips(self) -> None:
        if not self._large and self._in_strips and self._crew.members:
            item, node = self._in_strips.popleft(), self._crew.members[0].node
            self._large = Large(item, self._task, node)
        if self._large:
            self._large.go_on(_STRIPS * max(len(self._crew.members), 1))

    @property
    def _has_work(self) -> bool:
        """Whether there is anything to be handed out, now or soon."""
        return bool(self._next or self._blame.suspects or self._in_strips or self._large)

    def _hand(self, member: Member, works: Sequence[Work]) -> None:
        if isinstance(piece := works[0], Piece):
            call = member.actor.upscale_strip.options(num_returns=2)
            ref, piece.upscaled = call.remote(piece.strip, piece.choice)
        else:
            may_exist = [self._book.resumes or self._blame.was_begun(work) for work in works]
            ref = member.actor.upscale_some.remote(works, may_exist, _CALL)
        self._crew.hand(member, list(works), ref)

    def _take(self, ref: Any) -> Iterator[Row]:
        """Takes what was promised, or sees what became of who did."""
        if ref in self._crew.starting:
            self._crew.welcome(ref)
        elif ref in self._packer.packing:
            actor = self._packer.packing[ref][0]
            who = [member for member in self._crew.members if member.actor is actor]
            try:
                yield from self._packer.take(ref)
            except Unwritable as error:
                self._retire(who, error)
            except RayActorError as error:
                for member in who:
                    yield from self._bury(member, error, was_packing=True)
        elif self._large and ref in self._large.pending:
            yield from self._take_of_large(self._large, ref)
        elif ref in self._crew.owners:  # and did not die with another
            yield from self._take_of_worker(self._crew.owners[ref], ref)

    def _take_of_worker(self, member: Member, ref: Any) -> Iterator[Row]:
        works = member.hands[ref]
        try:
            rows: Any = ray.get(ref)
        except RayTaskError as error:
            if isinstance(error.cause, Unwritable):
                self._retire([member], error.cause)
                return
            if isinstance(error.cause, Refused):
                for work in self._crew.done(ref):
                    self._put_back(work)
                self._refuse(works[0], error.cause)
                return
            if len(works) > 1:  # which of them?
                for work in self._crew.done(ref):
                    self._blame.suspect(work)
                return
            rows = [self._failed(works[0].item, error)]
        except RayError as error:
            if isinstance(error, RayActorError) or isinstance(works[0], Item):
                yield from self._bury(member, error)
                return
            self._crew.done(ref)
            self._put_back(works[0])  # what it is made of was lost with another machine
            return
        self._crew.done(ref)
        for work, row in zip(works, rows or [None], strict=False):
            yield from self._take_one(work, row)
        for work in reversed(works[len(rows or works) :]):  # which took no time yet
            if isinstance(work, Item):
                self._next.appendleft(work)

    def _take_one(self, work: Work, row: Row | None) -> Iterator[Row]:
        """Takes a row, None for a large picture; or a strip, whose row is that of a failure."""
        if isinstance(work, Item):
            if row:
                if row.seconds is not None:
                    self._pace += (max(row.seconds, 1e-3) - self._pace) / 8
                yield from self._decided(row)
            else:
                self._in_strips.append(work)
        elif work.large is self._large:
            if row:
                yield from self._end_large(row)
            else:
                work.large.made(work)

    def _take_of_large(self, large: Large, ref: Any) -> Iterator[Row]:
        row: Any
        try:
            if ref != large.row:
                large.take(ref)
                return
            row = ray.get(ref)
        except RayTaskError as error:
            if isinstance(error.cause, Unwritable | Refused):
                yield from self._end_large(None)
                self._in_strips.append(large.item)
                if isinstance(error.cause, Refused):
                    self._refuse(large.item, error.cause)
                    return
                here = [m for m in self._crew.members if m.node == large.node]
                self._retire(here, error.cause)
                return
            row = self._failed(large.item, error)
        except RayError as error:
            row = self._quarantined(large.item, error, was_alone=True)
            if not row:
                self._in_strips.append(large.item)
        yield from self._end_large(row)

    def _end_large(self, row: Row | None) -> Iterator[Row]:
        """Ends the work on a large picture, unless that has ended."""
        if self._large:
            self._large.end()
            self._large = None
            self._blame.forget_strips()
            if row:
                yield from self._decided(row)

    def _decided(self, row: Row) -> Iterator[Row]:
        if row.status == DONE and self._plan.layout != "tree":
            self._packer.add(row)
        else:
            self._book.note(row)
            yield row

    def _failed(self, item: Item, error: RayTaskError) -> Row:
        said = as_text(f"{type(error.cause).__name__}: {error.cause}")
        return self._lost(item, FAILED, said)

    def _lost(self, item: Item, status: str, error: str) -> Row:
        return item.lost(status, error, self._book.options)

    def _quarantined(self, work: Work, error: RayError, was_alone: bool) -> Row | None:
        """The row of what was in the hands of who died, if it is to blame."""
        said = self._blame.verdict(work, error, was_alone)
        return self._lost(work.item, QUARANTINED, said) if said else None

    def _bury(self, member: Member, error: RayError, was_packing: bool = False) -> Iterator[Row]:
        """What was in a dead worker's hands is tried again, each alone with its worker."""
        lost = self._crew.bury(member)
        was_alone = len(lost) == 1 and not was_packing and not self._packer.uses(member.actor)
        for work in lost:
            if isinstance(work, Piece) and work.large is not self._large:
                continue
            row = self._quarantined(work, error, was_alone)
            if not row:
                self._blame.suspect(work)
            elif isinstance(work, Piece):
                yield from self._end_large(row)
            else:
                yield from self._decided(row)

    def _retire(self, members: Iterable[Member], error: Unwritable) -> None:
        """Does without workers that cannot write; the others do their work."""
        for member in members:
            for work in self._crew.retire(member, error):
                self._put_back(work)

    def _refuse(self, work: Work, error: Refused) -> None:
        """Ends the batch where the store refuses a picture a second time, perhaps to another."""
        if work.key in self._refused:
            said = f"{str(error).rstrip('.')} (a picture was tried {2 * TRIES} times)"
            raise staying(OSError(said)) from error
        self._refused.add(work.key)

    def _put_back(self, work: Work) -> None:
        if isinstance(work, Item):
            self._blame.begun(work)
            self._next.append(work)
        elif work.large is self._large:
            work.large.put_back(work)


@contextmanager
def opened(plan: Plan) -> Iterator[Batch]:
    """Prepares a batch, and holds its destination in the block, in which Ray has to be connected.

    Raises:
        BlockingIOError: If another batch holds it.
        OSError: If the model is missing, or the destination cannot be reached.
        ValueError: If the destination was made of another source or with other settings, or its
            manifest is damaged.
    """
    models = prepared(plan)
    settings = settings_of(plan, models)
    destination = place(as_uri(plan.destination))
    if destination.is_file():
        raise FileExistsError(f"{destination.uri} is a file; name a folder for the results.")
    with lease.hold(destination / FOLDER):
        book = Manifest(destination, settings, plan.retry, source_of(plan))
        results = destination.uri
        if plan.layout != "tree":
            results = f"{destination.uri}/{FOLDER}/results"
        batch = Batch(plan, task_of(plan, models, results, book.options), book, destination)
        try:
            yield batch
        finally:
            batch.sweep()
