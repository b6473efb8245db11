"""Tables of numbers, a row a step, in CSV files that a resumed run goes on with."""

import csv
import os
from pathlib import Path


def read_rows(file: Path) -> list[dict[str, str]]:
    """Returns the rows of a file, which may be missing."""
    if not file.exists():
        return []
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def append(file: Path, row: dict) -> None:
    """Adds a row, and the names of the columns to a new file."""
    new = not file.exists()
    with open(file, "a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, row.keys())
        if new:
            writer.writeheader()
        writer.writerow({key: f"{x:.6g}" if isinstance(x, float) else x for key, x in row.items()})


def forget_after(file: Path, step: int) -> None:
    """Drops the rows that a killed run wrote after its last checkpoint: they come again."""
    rows = read_rows(file)
    kept = [row for row in rows if int(row["step"]) <= step]
    if len(kept) < len(rows):
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        for row in kept:
            append(part, row)
        if kept:
            os.replace(part, file)
        else:
            file.unlink()
