"""A worker makes what `srgan upscale` makes, and tells its own troubles from a picture's."""

import hashlib
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srgan.cluster import sources
from srgan.cluster.joiner import Joiner
from srgan.cluster.patience import Refused
from srgan.cluster.places import place
from srgan.cluster.room import Unwritable
from srgan.cluster.worker import Task, Worker
from srgan.io import images
from srgan.models import catalogue
from srgan.upscaling import pipeline
from srgan.upscaling.choice import Models
from srgan.upscaling.options import UpscaleOptions
from srgan.util import parallel, versions


@pytest.fixture(autouse=True)
def _cores(monkeypatch):
    monkeypatch.setattr(parallel, "_allowed", [])


@pytest.fixture
def task(tiny_model):
    def make(results, **changes):
        values = {
            "results": str(results),
            "name": "",
            "model": str(tiny_model),
            "fingerprint": catalogue.fingerprint(tiny_model),
            "options": UpscaleOptions(),
            "engine": "onnxruntime",
            "precision": "float32",
            "cores": 1,
            "settings": "hash",
            "versions": versions.installed("srgan"),
        }
        return Task(**values | changes)

    return make


@pytest.fixture
def worker(task):
    def start(results, **changes):
        worker = Worker(task(results, **changes))
        worker.start()
        return worker

    return start


def expected(photo, model, tmp_path, **options):
    path = tmp_path / "expected.png"
    pipeline.upscale_file(photo, path, str(model), UpscaleOptions(**options), overwrite=True)
    return path.read_bytes()


def test_a_result_and_its_row_are_those_of_srgan_upscale(worker, photos, tmp_path, tiny_model):
    (item,) = sources.find(str(photos / "photo0.png"))
    row = worker(tmp_path / "large", options=UpscaleOptions(scale=1.5)).upscale(item, False)
    result = (tmp_path / "large" / "photo0.png").read_bytes()
    assert result == expected(photos / "photo0.png", tiny_model, tmp_path, scale=1.5)
    assert row.sha256 == hashlib.sha256((photos / "photo0.png").read_bytes()).hexdigest()
    assert row.output_sha256 == hashlib.sha256(result).hexdigest()
    sizes = row.width, row.height, row.output_width, row.output_height
    assert (sizes, row.output_bytes) == ((32, 24, 48, 36), len(result))
    assert (row.status, row.output, row.model, row.options) == (
        "done",
        "photo0.png",
        "tiny",
        "hash",
    )
    assert row.seconds > 0


def test_tars_and_tables_give_the_same_results(worker, photos, tmp_path, tiny_model):
    photo = photos / "photo0.png"
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        tar.add(photos / "photo2.png", "other.png")
        tar.add(photo, "photo0.png")
    values = [{"bytes": (photos / "photo2.png").read_bytes()}, {"bytes": photo.read_bytes()}]
    pq.write_table(pa.table({"image": values}), tmp_path / "p.parquet")
    works = worker(tmp_path / "large")
    for source, output in (("t.tar", "t/photo0.png"), ("p.parquet", "p/00000001.png")):
        _, item = sources.find(str(tmp_path / source))
        assert works.upscale(item, False).output == output
        result = (tmp_path / "large" / output).read_bytes()
        assert result == expected(photo, tiny_model, tmp_path)


def test_names_follow_the_pattern_and_the_format(worker, photos, tmp_path):
    (item,) = sources.find(str(photos / "photo0.png"))
    works = worker(tmp_path, name="{stem}-{ext}-{model}", options=UpscaleOptions(format="webp"))
    assert works.upscale(item, False).output == "photo0-png-tiny.webp"


