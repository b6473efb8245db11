"""What a manifest says of a picture."""

import datetime
import hashlib
from typing import Any, NamedTuple, Self

import pyarrow as pa

DONE, FAILED, QUARANTINED = "done", "failed", "quarantined"

Key = bytes


class Row(NamedTuple):
    """What became of one picture.

    Attributes:
        source: Its address, with the member of a tar after "!", or the row of a table after "#".
        changed: When its file was last changed, in nanoseconds, where the list of them says so.
        sha256: Of its file.
        bytes: Likewise.
        width: Of the picture, in pixels.
        height: Likewise.
        output: The result, from the destination on.
        shard: The file that it was packed into, if there is one.
        output_sha256: Of the result's file.
        output_bytes: Likewise.
        output_width: Of the result.
        output_height: Likewise.
        model: The name of the model.
        options: The hash of all settings that pixels depend on.
        seconds: That it took; None for a result that was found.
        status: "done", "failed", or "quarantined": its worker ended twice, while it had
            nothing else.
        error: What went wrong.
        notes: What one should know of the result, in sentences.
        worker: The machine and process that made it.
        ended: When.
    """

    source: str
    changed: int | None = None
    sha256: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    output: str | None = None
    shard: str | None = None
    output_sha256: str | None = None
    output_bytes: int | None = None
    output_width: int | None = None
    output_height: int | None = None
    model: str | None = None
    options: str | None = None
    seconds: float | None = None
    status: str = DONE
    error: str | None = None
    notes: tuple[str, ...] = ()
    worker: str | None = None
    ended: datetime.datetime | None = None

    @property
    def key(self) -> Key:
        return key(self.source, self.changed)

    @property
    def megapixels(self) -> float:
        """Of the result."""
        return (self.output_width or 0) * (self.output_height or 0) / 1e6

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "notes": tuple(values["notes"] or ())})


_TYPES = {
    "changed": pa.int64(),
    "bytes": pa.int64(),
    "output_bytes": pa.int64(),
    "seconds": pa.float64(),
    "notes": pa.list_(pa.string()),
    "ended": pa.timestamp("us", "UTC"),
} | dict.fromkeys(("width", "height", "output_width", "output_height"), pa.int32())

SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in Row._fields])


def table(rows: list[Row]) -> pa.Table:
    """Returns rows as a table."""
    return pa.Table.from_pylist([row._asdict() for row in rows], SCHEMA)


def key(source: str, changed: int | None) -> Key:
    """Returns what stands for a picture in sets of millions: 16 bytes."""
    return hashlib.blake2b(f"{source}\0{changed}".encode(), digest_size=16).digest()


def now() -> datetime.datetime:
    """Returns the time, for `Row.ended`."""
    return datetime.datetime.now(datetime.UTC)
