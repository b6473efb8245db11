"""Counts the photos whose made faults `srgan check` finds: JPEG blocks, blur, enlargement, shifts.

    python benchmarks/faults.py KODAK24

Needs `pip install srgan[check]`. The photos should be sharp, and never have been compressed.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from srgan.audit import alignment, audit
from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import color, resize

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


def changes() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    made: dict[str, Callable[[np.ndarray], np.ndarray]] = {"nothing": lambda image: image}
    for quality in (50, 60, 75, 80, 90):
        made[f"JPEG {quality}"] = lambda image, q=quality: jpeg(image, q)
    for sigma in (0.7, 1.0, 1.5):
        made[f"blur of sigma {sigma}"] = lambda image, s=sigma: blurred(image, s)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    arguments = parser.parse_args()
    photos = [images.read_uint8(path) for path in find_images(arguments.photos)]

    print("| change | found, % |\n|---|---|")
    for name, change in changes().items():
        with tempfile.TemporaryDirectory() as folder:
            for number, photo in enumerate(photos):
                images.write(Path(folder) / f"{number}.png", np.ascontiguousarray(change(photo)))
            kinds = [f.kind for f in audit.check(Path(folder)).findings]
        shares = {
            kind: round(100 * kinds.count(kind) / len(photos)) for kind in dict.fromkeys(kinds)
        }
        print(
            f"| {name} | {', '.join(f'{s} {kind}' for kind, s in shares.items()) or 0} |",
            flush=True,
        )

    # A shift of whole hr pixels is a fraction of an lr pixel, and exact.
    print("\n| shift of lr, pixels | largest error | median error |\n|---|---|---|")
    scale = 10
    for down, right in ((0, 0), (1, 0), (-5, 3)):
        errors = []
        for photo in photos:
            y = color.luma(photo).astype(np.float32)[:, :, None]
            part = resize.crop_to_multiple(y[20:-20, 20:-20], scale)
            height, width = part.shape[:2]
            moved = y[20 - down : 20 - down + height, 20 - right : 20 - right + width]
            small, other = (resize.downscale(x, scale)[:, :, 0] for x in (part, moved))
            found = alignment.shift(other, small)
            errors.append(np.hypot(found[0] + down / scale, found[1] + right / scale))
        print(f"| {down / scale}, {right / scale} | {max(errors):.3f} | {np.median(errors):.3f} |")


if __name__ == "__main__":
    main()