def test_a_bad_picture_is_a_row_and_nothing_else(worker, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (item,) = sources.find(str(bad))
    row = worker(tmp_path / "large").upscale(item, False)
    assert (row.status, row.output_sha256) == ("failed", None)
    assert "is damaged or cut short" in row.error
    assert not [path for path in (tmp_path / "large").rglob("*") if path.is_file()]


def test_a_bad_picture_of_a_tar_is_named_as_that_and_not_by_its_temporary_file(worker, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        tar.add(tmp_path / "bad.png", "bad.png")
    (item,) = sources.find(str(tmp_path / "t.tar"))
    error = worker(tmp_path / "large").upscale(item, False).error
    assert error.startswith(f"{tmp_path}/t.tar!bad.png is damaged or cut short")


def test_a_picture_that_is_not_there_is_a_row(worker, photos, tmp_path):
    (item,) = sources.find(str(photos / "photo0.png"))
    (photos / "photo0.png").unlink()
    row = worker(tmp_path / "large").upscale(item, False)
    assert (row.status, row.error) == ("failed", f"No such file or directory: {item.uri}.")


def test_a_result_whose_row_was_lost_is_found_and_not_made_again(worker, photos, tmp_path):
    works = worker(tmp_path / "large")
    (item,) = sources.find(str(photos / "photo0.png"))
    first = works.upscale(item, False)
    before = (tmp_path / "large" / "photo0.png").stat()
    found = works.upscale(item, True)
    assert (tmp_path / "large" / "photo0.png").stat().st_ino == before.st_ino
    assert found == first._replace(seconds=None, ended=found.ended)


def test_a_result_that_is_older_than_its_picture_is_made_again(worker, photos, tmp_path):
    works = worker(tmp_path / "large")
    (item,) = sources.find(str(photos / "photo0.png"))
    works.upscale(item, False)
    row = works.upscale(item._replace(changed=item.changed + 10**12), True)
    assert row.seconds is not None


def test_a_result_that_was_there_before_its_picture_came_is_not_its_own(worker, photos, tmp_path):
    """As one of that name and older, whose result was made, and its row lost."""
    works = worker(tmp_path / "large")
    os.utime(photos / "photo0.png", (1e9, 1e9))
    (item,) = sources.find(str(photos / "photo0.png"))
    first = works.upscale(item, False)
    (photos / "photo2.png").replace(photos / "photo0.png")
    os.utime(photos / "photo0.png", (1e9, 1e9))
    for form in (item, item._replace(changed=None)):  # of a folder, and of a list
        row = works.upscale(form, True)
        assert row.seconds is not None
        assert row.output_sha256 != first.output_sha256
        assert works.upscale(item, True).seconds is None
        (photos / "photo0.png").rename(photos / "x.png")
        (photos / "x.png").rename(photos / "photo0.png")


def test_a_full_disk_is_the_worker_s_trouble_and_not_the_picture_s(worker, full_disk):
    for seed in range(3):
        noise = np.random.default_rng(seed).random((24, 32, 3))
        images.write(full_disk / f"{seed}.png", noise)
    works = worker(full_disk / "large", options=UpscaleOptions(scale=4))
    items = list(sources.find(str(full_disk), include=("?.png",)))
    with pytest.raises(Unwritable, match=r"No space left|File too large") as caught:
        [works.upscale(item, False) for item in items]
    assert caught.value.errno
    assert not list(full_disk.rglob("*.partial"))


@pytest.fixture
def packed(tmp_path_factory):
    """A tar with a picture of noise, which has more than 64 KiB, and a table with it."""
    folder = tmp_path_factory.mktemp("packed")
    photo = folder / "noise.png"
    images.write(photo, np.random.default_rng(1).random((160, 200, 3)))
    with tarfile.open(folder / "t.tar", "w") as tar:
        tar.add(photo, "noise.png")
    pq.write_table(pa.table({"image": [photo.read_bytes()]}), folder / "t.parquet")
    return folder


@pytest.mark.parametrize("name", ["t.tar", "t.parquet"])
def test_a_full_temporary_folder_is_the_worker_s_trouble_and_is_named(
    worker, packed, full_disk, tmp_path_factory, monkeypatch, name
):
    (item,) = sources.find(str(packed / name))
    large = tmp_path_factory.mktemp("large")
    works = worker(large)
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))
    with pytest.raises(Unwritable, match=r"No space left|File too large") as caught:
        works.upscale(item, False)
    assert Path(caught.value.filename).is_relative_to(full_disk)
    assert not [*full_disk.iterdir(), *large.iterdir()]


