"""How many cores there are, and one function over many inputs on all of them."""

import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

_Result = TypeVar("_Result")

AHEAD = 2  # results of `in_order`, for each core, that may wait until they are asked for

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h

_allowed: list[int] = []  # cores, if this process shares a machine with others of its kind


def use_cores(count: int) -> None:
    """Has this process take no more cores than that; to be said before anything is opened."""
    _allowed[:] = [count]


def available_cores(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Returns the number of processor cores that this process may use.

    Args:
        limit: Where Linux containers state their share, as "microseconds period".
    """
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS and Windows
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # not in a container, or "max" for no limit
        share, period = map(int, limit.read_text().split())
        cores = min(cores, -(-share // period))
    return min([cores, *_allowed])


def available_memory(
    machine: Path = Path("/proc/meminfo"), container: Path = Path("/sys/fs/cgroup")
) -> int:
    """Returns the bytes that this process may still take, or 4 GiB where that is not known.

    Args:
        machine: Where Linux states what is left.
        container: Where its containers state their limit and what they use.
    """
    found = []
    with suppress(OSError, ValueError, StopIteration):
        lines = machine.read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        found.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # not in a container, or "max" for no limit
        limit = int((container / "memory.max").read_text())
        found.append(limit - int((container / "memory.current").read_text()))
    return max(min(found, default=4 * 2**30), 0)


def tile_memory() -> int:
    """Returns the bytes that the tiles of a picture should take: a third of what is left, or less.

    768 MiB is what cuts a megapixel in four, and keeps all the rest below 1.5 GB.
    """
    return min(available_memory() // 3, 768 * 2**20)


@cache
def return_memory() -> None:
    """Lets arrays of more than 1 MiB go back to the system when they are freed, from now on.

    Else glibc keeps most of them for what comes next, which is faster, in areas that it reserves
    for each thread, and one more whenever it found nothing: where little is allowed, holes in them
    soon take it all.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # other C libraries give back by themselves
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_THRESHOLD, 2**20)
            libc.mallopt(_M_ARENA_MAX, 1)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_cores(), "srgan")


class _Turns:
    """What waits for the threads: of each picture a queue. They take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: deque[deque[Callable[[], None]]] = deque()  # those that are not empty

    def add(self, queue: deque[Callable[[], None]], call: Callable[[], None]) -> None:
        with self._lock:
            if not queue:
                self._queues.append(queue)
            queue.append(call)
        _threads().submit(self._run_next)  # as many as there are calls

    def _run_next(self) -> None:
        with self._lock:
            queue = self._queues.popleft()
            call = queue.popleft()
            if queue:
                self._queues.append(queue)
        call()


_turns = _Turns()


class SharedPool(Executor):
    """The threads, one a core, that all heavy arithmetic of this process shares.

    Each picture has an instance. However much others have submitted, no more than one of their
    calls comes before its next one: a small picture does not wait for all tiles of large ones.
    What runs there must not wait for something else that runs there.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def submit(self, fn: Callable[..., _Result], /, *args, **kwargs) -> Future[_Result]:
        future: Future[_Result] = Future()
        _turns.add(self._waiting, partial(_fulfil, future, partial(fn, *args, **kwargs)))
        return future


def _fulfil(future: Future[_Result], call: Callable[[], _Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


class Stop:
    """Ends work from another thread and at once, as far as it can be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: set[Callable[[], None]] = set()
        self._is_set = False

    def __call__(self) -> None:
        """Ends what runs now, or will; does not wait for it."""
        with self._lock:
            self._is_set = True
            for end in self._ends:
                end()

    @contextmanager
    def ends(self) -> Iterator[None]:
        """Makes the block, and what other threads do for it by `in_order`, such work."""
        token = _stop.set(self)
        try:
            yield
        finally:
            _stop.reset(token)

    def add(self, end: Callable[[], None]) -> None:
        with self._lock:
            self._ends.add(end)
            if self._is_set:
                end()

    def discard(self, end: Callable[[], None]) -> None:
        with self._lock:
            self._ends.discard(end)


_stop: ContextVar[Stop | None] = ContextVar("stop", default=None)


@contextmanager
def ended_by(end: Callable[[], None]) -> Iterator[None]:
    """Has `end` called, which must not wait, if what runs in the block is to end."""
    if not (stop := _stop.get()):
        yield
        return
    stop.add(end)
    try:
        yield
    finally:
        stop.discard(end)


def interruptible(run: Callable[[], _Result], end: Callable[[], None]) -> _Result:
    """Returns what `run` returns; Ctrl-C in the meantime has `end` called, so that it ends early.

    Python sees signals in its main thread alone, between two of its own instructions. So what takes
    long in compiled code is waited for there, and runs in another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return run()
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(copy_context().run, run)
        try:
            return future.result()
        except BaseException:
            end()
            raise


def in_order(
    function: Callable[..., _Result], jobs: Iterable[tuple], pool: Executor | None = None
) -> Generator[_Result, None, None]:
    """Yields `function(*job)` of every job, in their order.

    Threads, since decoding and array arithmetic let go of the interpreter's lock. Only a few
    results wait at a time, so that they need not fit into memory together. If the caller stops
    asking, what runs is finished, and nothing more is begun.

    Args:
        function: What to do.
        jobs: Its arguments; taken in the caller's thread, when they are needed.
        pool: What runs it; by default threads of its own.
    """
    if pool is None:
        with ThreadPoolExecutor(available_cores()) as own:
            yield from in_order(function, jobs, own)
        return
    running: deque[Future[_Result]] = deque()
    try:
        for job in jobs:
            running.append(pool.submit(copy_context().run, function, *job))
            if len(running) > AHEAD * available_cores():
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
        wait(running)


def ahead(items: Iterable[_Result]) -> Iterator[_Result]:
    """Yields `items`, each of them made in a thread while the one before is used."""
    waiting = iter(items)

    def following() -> list[_Result]:  # none at the end
        return list(islice(waiting, 1))

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(following)
        while item := coming.result():
            coming = thread.submit(following)
            yield from item
