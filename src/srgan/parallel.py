"""How many cores there are, and one function over many inputs on all of them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

_Result = TypeVar("_Result")


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
    return cores


def in_order(function: Callable[..., _Result], jobs: Iterable[tuple]) -> Iterator[_Result]:
    """Yields `function(*job)` of every job, in their order.

    Threads, since decoding and array arithmetic let go of the interpreter's lock. Only a few
    results wait at a time, so that they need not fit into memory together.
    """
    workers = available_cores()
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[_Result]] = deque()
        for job in jobs:
            running.append(pool.submit(function, *job))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
