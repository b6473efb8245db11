"""Work that outlives its request: accepted once, done whatever happens, kept for a stated time."""

import asyncio
import contextlib
import hashlib
import json
import logging
import shutil
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from srgan.server.errors import Fault, fault_of
from srgan.server.queue import Busy, Gone, Queue, Status, Ticket
from srgan.server.requests import Limits
from srgan.server.store import Job, Store, damage_mark
from srgan.server.transfer import Result
from srgan.util import files

_PICTURE = "picture"  # the name of what was sent, in the job's folder
_ATTEMPTS = 3  # a picture that ended the service so often is not tried again
_REMEMBERED = 7 * 86400  # seconds that a job is known after its result was removed
_SWEEP = 60.0  # seconds between looks for results whose time is over
_AGAIN = 2.0  # seconds until what could not be written down is tried again

Make = Callable[[Job, bytes, Path, Ticket], Result]
"""Does the work of a job, in a folder: the job, its picture, the folder, and its ticket."""

_log = logging.getLogger(__name__)


class Jobs:
    """The jobs of a service, in one event loop. What waits for the disk is done in threads.

    Args:
        store: What is known of them.
        folder: For their pictures and results, each in a folder of its own.
        queue: Where they wait for their turn.
        make: Does the work.
        limits: How many there may be, how much of the disk, and for how long.
    """

    def __init__(
        self, store: Store, folder: Path, queue: Queue, make: Make, limits: Limits
    ) -> None:
        self._store, self._folder, self._queue = store, folder, queue
        self._make, self._limits = make, limits
        self._running: dict[str, tuple[Ticket, asyncio.Event, asyncio.Task[None]]] = {}
        self._adding = asyncio.Lock()  # so that no two find the same room on the disk
        self._ends = False

    def __len__(self) -> int:
        """How many wait or run."""
        return len(self._running)

    async def open(self) -> None:
        """Goes on with what was accepted before, and removes what belongs to no job."""
        for job in await asyncio.to_thread(self._restore):
            self._start(job)

    def end(self) -> None:
        """Lets go of all: it waits for the next start, where the store is on the disk."""
        self._ends = True
        for _, unwanted, _ in self._running.values():
            unwanted.set()

    async def close(self) -> None:
        """Waits until all are let go."""
        self.end()
        await asyncio.gather(*(task for *_, task in self._running.values()), return_exceptions=True)
        await asyncio.to_thread(self._store.close)

    async def sweep(self) -> None:
        """Removes results whose time is over, now and then."""
        while True:
            await asyncio.to_thread(_tried, self._expire)
            await asyncio.sleep(_SWEEP)

    async def add(
        self, kind: str, asked: dict[str, Any], data: bytes, owner: str, key: str
    ) -> tuple[Job, bool]:
        """Accepts a job; it is on the disk when this returns.

        A key stands for one job as long as that is known, whatever became of it: a repeated request
        that comes late, after the job was cancelled, must not do it all the same.

        Args:
            kind: As in `store.Job`.
            asked: Likewise.
            data: The picture.
            owner: As in `store.Job`.
            key: Likewise.

        Returns:
            The job, or the one that was accepted for this key before; and whether it is new.

        Raises:
            HTTPException: If the key stands for something else, or the disk has no room.
            Busy: If there are too many, or the service ends.
        """
        wanted = json.dumps([kind, asked], sort_keys=True).encode()
        digest = await asyncio.to_thread(lambda: hashlib.sha256(wanted + data).hexdigest())
        async with self._adding:
            before = await asyncio.to_thread(self._store.by_key, owner, key) if key else None
            if before:
                if before.digest != digest:
                    raise HTTPException(
                        422,
                        f"The Idempotency-Key {key!r} was used for another picture or other "
                        "parameters. Use a new key for each job.",
                    )
                return before, False
            self._queue.check_open()
            if len(self) >= self._limits.jobs:
                raise Busy(f"{len(self)} jobs wait already; try again later.")
            job = Job(uuid.uuid4().hex, kind, asked, owner, key, digest, bytes=len(data))
            await asyncio.to_thread(self._write, job, data)
            self._start(job)
        return job, True

    async def get(self, id: str, owner: str) -> tuple[Job, Status] | None:
        """Returns a job of an owner and how far it is, or None."""
        job = await asyncio.to_thread(self._store.get, id)
        if not job or job.owner != owner:
            return None
        state = "expired" if self._is_over(job) else job.state  # the sweep may come a minute later
        if state != "waiting":
            return job, Status(state, 1.0 if state in ("done", "expired") else 0.0)
        running = self._running.get(id)
        return job, self._queue.status_of(running[0]) if running else Status("waiting")

    async def cancel(self, job: Job) -> None:
        """Ends a job, or removes its result."""
        if running := self._running.get(job.id):
            running[1].set()
            await asyncio.wait({running[2]})
        left = await asyncio.to_thread(self._store.get, job.id)  # it may have been done just then
        if left and left.bytes and not self._ends:
            state = "expired" if self._is_over(left) else "cancelled"
            await asyncio.to_thread(self._drop, left, state)

    def result(self, job: Job) -> Path:
        """Returns the file that came of a job."""
        return self._folder / job.id / job.file

    async def watch(self, id: str, owner: str, seconds: float) -> AsyncIterator[tuple[Job, Status]]:
        """Yields how far a job is whenever that changes, until it ends or the service does."""
        before, running = None, self._running.get(id)
        while (found := await self.get(id, owner)) and not self._ends:
            if found[1] != before:
                before = found[1]
                yield found
            if not running:
                return
            done, _ = await asyncio.wait({running[2]}, timeout=seconds)
            running = None if done else running

    def _start(self, job: Job) -> None:
        ticket, unwanted = Ticket(), asyncio.Event()
        task = asyncio.create_task(self._run(job, ticket, unwanted))
        task.add_done_callback(_report)
        self._running[job.id] = ticket, unwanted, task

    async def _run(self, job: Job, ticket: Ticket, unwanted: asyncio.Event) -> None:
        work = partial(self._do, job, ticket)
        try:
            result = await self._queue.run(ticket, work, unwanted.wait(), is_job=True)
            changed = {"state": "done", "bytes": result.size, "headers": result.headers}
            await self._insist(partial(self._finish, job, file=result.path.name, **changed))
        except (Gone, Busy):
            if self._ends:  # it waits for the next start, and did not cause this end
                await asyncio.to_thread(self._store.change, job.id, attempts=job.attempts)
            else:
                await self._insist(partial(self._drop, job, "cancelled"))
        except Exception as error:
            await self._insist(partial(self._fail, job, fault_of(error)))
        finally:
            del self._running[job.id]

    async def _insist(self, write: Callable[[], None]) -> None:
        """Writes down what became of a job, however long the database does not let it.

        At the end of the service it is given up: the next start does the job again.
        """
        while not await asyncio.to_thread(_tried, write) and not self._ends:
            await asyncio.sleep(_AGAIN)

    def _do(self, job: Job, ticket: Ticket) -> Result:
        begin = partial(self._store.change, job.id, attempts=job.attempts + 1)
        while not _tried(begin):
            ticket.progress(0, 1)  # raises if nobody waits any more
            time.sleep(_AGAIN)
        folder = self._folder / job.id
        try:
            return self._make(job, (folder / _PICTURE).read_bytes(), folder, ticket)
        except Gone:
            if not self._ends:  # what was cancelled is removed at once, but tiles went on
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def _write(self, job: Job, data: bytes) -> None:
        quota = 1e9 * self._limits.quota
        if len(data) > quota:
            raise HTTPException(
                507,
                f"This picture has {len(data) / 1e6:.3g} MB, more than all jobs together may take "
                f"of the disk here ({self._limits.quota:g} GB). Send it to /v1/upscale.",
            )
        if self._store.size_without_results() + len(data) > quota:  # nobody's result is lost for it
            raise HTTPException(
                507,
                f"There is no room for this picture of {len(data) / 1e6:.3g} MB: {len(self)} other "
                f"jobs wait or run here, and all together may take {self._limits.quota:g} GB of "
                "the disk. Try again later, or send it to /v1/upscale.",
            )
        self._make_room(quota - len(data))
        folder = self._folder / job.id
        folder.mkdir(parents=True)
        try:
            files.write_bytes(folder / _PICTURE, data)
            self._store.add(job)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _finish(self, job: Job, **changed: Any) -> None:
        self._store.change(job.id, finished=time.time(), **changed)
        (self._folder / job.id / _PICTURE).unlink(missing_ok=True)
        self._make_room(1e9 * self._limits.quota, keep=job.id)

    def _fail(self, job: Job, fault: Fault) -> None:
        self._drop(job, "failed", code=fault.code, detail=fault.detail)

    def _drop(self, job: Job, state: str, **changed: Any) -> None:
        """Removes the files of a job."""
        finished = job.finished or time.time()
        self._store.change(job.id, state=state, bytes=0, finished=finished, **changed)
        shutil.rmtree(self._folder / job.id, ignore_errors=True)

    def _make_room(self, most: float, keep: str = "") -> None:
        """Removes the oldest results as long as all take more than so many bytes."""
        size = self._store.size()
        for job in self._store.results():
            if size <= most:
                break
            if job.id != keep:
                self._drop(job, "expired")
                size -= job.bytes

    def _is_over(self, job: Job) -> bool:
        """Whether the time is over for which a result is kept."""
        return job.state == "done" and (job.finished or 0) + self._limits.keep <= time.time()

    def _expire(self) -> None:
        for job in self._store.results():
            if self._is_over(job):
                self._drop(job, "expired")
        self._store.forget(time.time() - self._limits.keep - _REMEMBERED)

    def _restore(self) -> list[Job]:
        self._tidy()
        for job in self._store.results():  # whose end was written down just before a kill
            (self._folder / job.id / _PICTURE).unlink(missing_ok=True)
        found = []
        for job in self._store.waiting():
            if job.attempts >= _ATTEMPTS:
                detail = f"The service ended {job.attempts} times while it worked on this picture."
                self._fail(job, Fault(500, detail))
            elif not (self._folder / job.id / _PICTURE).is_file():
                self._fail(job, Fault(500, "The picture is gone from the disk of the server."))
            else:
                files.remove_partial(self._folder / job.id)
                found.append(job)
        if found:
            _log.info("%d jobs of the last time go on.", len(found))
        return found

    def _tidy(self) -> None:
        """Removes what a kill left of jobs; what a database that was lost knew is kept aside."""
        sizes = self._store.sizes()
        folders = list(self._folder.glob("*/"))
        lost = [folder for folder in folders if folder.name not in sizes]
        if len(lost) == 1 and not self._store.is_new:
            lost = []  # jobs are accepted one by one: a kill came before this one was
        if lost:
            kept = self._folder.with_name(f"{self._folder.name}.{damage_mark()}")
            kept.mkdir()
            for folder in lost:
                folder.rename(kept / folder.name)
            _log.error(
                "The database knows nothing of %d jobs in %s: was it removed, or is it an older "
                "one? They are kept in %s.",
                *(len(lost), self._folder, kept),
            )
        for folder in set(folders).difference(lost):
            if not sizes.get(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def _tried(write: Callable[[], None]) -> bool:
    """Writes to the database, and returns whether it could be written; the log says why not."""
    try:
        write()
    except sqlite3.Error as error:
        _log.error("What became of jobs cannot be written down: %s. It is tried again.", error)
        return False
    return True


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("What became of a job could not be written down.", exc_info=error)


@contextlib.asynccontextmanager
async def opened(jobs: Jobs) -> AsyncIterator[None]:
    """Has jobs go on in a block, and lets go of them after it."""
    await jobs.open()
    sweeping = asyncio.create_task(jobs.sweep())
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.wait({sweeping})
        await jobs.close()
