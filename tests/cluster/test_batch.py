"""Whatever dies, and whenever: every picture is there once. With real clusters and real kills."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srgan.io import images
from srgan.upscaling import pipeline
from srgan.upscaling.options import DEFAULTS, UpscaleOptions

# Each kills processes by their names: they run one after another, on one cluster.
pytestmark = pytest.mark.slow


@pytest.fixture
def batch(cluster, tiny_model):
    """Runs a batch to its end; returns its exit code, its lines, and what it complains of."""

    def run(source, destination, *options, address=cluster.address):
        command = [sys.executable, "-m", "srgan", "batch", source, destination]
        where = ["--cluster", address] if address else []  # else the batch starts Ray itself
        command += ["--model", tiny_model, *where, "--json", *options]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines or done.returncode == 2, done.stderr
        return done.returncode, lines, done.stderr

    return run


@pytest.fixture
def begin(cluster, tiny_model):
    """Begins a batch in a process of its own."""
    begun = []

    def start(source, destination, *options):
        command = [sys.executable, "-m", "srgan", "batch", source, destination]
        command += ["--model", tiny_model, "--cluster", cluster.address, *options]
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def many(tmp_path):
    """A folder of forty pictures, each of which takes a while."""
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(40):
        images.write(folder / f"{seed:02}.png", np.random.default_rng(seed).random((200, 260, 3)))
    return folder


def workers(kind=b"ray::Worker"):
    """The processes of workers, as Ray names them."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{name}/cmdline").read_bytes().startswith(kind):
                found.append(int(name))
        except OSError:
            continue
    return found


def wait_for(what, seconds=400):  # the machine may be busy
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)
    return found


def results(folder):
    return sorted(path for path in folder.rglob("*.png") if ".srgan-batch" not in path.parts)


def check_exact(source, destination, model, tmp_path, options=DEFAULTS):
    """Every picture has one result, which is that of `srgan upscale`, and one row."""
    rows = pq.read_table(destination / "manifest.parquet").to_pylist()
    photos = results(source)
    assert sorted(row["source"] for row in rows) == sorted(map(str, photos))
    assert [path.relative_to(destination) for path in results(destination)] == [
        path.relative_to(source) for path in photos
    ]
    for row in rows:
        pipeline.upscale_file(row["source"], tmp_path / "x.png", str(model), options, True)
        made = (destination / row["output"]).read_bytes()
        assert made == (tmp_path / "x.png").read_bytes()
        assert hashlib.sha256(made).hexdigest() == row["output_sha256"]
    assert not list(destination.rglob("*.partial"))


def test_a_folder_becomes_a_folder_and_a_second_time_nothing_is_done(
    batch, photos, tmp_path, tiny_model
):
    (photos / "photo0.jpg").write_bytes(b"\xff\xd8\xff broken")
    code, lines, _ = batch(photos, tmp_path / "large", "--include", "*.png")
    assert code == 0
    assert (lines[-1]["done"], lines[-1]["failed"], lines[-1]["skipped"]) == (6, 0, 0)
    (photos / "photo0.jpg").unlink()
    check_exact(photos, tmp_path / "large", tiny_model, tmp_path)
    code, lines, _ = batch(photos, tmp_path / "large")
    assert (code, lines[-1]["done"], lines[-1]["skipped"]) == (0, 0, 6)


def test_a_picture_that_comes_later_under_a_taken_name_gets_no_result_of_another(
    batch, photos, tmp_path, tiny_model
):
    """Neither that of a finished one, whichever is older; nor is a link to nothing left out."""
    large = tmp_path / "large"
    assert batch(photos, large)[0] == 0
    before = (large / "photo0.png").stat().st_mtime_ns
    for name in ("photo0.jpg", "photo0.webp"):
        shutil.copy(photos / "photo2.png", photos / name)
    os.utime(photos / "photo0.jpg", (1e9, 1e9))
    (photos / "gone.png").symlink_to("nothing.png")
    code, lines, _ = batch(photos, large)
    failed = {Path(line["source"]).name: line["error"] for line in lines if "error" in line}
    assert (code, lines[-1]["done"], sorted(failed)) == (
        1,
        0,
        ["gone.png", "photo0.jpg", "photo0.webp"],
    )
    assert failed["photo0.jpg"].startswith("photo0 is there already, of another picture. Rename")
    assert failed["gone.png"] == f"{photos}/gone.png is a link to nothing.png, which is not there."
    assert (large / "photo0.png").stat().st_mtime_ns == before
    (photos / "gone.png").unlink()
    (photos / "photo0.jpg").rename(photos / "one.jpg")
    (photos / "photo0.webp").rename(photos / "another.webp")
    code, lines, _ = batch(photos, large)
    assert (code, lines[-1]["done"], lines[-1]["failed"], lines[-1]["skipped"]) == (0, 2, 0, 6)


