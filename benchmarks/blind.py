"""Which of two models people prefer, without knowing which is which.

    python benchmarks/blind.py make PHOTOS... --models srgan-photo-x4 x4plus.onnx -o blind
    python benchmarks/blind.py tally blind answers.csv

The first command cuts crops out of small photos, and writes a sheet of each: what was sent,
enlarged by bicubic, then the results of the two models, 1 and 2, in an order of chance that
`key.csv` keeps. Places are drawn by chance too; of three, the most detailed is used. Whoever judges
looks at the sheets, has not seen results of the models before, does not open `key.csv`, and writes
a line `sheet,choice` for each sheet, where the choice is 1, 2, or 0 if neither is better.

The question, for each: which would you keep, if it were your photo? The better one has firm
outlines and believable detail; faults are grain, blur, invented patterns, coloured fringes, waxy
skin, and what the small picture does not show.

The second command prints what the first model won, where 0 is half a point for each, and its
interval (Wilson, 95 %).
"""

import argparse
import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.io.find import find_images
from srgan.models import loading
from srgan.models.model import Model
from srgan.numeric import resize

_SIDE = 96  # lr pixels of a crop
_MARGIN = 40  # lr pixels around it that the models see, too
_CANDIDATES = 3
_GAP = 8  # white pixels between pictures
_Z = 1.96


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("photos", type=Path, nargs="+", help="small ones, as they would be sent")
    making.add_argument("--models", nargs=2, required=True)
    making.add_argument("-o", "--output", type=Path, required=True)
    making.add_argument("--pairs", type=int, default=30)
    making.add_argument("--seed", type=int, default=0)
    tallying = commands.add_parser("tally")
    tallying.add_argument("sheets", type=Path)
    tallying.add_argument("answers", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.photos, arguments.models, arguments.output, arguments.pairs, arguments.seed)
    else:
        tally(arguments.sheets, arguments.answers)


def make(
    folders: Sequence[Path], names: Sequence[str], output: Path, pairs: int, seed: int
) -> None:
    """Writes the sheets, and which model is where."""
    models = [loading.load(name) for name in names]
    rng = np.random.default_rng(seed)
    paths = [path for folder in folders for path in find_images(folder)]
    fitting = [path for path in paths if min(images.read(path).shape[:2]) >= _SIDE]
    print(f"{len(fitting)} of {len(paths)} photos have {_SIDE} pixels a side.")
    output.mkdir()
    order = [
        int(k) for _ in range(-(-pairs // len(fitting))) for k in rng.permutation(len(fitting))
    ]
    rows = []
    for number, k in enumerate(order[:pairs], 1):
        lr = images.read(fitting[k])
        top, left = max((place(lr, rng) for _ in range(_CANDIDATES)), key=lambda at: detail(lr, at))
        first = int(rng.integers(2))
        crops = [enlarged(models[i], lr, top, left) for i in (first, 1 - first)]
        sent = lr[top : top + _SIDE, left : left + _SIDE]
        before = np.clip(resize.bicubic(sent, *crops[0].shape[:2]), 0, 1)
        gap = np.ones((before.shape[0], _GAP, 3), np.float32)
        sheet = np.concatenate([before, gap, crops[0], gap, crops[1]], axis=1)
        images.write(output / f"{number:02}.png", sheet)
        rows.append((number, fitting[k].name, top, left, names[first], names[1 - first]))
        print(f"{number} of {pairs}", flush=True)
    with (output / "key.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("sheet", "photo", "top", "left", "1", "2"), *rows])


def place(lr: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """A corner of a crop, by chance."""
    return int(rng.integers(lr.shape[0] - _SIDE + 1)), int(rng.integers(lr.shape[1] - _SIDE + 1))


def detail(lr: np.ndarray, at: tuple[int, int]) -> float:
    """How much changes from one pixel to the next in a crop."""
    crop = lr[at[0] : at[0] + _SIDE, at[1] : at[1] + _SIDE].mean(axis=2)
    return float(np.abs(np.diff(crop, axis=0)).mean() + np.abs(np.diff(crop, axis=1)).mean())


def enlarged(model: Model, lr: np.ndarray, top: int, left: int) -> np.ndarray:
    """A crop of what a model makes of the photo, `(scale * side, scale * side, 3)`."""
    above, before = max(top - _MARGIN, 0), max(left - _MARGIN, 0)
    sr = model.upscale(lr[above : top + _SIDE + _MARGIN, before : left + _SIDE + _MARGIN])
    y, x = model.scale * (top - above), model.scale * (left - before)
    return sr[y : y + model.scale * _SIDE, x : x + model.scale * _SIDE]


def tally(sheets: Path, answers: Path) -> None:
    """Prints what each model won."""
    with (sheets / "key.csv").open(newline="") as file:
        key = {row["sheet"]: row for row in csv.DictReader(file)}
    with answers.open(newline="") as file:
        choices = {row["sheet"].lstrip("0"): row["choice"].strip() for row in csv.DictReader(file)}
    if choices.keys() != key.keys() or not set(choices.values()) <= {"0", "1", "2"}:
        raise SystemExit(f"{answers} has to have one line `sheet,choice` a sheet, of 0, 1 or 2.")
    names = sorted({row[side] for row in key.values() for side in "12"})
    won = dict.fromkeys(names, 0.0)
    for sheet, choice in choices.items():
        if choice == "0":
            for name in names:
                won[name] += 0.5
        else:
            won[key[sheet][choice]] += 1
    count = len(choices)
    print(f"{count} sheets, {sum(choice == '0' for choice in choices.values())} undecided")
    for name in names:
        low, high = interval(won[name] / count, count)
        print(f"{name}: {won[name] / count:.0%} ({low:.0%} to {high:.0%})")


def interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's interval of a share."""
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    spread = math.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    spread *= _Z / (1 + _Z**2 / count)
    return middle - spread, middle + spread


if __name__ == "__main__":
    main()
