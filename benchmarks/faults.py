"""Counts the photos whose made faults `srgan check` finds: JPEG, blur, noise, enlargement, shifts.

    python benchmarks/faults.py KODAK24
    python benchmarks/faults.py PHOTOS --only nothing
    python benchmarks/faults.py PHOTOS --only blur --every 10

Needs `pip install srgan[check]`. The photos should be sharp, and never have been compressed: what
is found where nothing was changed, or besides the change, is a false alarm.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from srgan.audit import alignment, faults
from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import color, resize
from srgan.util import parallel

rng = np.random.default_rng(0)

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    coded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1]


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma)


def enlarged(image: np.ndarray, factor: float, method: str) -> np.ndarray:
    """The middle of a photo, so many times as large."""
    height, width = image.shape[:2]
    top, left = (int(side * (1 - 1 / factor) / 2) for side in (height, width))
    middle = image[top : top + round(height / factor), left : left + round(width / factor)]
    return cv2.resize(middle, None, fx=factor, fy=factor, interpolation=INTERPOLATIONS[method])


def noisy(image: np.ndarray, deviation: float, channels: int = 3) -> np.ndarray:
    noise = rng.normal(0, deviation, (*image.shape[:2], channels))
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def moved(image: np.ndarray, length: int, degrees: float) -> np.ndarray:
    """Blurred along a line of so many pixels, as by motion."""
    side = length | 1
    centre, fine = side / 2, 16  # sub-pixels of the line
    across, down = (
        np.cos(np.radians(degrees)) * length / 2,
        -np.sin(np.radians(degrees)) * length / 2,
    )
    ends = [
        (round((centre + k * across) * fine), round((centre + k * down) * fine)) for k in (-1, 1)
    ]
    line = cv2.line(np.zeros((side * fine, side * fine), np.float32), *ends, 1.0, fine)
    kernel = cv2.resize(line, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def peppered(image: np.ndarray, share: float) -> np.ndarray:
    """With salt and pepper in the place of so many pixels."""
    drawn = rng.random(image.shape[:2])
    changed = image.copy()
    changed[drawn < share / 2] = 0
    changed[drawn > 1 - share / 2] = 255
    return changed


def letterboxed(image: np.ndarray) -> np.ndarray:
    """With black bars above and below, of a tenth each."""
    height = image.shape[0] // 10
    return np.pad(image, [(height, height), (0, 0), (0, 0)])


def one_bit(image: np.ndarray) -> np.ndarray:
    """Black and white, in random dots as dense as the photo is dark."""
    dots = color.luma(image) > rng.uniform(16, 235, image.shape[:2])
    return np.where(dots, 255, 0).astype(np.uint8)[:, :, None].repeat(3, axis=2)


def changes() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    made: dict[str, Callable[[np.ndarray], np.ndarray]] = {"nothing": lambda image: image}
    for quality in (5, 10, 20, 50, 60, 75, 80, 90):
        made[f"JPEG {quality}"] = lambda image, q=quality: jpeg(image, q)
    for sigma in (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0):
        made[f"blur of sigma {sigma}"] = lambda image, s=sigma: blurred(image, s)
    for deviation in (3, 5, 7, 10, 20):
        made[f"noise of {deviation} levels"] = lambda image, d=deviation: noisy(image, d)
        made[f"grey noise of {deviation} levels"] = lambda image, d=deviation: noisy(image, d, 1)
    for share in (0.002, 0.005, 0.01, 0.05):
        made[f"salt and pepper, {share:.1%}"] = lambda image, s=share: peppered(image, s)
    for length in (5, 9, 15, 25):
        for degrees in (0, 35, 90, 120):
            name = f"motion of {length} pixels at {degrees} degrees"
            made[name] = lambda image, n=length, d=degrees: moved(image, n, d)
    for sigma in (1.0, 2.0, 4.0):
        for deviation in (2, 4, 8):
            made[f"blur of sigma {sigma}, noise of {deviation} levels"] = (
                lambda image, s=sigma, d=deviation: noisy(blurred(image, s), d)
            )
    made["letterboxed"] = letterboxed
    made["letterboxed, JPEG 75"] = lambda image: jpeg(letterboxed(image), 75)
    made["one-bit art"] = one_bit
    for factor in (1.5, 2, 3, 4):
        for method in INTERPOLATIONS:
            if method == "nearest" and factor == 1.5:
                continue
            name = f"enlarged {factor} times, {method}"
            made[name] = lambda image, f=factor, m=method: enlarged(image, f, m)
            made[f"{name}, JPEG 90"] = lambda image, f=factor, m=method: jpeg(
                enlarged(image, f, m), 90
            )
    return made


def kinds(path: Path, name: str) -> list[str]:
    """What is found in a photo after a change."""
    cv2.setNumThreads(1)
    changed = np.ascontiguousarray(changes()[name](images.read_uint8(path)))
    return list(dict.fromkeys(finding.kind for finding in faults.faults(path, changed)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--only", help="changes with this in their name")
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo")
    arguments = parser.parse_args()
    paths = find_images(arguments.photos)[:: arguments.every]

    print(f"{len(paths)} photos\n\n| change | found, % |\n|---|---|")
    for name in changes():
        if arguments.only and arguments.only not in name:
            continue
        found: Counter[str] = Counter()
        for kinds_of_one in parallel.in_order(kinds, [(path, name) for path in paths]):
            found.update(kinds_of_one)
        shares = [f"{round(100 * n / len(paths), 1):g} {kind}" for kind, n in found.most_common()]
        print(f"| {name} | {', '.join(shares) or 0} |", flush=True)
    if not arguments.only:
        shifts(paths)


def shifts(paths: list[Path]) -> None:
    """Prints how exactly shifts of LR images are measured."""
    # A shift of whole hr pixels is a fraction of an lr pixel, and exact.
    print("\n| shift of lr, pixels | largest error | median error |\n|---|---|---|")
    scale = 10
    for down, right in ((0, 0), (1, 0), (-5, 3)):
        errors = []
        for path in paths:
            y = color.luma(images.read_uint8(path)).astype(np.float32)[:, :, None]
            part = resize.crop_to_multiple(y[20:-20, 20:-20], scale)
            height, width = part.shape[:2]
            moved = y[20 - down : 20 - down + height, 20 - right : 20 - right + width]
            small, other = (resize.downscale(x, scale)[:, :, 0] for x in (part, moved))
            found = alignment.shift(other, small)
            errors.append(np.hypot(found[0] + down / scale, found[1] + right / scale))
        print(f"| {down / scale}, {right / scale} | {max(errors):.3f} | {np.median(errors):.3f} |")


if __name__ == "__main__":
    main()
