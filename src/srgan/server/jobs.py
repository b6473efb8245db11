"""Which requests are worked on, which wait, and which are turned away."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

_Result = TypeVar("_Result")

_REMEMBERED = 100  # jobs that have ended: who asks how far one is may be late


class Busy(Exception):  # noqa: N818 - nothing is wrong
    """As many requests as may wait are waiting."""


class Gone(Exception):  # noqa: N818 - nothing is wrong
    """Nobody waits for the result any more."""


class Status(NamedTuple):
    """How far a job is.

    Attributes:
        state: "waiting", for its picture or its turn, "running" or "ended".
        done: Share of the work, from 0 to 1.
        seconds_left: About; None if that is not known yet.
    """

    state: str
    done: float
    seconds_left: float | None


class Ticket:
    """One request, from when it is let in to its end."""

    def __init__(self) -> None:
        self._began = 0.0  # not yet
        self._done = 0.0
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Takes note that the work begins."""
        self._began = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Takes note of how far the work is; called by it now and then.

        Raises:
            Gone: If it is to end.
        """
        if self._stopped.is_set():
            raise Gone
        self._done = done / total

    def stop(self) -> None:
        """Ends the work when it next tells how far it is."""
        self._stopped.set()

    def status(self) -> Status:
        if not self._done:
            return Status("running" if self._began else "waiting", 0.0, None)
        seconds = time.monotonic() - self._began
        left = seconds * (1 - self._done) / self._done
        return Status("running", round(self._done, 4), round(left, 1))


class Jobs:
    """All requests that were let in, in one event loop.

    Args:
        concurrency: How many are worked on; the others wait, first come, first served.
        queue_size: How many may wait.
        seconds: That the work of one may take, waiting for its turn included.
    """

    def __init__(self, concurrency: int, queue_size: int, seconds: float) -> None:
        self._seconds = seconds
        self._turns = asyncio.Semaphore(concurrency)
        self._most = concurrency + queue_size
        self._jobs: dict[str, Ticket] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)

    def __len__(self) -> int:
        return len(self._jobs)

    def status(self, name: str) -> Status | None:
        """Returns how far the job of that name is, if there is one, or was lately."""
        if name in self._jobs:
            return self._jobs[name].status()
        return Status("ended", 1.0, 0.0) if name in self._ended else None

    @contextmanager
    def admit(self, name: str) -> Iterator[Ticket]:
        """Lets a request in until the block ends.

        Raises:
            Busy: If too many are in.
            ValueError: If there is one of that name.
        """
        if len(self._jobs) >= self._most:
            raise Busy(f"{len(self._jobs)} pictures are being enlarged already; try again later.")
        if name in self._jobs:
            raise ValueError(f"There is a job {name!r} already; choose another name for this one.")
        job = self._jobs[name] = Ticket()
        try:
            yield job
        finally:
            del self._jobs[name]
            self._ended.append(name)

    async def run(
        self, job: Ticket, work: Callable[[], _Result], hanging_up: Coroutine[Any, Any, None]
    ) -> _Result:
        """Does the work of a job in a thread, when it is its turn.

        Whatever ends this early, the work is stopped and waited for.

        Args:
            job: What `admit` yields.
            work: Calls `job.progress`.
            hanging_up: Ends when nobody waits for the result any more.

        Raises:
            Gone: If `hanging_up` ended first.
            TimeoutError: If it took too long.
        """
        working = asyncio.create_task(self._work(job, work))
        watching = asyncio.create_task(hanging_up)
        both = {working, watching}
        try:
            done, _ = await asyncio.wait(
                both, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.wait(both)
        if working in done:
            return working.result()
        if watching in done:
            raise Gone
        raise TimeoutError(
            f"This takes longer than the {self._seconds:g} seconds that a picture may take here, "
            "waiting included. Send a smaller one, or try again later."
        )

    async def _work(self, job: Ticket, work: Callable[[], _Result]) -> _Result:
        async with self._turns:
            job.begin()
            thread = asyncio.create_task(asyncio.to_thread(work))
            try:
                return await asyncio.shield(thread)
            except asyncio.CancelledError:
                job.stop()
                await asyncio.wait({thread})
                thread.exception()  # it is known why
                raise
