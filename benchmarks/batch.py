"""Compares `srgan batch` with `srgan upscale`, kills its workers, and loads its driver.

    python benchmarks/batch.py pictures PHOTOS --count 10000
    python benchmarks/batch.py pictures PHOTOS --count 10000 --folder FOLDER --one
    python benchmarks/batch.py scheduling --workers 10 100 1000

`pictures` cuts pictures of mixed sizes from photos, of which some are corrupt, and, for the batch,
adds five named pipes: who opens one is killed, as by a fault in a decoder. It prints a table: wall
and processor time of both, the memory of the driver, and whether all results are the same; then it
does the batch again with a worker killed every so many seconds. Exit code 1 if anything differs.
With `--folder`, what was run is kept there, and the same command goes on with the rest; `--one`
ends after one run. `--rounds` alternates both, since other work on a machine comes and goes.

`scheduling` hands out pictures that only take time to as many simulated workers, which share two
processes, and prints how many a driver can keep busy. Linux only; needs `pip install srgan[ray]`.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
import pyarrow.parquet as pq
from PIL import Image

MODEL = "srgan-fast-x4"
PIPES = 5


class Run(NamedTuple):
    """What a command took.

    Attributes:
        seconds: By the clock.
        start: Of these, those until the first result.
        processor: Seconds of processor time, of all its processes.
        early: Of these, those until the first result.
        memory: Resident MiB of its first process, by how many results there were; "most" of all.
        code: Its exit code.
        kills: Workers that were killed from outside.
    """

    seconds: float
    start: float
    processor: float
    early: float
    memory: dict[str, float]
    code: int
    kills: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    pictures = commands.add_parser("pictures")
    pictures.add_argument("photos", type=Path)
    pictures.add_argument("--count", type=int, default=10_000)
    pictures.add_argument("--corrupt", type=int, default=20)
    pictures.add_argument("--every", type=float, default=60.0, help="seconds between kills")
    pictures.add_argument("--seed", type=int, default=0)
    pictures.add_argument("--rounds", type=int, default=1, help="of both, without kills")
    pictures.add_argument("--folder", type=Path, help="for all files [a temporary one]")
    pictures.add_argument("--one", action="store_true", help="end after one run")
    scheduling = commands.add_parser("scheduling")
    scheduling.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    scheduling.add_argument("--seconds", type=float, default=2.0, help="that a picture takes")
    scheduling.add_argument("--each", type=int, default=20, help="pictures for each worker")
    arguments = parser.parse_args()
    if arguments.what == "scheduling":
        return simulate(arguments.workers, arguments.seconds, arguments.each)
    if arguments.folder:
        return compare(arguments.folder.resolve(), arguments)
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder), arguments)


def compare(root: Path, arguments: argparse.Namespace) -> int:
    folder, listed, kept = root / "pictures", root / "all.txt", root / "figures.json"
    pipes = [root / f"pipe{number}.png" for number in range(PIPES)]
    if not listed.exists():
        prepare(folder, pipes, listed, arguments)
    named = [f"{what} {n + 1}" for n in range(arguments.rounds) for what in ("upscale", "batch")]
    runs = {name: Run(**kept_run) for name, kept_run in load(kept).items()}
    for name in [*named, "killed"]:
        if name in runs:
            continue
        output = root / name
        shutil.rmtree(output, ignore_errors=True)
        if name == "killed":
            runs[name] = killed(listed, output, pipes, arguments.every)
        elif name.startswith("upscale"):
            runs[name] = run(["upscale", folder, "-o", output], output)
        else:
            runs[name] = run(["batch", folder, output], output)
        kept.write_text(json.dumps({name: one._asdict() for name, one in runs.items()}))
        if arguments.one and name != "killed":
            print(f"{name} is done, in {runs[name].seconds:.0f} s; the same command goes on")
            return 0
    return told(root, runs, len(listed.read_text().splitlines()) - PIPES)


def load(kept: Path) -> dict:
    return json.loads(kept.read_text()) if kept.exists() else {}


def prepare(folder: Path, pipes: list[Path], listed: Path, arguments: argparse.Namespace) -> None:
    """Makes the pictures and the pipes, and at last a list of them."""
    shutil.rmtree(folder, ignore_errors=True)
    cut(arguments.photos, folder, arguments.count, arguments.corrupt, arguments.seed)
    for pipe in pipes:
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
    names = sorted(map(str, folder.glob("*.png"))) + list(map(str, pipes))
    random.Random(arguments.seed).shuffle(names)
    listed.write_text("\n".join(names))


def killed(listed: Path, output: Path, pipes: list[Path], every: float) -> Run:
    """A batch of the list whose workers are killed, by the pipes and from outside."""
    ended, kills = threading.Event(), []
    threading.Thread(target=crash, args=(pipes,), daemon=True).start()
    killer = threading.Thread(target=kill, args=(every, ended, kills))
    killer.start()
    one = run(["batch", listed, output], output)
    ended.set()
    killer.join()
    return one._replace(kills=len(kills))


def told(root: Path, runs: dict[str, Run], count: int) -> int:
    """Prints all figures, and whether the results are the same."""
    found = {name: results(root / name) for name in runs}
    expected = found["upscale 1"]
    wrong = [name for name, those in found.items() if those != expected]
    rows = pq.read_table(root / "killed" / "manifest.parquet").column("status").to_pylist()
    good = len(expected)
    if Counter(rows) != {"done": good, "failed": count - good, "quarantined": PIPES}:
        wrong.append("the killed one's rows")
    print(
        "| run | results | s | until the first | pictures/s after it | processor s | "
        "ms of it a picture, after the first | driver MiB |\n|---|---|---|---|---|---|---|---|"
    )
    for name, one in runs.items():
        memory = ", ".join(f"{mib:.0f} at {count}" for count, mib in one.memory.items())
        pace = good / (one.seconds - one.start)
        each = 1000 * (one.processor - one.early) / good
        print(
            f"| {name} | {good} | {one.seconds:.0f} | {one.start:.0f} | {pace:.1f} | "
            f"{one.processor:.0f} | {each:.1f} | {memory} |"
        )
    counted = ", ".join(f"{rows.count(one)} {one}" for one in sorted(set(rows)))
    print(
        f"\n{runs['killed'].kills} workers killed; {counted}; results "
        f"{'DIFFER: ' + ', '.join(wrong) if wrong else 'the same'}"
    )
    return 1 if wrong else 0


def cut(photos: Path, folder: Path, count: int, corrupt: int, seed: int) -> None:
    """Writes crops of mixed sizes, some of which are cut short."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    found = sorted(p for p in photos.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".webp"))
    opened = [Image.open(path).convert("RGB") for path in rng.sample(found, min(24, len(found)))]
    for number in range(count):
        photo = rng.choice(opened)
        width, height = (min(rng.choice([24, 32, 48, 64, 96]), side) for side in photo.size)
        left, top = rng.randint(0, photo.width - width), rng.randint(0, photo.height - height)
        photo.crop((left, top, left + width, top + height)).save(folder / f"{number:06}.png")
    for path in rng.sample(sorted(folder.iterdir()), corrupt):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 3])


