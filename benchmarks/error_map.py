"""Fits the map of what was invented to the errors on photos, and tells how well it fits others.

    python benchmarks/error_map.py KODAK24 --others SET14 BSD100

Photos are scaled down by the model's scale and upscaled by both models, to 8 bits. The truth is
the mean of |sr - hr| over the channels and a window of 9x9 pixels; windows do not overlap, and
lie on a grid from the top left corner, 4 pixels left out at each edge. A map is judged by
Spearman's rank correlation with it: photo by photo, and pooled over all windows of all photos. On
the photos that are fitted, each half (every other photo) is judged with the constants of the
other half.

    python benchmarks/error_map.py KODAK24 --show PHOTO OUT

also writes a picture: a result, its map with the constants of the model, and its real error.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srgan.io import images
from srgan.io.find import find_images
from srgan.models import loading
from srgan.models.metadata import Calibration
from srgan.models.model import Model
from srgan.numeric import projection, resize
from srgan.quality import uncertainty
from srgan.upscaling import error_map


class Photo(NamedTuple):
    """The windows of one photo, `(down, across)` each, in grey levels."""

    disagreement: np.ndarray
    contrast: np.ndarray
    bicubic_contrast: np.ndarray  # what is known without any model
    null_space: np.ndarray  # mean of what the downscale does not see of sr
    error: np.ndarray
    error_inside: np.ndarray  # of the pixel in the middle of each window
    psnr_error: np.ndarray  # of the PSNR model


def enlarge(path: Path, gan: Model, psnr: Model) -> tuple[np.ndarray, ...]:
    """A photo, its LR image, and what both models make of that."""
    scale = gan.metadata.scale
    hr = resize.crop_to_multiple(images.read_uint8(path), scale)
    lr = resize.downscale(hr, scale)
    sr, psnr_sr = (model.upscale(lr, dtype=np.uint8) for model in (gan, psnr))
    return hr, lr, sr, psnr_sr


def difference(hr: np.ndarray, sr: np.ndarray) -> np.ndarray:
    return np.abs(sr.astype(np.float32) - hr).mean(axis=2)


def measure(path: Path, gan: Model, psnr: Model, border: int) -> Photo:
    hr, lr, sr, psnr_sr = enlarge(path, gan, psnr)
    bicubic = resize.upscale(lr.astype(np.float32), gan.metadata.scale)
    smooth = projection.project(bicubic, lr)
    bicubic = images.to_uint8(bicubic / 255)
    error = difference(hr, sr)
    maps = (
        *uncertainty.cues(sr, psnr_sr),
        uncertainty.cues(bicubic, bicubic)[1],
        uncertainty.window_mean(difference(smooth, sr)),
        uncertainty.window_mean(error),
        error,
        uncertainty.window_mean(difference(hr, psnr_sr)),
    )
    middles = uncertainty.windows(*error.shape, border)
    return Photo(*(plane[middles] for plane in maps))


def fit(photos: list[Photo]) -> Calibration:
    columns = [(p.disagreement.ravel(), p.contrast.ravel(), p.error.ravel()) for p in photos]
    return uncertainty.fit(*map(np.concatenate, zip(*columns, strict=True)))


def expect(photo: Photo, calibration: Calibration) -> np.ndarray:
    a, b, c = calibration
    return a * photo.disagreement + b * photo.contrast + c


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def correlations(maps: list[np.ndarray], errors: list[np.ndarray]) -> str:
    each = [spearman(m, e) for m, e in zip(maps, errors, strict=True)]
    pooled = spearman(*(np.concatenate([x.ravel() for x in xs]) for xs in (maps, errors)))
    return f"{np.mean(each):.3f} | {min(each):.3f} | {pooled:.3f}"


def blocks(plane: np.ndarray) -> np.ndarray:
    """Means of 3x3 windows."""
    down, across = (side // 3 for side in plane.shape)
    cut = plane[: 3 * down, : 3 * across]
    return cut.reshape(down, 3, across, 3).mean(axis=(1, 3))


def report(name: str, photos: list[Photo], expected: list[np.ndarray]) -> None:
    errors = [photo.error for photo in photos]
    rows = {
        "contrast of bicubic": ([photo.bicubic_contrast for photo in photos], errors),
        "null-space part": ([photo.null_space for photo in photos], errors),
        "contrast": ([photo.contrast for photo in photos], errors),
        "disagreement": ([photo.disagreement for photo in photos], errors),
        "**the map**": (expected, errors),
        "the map, error of the PSNR model": (expected, [photo.psnr_error for photo in photos]),
        "the map, single pixels": (expected, [photo.error_inside for photo in photos]),
        "the map, 27x27 windows": ([blocks(e) for e in expected], [blocks(e) for e in errors]),
    }
    print(f"\n{name}, {len(photos)} photos\n")
    print("| Spearman's correlation with the error | mean | lowest | pooled |\n|---|---|---|---|")
    for row, pair in rows.items():
        print(f"| {row} | {correlations(*pair)} |")
    means = spearman(*(np.array([x.mean() for x in xs]) for xs in (expected, errors)))
    flat, truth = (np.concatenate([x.ravel() for x in xs]) for xs in (expected, errors))
    print(f"\nWhole photos (mean of the map, mean error): {means:.3f}")
    psnr = np.concatenate([photo.psnr_error.ravel() for photo in photos]).mean()
    print(f"Expected {flat.mean():.2f}, found {truth.mean():.2f} grey levels ", end="")
    print(f"(of the PSNR model: {psnr:.2f}); off by ", end="")
    print(f"{np.abs(flat - truth).mean():.2f} on average (a constant: ", end="")
    print(f"{np.abs(truth - truth.mean()).mean():.2f})\n")
    print("| expected | windows, % | expected, mean | found, mean |\n|---|---|---|---|")
    edges = [0, 2, 4, 8, 16, 32, np.inf]
    for low, high in pairwise(edges):
        inside = (flat >= low) & (flat < high)
        if inside.any():
            means = f"{flat[inside].mean():.1f} | {truth[inside].mean():.1f}"
            print(f"| {low} to {high} | {100 * inside.mean():.1f} | {means} |")


def show(photo: Path, out: Path, gan: Model, psnr: Model, calibration: Calibration) -> None:
    hr, _, sr, psnr_sr = enlarge(photo, gan, psnr)
    expected = uncertainty.expected_error(sr, psnr_sr, calibration)
    maps = expected, uncertainty.window_mean(difference(hr, sr))
    row = np.concatenate([sr, *(error_map.draw(m) for m in maps)], axis=1)
    images.write(out, np.concatenate([row, error_map.legend(row.shape[1])]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--others", type=Path, nargs="*", default=[])
    parser.add_argument("--model", default="srgan-x4")
    parser.add_argument("--psnr-model", default="srgan-psnr-x4")
    parser.add_argument("--border", type=int, default=4, help="Pixels to leave out.")
    parser.add_argument("--show", type=Path, nargs=2, metavar=("PHOTO", "OUT"))
    arguments = parser.parse_args()
    gan, psnr = loading.load(arguments.model), loading.load(arguments.psnr_model)
    if arguments.show:
        if gan.metadata.calibration is None:
            parser.error(f"{arguments.model} has no constants; tools/calibrate.py writes them.")
        show(*arguments.show, gan, psnr, gan.metadata.calibration)

    photos = [measure(path, gan, psnr, arguments.border) for path in find_images(arguments.photos)]
    halves = fit(photos[0::2]), fit(photos[1::2])
    expected = [expect(photo, halves[1 - k % 2]) for k, photo in enumerate(photos)]
    report(f"{arguments.photos}, each half with the constants of the other", photos, expected)
    constants = fit(photos)
    print("\nConstants, and those of the halves (of disagreement and contrast, and the base):")
    for row in (constants, *halves):
        print(", ".join(f"{constant:.3f}" for constant in row))
    for folder in arguments.others:
        photos = [measure(path, gan, psnr, arguments.border) for path in find_images(folder)]
        expected = [expect(photo, constants) for photo in photos]
        report(f"{folder}, with the constants of {arguments.photos}", photos, expected)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, equal values sharing their mean rank."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[where.ravel()]


if __name__ == "__main__":
    main()
