"""What was done of a batch, in Parquet: small parts while it runs, and one file at its end.

A result gets its name in one step, and then its row is written. What a kill leaves in between, a
result without a row, is whole, and was made with the same settings, since the header says so: it
is found by the worker that would make it, and gets its row then.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from srgan.cluster import room
from srgan.cluster.owners import Owners, of_row
from srgan.cluster.patience import Refused
from srgan.cluster.places import Place
from srgan.cluster.room import staying
from srgan.cluster.rows import DONE, SCHEMA, Key, Row, key, table
from srgan.models import catalogue
from srgan.util import files

FOLDER = ".srgan-batch"  # in the destination; hidden, since it is no result
NAME = "manifest.parquet"
_PARTS = 64  # that become one
_ROWS = 2**12  # in memory at a time, as Arrow has them
_AT_ONCE = 2**10  # likewise, as Python has them, which is far more


class Manifest:
    """The rows of one destination, and what they were made with.

    Args:
        destination: Of the results.
        settings: What the results depend on; written before the first of them.
        retry: Whether pictures that failed are to be tried again.
        source: What they are made of, in words of the command. Of another one, a picture might
            have the name of a result that is there, and be taken for done.

    Attributes:
        done: Keys of the pictures that need no more work.
        failed: Of these, of the ones without a result.
        owners: Whose the results are.
        shards: Names of files into which results were packed.
        resumes: Whether an earlier batch has begun this.
        options: The hash of the settings.

    Raises:
        FileExistsError: If something else is there.
        ValueError: If it was made of another source, with other settings, or is damaged.
    """

    def __init__(
        self,
        destination: Place,
        settings: Mapping[str, Any],
        retry: bool = False,
        source: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._destination, self._folder = destination, destination / FOLDER
        self._whole = destination / NAME
        self._waiting: list[Row] = []
        self._last = time.monotonic()
        text = json.dumps(settings, sort_keys=True)
        self.options = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.resumes = self._check_header({**source, **json.loads(text)})
        self.done: set[bytes] = set()
        self.failed: set[bytes] = set()
        self.shards: set[str] = set()
        self.owners = Owners()
        self._pattern = str(settings.get("name") or "")
        if self.resumes:
            self._remove_partial()
            self._load(retry)

    def note(self, *rows: Row) -> None:
        """Adds rows, which wait for `flush`."""
        self._waiting += rows

    def flush(self, every: float = 0.0) -> None:
        """Writes what waits, unless that was done within so many seconds."""
        if not self._waiting or time.monotonic() - self._last < every:
            return
        self._write(table(self._waiting).to_batches(), "0")
        self._waiting = []
        parts = [part for part in self._parts() if part.path.endswith("-0.parquet")]
        if len(parts) >= _PARTS:
            self._write((batch for part in parts for batch in _batches(part)), "1")
            for part in parts:
                part.remove()
        self._last = time.monotonic()

    def finish(self) -> None:
        """Makes one file of all parts; nothing else writes there any more."""
        self.flush()
        self._remove_partial()
        parts = self._parts()
        if not parts and self._whole.is_file():
            return
        with _saying_what_stays(), room.temporary(NAME) as whole:
            with pa.OSFile(str(whole), "wb") as sink:
                _save(self._latest(), sink)
            self._whole.send(whole)
        for part in parts:
            part.remove()

    def rows(self) -> Iterator[Row]:
        """Yields the last row of each picture."""
        for batch in self._latest():
            for start in range(0, batch.num_rows, _AT_ONCE):
                yield from map(Row.of, batch.slice(start, _AT_ONCE).to_pylist())

    def _load(self, retry: bool) -> None:
        """Which pictures are done: those with a row, and with the result that it names."""
        sizes = {_digest(path): info.size for path, info in self._destination.walk()}
        for row in self.rows():
            if row.status != DONE:
                is_done = not retry
            elif row.shard:
                is_done = _digest(row.shard) in sizes
                self.shards.add(row.shard)
            else:
                is_done = sizes.get(_digest(row.output or "")) == row.output_bytes
            if is_done:
                self.done.add(row.key)
                if row.status != DONE:
                    self.failed.add(row.key)
                elif row.output:
                    name = of_row(row.output, row.model, self._pattern)
                    self.owners.add(name, row.source)

    def outdated(self) -> dict[str, set[Key]]:
        """Returns what is packed of pictures that have a newer row: by file, the keys they had."""
        self.flush()
        once: set[bytes] = set()
        more: set[bytes] = set()
        for batch in self._newest():
            for source in batch["source"].to_pylist():
                digest = key(source, None)
                (more if digest in once else once).add(digest)
        latest: dict[bytes, tuple[Key, str | None]] = {}
        found: dict[str, set[Key]] = {}
        for batch in self._newest() if more else ():
            columns = (batch[name].to_pylist() for name in ("source", "changed", "shard"))
            for source, changed, shard in reversed([*zip(*columns, strict=True)]):
                if (digest := key(source, None)) not in more:
                    continue
                one = key(source, changed), shard  # a kill may have left a row twice
                if latest.setdefault(digest, one) != one and shard in self.shards:
                    found.setdefault(shard, set()).add(one[0])
        return found

    def _latest(self) -> Iterator[pa.RecordBatch]:
        """All rows, a picture's last one alone; the newest first."""
        seen: set[bytes] = set()
        for batch in self._newest():
            keep = [False] * batch.num_rows
            sources = batch["source"].to_pylist()
            for index in reversed(range(batch.num_rows)):
                digest = key(sources[index], None)
                keep[index] = digest not in seen
                seen.add(digest)
            # Arrow's filters take ten MiB, which are not needed where nothing comes twice.
            yield batch if all(keep) else batch.filter(pa.array(keep))

    def _newest(self) -> Iterator[pa.RecordBatch]:
        """All rows, in parts, the newest of which come first; in each, the newest is last."""
        parts = sorted(self._parts(), key=lambda part: part.path, reverse=True)
        for part in [*parts, *([self._whole] if self._whole.is_file() else ())]:
            yield from _batches(part, newest_first=True)

    def _check_header(self, settings: dict[str, Any]) -> bool:
        """Writes what this is made with, or compares it; returns whether it was there."""
        header, where = self._folder / "header.json", self._destination.uri
        if not header.is_file():
            others = [i.base_name for i in self._destination.children() if i.base_name != FOLDER]
            if others:
                raise FileExistsError(
                    f"{where} holds {others[0]!r}, and no batch has made it. Name a folder that is "
                    "empty, or not there yet."
                )
            header.write(json.dumps(settings, indent=1).encode())
            return False
        try:
            made = json.loads(header.read())
            if not isinstance(made, dict):
                raise ValueError("it holds no names")
        except ValueError:
            raise ValueError(
                f"{header.uri} is damaged: it is no JSON object. It says what {where} was made of, "
                "and with. Restore it from a copy, or choose another destination."
            ) from None
        if made != settings:
            names = [name for name in settings | made if settings.get(name) != made.get(name)]
            differ = "; ".join(
                f"{name} was {_in_words(made.get(name))}, now {_in_words(settings.get(name))}"
                for name in names
            )
            raise ValueError(
                f"{where} was begun otherwise: {differ}. Take that again, or choose another "
                "destination."
            )
        return True

    def _remove_partial(self) -> None:
        """Removes what kills left, where files get their names by being renamed."""
        if local := self._destination.local:
            for folder, _, names in os.walk(local):
                if any(".partial" in name for name in names):
                    files.remove_partial(Path(folder))

    def _parts(self) -> list[Place]:
        names = (info.base_name for info in self._folder.children())
        return [self._folder / name for name in names if name.startswith("rows-")]

    def _write(self, batches: Iterable[pa.RecordBatch], level: str) -> None:
        sink = pa.BufferOutputStream()
        _save(batches, sink)
        part = self._folder / f"rows-{time.time_ns():020}-{level}.parquet"
        with _saying_what_stays():
            part.write(sink.getvalue().to_pybytes())


