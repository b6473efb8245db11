"""Runs a module of this package as a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import NamedTuple

_MAX_ERRORS = 2**16  # bytes that are kept of what it complains


class Ended(NamedTuple):
    """What became of a process.

    Attributes:
        code: 0 if it did what it should; minus a signal's number if that ended it.
        lines: That it wrote to stdout.
        complaint: The last line that it wrote to stderr, or its code in words.
    """

    code: int
    lines: list[str]
    complaint: str


def run(
    module: str, *arguments: object, on_line: Callable[[str], None] = lambda line: None
) -> Ended:
    """Runs `python -m module arguments`, with the packages that this process sees.

    Args:
        module: Its full name.
        arguments: As texts.
        on_line: Called with each line on stdout; what it raises ends the process, as Ctrl-C does.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    lines: list[str] = []
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,  # which ends when this process does, whatever ends it
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as child,
    ):
        try:
            for line in child.stdout or ():
                lines.append(line.rstrip("\n"))
                on_line(lines[-1])
        except BaseException:
            child.kill()
            raise
        child.wait()
        errors.seek(max(errors.seek(0, os.SEEK_END) - _MAX_ERRORS, 0))
        said = errors.read().decode(errors="replace").strip().splitlines()
    return Ended(child.returncode, lines, said[-1] if said else f"exit code {child.returncode}")
