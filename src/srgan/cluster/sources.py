"""Which pictures there are: in folders, lists, tables and tars. None of them is opened here."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from srgan.cluster.local import as_path, as_text
from srgan.cluster.patience import Refused
from srgan.cluster.places import Place, as_uri, place
from srgan.cluster.rows import SCHEMA, Row, key, now
from srgan.io import kinds
from srgan.upscaling.inputs import fits

_PATHS = ("path", "uri", "url", "file", "image", "bytes")  # columns, where none is named
_ROWS = 2**10  # of a column, at a time


class Item(NamedTuple):
    """A picture, and where to read it.

    Attributes:
        source: Its name in the manifest.
        place: Its path in the destination, before its suffix is known.
        uri: Of the file that holds it.
        changed: When that was last changed, in nanoseconds, if its list says so.
        part: Of a tar, the first byte and how many.
        cell: Of a table, the row group, the row in it, and the column.
        error: Why it is none, of a link to nothing, and of a folder, tar or table whose pictures
            cannot be found.
    """

    source: str
    place: str
    uri: str
    changed: int | None = None
    part: tuple[int, int] | None = None
    cell: tuple[int, int, str] | None = None
    error: str = ""

    @property
    def key(self) -> bytes:
        return key(self.source, self.changed)

    @property
    def item(self) -> "Item":
        """Itself: what is in a worker's hands belongs to one."""
        return self

    def lost(self, status: str, error: str, options: str) -> Row:
        """Returns the row of a picture without a result."""
        return Row(
            self.source, self.changed, options=options, status=status, error=error, ended=now()
        )


def find(
    source: str,
    column: str = "",
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    destination: str = "",
) -> Iterator[Item]:
    """Yields the pictures of a source, as they are found.

    What cannot be read in a folder, with pictures inside, is an item with an error.

    Args:
        source: A folder, of which pictures, tars and tables are taken; a picture; a tar; a table
            (.parquet); or a list of paths and addresses, one a line (.txt).
        column: Of tables, the one with paths, or with what is in files; by default one of
            path, uri, url, file, image and bytes.
        include: Take only what fits one of these patterns, as "*.jpg".
        exclude: And leave out what fits one of these.
        destination: Of the results, which are left out where they lie in the source.

    Raises:
        FileNotFoundError: If there is no such source.
        Refused: If a store does not let it be read.
        ValueError: If it is none of these, or the destination itself.
    """
    root = place(as_uri(source))
    info = root.info()
    if info.type == fs.FileType.NotFound:
        advice = "Check the name." if root.local else "Check the name, and that of its bucket."
        raise FileNotFoundError(f"There is no file or folder {root.uri}. {advice}")
    if info.type == fs.FileType.Directory:
        found = _in_folder(root, column)
    else:
        found = _in_file(root, info.base_name, _changed(info), column)
        if found is None:
            raise ValueError(
                f"{root.uri} is no source; expected a folder, a list of paths (.txt), a table "
                f"(.parquet), a .tar, or a picture ({kinds.EXPECTED})."
            )
    results = f"{place(as_uri(destination)).uri}/" if destination else None
    if results == f"{root.uri}/":
        raise ValueError(
            f"{root.uri} is both the source and the destination. Name another folder for the "
            "results."
        )
    for item in found:
        path = PurePosixPath(as_path(item.place))  # as patterns are given
        if results and item.uri.startswith(results):
            continue
        if (not include or item.error or fits(path, include)) and not fits(path, exclude):
            yield item


def _in_folder(root: Place, column: str) -> Iterator[Item]:
    closed: list[Item] = []

    def leave_out(folder: Place, error: OSError) -> None:
        path = folder.uri.removeprefix(f"{root.uri}/")
        closed.append(Item(folder.uri, path, folder.uri, error=str(error)))

    for path, info in root.walk(leave_out):
        file, changed = root / path, _changed(info)
        try:
            yield from _in_file(file, path, changed, column, False) or ()
        except Refused:  # so would be the others
            raise
        except (OSError, ValueError) as error:
            yield Item(file.uri, path, file.uri, changed, error=str(error))
    yield from closed


