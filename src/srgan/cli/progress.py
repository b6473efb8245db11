"""How far the command line's work is: live on a terminal, and otherwise in lines."""

import json
import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from rich import progress
from rich.console import Console
from rich.logging import RichHandler

from srgan.util import jsonable

if TYPE_CHECKING:
    from srgan.train.run import Progress

_LINE_EVERY = 30.0  # seconds
_REFRESH = 1.0  # seconds
_LOGGED = ("colour_drift", "gradient", "grid_energy")  # what lines leave out
_SCORES = ("psnr", "ssim", "lpips", "grid")

InStrips = tuple[str, int, int]  # a picture's name, and how many of how many strips are written


@contextmanager
def bar(total: int) -> Iterator[Callable[[float, str], None]]:
    """Shows a bar with the time left on stderr, if that is a terminal, until the block ends.

    Yields what is to be called with (how much of `total` is done, what is being done).
    """
    console = Console(stderr=True)
    with progress.Progress(
        progress.TextColumn("{task.description}", markup=False),  # names may hold brackets
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    ) as display:
        task = display.add_task("", total=total)
        yield lambda done, name: display.update(task, completed=done, description=name)


@contextmanager
def training(as_json: bool) -> Iterator[Callable[["Progress"], None]]:
    """Shows a training until the block ends: stage, step, loss terms and the time left.

    Yields what is to be called with its `Progress`. JSON goes to stdout, one object a line, and
    everything else to stderr, warnings of the library included.
    """
    console = Console(stderr=True)
    logging.getLogger("srgan").addHandler(RichHandler(console=console, show_path=False))
    if as_json or not console.is_terminal:
        yield _lines(as_json)
        return

    with progress.Progress(
        progress.TextColumn("{task.description:12}"),
        progress.BarColumn(20),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[terms]}"),
        console=console,
    ) as display:
        tasks: dict[str, progress.TaskID] = {}

        def report(state: "Progress") -> None:
            if state.stage not in tasks:
                tasks[state.stage] = display.add_task(state.stage, total=state.steps, terms="")
            terms, scores = _terms(state)
            display.update(tasks[state.stage], completed=state.step, terms=terms)
            if scores:
                console.print(f"{state.stage} {state.step}: {scores}", highlight=False)

        yield report


def _lines(as_json: bool) -> Callable[["Progress"], None]:
    """A line every half minute, and wherever there are validation scores."""
    console = Console(stderr=not as_json)
    began: dict[str, tuple[float, int]] = {}
    last = -math.inf

    def report(state: "Progress") -> None:
        nonlocal last
        now = time.monotonic()
        start, first = began.setdefault(state.stage, (now, state.step))
        terms, scores = _terms(state)
        if now - last < _LINE_EVERY and not scores and state.step < state.steps:
            return
        last = now
        done, left = state.step - first, None
        if done:
            left = round((now - start) / done * (state.steps - state.step))  # seconds
        if as_json:
            logs = {k: jsonable.plain(v) for k, v in state.logs.items()}
            line = json.dumps(state._asdict() | {"logs": logs, "seconds_left": left})
            console.out(line, highlight=False)
        else:
            time_left = "" if left is None else f"{timedelta(seconds=left)} left"
            parts = (f"{state.stage} {state.step}/{state.steps}", time_left, terms, scores)
            console.out(*filter(None, parts), sep="  ", highlight=False)

    return report


def _terms(state: "Progress") -> tuple[str, str]:
    """The loss terms of a step as text, and its validation scores, which most steps lack.

    Of both what tells most; the run's logs have all.
    """
    prefix = "validation_"
    shown = {k: v for k, v in state.logs.items() if k not in _LOGGED and not k.startswith(prefix)}
    scores = _text({k: state.logs[prefix + k] for k in _SCORES if prefix + k in state.logs})
    return _text(shown), f"validation: {scores}" if scores else ""


def _text(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())


@contextmanager
def tally(in_strips: Callable[[], InStrips | None]) -> Iterator["Tally"]:
    """Shows a batch until the block ends: a bar on a terminal, and else a line every half minute.

    Args:
        in_strips: Returns what is known of the large picture in work, if there is one; it is asked
            by another thread.
    """
    console = Console(stderr=True)
    with progress.Progress(
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    ) as display:
        shown = Tally(console, display, in_strips)
        ended = threading.Event()

        def refresh() -> None:
            while not ended.wait(_REFRESH):  # a large picture may take hours
                shown.tell()

        thread = threading.Thread(target=refresh, name="srgan-tally", daemon=True)
        thread.start()
        try:
            yield shown
        finally:
            ended.set()
            thread.join()


class Tally:
    """How far a batch is, and how fast.

    Args:
        console: Where lines go, if it is no terminal.
        display: What is shown there, if it is one.
        in_strips: As `tally` takes it.

    Attributes:
        total: How many pictures there are, once that is known.
        done: Results.
        failed: Pictures without one.
        skipped: Pictures that need no more work.
        failed_before: Of these, the ones without a result.
    """

    def __init__(
        self,
        console: Console,
        display: progress.Progress,
        in_strips: Callable[[], InStrips | None],
    ) -> None:
        self.total: int | None = None
        self.done = self.failed = self.skipped = self.failed_before = 0
        self._megapixels, self._began = 0.0, time.monotonic()
        self._console, self._display, self._last = console, display, self._began
        self._bar = display.add_task("", total=None)
        self._in_strips, self._lock = in_strips, threading.Lock()

    @property
    def speed(self) -> str:
        """Pictures and megapixels a second, in words."""
        rates = self.rates()
        return (
            f"{rates['pictures_per_second']:,g} pictures/s, "
            f"{rates['megapixels_per_second']:,g} megapixels/s"
        )

    def add(self, is_done: bool, megapixels: float, skipped: int) -> None:
        """Counts a picture, and tells how far the batch is."""
        self.done, self.failed = self.done + is_done, self.failed + (not is_done)
        self.skipped, self._megapixels = skipped, self._megapixels + megapixels
        self.tell()

    def tell(self) -> None:
        """Tells how far the batch is, if it is time for that."""
        with self._lock:
            made: float = self.done + self.failed
            seen, said = made + self.skipped, self.speed
            if self.failed:
                said += f", {self.failed:,} failed"
            if large := self._in_strips():
                name, joined, strips = large
                said += f"; {PurePosixPath(name).name}: {joined} of {strips} strips"
                made += min(joined / strips, 1.0)
            completed = made + self.skipped
            self._display.update(self._bar, completed=completed, total=self.total, description=said)
            now = time.monotonic()
            if self._console.is_terminal or now - self._last <= _LINE_EVERY:
                return
            self._last, total, left = now, "?", ""
            if self.total:
                total = f"{self.total:,}"
                if made:
                    seconds = (now - self._began) / made * max(self.total - completed, 0)
                    left = f", {timedelta(seconds=round(seconds))} left"
            self._console.out(f"{seen:,} of {total}{left}: {said}", highlight=False)

    def rates(self) -> dict[str, float]:
        """Seconds, and pictures and megapixels of results a second."""
        seconds = max(time.monotonic() - self._began, 1e-3)  # clocks may be coarse
        return {
            "seconds": round(seconds, 1),
            "pictures_per_second": round((self.done + self.failed) / seconds, 2),
            "megapixels_per_second": round(self._megapixels / seconds, 2),
        }
