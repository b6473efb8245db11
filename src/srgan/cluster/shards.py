"""Results packed into files of many: tars, as WebDataset reads them, and tables in Parquet.

They are made of results that lie in a folder of the batch, as those of a tree do in theirs. What is
there before the shard is there, and goes after its rows are written: a kill in between costs the
packing, and nothing else.
"""

import io
import json
import tarfile
from collections.abc import Sequence, Set
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from srgan.cluster import room
from srgan.cluster.places import Place
from srgan.cluster.rows import SCHEMA, Key, Row, key, table
from srgan.util import files

Layout = Literal["tree", "tar", "parquet"]


def name(number: int, layout: Layout) -> str:
    """Returns what a shard is called."""
    return f"shard-{number:06}.{layout}"


def pack(rows: Sequence[Row], results: Place, shard: Place, called: str) -> list[Row]:
    """Writes a shard, whole or not at all, and returns the rows, which name it.

    Args:
        rows: Of the results.
        results: Their folder.
        shard: The file to write.
        called: Its path in the destination.
    """
    rows = [row._replace(shard=called) for row in rows]
    with room.temporary(PurePosixPath(called).name) as file:
        with files.naming(file):
            (_pack_tar if file.suffix == ".tar" else _pack_table)(rows, results, file)
        shard.send(file)
    return rows


def leave_out(keys: Set[Key], shard: Place) -> None:
    """Writes a shard again, without the results of some pictures; removes it if it has no others.

    Args:
        keys: Of their rows.
        shard: The file; nothing is done if it is not there.

    Raises:
        ValueError: If it is damaged.
    """
    if not shard.is_file():
        return
    suffix = PurePosixPath(shard.path).suffix
    with room.temporary(PurePosixPath(shard.path).name) as file:
        try:
            with files.naming(file):
                count = (_copy_tar if suffix == ".tar" else _copy_table)(keys, shard, file)
        except (tarfile.TarError, ValueError, pa.ArrowException) as error:
            raise ValueError(
                f"{shard.uri} is damaged: {str(error).rstrip('.')}. Remove it: the same command "
                "makes its results again."
            ) from error
        if count:
            shard.send(file)
        else:
            shard.remove()


def _copy_tar(keys: Set[Key], shard: Place, file: Path) -> int:
    """Returns how many results are left."""
    count = 0
    with (
        shard.open() as stream,
        tarfile.open(fileobj=stream, mode="r:") as old,
        tarfile.open(file, "w") as new,
    ):
        members = iter(old)
        for result, said in zip(members, members, strict=True):  # as `_pack_tar` wrote them
            row = json.loads(_member(old, said).read())
            if key(row["source"], row["changed"]) not in keys:
                count += 1
                for info in (result, said):
                    new.addfile(info, _member(old, info))
    return count


def _member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    if not (found := tar.extractfile(info)):
        raise ValueError(f"{info.name} is no file")
    return found


def _copy_table(keys: Set[Key], shard: Place, file: Path) -> int:
    """Likewise."""
    with shard.open() as stream:
        old = pq.ParquetFile(stream)
        told = old.read(["source", "changed"]).to_pylist()
        left = [i for i, row in enumerate(told) if key(row["source"], row["changed"]) not in keys]
        with pq.ParquetWriter(file, old.schema_arrow) as new:
            for group in left:  # each has one row, as `_pack_table` wrote it
                new.write_table(old.read_row_group(group))
    return len(left)


def _pack_tar(rows: Sequence[Row], results: Place, file: Path) -> None:
    """Each result, and its row as JSON beside it."""
    with tarfile.open(file, "w") as tar:
        for row in rows:
            path = str(row.output)
            said = json.dumps(row._asdict(), default=str).encode()
            for member, data in (
                (path, (results / path).read()),
                (str(PurePosixPath(path).with_suffix(".json")), said),
            ):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def _pack_table(rows: Sequence[Row], results: Place, file: Path) -> None:
    """A row for each result: what the manifest says, and the file in the column `image`."""
    schema = SCHEMA.append(pa.field("image", pa.binary()))
    with pq.ParquetWriter(file, schema) as writer:
        for row in rows:  # a row group each: so much is in memory
            image = pa.array([(results / str(row.output)).read()], pa.binary())
            writer.write_table(table([row]).append_column("image", image))