@contextmanager
def _saying_what_stays() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise staying(error) from error


def _batches(part: Place, newest_first: bool = False) -> Iterator[pa.RecordBatch]:
    """The rows of a file, some at a time."""
    try:
        with part.open() as stream:
            file = pq.ParquetFile(stream, page_checksum_verification=True)
            if (found := file.schema_arrow).names != SCHEMA.names or found.types != SCHEMA.types:
                columns = ", ".join(f"{field.name} ({field.type})" for field in found)
                raise ValueError(f"its columns are {columns}")
            groups = range(file.num_row_groups)
            for group in reversed(groups) if newest_first else groups:
                rows = file.read_row_group(group, use_threads=False)  # each would keep memory
                rows.validate(full=True)  # a text that is none would be found later, and elsewhere
                yield from rows.to_batches()[:: -1 if newest_first else 1]
    except Refused:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(part, str(error)) from error


def _save(batches: Iterable[pa.RecordBatch], sink: pa.NativeFile) -> None:
    """Writes rows, some at a time, of which each makes a row group."""
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            if waiting and sum(one.num_rows for one in waiting) + batch.num_rows > _ROWS:
                writer.write_table(pa.Table.from_batches(waiting, SCHEMA))
                waiting = []
            waiting.append(batch)
        writer.write_table(pa.Table.from_batches(waiting, SCHEMA))
    pa.default_memory_pool().release_unused()


def _in_words(setting: object) -> str:
    """A setting, with the names of shipped models in place of their hashes."""
    said = "not given" if setting in (None, "", {}) else str(setting)
    for name in catalogue.shipped():
        said = said.replace(catalogue.fingerprint(name), name)
    return said


def _damaged(part: Place, reason: str) -> ValueError:
    return ValueError(
        f"{part.uri} is damaged: {reason.splitlines()[0].rstrip('.')}. Restore it from a copy, or "
        "remove it: results without a row are found again, and keep what they are."
    )


def _digest(path: str) -> bytes:
    return key(path, None)
