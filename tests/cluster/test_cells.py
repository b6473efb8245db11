"""Cells of tables are read, and little else is in memory."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srgan.cluster import cells
from srgan.cluster.cells import Cells

SIZE = 1_000_000


@pytest.fixture(params=["bytes", "struct"])
def table(request, tmp_path):
    """A table of 64 MB in one row group, its column, and what is in it."""
    rng = np.random.default_rng(0)
    data = [rng.bytes(SIZE) for _ in range(63)] + [None]
    is_struct = request.param == "struct"
    values = [{"bytes": one, "path": None} for one in data] if is_struct else data
    table = pa.table({"label": range(64), "image": values})
    pq.write_table(table, tmp_path / "t.parquet", write_batch_size=1)  # so is each page
    return str(tmp_path / "t.parquet"), "image.bytes" if is_struct else "image", data


@pytest.mark.parametrize("whole", [2**27, 2**20])
def test_a_cell_has_what_is_in_it_in_any_order(table, whole, monkeypatch):
    monkeypatch.setattr(cells, "_WHOLE", whole)
    path, column, data = table
    found = Cells()
    for row in (0, 1, 5, 5, 2, 62, 63, 0):
        assert found.read(path, 0, row, column) == data[row]


def test_of_a_large_row_group_a_few_cells_are_in_memory(table, monkeypatch):
    monkeypatch.setattr(cells, "_WHOLE", 2**20)
    path, column, data = table
    found, before = Cells(), pa.total_allocated_bytes()
    for row in range(0, 63, 3):
        assert found.read(path, 0, row, column) == data[row]
        assert pa.total_allocated_bytes() - before < 8 * SIZE
