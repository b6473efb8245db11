"""Counts the test images that `srgan check` finds in a pool of photos they were mixed into.

    python benchmarks/leaks.py POOL TESTSET

Needs `pip install srgan[check]`. Each kind of copy is a pool of its own: all photos of POOL, and a
copy of every image of TESTSET under another name.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from srgan.audit import audit
from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize

rng = np.random.default_rng(0)


def jpeg(image: np.ndarray, quality: int = 80) -> np.ndarray:
    coded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1]


def scaled(image: np.ndarray, factor: float) -> np.ndarray:
    return resize.bicubic(image, *(round(factor * side) for side in image.shape[:2]))


def squeezed(image: np.ndarray, share: float, axis: int) -> np.ndarray:
    """Scaled along one axis only."""
    size = [round(side * (share if a == axis else 1)) for a, side in enumerate(image.shape[:2])]
    return resize.bicubic(image, *size)


def cropped(image: np.ndarray) -> np.ndarray:
    """A random quarter of the area."""
    height, width = (side // 2 for side in image.shape[:2])
    y = rng.integers(image.shape[0] - height + 1)
    x = rng.integers(image.shape[1] - width + 1)
    return image[y : y + height, x : x + width]


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG, quality 80": jpeg,
    "mirrored": lambda image: image[:, ::-1],
    "scaled by 0.5": lambda image: scaled(image, 0.5),
    "turned by 90 degrees": np.rot90,
    "cropped to a quarter": cropped,
    "scaled by 1.5, JPEG 80": lambda image: jpeg(scaled(image, 1.5)),
    "cropped, mirrored, JPEG 80": lambda image: jpeg(cropped(image)[:, ::-1]),
    "cropped, scaled by 0.5": lambda image: scaled(cropped(image), 0.5),
    "inverted": lambda image: 255 - image,
    "inverted, mirrored, JPEG 80": lambda image: jpeg(255 - image[:, ::-1]),
    **{
        f"{name} scaled to {share:.0%}": lambda image, s=share, a=axis: squeezed(image, s, a)
        for share in (0.9, 0.75, 0.6, 0.5, 2.0)
        for axis, name in enumerate(("height", "width"))
    },
    "width scaled to 75%, JPEG 80": lambda image: jpeg(squeezed(image, 0.75, 1)),
    "cropped, width scaled to 75%": lambda image: squeezed(cropped(image), 0.75, 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("tests", type=Path)
    parser.add_argument("--every", type=int, default=1, help="copy every n-th test image")
    parser.add_argument("--only", default="", help="copies with this in their name")
    arguments = parser.parse_args()

    tests = find_images(arguments.tests)[:: arguments.every]
    print(f"{len(find_images(arguments.pool))} photos, {len(tests)} test images")
    print("copies                        found  false alarms  seconds")
    for name, change in COPIES.items():
        if arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            pool = Path(folder)
            for path in find_images(arguments.pool):
                link = pool / path.relative_to(arguments.pool)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
            copies = {}
            for number, path in enumerate(tests):
                copy = pool / f"holiday_{number:03d}.png"
                images.write(copy, np.ascontiguousarray(change(images.read_uint8(path))))
                copies[copy] = path
            began = time.perf_counter()
            report = audit.check(pool, [arguments.tests])
            seconds = time.perf_counter() - began
        leaks = [finding for finding in report.findings if finding.kind == "leak"]
        right = {leak.file for leak in leaks if copies.get(leak.file) == leak.other}
        wrong = sum(copies.get(leak.file) != leak.other for leak in leaks)
        print(f"{name:28} {len(right):6} {wrong:13} {seconds:8.0f}")


if __name__ == "__main__":
    main()
