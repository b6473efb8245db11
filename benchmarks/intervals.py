"""How often the 95 % intervals of `srgan evaluate` hold the true mean, by simulation.

    python benchmarks/intervals.py

Prints a table: rows are how differences are spread, columns how many photos there are.
"""

import numpy as np

from srgan.quality import statistics

PHOTOS = (5, 8, 14, 24, 100)
TRIALS, AT_ONCE = 8_000, 500
SPREADS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "uniform": lambda rng, size: rng.uniform(-1, 1, size),
    "far from the rest (t, 3 degrees)": lambda rng, size: rng.standard_t(3, size=size),
    "skewed (gamma, shape 4)": lambda rng, size: rng.gamma(4, size=size) - 4,
    "very skewed (exponential)": lambda rng, size: rng.exponential(size=size) - 1,
}


def main() -> None:
    print("| differences | " + " | ".join(f"n = {photos}" for photos in PHOTOS) + " |")
    print("|---" * (len(PHOTOS) + 1) + "|")
    for name, draw in SPREADS.items():
        rng = np.random.default_rng(0)
        shares = []
        for photos in PHOTOS:
            held = 0
            for _ in range(TRIALS // AT_ONCE):
                found = statistics.intervals(draw(rng, (photos, AT_ONCE)))
                held += np.sum((found.low <= 0) & (found.high >= 0))
            shares.append(f"{held / TRIALS:.1%}")
        print(f"| {name} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