def test_bad_pictures_and_shared_names_are_rows_and_the_rest_goes_on(batch, photos, tmp_path):
    (photos / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (photos / "photo0.jpg").write_bytes((photos / "photo2.png").read_bytes())
    code, lines, _ = batch(photos, tmp_path / "large")
    failed = {Path(line["source"]).name: line["error"] for line in lines if "error" in line}
    assert (code, lines[-1]["done"], lines[-1]["failed"]) == (1, 6, 2)
    assert "damaged or cut short" in failed["bad.png"]
    assert "Another picture becomes photo0, too. Rename one of them" in failed["photo0.png"]
    assert failed["photo0.png"].endswith('if their suffixes differ, use --name "{stem}-{ext}".')


@pytest.mark.parametrize("layout", ["tree", "tar"])
def test_names_that_are_not_utf_8_are_rows_and_keep_their_bytes(batch, photos, tmp_path, layout):
    latin = [os.fsdecode(name) for name in (b"caf\xe9.png", b"bad\xe9.png")]
    try:
        shutil.copy(photos / "photo0.png", photos / latin[0])
    except OSError:
        pytest.skip("this file system has names of UTF-8 alone")
    shutil.copy(photos / "photo2.png", photos / r"caf\xe9.png")
    (photos / latin[1]).write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (photos / "shard.tar").write_bytes(b"damaged" * 100)
    large, options = tmp_path / "large", ("--layout", layout)
    code, lines, said = batch(photos, large, *options)
    failed = {line["source"]: line["error"] for line in lines if "error" in line}
    assert (code, lines[-1]["done"], len(failed)) == (1, 8, 2), said
    assert "damaged or cut short" in failed[rf"{photos}/bad\xe9.png"]
    assert "is damaged, or no tar" in failed[f"{photos}/shard.tar"]
    rows = pq.read_table(large / "manifest.parquet").to_pylist()
    outputs = {row["source"]: row["output"] for row in rows}
    assert outputs[rf"{photos}/caf\xe9.png"] == r"caf\xe9.png"
    assert outputs[rf"{photos}/caf\x5cxe9.png"] == r"caf\x5cxe9.png"
    if layout == "tree":
        assert (large / latin[0]).read_bytes() == (large / "photo0.png").read_bytes()
        assert (large / r"caf\xe9.png").read_bytes() == (large / "photo2.png").read_bytes()
    code, lines, _ = batch(photos, large, *options)
    assert (code, lines[-1]["done"], lines[-1]["skipped"]) == (1, 0, 10)


def test_a_command_that_is_not_utf_8_is_refused_in_words(batch, photos, tmp_path):
    code, _, said = batch(photos, tmp_path / os.fsdecode(b"\xe9t\xe9"))
    assert code == 2
    assert 'Go into that folder and name it "."' in said


@pytest.mark.parametrize("layout", ["tar", "parquet"])
def test_results_are_packed(batch, photos, tmp_path, layout, tiny_model):
    large = tmp_path / "large"
    code, lines, _ = batch(photos, large, "--layout", layout, "--shard", "4")
    assert (code, lines[-1]["done"]) == (0, 6)
    packed = packed_in(large, layout)
    rows = pq.read_table(large / "manifest.parquet").to_pylist()
    assert {row["shard"] for row in rows} == {f"shard-{n:06}.{layout}" for n in range(2)}
    for row in rows:
        pipeline.upscale_file(row["source"], tmp_path / "x.png", str(tiny_model), overwrite=True)
        assert packed.pop((row["shard"], row["output"])) == (tmp_path / "x.png").read_bytes()
    assert not packed
    assert not (large / ".srgan-batch" / "results").exists()

    shutil.copy(photos / "photo2.png", photos / "photo0.png")  # which goes out of its old file
    code, lines, _ = batch(photos, large, "--layout", layout, "--shard", "4")
    assert (code, lines[-1]["done"], lines[-1]["skipped"]) == (0, 1, 5)
    packed = packed_in(large, layout)
    rows = pq.read_table(large / "manifest.parquet").to_pylist()
    assert sorted(packed) == sorted((row["shard"], row["output"]) for row in rows)
    (new,) = [data for (_, name), data in packed.items() if name == "photo0.png"]
    (same,) = [data for (_, name), data in packed.items() if name == "photo2.png"]
    assert new == same


def packed_in(large, layout):
    """The results in files of many, by file and name."""
    packed = {}
    for path in sorted(large.glob(f"shard-*.{layout}")):
        if layout == "tar":
            with tarfile.open(path) as tar:
                members = {m.name: tar.extractfile(m).read() for m in tar}
            for name in [name for name in members if name.endswith(".png")]:
                assert json.loads(members[name.replace(".png", ".json")])["output"] == name
                packed[path.name, name] = members[name]
        else:
            for row in pq.read_table(path).to_pylist():
                packed[path.name, row["output"]] = row["image"]
    return packed


@contextmanager
def killing_workers(folder, pattern, every):
    """Kills three workers in the block, each after so many more files."""
    killed = []

    def kill():
        for _ in range(3):
            wait_for(lambda: len([*folder.rglob(pattern)]) > every * len(killed))
            victim = wait_for(lambda: [pid for pid in workers() if pid not in killed])[0]
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()


def test_workers_that_are_killed_cost_nothing(batch, many, tmp_path, tiny_model):
    with killing_workers(tmp_path / "large", "*.png", 8):
        code, lines, _ = batch(many, tmp_path / "large")
    assert (code, lines[-1]["done"], lines[-1]["failed"]) == (0, 40, 0)
    check_exact(many, tmp_path / "large", tiny_model, tmp_path)


def test_workers_that_are_killed_leave_each_result_in_one_file_of_many(batch, many, tmp_path):
    large = tmp_path / "large"
    with killing_workers(large, "shard-*.tar", 6):
        code, lines, _ = batch(many, large, "--layout", "tar", "--shard", "2")
    assert (code, lines[-1]["done"], lines[-1]["failed"]) == (0, 40, 0)
    rows = pq.read_table(large / "manifest.parquet").to_pylist()
    packed = Counter()
    for path in large.glob("shard-*.tar"):
        with tarfile.open(path) as tar:
            packed.update((path.name, name) for name in tar.getnames() if name.endswith(".png"))
    assert packed == Counter((row["shard"], row["output"]) for row in rows)
    assert len({output for _, output in packed}) == len(rows) == 40


@pytest.fixture
def pipe(tmp_path):
    """Makes named pipes that stand for pictures: who reads one waits, and never sees its end."""
    held = []

    def make(name):
        os.mkfifo(tmp_path / name)
        held.append(os.open(tmp_path / name, os.O_RDWR))
        return tmp_path / name

    yield make
    for descriptor in held:
        os.close(descriptor)


def test_a_picture_that_ends_two_workers_alone_is_quarantined(batch, photos, pipe, tmp_path):
    poison, large = pipe("poison.png"), tmp_path / "large"
    names = [*map(str, results(photos)), str(poison)]
    (tmp_path / "list.txt").write_text("\n".join(names))
    ended = threading.Event()

    def kill():
        while not ended.wait(0.05):
            for pid in readers(poison):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    code, lines, _ = batch(tmp_path / "list.txt", large)
    ended.set()
    thread.join()
    (row,) = [line for line in lines if line.get("status") == "quarantined"]
    assert (code, lines[-1]["done"], lines[-1]["failed"]) == (1, 6, 1)
    assert row["source"] == str(poison)
    assert "It was alone with its worker when that ended, 2 times: " in row["error"]
    code, lines, _ = batch(tmp_path / "list.txt", large)
    assert (code, lines[-1]["skipped"], lines[-1]["failed_before"]) == (1, 7, 1)


def test_a_picture_whose_workers_are_killed_by_chance_is_done(batch, photos, pipe, tmp_path):
    """One death with both in hand, then one with one alone: nobody is to blame."""
    pipes = [pipe("a.png"), pipe("b.png")]
    (tmp_path / "list.txt").write_text("\n".join(map(str, pipes)))

    def kill():
        (both,) = wait_for(lambda: set(readers(pipes[0])) & set(readers(pipes[1])))
        os.kill(both, signal.SIGKILL)
        (alone,) = wait_for(lambda: {p for one in pipes for p in readers(one)} - {both})
        for path, photo in zip(pipes, results(photos), strict=False):
            shutil.copy(photo, tmp_path / "ready")
            (tmp_path / "ready").replace(path)  # for whom comes next
        os.kill(alone, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    code, lines, _ = batch(tmp_path / "list.txt", tmp_path / "large", "--workers", "1")
    thread.join()
    assert (code, lines[-1]["done"], lines[-1]["failed"]) == (0, 2, 0)


def readers(path):
    return [pid for pid in workers() if str(path) in opened(pid)]


def opened(pid):
    """The files that a process has open, which change while they are looked at."""
    found = []
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.append(os.readlink(link))
    return found


def test_a_driver_that_is_killed_goes_on_where_it_was(begin, batch, many, tmp_path, tiny_model):
    large = tmp_path / "large"
    for share in (8, 20):
        process = begin(many, large)
        wait_for(lambda share=share: len(results(large)) >= share)
        process.kill()
        process.communicate()
    made = {path: path.stat().st_ino for path in results(large)}
    code, lines, _ = batch(many, large)
    assert code == 0
    assert lines[-1]["done"] + lines[-1]["skipped"] == 40
    assert all(path.stat().st_ino == inode for path, inode in made.items())
    check_exact(many, large, tiny_model, tmp_path)


@pytest.fixture
def large_picture(tmp_path):
    """A folder with a picture that becomes some hundred strips, and with two small ones."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, height, width in (("large", 3200, 900), ("a", 60, 40), ("z", 40, 60)):
        pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
        images.write(folder / f"{name}.png", pixels)
    return folder


IN_STRIPS = ("--strips-from", "1", "--tile", "32")


@pytest.mark.parametrize("victim", [b"ray::Worker", b"ray::Joiner"])
def test_a_large_picture_in_strips_is_the_whole_one_whoever_dies(
    batch, large_picture, tmp_path, tiny_model, victim
):
    """A worker that dies costs its strip, and the picture goes on; one that joins, the picture."""
    large, joiners = tmp_path / "large", []

    def kill():
        joiners.append(wait_for(lambda: workers(b"ray::Joiner"))[0])
        wait_for(lambda: [*large.glob("*.partial"), *large.glob(".*.partial")])
        os.kill(workers(victim)[0], signal.SIGKILL)
        while not (large / "manifest.parquet").exists():
            joiners.extend(workers(b"ray::Joiner"))
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    code, lines, said = batch(large_picture, large, *IN_STRIPS)
    thread.join()
    assert (code, lines[-1]["done"], lines[-1]["failed"]) == (0, 3, 0), said
    assert len({*joiners}) == (1 if victim == b"ray::Worker" else 2)
    check_exact(large_picture, large, tiny_model, tmp_path, UpscaleOptions(tile=32))


def test_a_large_picture_that_is_cut_short_is_a_row_and_the_rest_goes_on(
    batch, large_picture, tmp_path
):
    path = large_picture / "large.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, lines, _ = batch(large_picture, tmp_path / "large", *IN_STRIPS)
    (row,) = [line for line in lines if line.get("status") == "failed"]
    assert (code, lines[-1]["done"], row["source"]) == (1, 2, str(path))
    assert "damaged or cut short" in row["error"]
    assert not list((tmp_path / "large").rglob("*.partial"))


@pytest.mark.long
def test_a_whole_cluster_that_is_killed_costs_nothing_that_was_done(
    batch, begin, new_cluster, many, tmp_path, tiny_model
):
    """Raylet, GCS, workers and driver, at once, at random moments; three times."""
    large, rng = tmp_path / "large", np.random.default_rng()
    made = {}
    for share in (1, 12, 24):
        cluster = new_cluster()
        process = begin(many, large, "--cluster", cluster.address)
        wait_for(lambda share=share: len(results(large)) >= share)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        cluster.end()
        process.communicate()
        assert all(path.stat().st_ino == inode for path, inode in made.items())
        made = {path: path.stat().st_ino for path in results(large)}
    code, lines, _ = batch(many, large)
    assert (code, lines[-1]["done"] + lines[-1]["skipped"]) == (0, 40)
    assert all(path.stat().st_ino == inode for path, inode in made.items())
    check_exact(many, large, tiny_model, tmp_path)


@pytest.mark.parametrize(
    ("number", "code", "is_own"),
    [(signal.SIGINT, 130, False), (signal.SIGTERM, 143, True)],
    ids=["that was there", "of its own"],
)
def test_a_signal_ends_a_batch_with_one_line_and_the_rest_can_be_done_later(
    cluster, batch, many, tmp_path, tiny_model, number, code, is_own
):
    large = tmp_path / "large"
    begin = (  # a shell that starts something in the background has it ignore SIGINT
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from srgan.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", begin, "batch", str(many), str(large)]
    command += ["--model", str(tiny_model)]
    process = subprocess.Popen(
        command + ([] if is_own else ["--cluster", cluster.address]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def has_begun():
        assert process.poll() is None, process.stderr.read()
        return len(results(large)) >= 4

    wait_for(has_begun)
    process.send_signal(number)
    _, said = process.communicate()
    assert (process.returncode, said) == (
        code,
        "error: interrupted; every file that was written is complete.\n",
    )
    made = {path: path.stat().st_ino for path in results(large)}
    code, lines, _ = batch(many, large)
    assert (code, lines[-1]["done"] + lines[-1]["skipped"]) == (0, len(results(many)))
    assert {path: path.stat().st_ino for path in made} == made


def test_a_signal_while_ray_starts_ends_a_batch_with_the_same_line(photos, tmp_path, tiny_model):
    command = [sys.executable, "-m", "srgan", "batch", str(photos), str(tmp_path / "large")]
    process = subprocess.Popen(
        [*command, "--model", str(tiny_model)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: children(process.pid))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert (process.returncode, said) == (
        143,
        "error: interrupted; every file that was written is complete.\n",
    )
    assert not results(tmp_path / "large")


def children(pid):
    """The processes that a process began."""
    found = ""
    with suppress(OSError):
        found = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in found.split()]


@pytest.mark.long
def test_a_signal_leaves_nothing_half_written_of_a_large_picture(
    begin, batch, large_picture, tmp_path, tiny_model
):
    large = tmp_path / "large"
    process = begin(large_picture, large, *IN_STRIPS)
    wait_for(lambda: workers(b"ray::Joiner") and [*large.glob(".*.partial")])
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 143, said
    assert not list(large.rglob("*.partial"))
    assert not (large / "large.png").exists()
    code, lines, _ = batch(large_picture, large, *IN_STRIPS)
    assert (code, lines[-1]["done"] + lines[-1]["skipped"]) == (0, 3)
    check_exact(large_picture, large, tiny_model, tmp_path, UpscaleOptions(tile=32))


@pytest.fixture
def other_version(tmp_path):
    """The environment of a machine with an older srgan: Python finds its metadata first."""
    metadata = tmp_path / "other" / "srgan-0.0.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: srgan\nVersion: 0.0.1\n")
    return {"PYTHONPATH": str(metadata.parents[1])}


@pytest.mark.long
def test_a_machine_with_another_version_is_refused_at_first_and_later_left_out(
    new_cluster, begin, photos, pipe, tmp_path, other_version
):
    """Of 0.0.1, as its metadata says; one that runs when it joins, and is there when it begins."""
    running, large = new_cluster(), tmp_path / "large"
    held = [pipe(f"{number}.png") for number in range(4)]  # two in each worker's hands
    names = [*map(str, held), *map(str, results(photos))]
    (tmp_path / "list.txt").write_text("\n".join(names))
    process = begin(tmp_path / "list.txt", large, "--cluster", running.address)
    wait_for(lambda: all(readers(one) for one in held))
    running.join(**other_version)
    said = process.stderr.readline()
    assert "has srgan 0.0.1; expected" in said
    assert said.endswith("It is left out; the others go on.\n")
    stuck = {pid for one in held for pid in readers(one)}
    for one in held:
        shutil.copy(results(photos)[0], tmp_path / "ready")
        (tmp_path / "ready").replace(one)
    for pid in stuck:
        os.kill(pid, signal.SIGKILL)
    _, said = process.communicate()
    assert (process.returncode, len(results(large))) == (0, 10), said

    later = tmp_path / "later"
    process = begin(photos, later, "--cluster", running.address)
    _, said = process.communicate()
    assert process.returncode == 2
    assert "has srgan 0.0.1; expected" in said
    assert "Install the same on all machines." in said
    assert not results(later)


def test_two_batches_do_not_write_to_one_destination(begin, batch, many, tmp_path):
    large = tmp_path / "large"
    for path in results(many):
        for copy in range(15):  # more than are done before the other one is refused
            shutil.copy(path, path.with_stem(f"{path.stem}-{copy}"))
    process = begin(many, large)
    wait_for(lambda: results(large))
    code, _, said = batch(many, large)
    assert code == 2
    assert f"Another batch writes to {large}. Wait until it ends" in said
    assert process.poll() is None  # it is still at work, and ends by the fixture


def test_a_destination_on_a_full_disk_loses_nothing(batch, tmp_path_factory, full_disk):
    photos = tmp_path_factory.mktemp("photos")
    for seed in range(8):
        images.write(photos / f"{seed}.png", np.random.default_rng(seed).random((60, 60, 3)))
    code, _, said = batch(photos, full_disk / "large")
    assert code == 2
    # Of the driver's, if it is the first to find no room, for its manifest.
    stays = "what was done stays, and the same command goes on with the rest: "
    assert re.search(rf"error: No space left on device(, on the worker \S+)?; {stays}", said)
    assert not list(full_disk.rglob("*.partial"))


def test_a_machine_whose_temporary_folder_is_full_is_left_out_and_nothing_is_lost(
    new_cluster, begin, full_disk, tmp_path_factory
):
    """Two workers have room, two have none, and pictures of a tar need it."""
    if not os.path.ismount(full_disk):
        pytest.skip("needs a small file system of its own")
    folder, running = tmp_path_factory.mktemp("packed"), new_cluster()
    running.join(TMPDIR=str(full_disk))
    with tarfile.open(folder / "t.tar", "w") as packed:
        for seed in range(12):
            images.write(folder / f"{seed}.png", np.random.default_rng(seed).random((160, 200, 3)))
            packed.add(folder / f"{seed}.png", f"{seed}.png")
    wait_for(lambda: cores(running) == 4)
    process = begin(folder / "t.tar", folder / "large", "--cluster", running.address)
    _, said = process.communicate()
    assert (process.returncode, len(results(folder / "large"))) == (0, 12), said
    assert f"cannot write: No space left on device: {full_disk}/srgan-batch-" in said
    assert "It is left out; the others go on." in said
    assert not [path for path in full_disk.iterdir() if path.name.startswith("srgan-")]


def cores(running):
    """How many a cluster has."""
    import ray

    ray.init(running.address, log_to_driver=False, logging_level="error")
    found = ray.cluster_resources().get("CPU", 0)
    ray.shutdown()
    return found


def test_a_full_object_store_is_in_nobody_s_way(cluster, batch, photos, tmp_path):
    import ray

    ray.init(cluster.address, log_to_driver=False, logging_level="error")
    kept = [ray.put(np.zeros(10_000_000, np.uint8)) for _ in range(7)]  # of 80 MB
    ray.shutdown()
    code, lines, _ = batch(photos, tmp_path / "large")
    assert (code, lines[-1]["done"], len(kept)) == (0, 6, 7)


def test_a_source_without_pictures_is_refused(batch, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, said = batch(tmp_path / "empty", tmp_path / "large")
    assert code == 2
    assert f"There are no pictures in {tmp_path / 'empty'}" in said


def test_a_file_is_no_destination(batch, photos, tmp_path):
    code, _, said = batch(photos, photos / "photo0.png")
    assert code == 2
    assert f"{photos / 'photo0.png'} is a file; name a folder for the results" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--cores", "64"),
            r"1 wait for 64 cores each, and \d+ of the cluster's \d+ CPUs are free",
        ),
        pytest.param(
            ("--gpus", "0.5"),
            r"1 wait for 1 core and 0\.5 of a GPU each, .* 0 of the cluster's 0 GPUs",
            marks=pytest.mark.long,  # half a minute until it says so
        ),
    ],
)
def test_a_batch_that_waits_for_cores_or_gpus_says_so(begin, photos, tmp_path, options, expected):
    process = begin(photos, tmp_path / "large", *options)
    said = ""
    while not re.search(f"No worker has started yet: {expected}", said):
        line = process.stderr.readline()
        assert line, said
        said += line


def test_an_address_without_a_cluster_is_named(batch, photos, tmp_path):
    for address, expected in {
        "127.0.0.1:9": "There is no Ray cluster at 127.0.0.1:9: ",
        "ray://127.0.0.1:9": "There is no Ray cluster at ray://127.0.0.1:9: ",
        "here": "here is no address of a Ray cluster; expected auto, ray://host:10001",
    }.items():
        code, _, said = batch(photos, tmp_path / "large", address=address)
        assert (code, expected in said) == (2, True)


def test_the_same_command_works_by_a_client_of_ray(begin, cluster, photos, tmp_path, tiny_model):
    process = begin(photos, tmp_path / "large", "--cluster", cluster.client)
    _, said = process.communicate()
    assert process.returncode == 0, said
    check_exact(photos, tmp_path / "large", tiny_model, tmp_path)


def test_from_s3_to_s3(batch, bucket, photos, tmp_path, tiny_model):
    from srgan.cluster.places import place

    for path in results(photos):
        place(f"{bucket}/in/{path.name}").write(path.read_bytes())
    code, lines, said = batch(f"{bucket}/in", f"{bucket}/out", address="")
    assert (code, lines[-1]["done"]) == (0, 6), said
    for path in results(photos):
        pipeline.upscale_file(path, tmp_path / "x.png", str(tiny_model), overwrite=True)
        assert place(f"{bucket}/out/{path.name}").read() == (tmp_path / "x.png").read_bytes()
    table = pa.BufferReader(place(f"{bucket}/out/manifest.parquet").read())
    assert pq.read_table(table).num_rows == 6


@pytest.mark.long
def test_a_store_that_refuses_reads_for_good_ends_the_batch_and_nothing_is_lost(
    batch, unsteady, photos, tmp_path
):
    """After two results, nobody may read any more; a moment's refusal before costs nothing."""
    from srgan.cluster.places import place

    for seed in range(40):
        data = results(photos)[seed % 6].read_bytes()
        place(f"{unsteady.bucket}/in/{seed:02}.png").write(data)
    source, large = f"{unsteady.bucket}/in", place(f"{unsteady.bucket}/out")
    unsteady.refuse(403, times=1, part="/in/")

    def close():
        wait_for(lambda: len(list(large.walk())) >= 2)
        unsteady.refuse(403, part="/in/")

    thread = threading.Thread(target=close)
    thread.start()
    code, lines, said = batch(source, large.uri, address="")
    thread.join()
    assert code == 2, said
    assert f"{source}/" in said
    assert "is refused. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said
    assert "(a picture was tried 6 times); what was done stays, and the same command goes" in said
    assert {line["status"] for line in lines if "status" in line} <= {"done"}
    unsteady.refuse(times=0)
    code, lines, said = batch(source, large.uri, address="")
    last = lines[-1]
    assert (code, last["done"] + last["skipped"], last["failed_before"]) == (0, 40, 0), said
    assert last["skipped"] >= 2
    table = pa.BufferReader((large / "manifest.parquet").read())
    assert set(pq.read_table(table)["status"].to_pylist()) == {"done"}


@pytest.mark.long
@pytest.mark.parametrize("layout", ["tar", "parquet"])
def test_from_a_tar_of_s3_to_files_of_many_there(batch, bucket, photos, tmp_path, layout):
    """Where two members of the tar have one name, of which the first gets the result."""
    from srgan.cluster.places import place

    with tarfile.open(tmp_path / "t.tar", "w") as packed:
        for path in results(photos):
            packed.add(path, path.name)
        packed.add(results(photos)[1], results(photos)[0].name)
    place(f"{bucket}/in/t.tar").send(tmp_path / "t.tar")
    options = ("--layout", layout, "--shard", "4")
    code, lines, said = batch(f"{bucket}/in", f"{bucket}/out", *options, address="")
    assert (code, lines[-1]["done"], lines[-1]["failed"]) == (1, 6, 1), said
    (failed,) = [line["source"] for line in lines if line.get("status") == "failed"]
    assert failed.startswith(f"{bucket}/in/t.tar!{results(photos)[0].name}@")
    names = {f"t/{path.stem}.png" for path in results(photos)}
    packed = Counter()
    for path, _ in place(f"{bucket}/out").walk():
        if path.startswith("shard-"):
            place(f"{bucket}/out/{path}").fetch(tmp_path / path)
            if layout == "tar":
                with tarfile.open(tmp_path / path) as tar:
                    packed.update(name for name in tar.getnames() if name.endswith(".png"))
            else:
                packed.update(pq.read_table(tmp_path / path)["output"].to_pylist())
    assert packed == Counter(names)
    code, lines, _ = batch(f"{bucket}/in", f"{bucket}/out", *options, address="")
    assert (code, lines[-1]["done"], lines[-1]["skipped"]) == (1, 0, 7)
