"""Tells how much the crops of photos have to teach, by how many are drawn for each that is used.

    python benchmarks/crops.py PHOTOS --against KODAK24

What a crop has to teach is what bicubic makes wrong in it. Photos for comparison are cut into
crops that do not overlap. Needs `pip install srgan[train]`.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize

_BATCH = 16
_SHARES = (5, 25, 50, 75, 95)  # percent of the crops, the emptiest first
_BORDER = 4  # pixels, where bicubic sees what is not there


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--against", type=Path, help="photos of which all crops are taken")
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--hr-patch", type=int, default=192)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--batches", type=int, default=60)
    arguments = parser.parse_args()

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from srgan.train import batches, data

    scale, patch = arguments.scale, arguments.hr_patch
    shares = " | ".join(f"{share} %" for share in _SHARES)
    print(f"| bicubic, dB, of the crops | {shares} | error in the emptier half, % |")
    print("|---|" + "---|" * (len(_SHARES) + 1))
    with tempfile.TemporaryDirectory() as cache:
        photos = data.prepare(arguments.photos, Path(cache), scale, minimum=patch // scale)
        for candidates in arguments.candidates:
            pairs = []
            for k in range(arguments.batches):
                batch = batches.batch(photos, k, 0, _BATCH, patch, candidates)
                pairs += [
                    error(lr, hr, scale)[_BORDER:-_BORDER, _BORDER:-_BORDER]
                    for lr, hr in zip(*batch, strict=True)
                ]
            tell(f"the most detailed of {candidates}", pairs)
    if arguments.against:
        pairs = []
        for path in find_images(arguments.against):
            hr = resize.crop_to_multiple(images.read(path), scale)
            plane = error(resize.downscale(hr, scale), hr, scale)
            for top in range(0, hr.shape[0] - patch + 1, patch):
                for left in range(0, hr.shape[1] - patch + 1, patch):
                    pairs.append(plane[top : top + patch, left : left + patch])
        tell(arguments.against.name, pairs)


def error(lr: np.ndarray, hr: np.ndarray, scale: int) -> np.ndarray:
    """The absolute error of bicubic, grey, `(height, width)`."""
    return np.abs((resize.upscale(lr, scale) - hr).mean(axis=2))


def tell(name: str, errors: list[np.ndarray]) -> None:
    """Prints a row."""
    squares = np.array([np.mean(plane**2) for plane in errors])
    levels = " | ".join(f"{-10 * np.log10(np.percentile(squares, share)):.1f}" for share in _SHARES)
    means = np.sort([plane.mean() for plane in errors])
    share = 100 * means[: len(means) // 2].sum() / means.sum()
    print(f"| {name} | {levels} | {share:.0f} |", flush=True)


if __name__ == "__main__":
    main()