def test_a_temporary_folder_without_room_for_a_shard_is_the_worker_s_trouble(
    worker, packed, full_disk, tmp_path_factory, monkeypatch
):
    (item,) = sources.find(str(packed / "noise.png"))
    large = tmp_path_factory.mktemp("large")
    works = worker(large)
    row = works.upscale(item, False)
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))
    for shard in ("shard-0.tar", "shard-0.parquet"):
        with pytest.raises(Unwritable, match=r"No space left|File too large") as caught:
            works.pack([row], shard, str(large))
        assert Path(caught.value.filename).name == shard
    assert not list(full_disk.iterdir())
    assert [path.name for path in large.iterdir()] == ["noise.png"]


def test_a_temporary_folder_that_is_gone_is_the_worker_s_trouble(
    worker, packed, tmp_path, monkeypatch
):
    (item,) = sources.find(str(packed / "t.tar"))
    works = worker(tmp_path / "large")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    said = rf"cannot be kept in {tmp_path}/gone \(No such file or directory\)\. .* set TMPDIR"
    with pytest.raises(Unwritable, match=said):
        works.upscale(item, False)


def test_what_a_killed_worker_had_in_its_temporary_folder_goes_when_another_starts(
    worker, packed, tmp_path, monkeypatch
):
    """And not what one at work has there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = "import time; from srgan.cluster import room\n"
    program += "with room.temporary('photo.png') as path: path.touch(); time.sleep(600)"
    killed = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    while not (left := [*tmp_path.glob("srgan-batch-*/photo.png")]):
        time.sleep(0.05)
        assert killed.poll() is None
    works = worker(tmp_path / "large")
    assert left[0].exists()
    killed.kill()
    killed.wait()
    works.start()
    assert not left[0].parent.exists()


def test_a_worker_with_another_srgan_or_python_says_so(task, tmp_path):
    for name, other in (("srgan", "0.0.1"), ("python", "2.7.18")):
        found = versions.installed("srgan") | {name: other}
        with pytest.raises(ValueError, match=rf"has {name} .*expected {other}.*Install the same"):
            Worker(task(tmp_path, versions=found)).start()


def test_a_worker_without_the_model_says_so(task, tmp_path):
    for changes in ({"model": "/nowhere/m.onnx"}, {"fingerprint": "0123"}):
        with pytest.raises(ValueError, match=r"does not have the model .*Put the same file"):
            Worker(task(tmp_path, **changes)).start()


@pytest.fixture
def tall(tmp_path):
    """A picture of five rows of tiles, if they have a side of 32."""
    path = tmp_path / "tall.png"
    images.write(path, np.random.default_rng(1).integers(0, 256, (160, 40, 3), np.uint8))
    return path


def joined(joiner, item, upscale):
    """The row of a picture whose strips are upscaled one after the other, and how many they are."""
    count = 0
    with ThreadPoolExecutor(1) as thread:
        row = thread.submit(joiner.upscale, item, False)
        while (cut := pickle.loads(pickle.dumps(joiner.cut())))[0]:
            (choice, told), strip = cut
            joiner.add(pickle.loads(pickle.dumps(upscale(strip, choice)))[1])
            count += 1
        joiner.add(None)
        assert told == count
        return row.result(), count


def test_a_worker_that_does_not_reach_the_destination_says_what_it_lacks(
    task, bucket, unused_port, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(
        OSError, match=rf"cannot reach {bucket}/large: .* set them where Ray is started"
    ):
        Worker(task(f"{bucket}/large")).start()


def test_a_large_picture_is_left_to_others_and_joined_to_the_very_file_of_srgan_upscale(
    task, worker, tall, tmp_path, tiny_model
):
    options, (item,) = UpscaleOptions(tile=32), sources.find(str(tall))
    works = worker(tmp_path / "large", options=options, strips_from=160 * 40 - 1)
    assert works.upscale(item, False) is None
    joiner = Joiner(task(tmp_path / "large", options=options, strips_from=160 * 40 - 1))
    row, count = joined(joiner, item, works.upscale_strip)
    assert (row.status, row.output_height, count) == ("done", 320, 5)
    result = (tmp_path / "large" / "tall.png").read_bytes()
    assert result == expected(tall, tiny_model, tmp_path, tile=32)
    whole = worker(tmp_path / "whole", options=options, strips_from=160 * 40)
    assert whole.upscale(item, False).output_sha256 == row.output_sha256


def test_the_model_that_was_chosen_for_a_picture_upscales_its_strips(task, tmp_path):
    photo, rng = tmp_path / "noise.png", np.random.default_rng(1)
    images.write(photo, rng.normal(128, 12, (100, 56, 3)).round().astype(np.uint8))
    options = UpscaleOptions(tile=48, overlap=0)
    models = Models("auto", options)
    changes = {"model": "auto", "fingerprint": models.fingerprint, "options": options}
    works = Worker(task(tmp_path / "large", **changes))
    works.start()
    (item,) = sources.find(str(photo))
    row, _ = joined(Joiner(task(tmp_path / "large", **changes)), item, works.upscale_strip)
    assert row.model == models.open_for(photo)[1].model == "srgan-photo-x4"


def test_a_large_picture_that_is_cut_short_is_a_row_and_nothing_else(task, worker, tall, tmp_path):
    tall.write_bytes(tall.read_bytes()[:9000])
    options, (item,) = UpscaleOptions(tile=32), sources.find(str(tall))
    works = worker(tmp_path / "large", options=options)
    with ThreadPoolExecutor(1) as thread:
        joiner = Joiner(task(tmp_path / "large", options=options))
        row = thread.submit(joiner.upscale, item, False)
        while (cut := joiner.cut())[0]:
            joiner.add(works.upscale_strip(cut[1], cut[0][0])[1])
        row = row.result()
    assert (row.status, row.output_sha256) == ("failed", None)
    assert "is damaged or cut short" in row.error
    assert not [path for path in (tmp_path / "large").rglob("*") if path.is_file()]


def test_a_picture_comes_from_s3_and_its_result_goes_there(
    worker, photos, tmp_path, tiny_model, bucket
):
    source = place(f"{bucket}/photos/a b.png")
    source.write((photos / "photo0.png").read_bytes())
    works = worker(f"{bucket}/large")
    (item,) = sources.find(f"{bucket}/photos")
    row = works.upscale(item, False)
    result = place(f"{bucket}/large/a b.png")
    assert result.read() == expected(photos / "photo0.png", tiny_model, tmp_path)
    found = works.upscale(item, True)
    assert found == row._replace(seconds=None, ended=found.ended)


@pytest.mark.slow  # it is asked again and again
def test_a_store_that_refuses_for_good_is_no_fault_of_the_picture(worker, photos, unsteady):
    for name in ("photo0.png", "photo2.png", "photo4.png"):
        place(f"{unsteady.bucket}/photos/{name}").write((photos / name).read_bytes())
    pq.write_table(
        pa.table({"image": [(photos / "photo0.png").read_bytes()]}), photos / "t.parquet"
    )
    place(f"{unsteady.bucket}/photos/t.parquet").write((photos / "t.parquet").read_bytes())
    works = worker(f"{unsteady.bucket}/large")
    items = list(sources.find(f"{unsteady.bucket}/photos"))
    unsteady.refuse(403, part="photo4")
    rows = works.upscale_some(items[:3], [False] * 3, 100)
    assert [row.status for row in rows] == ["done", "done"]  # the third comes in another call
    with pytest.raises(Refused, match=r"photo4\.png is refused"):
        works.upscale_some(items[2:], [False] * 2, 100)
    unsteady.refuse(403, part="t.parquet")
    with pytest.raises(Refused, match=r"t\.parquet is refused"):
        works.upscale(items[3], False)
    unsteady.refuse(403, times=1, part="t.parquet")
    assert works.upscale(items[3], False).status == "done"
    unsteady.refuse(403, part="large/")
    with pytest.raises(Refused, match=r"large/photo0\.png is refused"):
        works.upscale(items[0], True)


def test_a_table_that_is_damaged_is_a_row_wherever_it_is(worker, photos, bucket):
    pq.write_table(
        pa.table({"image": [(photos / "photo0.png").read_bytes()]}), photos / "t.parquet"
    )
    data = bytearray((photos / "t.parquet").read_bytes())
    data[4:40] = bytes(36)
    place(f"{bucket}/t.parquet").write(bytes(data))
    (item,) = sources.find(f"{bucket}/t.parquet")
    assert worker(f"{bucket}/large").upscale(item, False).status == "failed"
