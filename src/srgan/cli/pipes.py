"""`srgan upscale` with a picture from stdin, to stdout, or both."""

import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from srgan.cli import messages
from srgan.util.counting import Progress

PIPE = Path("-")
_MAX = 2**31  # bytes that are read from stdin, where they are all in memory


def check_pipe(inputs: list[Path], output: Path, as_json: bool, dry_run: bool) -> None:
    """Raises what would go wrong with one picture through pipes."""
    from srgan.io import formats

    if len(inputs) > 1:
        raise ValueError("Only one picture goes through a pipe; name one, or a folder for OUT.")
    if output != PIPE:
        if output.is_dir() or not output.suffix:
            raise ValueError(f"What comes from stdin has no name; name a file, not {output}.")
        formats.check_format(output)
        return
    if as_json and not dry_run:
        raise ValueError("Both the picture and --json would go to stdout. Name a file for OUT.")
    if not dry_run and (sys.stdout is None or sys.stdout.isatty()):
        raise ValueError("stdout is no place for a picture now: it is closed or a terminal.")


def read_stdin() -> bytes:
    """Returns what comes from stdin.

    Raises:
        ValueError: If stdin is closed, or more comes than is read.
    """
    if sys.stdin is None:
        raise ValueError("There is no stdin to read from: it is closed. Name a file.")
    read = io.BytesIO()
    while part := sys.stdin.buffer.read(2**20):
        read.write(part)
        if read.tell() > _MAX:
            raise ValueError("More than 2 GiB come from stdin. Save them to a file, and name it.")
    return read.getvalue()


def send(
    source: Path | bytes,
    output: Path,
    named: Path,
    upscale: Callable[[Path | bytes, Path, Progress], tuple[str, ...]],
    as_json: bool,
) -> None:
    """Upscales one picture from stdin or to stdout."""
    from srgan.cli import progress
    from srgan.io import formats

    began = time.perf_counter()
    folder = tempfile.TemporaryDirectory(prefix="srgan-") if output == PIPE else nullcontext("")
    notes: tuple[str, ...] = ()
    with folder as made, progress.bar(1) as show:
        destination = Path(made, named)
        name = formats.describe(source)
        notes = upscale(source, destination, lambda done, total: show(done / total, name))
        if made:
            with destination.open("rb") as file:
                while part := file.read(2**20):
                    sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
        elif as_json:
            line = {"input": str(PIPE), "seconds": round(time.perf_counter() - began, 3)}
            print(
                json.dumps(
                    line | {"output": str(destination)} | ({"notes": notes} if notes else {})
                )
            )
    if not as_json:
        messages.note("stdin" if isinstance(source, bytes) else source, notes)
