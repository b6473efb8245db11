"""Tables of numbers, a row a step, in CSV files that a resumed run goes on with."""

import csv
import io
import logging
from pathlib import Path

import numpy as np

from srgan.util import files

_logger = logging.getLogger(__name__)


def read_rows(file: Path) -> list[dict[str, str]]:
    """Returns the whole rows of a file, which may be missing.

    A row that a kill or a full disk has cut short, or that is no row of numbers, is left out.
    """
    return _whole(file)[0]


def columns(file: Path) -> dict[str, np.ndarray]:
    """Returns the columns of a file, with NaN where there is no number."""
    rows = read_rows(file)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([float(row.get(name) or "nan") for row in rows]) for name in names}


def append(file: Path, row: dict) -> None:
    """Adds a row, and the names of the columns to a new file.

    Columns that the file lacks, as those of a newer version, are added to it and stay empty above.
    """
    new = not file.exists()
    if not new and not {*row} <= {*_columns(file)}:
        rows = read_rows(file)
        columns = dict.fromkeys([*_columns(file), *row], "")
        stream = io.StringIO(newline="")
        _write(stream, [columns | kept for kept in [*rows, _formatted(row)]], header=True)
        files.write_bytes(file, stream.getvalue().encode())
        return
    if not new:
        row = dict.fromkeys(_columns(file), "") | row
    with open(file, "a", newline="", encoding="utf-8") as stream:
        _write(stream, [_formatted(row)], header=new)


def forget_after(file: Path, step: int) -> None:
    """Drops the rows that come again in a resumed run: those after its step, and cut ones."""
    rows, damaged = _whole(file)
    if damaged:
        _logger.warning("%s: damaged rows are dropped (%d).", file, damaged)
    kept = [row for row in rows if int(row["step"]) <= step]
    if not kept:
        file.unlink(missing_ok=True)
        return
    if len(kept) == len(rows) and not damaged:
        return
    stream = io.StringIO(newline="")
    _write(stream, kept, header=True)
    files.write_bytes(file, stream.getvalue().encode())


def _whole(file: Path) -> tuple[list[dict[str, str]], int]:
    """The whole rows of a file, and how many others there are."""
    if not file.exists():
        return [], 0
    lines = file.read_bytes().decode(errors="replace").splitlines(keepends=True)
    # The last character of a number may be what is missing: only a line that ends is whole.
    cut = bool(lines) and not lines[-1].endswith("\n")
    rows = list(csv.DictReader(lines[:-1] if cut else lines))
    if not rows and not cut and lines and "step" not in lines[0]:
        cut = True  # nothing but garbage
    whole = [row for row in rows if _is_whole(row)]
    return whole, len(rows) - len(whole) + cut


def _columns(file: Path) -> list[str]:
    with open(file, newline="", encoding="utf-8", errors="replace") as stream:
        return next(csv.reader(stream), [])


def _is_whole(row: dict) -> bool:
    try:
        int(row["step"])
        for name, value in row.items():
            if value != "":  # of a column that came later
                float(value)
            if name is None:
                return False
        return True
    except (KeyError, TypeError, ValueError):
        return False


def _formatted(row: dict) -> dict:
    return {key: f"{x:.6g}" if isinstance(x, float) else x for key, x in row.items()}


def _write(stream, rows: list[dict], header: bool) -> None:
    writer = csv.DictWriter(stream, rows[0].keys())
    if header:
        writer.writeheader()
    writer.writerows(rows)
