"""A log with a line of JSON for each entry, which survives being cut short by a kill."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srgan.util import files


class Journal:
    """Entries in a file, one a line; several threads may append at once.

    Args:
        file: Made when the first entry is written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._whole = False  # whether the last line is known to end

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yields the entries of the file, leaving out lines that are cut short or damaged."""
        if not self._file.exists():
            return
        for line in self._file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry

    def append(self, entry: dict[str, Any]) -> None:
        """Adds an entry, at once."""
        line = json.dumps(entry)
        with self._lock:
            if not self._whole:
                self._end_last_line()
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(f"{line}\n")

    def _end_last_line(self) -> None:
        self._whole = True
        if not self._file.exists():
            return
        data = self._file.read_bytes()
        if data and not data.endswith(b"\n"):
            files.write_bytes(self._file, data + b"\n")