def _in_file(
    file: Place, path: str, changed: int | None, column: str, is_source: bool = True
) -> Iterator[Item] | None:
    """The pictures of one file, in a folder or the source itself; None if it has no such kind."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in kinds.SUFFIXES:
        return iter([Item(file.uri, path, file.uri, changed)])
    if suffix == ".tar":
        return _in_tar(file, path.removesuffix(PurePosixPath(path).suffix), changed)
    if suffix == ".parquet":
        stem = path.removesuffix(PurePosixPath(path).suffix)
        return _in_table(file, stem, changed, column, is_source)
    if suffix == ".txt" and is_source:
        return _in_list(file)
    return None


def _in_list(file: Place) -> Iterator[Item]:
    for line in file.lines():
        if line.strip():
            yield _named(line.strip())


def _named(path: str) -> Item:
    """A picture of which only the path is known; its place is all of that."""
    uri = as_uri(path)
    _, separator, rest = uri.partition("://")
    uri = uri if separator else place(uri).uri
    parts = PurePosixPath(rest if separator else uri).parts
    return Item(uri, "/".join(part for part in parts if part not in ("/", "..")), uri)


def _in_tar(file: Place, stem: str, changed: int | None) -> Iterator[Item]:
    """The pictures of a tar; only the headers of its members are read."""
    with file.open() as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                while member := tar.next():
                    tar.members.clear()  # pyright: ignore  # all would be kept; typeshed lacks it
                    name = as_text(member.name.removeprefix("./"))
                    if member.isfile() and name.lower().endswith(kinds.SUFFIXES):
                        part = member.offset_data, member.size
                        inner = "/".join(p for p in PurePosixPath(name).parts if p not in "/..")
                        yield Item(f"{file.uri}!{name}", f"{stem}/{inner}", file.uri, changed, part)
        except tarfile.TarError as error:
            raise ValueError(f"{file.uri} is damaged, or no tar: {error}.") from error


def _in_table(
    file: Place, stem: str, changed: int | None, column: str, is_source: bool
) -> Iterator[Item]:
    """The pictures of a table: what a column of paths names, or what is in one of bytes."""
    try:
        with file.open() as stream:
            table = pq.ParquetFile(stream)
            if not is_source and table.schema_arrow.names == SCHEMA.names:
                return  # the manifest of another batch, beside its results
            yield from _of_column(table, file, stem, changed, column)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, Refused) or (isinstance(error, OSError) and error.errno):
            raise
        said = str(error).rstrip(".")
        raise ValueError(f"{file.uri} is damaged, or no Parquet: {said}.") from error


def _of_column(
    table: pq.ParquetFile, file: Place, stem: str, changed: int | None, column: str
) -> Iterator[Item]:
    schema = table.schema_arrow
    name = next((n for n in ((column,) if column else _PATHS) if n in schema.names), None)
    if name is None:
        raise ValueError(
            f"{file.uri} has no column {column or ' or '.join(_PATHS)!r}; it has "
            f"{', '.join(schema.names)}. Name the one with paths or bytes: --column NAME."
        )
    kind = schema.field(name).type
    texts = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(texts) or pa.types.is_large_string(texts):
        for batch in table.iter_batches(_ROWS, columns=[name]):
            paths = batch[name].cast(texts).cast(pa.large_binary())  # they may be no UTF-8
            yield from (_named(os.fsdecode(path)) for path in paths.to_pylist() if path)
        return
    is_struct = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    inner = f"{name}.bytes" if is_struct else name  # as Hugging Face has them
    data = kind.field("bytes").type if is_struct else kind
    if not (pa.types.is_binary(data) or pa.types.is_large_binary(data)):
        raise ValueError(
            f"The column {name!r} of {file.uri} has {kind}; expected paths, or what is in files. "
            "Name another one: --column NAME."
        )
    number = 0
    for group in range(table.num_row_groups):
        for row in range(table.metadata.row_group(group).num_rows):
            cell, label = (group, row, inner), f"{stem}/{number:08}"
            yield Item(f"{file.uri}#{number}", label, file.uri, changed, cell=cell)
            number += 1


def _changed(info: fs.FileInfo) -> int | None:
    return info.mtime_ns
