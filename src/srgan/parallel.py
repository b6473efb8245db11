"""One function over many inputs, on all cores."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Result = TypeVar("_Result")


def in_order(function: Callable[..., _Result], jobs: Iterable[tuple]) -> Iterator[_Result]:
    """Yields `function(*job)` of every job, in their order.

    Threads, since decoding and array arithmetic let go of the interpreter's lock. Only a few
    results wait at a time, so that they need not fit into memory together.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[_Result]] = deque()
        for job in jobs:
            running.append(pool.submit(function, *job))
            if len(running) > 2 * (workers or 1):
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