def run(arguments: list, output: Path) -> Run:
    """Runs a command of srgan, and looks at its processes now and then."""
    command = [sys.executable, "-m", "srgan", *map(str, arguments), "--model", MODEL, "--json"]
    began, first, early, times, memory = time.monotonic(), 0.0, 0.0, {}, {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        process = psutil.Process(child.pid)
        marks = [1000, 2000, 5000, 10_000]
        most = 0.0
        while child.poll() is None:
            for one in [process, *children(process)]:
                try:
                    used = one.cpu_times()
                    times[one.pid] = used.user + used.system
                except psutil.Error:
                    continue
            count = sum(1 for _ in output.rglob("*.png")) if output.exists() else 0
            if count and not first:
                first, early = time.monotonic() - began, sum(times.values())
            reached = [mark for mark in marks if count >= mark - 50]
            with contextlib.suppress(psutil.Error):
                resident = process.memory_info().rss / 2**20
                for mark in reached:
                    memory.setdefault(f"{mark:,}", resident)
                if not count:  # the last one before the first result
                    memory["the start"] = resident
                most = max(most, resident)
            time.sleep(1)
    memory["most"] = most
    seconds, used = time.monotonic() - began, sum(times.values())
    return Run(seconds, first, used, early, memory, child.returncode)


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def workers() -> list[int]:
    """Those of the batch that this process has begun, and of no other one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if (process.cmdline() or [""])[0].startswith("ray::Worker"):
                found.append(process.pid)
    return found


def kill(every: float, ended: threading.Event, kills: list[int]) -> None:
    """Kills a worker now and then."""
    while not ended.wait(every):
        if found := workers():
            os.kill(found[0], signal.SIGKILL)
            kills.append(found[0])


def crash(pipes: list[Path]) -> None:
    """Kills whoever reads a pipe, as a fault in a decoder would."""
    for pipe in pipes:
        os.open(pipe, os.O_RDWR)  # kept, so that readers wait, and never see an end
    while True:
        for pid in workers():
            if not set(pipes).isdisjoint(opened(pid)):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)


def opened(pid: int) -> list[Path]:
    """The files that a process has open, which change while they are looked at."""
    found = []
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(link.readlink())
    return found


def results(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.png")
    }


class Idle:
    """Workers whose pictures take time and nothing else; one process is many of them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def start(self) -> tuple[str, str]:
        return "", ""

    async def upscale_some(self, items, may_exist: list[bool], seconds: float):
        """The row of the first of some pictures."""
        from srgan.cluster.rows import Row, now

        await asyncio.sleep(2 * self._seconds)  # two are in its hands
        return [Row(items[0].source, output=items[0].place, output_bytes=1, ended=now())]


def simulate(counts: list[int], seconds: float, each: int) -> int:
    import ray

    from srgan.cluster import batch, crew, ray_cluster
    from srgan.cluster.sources import Item

    class Simulated(crew.Crew):
        is_ready = True

        def staff(self) -> None:
            if not self.members:
                idle = ray.remote(Idle).options(num_cpus=0, max_concurrency=10_000)
                actors = [idle.remote(seconds) for _ in range(2)]
                ray.get([actor.start.remote() for actor in actors])
                self.members = [crew.Member(actors[n % 2]) for n in range(self._wanted)]

    print("| workers | pictures | s | busy | driver ms a picture |\n|---|---|---|---|---|")
    with ray_cluster.connected(None), tempfile.TemporaryDirectory() as folder:
        for count in counts:
            plan = batch.Plan(f"{folder}/{count}", MODEL, workers=count)
            with batch.opened(plan) as job:
                job._crew.__class__ = Simulated
                job._crew.staff()  # which is not what is measured
                items = (Item(f"/{n}.png", f"{n}.png", f"/{n}.png") for n in range(count * each))
                began, used = time.monotonic(), time.process_time()
                done = sum(1 for _ in job.run(items))
                took, used = time.monotonic() - began, time.process_time() - used
            busy = seconds * each / took
            print(
                f"| {count:,} | {done:,} | {took:.1f} | {busy:.0%} | {1000 * used / done:.2f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
