"""Cuts a large picture into strips, and joins what workers make of them: one process for each."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from queue import Queue

from srgan.cluster.rows import Row
from srgan.cluster.sources import Item
from srgan.cluster.worker import Task, Worker
from srgan.upscaling import strips
from srgan.upscaling.choice import Choice
from srgan.upscaling.jobs import UpscaleJob


class Joiner(Worker):
    """A worker whose picture others upscale; what Ray runs as an actor.

    `upscale` lasts until all is joined. Meanwhile, `cut` and `add` are called, one of each at a
    time; they wait where there is nothing to cut yet, or no room.
    """

    CALLS = 3  # that run at once

    def __init__(self, task: Task) -> None:
        super().__init__(replace(task, strips_from=None, gpus=0.0))
        self._cut: Future[tuple[Choice, int, Iterator[strips.Strip]]] = Future()
        self._upscaled: Queue[strips.UpscaledStrip | Exception | None] = Queue(1)

    def upscale(self, item: Item, may_exist: bool) -> Row | None:
        """As a worker does, once, with what `add` brings."""
        self.start()
        return super().upscale(item, may_exist)

    def cut(self) -> tuple[tuple[Choice, int], strips.Strip] | tuple[None, None]:
        """Returns the next strip, if there is one, and the picture's model and number of strips."""
        choice, count, left = self._cut.result()
        try:
            strip = next(left, None)
        except (ValueError, OSError, MemoryError) as error:  # of the picture: its row says so
            self._upscaled.put(error)
            strip = None
        return ((choice, count), strip) if strip else (None, None)

    def add(self, upscaled: strips.UpscaledStrip | None) -> None:
        """Takes what became of the next strip, when the one before is written; None at the end."""
        self._upscaled.put(upscaled)

    def _run(self, job: UpscaleJob) -> None:
        self._cut.set_result((job.choice, strips.count(job), strips.split(job)))
        strips.join(job, self._received())

    def _received(self) -> Iterator[strips.UpscaledStrip]:
        while (upscaled := self._upscaled.get()) is not None:
            if isinstance(upscaled, Exception):
                raise upscaled
            yield upscaled
