"""A manifest forgets nothing, and refuses what is not its own."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srgan.cluster import manifest
from srgan.cluster.manifest import FOLDER, NAME, Manifest
from srgan.cluster.patience import Refused
from srgan.cluster.places import place
from srgan.cluster.rows import FAILED, SCHEMA, Row, key
from srgan.models import catalogue

SETTINGS = {"model": "a", "options": {"scale": 2.0}}


@pytest.fixture
def large(tmp_path):
    return tmp_path / "large"


def opened(folder, settings=SETTINGS, retry=False):
    return Manifest(place(str(folder)), settings, retry)


def made(folder, name, **values):
    """The row of a result that is there."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"result")
    return Row(f"/photos/{name}", 1, output=name, output_bytes=6, **values)


@pytest.mark.parametrize("finishes", [False, True])
def test_what_is_done_is_known_to_the_next_batch(large, finishes):
    book = opened(large)
    book.note(made(large, "a.png", notes=("one", "two")), made(large, "b.png"))
    book.finish() if finishes else book.flush()
    again = opened(large)
    assert (book.resumes, again.resumes) == (False, True)
    assert again.done == {key("/photos/a.png", 1), key("/photos/b.png", 1)}
    assert {row.source: row.notes for row in again.rows()}["/photos/a.png"] == ("one", "two")
    assert (large / NAME).exists() == finishes


def test_a_result_that_is_gone_or_cut_short_is_not_done(large):
    book = opened(large)
    book.note(*(made(large, name) for name in ("a.png", "b.png", "c.png")))
    book.flush()
    (large / "a.png").unlink()
    (large / "b.png").write_bytes(b"cut")
    assert opened(large).done == {key("/photos/c.png", 1)}


def test_a_failure_is_tried_again_if_asked(large):
    book = opened(large)
    book.note(Row("/photos/bad.png", 1, status=FAILED, error="It is damaged."))
    book.flush()
    assert opened(large).done == opened(large).failed == {key("/photos/bad.png", 1)}
    assert opened(large, retry=True).done == set()


def test_the_last_row_of_a_picture_counts(large):
    for error in ("first", "second", None):
        book = opened(large)
        status = FAILED if error else "done"
        book.note(made(large, "a.png", status=status, error=error))
        book.finish() if error == "first" else book.flush()
    assert [row.error for row in opened(large).rows()] == [None]
    book.finish()
    assert pq.read_table(large / NAME).column("error").to_pylist() == [None]


def test_what_is_packed_of_a_picture_is_outdated_when_it_has_a_newer_row(large):
    """And not where a kill left its row twice, nor where its file is gone."""
    old, shard = {"shard": "shard-000000.tar"}, {"shard": "shard-000001.tar"}
    first, same, lost = (Row(f"/photos/{name}", 1, output=name, **old) for name in "abc")
    book = opened(large)
    book.note(first, same, lost._replace(shard="gone.tar"))
    book.finish()
    for name in (old, shard):
        (large / name["shard"]).write_bytes(b"")
    book = opened(large)
    assert book.outdated() == {}
    book.note(same, first._replace(changed=2, **shard), lost._replace(changed=2, **shard))
    book.shards = {"shard-000000.tar", "shard-000001.tar"}
    assert book.outdated() == {"shard-000000.tar": {key("/photos/a", 1)}}
    bad = first._replace(changed=3, shard=None, status=FAILED)
    book.note(bad)
    assert book.outdated() == {
        "shard-000000.tar": {key("/photos/a", 1)},
        "shard-000001.tar": {key("/photos/a", 2)},
    }


def test_many_parts_become_one_and_lose_nothing(large, monkeypatch):
    monkeypatch.setattr(manifest, "_PARTS", 3)
    book = opened(large)
    for number in range(7):
        book.note(made(large, f"{number}.png"))
        book.flush()
    assert len(list((large / FOLDER).glob("rows-*"))) == 3
    assert len(opened(large).done) == 7
    book.finish()
    assert not list((large / FOLDER).glob("rows-*"))
    assert pq.read_table(large / NAME).num_rows == 7


def test_other_settings_are_refused_with_what_differs(large):
    opened(large)
    with pytest.raises(ValueError, match=r"otherwise: model was a, now b\. Take that"):
        opened(large, SETTINGS | {"model": "b"})
    with pytest.raises(ValueError, match=r"options was .*2\.0.*, now .*3\.0"):
        opened(large, SETTINGS | {"options": {"scale": 3.0}})
    with pytest.raises(ValueError, match=r"options was .*2\.0.*, now not given"):
        opened(large, SETTINGS | {"options": {}})


def test_shipped_models_are_named_where_they_differ(large):
    fast, paper = map(catalogue.fingerprint, ("srgan-fast-x4", "srgan-x4"))
    opened(large, {"model": fast})
    with pytest.raises(ValueError, match=r"model was srgan-fast-x4, now srgan-x4\."):
        opened(large, {"model": paper})


