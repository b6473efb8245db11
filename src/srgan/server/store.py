"""What is known of jobs, in SQLite: it survives the service, however that ends."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from srgan.server.queue import State

_VERSION = 1
_LOCKED = 5.0  # seconds that are waited for somebody else who writes
_COLUMNS = {
    "id": "TEXT PRIMARY KEY",
    "kind": "TEXT NOT NULL",
    "asked": "TEXT NOT NULL",
    "owner": "TEXT NOT NULL",
    "key": "TEXT NOT NULL",
    "digest": "TEXT NOT NULL",
    "state": "TEXT NOT NULL",
    "created": "REAL NOT NULL",
    "finished": "REAL",
    "attempts": "INTEGER NOT NULL",
    "bytes": "INTEGER NOT NULL",
    "file": "TEXT NOT NULL",
    "headers": "TEXT NOT NULL",
    "code": "INTEGER NOT NULL",
    "detail": "TEXT NOT NULL",
}
_JSON = ("asked", "headers")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A row.

    Attributes:
        id: By which it is asked for.
        kind: What is to be done: "upscale" or "error-map".
        asked: The parameters.
        owner: The name of the token of whoever asked, or "".
        key: That names the request, so that it can be repeated; "" without one.
        digest: Of all that was asked for, the picture included.
        state: As in `queue.Status`, "running" being known there alone.
        created: In seconds since 1970.
        finished: Likewise, or None.
        attempts: How often it has begun.
        bytes: That it takes on the disk.
        file: Name of the result.
        headers: That tell of the result.
        code: The HTTP status that says how it failed, or 0.
        detail: Likewise, in words.
    """

    id: str
    kind: str
    asked: dict[str, Any]
    owner: str = ""
    key: str = ""
    digest: str = ""
    state: State = "waiting"
    created: float = field(default_factory=time.time)
    finished: float | None = None
    attempts: int = 0
    bytes: int = 0
    file: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    code: int = 0
    detail: str = ""


class Store:
    """The jobs of a service. Each method waits for the disk, and may be called in any thread.

    Args:
        file: The database; None for one in memory, which nothing survives.

    Attributes:
        is_new: Whether there was none.

    Raises:
        ValueError: If it is in use by somebody else, or of a newer version.
    """

    def __init__(self, file: Path | None) -> None:
        self._lock = threading.Lock()
        try:
            self._database, self.is_new = _open(file)
        except sqlite3.OperationalError as error:
            raise ValueError(
                f"The jobs in {file} cannot be read: {error}. End what else uses it, or choose "
                "another --state."
            ) from error
        except sqlite3.DatabaseError as error:
            assert file  # what is in memory is not damaged
            kept = _put_aside(file)
            _log.error(
                "The jobs in %s are lost: %s. It is kept as %s, with the folder of its pictures.",
                *(file, error, kept),
            )
            self._database, self.is_new = _open(file)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def add(self, job: Job) -> Job:
        """Adds a job; returns it, or the one that has its key already."""
        row = {name: json.dumps(v) if name in _JSON else v for name, v in asdict(job).items()}
        with self._changing() as database:
            database.execute(
                f"INSERT INTO jobs VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
                " ON CONFLICT DO NOTHING",
                row,
            )
        return (job.key and self.by_key(job.owner, job.key)) or job

    def change(self, id: str, **values: Any) -> None:
        """Changes columns of a job."""
        values = {name: json.dumps(v) if name in _JSON else v for name, v in values.items()}
        with self._changing() as database:
            changes = ", ".join(f"{name} = :{name}" for name in values)
            database.execute(f"UPDATE jobs SET {changes} WHERE id = :id", values | {"id": id})

    def forget(self, before: float) -> None:
        """Removes jobs that have no result any more, and finished before a time."""
        with self._changing() as database:
            database.execute("DELETE FROM jobs WHERE bytes = 0 AND finished < ?", (before,))

    def get(self, id: str) -> Job | None:
        return next(iter(self._select("id = ?", id)), None)

    def by_key(self, owner: str, key: str) -> Job | None:
        return next(iter(self._select("owner = ? AND key = ?", owner, key)), None)

    def waiting(self) -> Sequence[Job]:
        """Those that have no result yet, the oldest first."""
        return self._select("state = 'waiting' ORDER BY created, rowid")

    def results(self) -> Sequence[Job]:
        """Those that have a result, the oldest first."""
        return self._select("state = 'done' ORDER BY finished, rowid")

    def sizes(self) -> dict[str, int]:
        """How many bytes each takes on the disk, by id."""
        with self._lock:
            return dict(self._database.execute("SELECT id, bytes FROM jobs"))

    def size(self) -> int:
        """How many bytes all take on the disk."""
        with self._lock:
            (size,) = self._database.execute("SELECT COALESCE(SUM(bytes), 0) FROM jobs").fetchone()
        return size

    def size_without_results(self) -> int:
        """Likewise, once all results have made room."""
        with self._lock:
            (size,) = self._database.execute(
                "SELECT COALESCE(SUM(bytes), 0) FROM jobs WHERE state != 'done'"
            ).fetchone()
        return size

    def _select(self, condition: str, *values: Any) -> Sequence[Job]:
        with self._lock:
            rows = self._database.execute(f"SELECT * FROM jobs WHERE {condition}", values)
            names = [field.name for field in fields(Job)]
            found = [dict(zip(names, row, strict=True)) for row in rows]
        return [Job(**row | {name: json.loads(row[name]) for name in _JSON}) for row in found]

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database


def _open(file: Path | None) -> tuple[sqlite3.Connection, bool]:
    """Returns a database, made if need be, and whether it was."""
    database = sqlite3.connect(file or ":memory:", timeout=_LOCKED, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(found.split()))  # the log has lines
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise ValueError(
                f"{file} was written by a newer version of srgan. Use that, or another --state."
            )
        with database:
            columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            database.execute(f"CREATE TABLE IF NOT EXISTS jobs ({columns})")
            database.execute(
                "CREATE UNIQUE INDEX IF NOT EXISTS keys ON jobs (owner, key) WHERE key != ''"
            )
            database.execute(f"PRAGMA user_version = {_VERSION}")
        list(database.execute("SELECT * FROM jobs LIMIT 1"))
    except BaseException:
        database.close()
        raise
    return database, not version


def damage_mark() -> str:
    """What is added to the names of things that are kept aside now."""
    return time.strftime("damaged-%Y%m%d-%H%M%S")


def _put_aside(file: Path) -> Path:
    """Renames a damaged database, and the folder of its jobs; returns the new name."""
    mark = damage_mark()
    folder = file.with_suffix("")
    for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm"), folder):
        if path.exists():
            path.rename(path.with_name(f"{path.name}.{mark}"))
    return file.with_name(f"{file.name}.{mark}")
