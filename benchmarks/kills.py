"""Kills trainings and folder upscalings at random moments, and compares what comes of them.

    python benchmarks/kills.py training --kills 100
    python benchmarks/kills.py folder --kills 100

The work is tiny. A run is killed (SIGKILL) and resumed up to five times, and then may come to its
end; then another begins. Moments are drawn evenly over the time that all of the
work takes, without the import of TensorFlow. After each kill, every file that can be seen must be
whole; at the end, the results must be, bit for bit, those of a run that was not killed, and nothing
may be left over. Exit code 1 if anything is wrong. Linux only; training needs
`pip install srgan[train]`.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from PIL import Image  # libvips does not survive a fork

from srgan.cli import main as srgan
from srgan.util import frameworks, resources

KILLS_OF_A_RUN = 5
CONFIG = """
validate_every = 3
precision = "float32"
projection = 0
[generator]
filters = 16
blocks = 1
[pretrain]
steps = 18
batch_size = 2
hr_patch = 32
warmup = 2
[adversarial]
steps = 8
batch_size = 2
hr_patch = 64
window = 48
perceptual_weight = 0
discriminator_head = "pooled"
discriminator_filters = 4
discriminator_steps = 2
ramp = 2
"""


class Training:
    """A run of both stages on crops of the bundled photos."""

    def __init__(self, folder: Path) -> None:
        frameworks.import_tensorflow()
        import srgan.train.run  # noqa: F401 - so that no run has to

        self._photos, self._config = crops(folder, 96), folder / "run.toml"
        self._config.write_text(CONFIG)

    def command(self, output: Path) -> list:
        run = output / "run"  # models are named after it, and after the folder that it is in
        if (run / "config.toml").exists():
            return ["train", "--resume", "-o", run]
        return ["train", self._photos, "-o", run, "--config", self._config]

    def broken(self, output: Path) -> list[Path]:
        return [path for path in visible(output) if not is_whole(path)]

    def result(self, output: Path) -> dict[str, str]:
        """Hashes of what a run should leave: states, models, tables of scores."""
        run = output / "run"
        found = [*run.rglob("*.npz"), *run.rglob("*.onnx"), *run.rglob("validation.csv")]
        return {str(path.relative_to(run)): digest(path) for path in found}


class Folder:
    """A folder of crops of the bundled photos, upscaled."""

    def __init__(self, folder: Path) -> None:
        self._photos = crops(folder, 160)
        self._whole: dict[str, str] = {}

    def command(self, output: Path) -> list:
        options = ["--model", "srgan-fast-x4", "--resume"]
        return ["upscale", self._photos, "-o", output / "large", *options]

    def broken(self, output: Path) -> list[Path]:
        large = output / "large"
        return [
            path
            for path in visible(large)
            if self._whole.get(str(path.relative_to(large))) != digest(path)
        ]

    def result(self, output: Path) -> dict[str, str]:
        large = output / "large"
        found = {str(path.relative_to(large)): digest(path) for path in visible(large)}
        self._whole = self._whole or found
        return found


def crops(folder: Path, side: int) -> Path:
    """A folder of twelve crops."""
    photos = folder / "photos"
    photos.mkdir()
    for name in ("astronaut", "cat", "coffee", "rocket"):
        photo = Image.open(resources.PHOTOS / f"{name}.webp")
        for i in range(3):
            photo.crop((0, 30 * i, side + 8 * i, 30 * i + side)).save(photos / f"{name}-{i}.png")
    return photos


def visible(folder: Path) -> list[Path]:
    """The files of a folder that a user sees, without those that a resumed run appends to."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not {"tensorboard", "cache"} & {*path.parts}
        and not path.name.endswith(".csv")
    ]


def is_whole(path: Path) -> bool:
    try:
        match path.suffix:
            case ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    return all(arrays[name] is not None for name in arrays.files)
            case ".onnx":
                onnx.checker.check_model(onnx.load(path))
            case ".json":
                json.loads(path.read_text())
            case ".toml":
                tomllib.loads(path.read_text())
            case ".png":
                Image.open(path).load()
            case _:
                return False
    except Exception as error:
        print(f"{path}: {error}", flush=True)
        return False
    return True


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start(arguments: list, log: Path) -> int:
    """Begins a command of srgan in a process of its own, which has imported what it needs."""
    child = os.fork()
    if child:
        return child
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    code = srgan([str(argument) for argument in arguments])
    sys.stdout.flush()
    os._exit(code)


def ended(child: int, seconds: float) -> int | None:
    """The exit status of a child, or None if it is not over within a time."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(0.005, left))


def finish(work: Training | Folder, output: Path, log: Path) -> float:
    """Lets a command come to its end; returns the seconds that it took."""
    began = time.monotonic()
    code = ended(start(work.command(output), log), 300)
    if code != 0:
        sys.exit(f"exit code {code}: {log.read_text()[-2000:]}")
    return time.monotonic() - began


def left_over(output: Path) -> list[str]:
    return [str(path) for path in output.rglob("*.partial")]


def run(make: Callable[[Path], Training | Folder], kills: int, seed: int) -> int:
    rng, wrong, done, ends = random.Random(seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        work, log = make(root), root / "log"
        straight, output = root / "straight" / "work", root / "killed" / "work"
        straight.mkdir(parents=True)
        seconds = finish(work, straight, log)
        expected = work.result(straight)
        print(f"{len(expected)} files in {seconds:.1f} s without a kill", flush=True)
        while done < kills:
            output.mkdir(parents=True)
            for _ in range(min(KILLS_OF_A_RUN, kills - done)):
                child = start(work.command(output), log)
                code = ended(child, rng.uniform(0, seconds))
                if code == 0:
                    break
                if code is not None:
                    sys.exit(f"exit code {code}: {log.read_text()[-2000:]}")
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                done += 1
                broken = work.broken(output)
                wrong += bool(broken)
                print(f"kill {done}: {len(visible(output))} files, broken: {broken}", flush=True)
            finish(work, output, log)
            found, rest = work.result(output), left_over(output)
            same = found == expected and not rest
            wrong += not same
            ends += 1
            changed = [key for key in expected | found if expected.get(key) != found.get(key)]
            print(f"end {ends}: {'same' if same else f'DIFFERS: {changed} {rest}'}", flush=True)
            shutil.rmtree(output)
    print(f"{done} kills of {ends} runs, of which all ended; {wrong} times something was wrong")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["training", "folder"])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make = {"training": Training, "folder": Folder}[arguments.what]
    return run(make, arguments.kills, arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