def test_another_source_is_refused_since_its_pictures_may_have_the_same_names(large):
    first, second = {"source": "/photos"}, {"source": "/others"}
    book = Manifest(place(str(large)), SETTINGS, source=first)
    assert book.options == opened(large.with_name("same")).options  # pixels do not depend on it
    assert Manifest(place(str(large)), SETTINGS, source=first).resumes
    with pytest.raises(ValueError, match=r"source was /photos, now /others\. Take that again, or"):
        Manifest(place(str(large)), SETTINGS, source=second)


def test_a_folder_that_no_batch_has_made_is_refused_and_left_alone(large):
    large.mkdir()
    (large / "mine.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"holds 'mine.png', and no batch has made it"):
        opened(large)
    assert [path.name for path in large.iterdir()] == ["mine.png"]


def test_a_header_that_is_damaged_is_named(large):
    opened(large)
    (large / FOLDER / "header.json").write_text("{")
    with pytest.raises(ValueError, match=r"header.json is damaged: .*choose another destination"):
        opened(large)


@pytest.mark.parametrize("text", ["[]", "null", "3", "", '{"a": 1}x'])
def test_a_header_that_is_of_another_kind_is_named(large, text):
    opened(large)
    (large / FOLDER / "header.json").write_text(text)
    with pytest.raises(ValueError, match=r"header.json is damaged: it is no JSON object"):
        opened(large)


@pytest.fixture(params=["rows-*", NAME])
def rows_file(large, request):
    """The manifest while a batch runs, and after its end."""
    book = opened(large)
    book.note(*(made(large, f"{number}.png", sha256="0" * 64) for number in range(20)))
    book.finish() if request.param == NAME else book.flush()
    (path,) = large.glob(f"**/{request.param}")
    return path


@pytest.mark.parametrize("how", ["cut short", "empty", "random", "another table", "other types"])
def test_a_damaged_manifest_is_named(large, rows_file, how):
    data = {
        "cut short": rows_file.read_bytes()[:-9],
        "empty": b"",
        "random": np.random.default_rng(0).bytes(5000),
    }.get(how)
    if data is not None:
        rows_file.write_bytes(data)
    elif how == "another table":
        pq.write_table(pa.table({"source": ["a"], "label": [1]}), rows_file)
    else:
        pq.write_table(pa.table({name: [1] for name in SCHEMA.names}), rows_file)
    with pytest.raises(ValueError, match=rf"{rows_file.name} is damaged: .*Restore it from a copy"):
        opened(large)


def test_a_bit_that_flips_in_a_manifest_is_seen_or_changes_nothing(large, rows_file):
    whole, expected = rows_file.read_bytes(), list(opened(large).rows())
    rng = np.random.default_rng(0)
    seen = 0
    for place_of_bit in rng.integers(0, 8 * len(whole), 120):
        data = bytearray(whole)
        data[place_of_bit // 8] ^= 1 << place_of_bit % 8
        rows_file.write_bytes(data)
        try:
            assert list(opened(large).rows()) == expected
        except ValueError as error:
            seen += "is damaged: " in str(error) or pytest.fail(str(error))
    assert seen > 20


def test_a_store_that_refuses_to_show_a_manifest_does_not_call_it_damaged(unsteady):
    book = opened(unsteady.bucket)
    book.note(Row("/photos/bad.png", status=FAILED, error="It is damaged."))
    book.finish()
    unsteady.refuse(403, part=NAME)
    with pytest.raises(Refused, match=r"manifest.parquet is refused"):
        opened(unsteady.bucket)


def test_what_kills_left_half_written_is_removed(large):
    opened(large)
    (large / "inside").mkdir()
    half = large / "inside" / ".0123456789abcdef.partial"
    half.write_bytes(b"half")
    opened(large)
    assert not half.exists()


_GROWTH = """
import sys
from srgan.cluster.manifest import Manifest
from srgan.cluster.places import place
from srgan.cluster.rows import Row

def mebibytes(what):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) / 2**10

book = Manifest(place(sys.argv[1]), {})
for number in range(10_000):
    hashes = {"sha256": f"{number:064x}", "output_sha256": f"{number + 1:064x}"}
    book.note(Row(f"/some/folder/{number}.png", output=f"{number}.png", **hashes))
    if number % 80 == 0:
        book.flush()
        before = before if number else mebibytes("VmRSS")
book.finish()
print(mebibytes("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_as_rows_are_written_and_joined(tmp_path):
    """At most, and with the code that is loaded for it; of Arrow's own pool, it is 20 MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _GROWTH, tmp_path / "m"],
        env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},  # as `srgan batch` has it
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 13
