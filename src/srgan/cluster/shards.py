"""Results packed into files of many: tars, as WebDataset reads them, and tables in Parquet.

They are made of results that lie in a folder of the batch, as those of a tree do in theirs. What is
there before the shard is there, and goes after its rows are written: a kill in between costs the
packing, and nothing else.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from srgan.cluster import room
from srgan.cluster.places import Place
from srgan.cluster.rows import SCHEMA, Row, table
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
