"""Which pictures are worked on, which wait, and which are turned away: one queue for all."""

import asyncio
import contextlib
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from srgan.util import parallel

_Result = TypeVar("_Result")

_REMEMBERED = 100  # requests that have ended: who asks how far one is may be late

State = Literal["waiting", "running", "ended", "done", "failed", "cancelled", "expired"]


class Busy(Exception):
    """As many pictures as may wait are waiting, or the service is about to end."""


class Gone(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class Status:
    """How far something is.

    Attributes:
        state: Waiting is for its picture or its turn.
        done: Share of the work, from 0 to 1.
        seconds_left: About; None if that is not known yet.
        place: How many of its kind are before it; None if it does not wait for its turn.
    """

    state: State
    done: float = 0.0
    seconds_left: float | None = None
    place: int | None = None


class Ticket:
    """One piece of work, from when it is known to its end."""

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
            return Status("running" if self._began else "waiting")
        seconds = time.monotonic() - self._began
        left = seconds * (1 - self._done) / self._done
        return Status("running", round(self._done, 4), round(left, 1))


@dataclass(frozen=True, eq=False)
class _Entry:
    """Work that waits for its turn, or has it."""

    ticket: Ticket
    work: Callable[[], Any]
    begun: asyncio.Future[None]
    result: asyncio.Future[Any]


class Queue:
    """All work, asked for in one event loop, which never waits for any of it.

    A thread that ends its work begins the next itself: the loop has other things to do, and would
    keep it waiting.

    Requests, for which somebody waits, and jobs, for which nobody does, take turns as long as both
    wait; among themselves, first come, first served. Where there is more than one place, jobs leave
    one free, so that no request waits for the end of long ones.

    Args:
        concurrency: How many are worked on.
        queue_size: How many requests may wait.
        seconds: That one may take; for a request, waiting for its turn included.
    """

    def __init__(self, concurrency: int, queue_size: int, seconds: float) -> None:
        self._seconds, self._concurrency = seconds, concurrency
        self._threads = ThreadPoolExecutor(concurrency, "srgan-job")
        self._most = concurrency + queue_size
        self._most_jobs = max(1, concurrency - 1)
        # Of the next three, which loop and threads share. It can be taken twice, since work may end
        # while it begins.
        self._lock = threading.RLock()
        self._working: dict[_Entry, bool] = {}  # is it a job?
        self._waiting: dict[bool, deque[_Entry]] = {False: deque(), True: deque()}  # is it a job?
        self._last = False  # whether the one that began last was a job

        self._tickets: dict[str, Ticket] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._ending = asyncio.Event()

    def __len__(self) -> int:
        """How much is worked on or waits, that included which nobody wants any more."""
        return self.working + sum(map(len, self._waiting.values()))

    @property
    def working(self) -> int:
        """How much is worked on."""
        return len(self._working)

    def status(self, name: str) -> Status | None:
        """Returns how far the request of that name is, if there is one, or was lately."""
        if name in self._tickets:
            return self.status_of(self._tickets[name])
        return Status("ended", 1.0, 0.0) if name in self._ended else None

    def status_of(self, ticket: Ticket) -> Status:
        """Returns how far something is, and its place."""
        with self._lock:
            for waiting in self._waiting.values():
                for place, entry in enumerate(waiting):
                    if entry.ticket is ticket:
                        return Status("waiting", place=place)
        return ticket.status()

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
        """Raises Busy if there is no place for one more request."""
        self.check_open()
        found = len(self._working) + len(self._waiting[False])
        if found >= self._most:
            raise Busy(f"{found} pictures are being enlarged already; try again later.")

    def check_open(self) -> None:
        """Raises Busy if the service ends."""
        if self._ending.is_set():
            raise Busy("The service is about to end; try again later.")

    def give_up(self) -> None:
        """Ends all that is worked on or waits, and lets nothing new in."""
        self._ending.set()

    async def run(
        self,
        ticket: Ticket,
        work: Callable[[], _Result],
        unwanted: Coroutine[Any, Any, Any],
        is_job: bool = False,
    ) -> _Result:
        """Does work in a thread, when it is its turn.

        Whatever ends this early, the work is told to stop, and not waited for: it keeps its place
        until it has ended.

        Args:
            ticket: Its own.
            work: Calls `ticket.progress`, and in the end `ticket.finish`. If that raises, or
                anything else does, it leaves nothing behind.
            unwanted: Ends when nobody wants the result any more.
            is_job: Nobody waits for it: it finds a place, and its time begins with its turn.

        Raises:
            Busy: If there is no place, or the service ends.
            Gone: If `unwanted` ended first.
            TimeoutError: If it took too long.
        """
        watching = asyncio.create_task(unwanted)
        ending = asyncio.create_task(self._ending.wait())
        try:
            self.check_open() if is_job else self.check()
            entry = self._enter(ticket, work, is_job)
            try:
                if is_job:
                    await asyncio.wait(
                        {entry.begun, watching, ending}, return_when=asyncio.FIRST_COMPLETED
                    )
                done, _ = await asyncio.wait(
                    {entry.result, watching, ending},
                    timeout=self._seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if entry.result in done or not ticket.stop():
                    return await entry.result
            finally:
                ticket.stop()
                entry.result.cancel()
                with self._lock, contextlib.suppress(ValueError):  # it has begun
                    self._waiting[is_job].remove(entry)
            if watching in done:
                raise Gone
            self.check_open()
            raise TimeoutError(
                f"This takes longer than the {self._seconds:g} seconds that a picture may take here"
                f"{'' if is_job else ', waiting included'}. Send a smaller one, or try again later."
            )
        finally:
            watching.cancel()
            ending.cancel()
            await asyncio.wait({watching, ending})

    def _enter(self, ticket: Ticket, work: Callable[[], Any], is_job: bool) -> _Entry:
        loop = asyncio.get_running_loop()
        entry = _Entry(ticket, work, loop.create_future(), loop.create_future())
        with self._lock:
            self._waiting[is_job].append(entry)
            self._begin()
        return entry

    def _begin(self) -> None:
        """Begins as much as there are places for."""
        while len(self._working) < self._concurrency:
            may_begin = {
                False: bool(self._waiting[False]),
                True: bool(self._waiting[True]) and sum(self._working.values()) < self._most_jobs,
            }
            if not any(may_begin.values()):
                return
            self._last = not self._last if may_begin[not self._last] else self._last
            entry = self._waiting[self._last].popleft()
            self._working[entry] = self._last
            _tell(entry.begun, entry.begun.set_result, None)
            work = self._threads.submit(_do, entry.work, entry.ticket)
            work.add_done_callback(partial(self._end, entry))

    def _end(self, entry: _Entry, work: Future[Any]) -> None:
        """Begins what is next, and tells of the end; in the thread that did the work."""
        with self._lock:
            del self._working[entry]
            self._begin()
        _tell(entry.result, _hand_over, entry.result, work)


def _hand_over(result: asyncio.Future[Any], work: Future[Any]) -> None:
    error = work.exception()
    if result.done():  # it was given up, and nobody asks any more
        pass
    elif error:
        result.set_exception(error)
    else:
        result.set_result(work.result())


def _tell(future: asyncio.Future[Any], tell: Callable[..., None], *arguments: Any) -> None:
    """Calls something in the event loop of a future."""
    with contextlib.suppress(RuntimeError):  # the loop has ended before the work did
        future.get_loop().call_soon_threadsafe(tell, *arguments)


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
