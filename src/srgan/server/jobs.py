"""Which pictures are worked on, which wait, and which are turned away."""

import asyncio
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from srgan.util import parallel

_Result = TypeVar("_Result")

_REMEMBERED = 100  # jobs that have ended: who asks how far one is may be late


class Busy(Exception):
    """As many pictures as may wait are waiting, or the service is about to end."""


class Gone(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class Status:
    """How far a job is.

    Attributes:
        state: Waiting is for its picture or its turn.
        done: Share of the work, from 0 to 1.
        seconds_left: About; None if that is not known yet.
    """

    state: Literal["waiting", "running", "ended"]
    done: float
    seconds_left: float | None


class Ticket:
    """One request, from when it is known to its end."""

    def __init__(self) -> None:
        self._began = 0.0  # not yet
        self._done = 0.0
        self._lock = threading.Lock()
        self._stopped = self._finished = False
        self.stopping = parallel.Stop()

    def begin(self) -> None:
        """Takes note that the work begins."""
        self._began = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Takes note of how far the work is; called by it now and then.

        Raises:
            Gone: If it is to end.
        """
        if self._stopped:
            raise Gone
        self._done = done / total

    def finish(self) -> None:
        """Takes note that the result is there, and will be taken.

        Raises:
            Gone: If nobody will take it.
        """
        with self._lock:
            if self._stopped:
                raise Gone
            self._finished = True

    def stop(self) -> bool:
        """Ends the work at once, or when it next tells how far it is, unless it has finished.

        Returns:
            Whether it will end without a result.
        """
        with self._lock:
            self._stopped = not self._finished
        if self._stopped:
            self.stopping()
        return self._stopped

    def status(self) -> Status:
        if not self._done:
            return Status("running" if self._began else "waiting", 0.0, None)
        seconds = time.monotonic() - self._began
        left = seconds * (1 - self._done) / self._done
        return Status("running", round(self._done, 4), round(left, 1))


class Jobs:
    """All requests for work, in one event loop, which never waits for any of it.

    Args:
        concurrency: How many are worked on; the others wait, first come, first served.
        queue_size: How many may wait.
        seconds: That the work of one may take, waiting for its turn included.
    """

    def __init__(self, concurrency: int, queue_size: int, seconds: float) -> None:
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(concurrency, "srgan-job")
        self._most = concurrency + queue_size
        self._working: set[Future[Any]] = set()
        self._tickets: dict[str, Ticket] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._ending = asyncio.Event()

    def __len__(self) -> int:
        """How many pictures are worked on or wait, those included that nobody wants any more."""
        return len(self._working)

    def status(self, name: str) -> Status | None:
        """Returns how far the job of that name is, if there is one, or was lately."""
        if name in self._tickets:
            return self._tickets[name].status()
        return Status("ended", 1.0, 0.0) if name in self._ended else None

    @contextmanager
    def named(self, name: str) -> Iterator[Ticket]:
        """Makes a request known by a name until the block ends.

        Raises:
            ValueError: If there is one of that name.
        """
        if name in self._tickets:
            raise ValueError(f"There is a job {name!r} already; choose another name for this one.")
        ticket = self._tickets[name] = Ticket()
        try:
            yield ticket
        finally:
            del self._tickets[name]
            self._ended.append(name)

    def check(self) -> None:
        """Raises Busy if there is no place for one more picture."""
        if self._ending.is_set():
            raise Busy("The service is about to end; try again later.")
        if len(self) >= self._most:
            raise Busy(f"{len(self)} pictures are being enlarged already; try again later.")

    def give_up(self) -> None:
        """Ends all that is worked on or waits, and lets nothing new in."""
        self._ending.set()

    async def run(
        self, ticket: Ticket, work: Callable[[], _Result], hanging_up: Coroutine[Any, Any, None]
    ) -> _Result:
        """Does work in a thread, when it is its turn.

        Whatever ends this early, the work is told to stop, and not waited for: it keeps its place
        until it has ended.

        Args:
            ticket: What `named` yields.
            work: Calls `ticket.progress`, and in the end `ticket.finish`. If that raises, or
                anything else does, it leaves nothing behind.
            hanging_up: Ends when nobody waits for the result any more.

        Raises:
            Busy: If there is no place, or the service ends.
            Gone: If `hanging_up` ended first.
            TimeoutError: If it took too long.
        """
        watching = asyncio.create_task(hanging_up)
        ending = asyncio.create_task(self._ending.wait())
        try:
            self.check()
            job = self._threads.submit(_do, work, ticket)
            self._working.add(job)
            job.add_done_callback(self._working.discard)
            working = asyncio.wrap_future(job)
            try:
                done, _ = await asyncio.wait(
                    {working, watching, ending},
                    timeout=self._seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if working in done or not ticket.stop():
                    return await working
            finally:
                ticket.stop()
                working.cancel()  # if it is not its turn yet, it ends here
            if watching in done:
                raise Gone
            if ending in done:
                self.check()
            raise TimeoutError(
                f"This takes longer than the {self._seconds:g} seconds that a picture may take "
                "here, waiting included. Send a smaller one, or try again later."
            )
        finally:
            watching.cancel()
            ending.cancel()
            await asyncio.wait({watching, ending})


def _do(work: Callable[[], _Result], ticket: Ticket) -> _Result:
    ticket.begin()
    try:
        with ticket.stopping.ends():
            return work()
    except BaseException as error:
        # What its frames know may wait when it is freed, as generators do for tiles that run. That
        # must happen here, and not wherever the error ends, which is in the event loop.
        chained: BaseException | None = error
        while chained:
            traceback.clear_frames(chained.__traceback__)
            chained = chained.__cause__ or chained.__context__
        raise
