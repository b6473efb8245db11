"""How often the 95 % intervals of `srgan evaluate` hold the true mean, by simulation.

    python benchmarks/intervals.py
    python benchmarks/intervals.py --photos evaluation/evaluation.json --dataset BSD100

Prints a table: rows are how differences are spread, columns how many photos there are. With
--photos, the differences are drawn from those of an evaluation, whose mean is then the true one.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from srgan.quality import statistics

PHOTOS = (5, 8, 14, 24, 100)
TRIALS, AT_ONCE = 4_000, 500
SPREADS = {  # of differences, with mean 0
    "normal": lambda rng, size: rng.normal(size=size),
    "uniform": lambda rng, size: rng.uniform(-1, 1, size),
    "far from the rest (t, 3 degrees)": lambda rng, size: rng.standard_t(3, size=size),
    "skewed (gamma, shape 4)": lambda rng, size: rng.gamma(4, size=size) - 4,
    "very skewed (exponential)": lambda rng, size: rng.exponential(size=size) - 1,
}


Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--dataset")
    arguments = parser.parse_args()
    spreads = of_photos(arguments.photos, arguments.dataset) if arguments.photos else SPREADS
    print("| differences | " + " | ".join(f"n = {photos}" for photos in PHOTOS) + " |")
    print("|---" * (len(PHOTOS) + 1) + "|")
    for name, draw in spreads.items():
        rng = np.random.default_rng(0)
        shares = [f"{share(draw, rng, photos):.1%}" for photos in PHOTOS]
        print(f"| {name} | " + " | ".join(shares) + " |")


def share(draw: Draw, rng: np.random.Generator, photos: int) -> float:
    """How often the interval of differences whose true mean is 0 holds it."""
    held = 0
    for _ in range(TRIALS // AT_ONCE):
        found = statistics.intervals(draw(rng, (photos, AT_ONCE)))
        held += np.sum((found.low <= 0) & (found.high >= 0))
    return held / TRIALS


def of_photos(file: Path, dataset: str) -> dict[str, Draw]:
    """The differences to the reference in what is mostly asked, drawn with replacement."""
    found = json.loads(file.read_text())
    scores = {
        (image["method"], image["name"]): image["scores"]
        for image in found["images"]
        if image["dataset"] == dataset
    }
    names = sorted({name for _, name in scores})
    spreads = {}
    for row in found["differences"]:
        if row["dataset"] != dataset or row["measure"] not in ("psnr", "ssim", "lpips"):
            continue
        values = np.array(
            [
                scores[row["method"], name][row["measure"]]
                - scores[row["other"], name][row["measure"]]
                for name in names
            ]
        )
        values -= values.mean()
        spreads[f"{row['measure']} of {row['method']}"] = lambda rng, size, values=values: (
            rng.choice(values, size)
        )
    return spreads


if __name__ == "__main__":
    main()
