"""Pictures in the cells of tables, of which little is in memory at a time."""

import threading
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from srgan.cluster.places import place

_WHOLE = 2**27  # bytes of a row group that may be in memory
_PIECE = 2**20  # bytes that are read at a time of a larger one


class Cells:
    """Reads cells; any number of threads may, each in the order of the rows, or nearly."""

    def __init__(self) -> None:
        self._whole = lru_cache(2)(_whole)
        self._of_thread = threading.local()

    def read(self, uri: str, group: int, row: int, column: str) -> bytes | None:
        """Returns what is in a cell.

        Args:
            uri: Of the table.
            group: The row group.
            row: In it.
            column: Its name, with that of the field after a dot where it has structures.
        """
        cells = self._whole(uri, group, column)
        if cells is not None:
            return cells[row].as_py()
        passing: _Passing | None = getattr(self._of_thread, "passing", None)
        if not passing or passing.group != (uri, group, column) or passing.next > row:
            if passing:
                passing.close()
            passing = self._of_thread.passing = _Passing(uri, group, column)
        return passing.at(row)


class _Passing:
    """The cells of a row group, one after the other: those that nobody asks for are passed over.

    Attributes:
        group: Of which table, and which column.
        next: The row that comes next.
    """

    def __init__(self, uri: str, group: int, column: str) -> None:
        self.group, self.next = (uri, group, column), 0
        self._stream = place(uri).open()
        table = pq.ParquetFile(self._stream, buffer_size=_PIECE, pre_buffer=False)
        self._batches = table.iter_batches(1, [group], [column], use_threads=False)

    def at(self, row: int) -> bytes | None:
        while self.next < row:
            next(self._batches)
            self.next += 1
        self.next += 1
        return _field(next(self._batches).column(0))[0].as_py()

    def close(self) -> None:
        self._stream.close()


def _whole(uri: str, group: int, column: str) -> pa.ChunkedArray | None:
    """The cells of a row group, if there is room for them."""
    with place(uri).open() as stream:
        table = pq.ParquetFile(stream)
        about = table.metadata.row_group(group)
        parts = (about.column(index) for index in range(about.num_columns))
        size = next(p.total_uncompressed_size for p in parts if p.path_in_schema == column)
        if size > _WHOLE:
            return None
        return _field(table.read_row_group(group, columns=[column]).column(0))


def _field(cells):
    """The files in cells, of structures as Hugging Face has them, too."""
    return pc.struct_field(cells, "bytes") if pa.types.is_struct(cells.type) else cells
