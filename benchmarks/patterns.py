"""Tells what becomes of one-pixel checkerboards: their brightness, and what scales down to them.

    python benchmarks/patterns.py --model srgan-x4

The last column is the least that any image in [0, 255] can differ by, scaled down by bicubic: the
solution of a linear program, for the periodic pattern. Needs `pip install srgan[dev]`.
"""

import argparse

import numpy as np
from scipy.optimize import linprog

from srgan.models import catalogue, engines, loading
from srgan.numeric import projection, resize

PATTERNS = ((96, 160), (64, 192), (0, 64), (190, 255), (0, 255))
_PERIOD = 2  # lr pixels
_RIM = 8  # lr pixels, where the border has influence


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="srgan-x4", help="name or ONNX file")
    name = parser.parse_args().model
    model, network = loading.load(name), engines.open_engine(catalogue.path(name))
    print("| grey levels | mean, clipped | mean | off by, rms | least possible, largest |")
    print("|---|---|---|---|---|")
    for pattern in PATTERNS:
        lr = checkerboard(*pattern)
        sr = model.upscale(lr)
        raw = projection.project(network.run(lr[None])[0], lr)
        off, clipped = (_difference(image, lr) for image in (sr, raw.clip(0, 1)))
        print(
            f"| {pattern[0]} and {pattern[1]} | {clipped.mean():+.1f} | {off.mean():+.1f} | "
            f"{np.sqrt(np.mean(off**2)):.1f} | {least(*pattern, model.scale):.1f} |"
        )


def checkerboard(dark: int, light: int, side: int = 64) -> np.ndarray:
    """One-pixel squares, `(side, side, 3)` in [0, 1]."""
    y, x = np.mgrid[:side, :side]
    grey = np.where((y + x) % 2, light, dark) / np.float32(255)
    return grey.astype(np.float32)[..., None].repeat(3, axis=2)


def least(dark: int, light: int, scale: int) -> float:
    """The least largest difference, in grey levels, of any image scaled down from a pattern."""
    side = 12 * _PERIOD
    taps = resize.taps_of(side * scale, side)
    down = np.zeros((_PERIOD, _PERIOD * scale))
    for row in range(_PERIOD):
        middle = side // 2 + row
        columns = (taps.indices[middle] - side // 2 * scale) % (_PERIOD * scale)
        np.add.at(down[row], columns, taps.weights[middle])
    both = np.kron(down, down)
    lr = checkerboard(dark, light, _PERIOD)[..., 0].ravel()
    bound = -np.ones((len(lr), 1))
    solved = linprog(
        [*np.zeros(both.shape[1]), 1],
        A_ub=np.block([[both, bound], [-both, bound]]),
        b_ub=np.concatenate([lr, -lr]),
        bounds=[(0, 1)] * both.shape[1] + [(0, None)],
    )
    return 255 * solved.fun


def _difference(sr: np.ndarray, lr: np.ndarray) -> np.ndarray:
    """Of what `sr` is scaled down, away from the border, in grey levels."""
    down = resize.bicubic(sr.astype(np.float64), *lr.shape[:2])
    return 255 * (down - lr)[_RIM:-_RIM, _RIM:-_RIM]


if __name__ == "__main__":
    main()
