r"""Writes a picture of enlarged crops: a row for each, a column for each method and the original.

    python tools/crops.py KODAK24 docs/images/crops.webp \
        --crop 01.png:250,380 05.png:180,300 18.png:200,200 22.png:230,420 24.png:150,300 \
            19.png:420,200 \
        --method bicubic REALESRGAN=Real-ESRGAN srgan-psnr-x4 srgan-x4

made the README's; REALESRGAN holds results of benchmarks/others/realesrgan.py. A method is
`bicubic`, a model, or a folder of results, which have the names of the photos. All start from the
photos scaled down by MATLAB's bicubic, or from those of the folder that `--lr` names:

    python tools/crops.py DEGRADED/HR docs/images/photo.webp --lr DEGRADED/LR \
        --crop 03.png:150,300 07.png:200,300 15.png:90,180 17.png:40,230 21.png:200,320 \
        --method bicubic srgan-x4 REALESRGAN=Real-ESRGAN srgan-photo-x4

made that of docs/models.md, DEGRADED being Kodak24 as `srgan degrade` degrades it.
"""

import argparse
from pathlib import Path

import numpy as np

import srgan
from srgan.io import images
from srgan.io.text import draw_text
from srgan.numeric import resize

SCALE = 4
SIDE = 96  # pixels of a crop
ZOOM = 2  # times that it is enlarged, by repeating pixels: what is seen is what is there
GAP = 6
QUALITY = 80


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--crop", nargs="+", required=True, metavar="NAME:TOP,LEFT")
    parser.add_argument("--method", nargs="+", required=True, metavar="METHOD[=LABEL]")
    parser.add_argument("--lr", type=Path, help="folder of the LR images")
    arguments = parser.parse_args()
    methods = [method.partition("=")[::2] for method in arguments.method]
    names = [label or method for method, label in methods] + ["original"]
    rows = [_side_by_side([draw_text(name, ZOOM * SIDE) for name in names])]
    for crop in arguments.crop:
        name, _, corner = crop.partition(":")
        top, left = map(int, corner.split(","))
        hr = images.read_uint8(arguments.photos / name)
        lr = images.read_uint8(arguments.lr / name) if arguments.lr else resize.downscale(hr, SCALE)
        whole = [_result(method, name, lr) for method, _ in methods] + [hr]
        cells = [image[top : top + SIDE, left : left + SIDE] for image in whole]
        rows.append(_side_by_side([cell.repeat(ZOOM, 0).repeat(ZOOM, 1) for cell in cells]))
    picture = np.concatenate(rows)[:, :-GAP]
    arguments.picture.write_bytes(images.encode_webp(picture, QUALITY))


def _result(method: str, name: str, lr: np.ndarray) -> np.ndarray:
    """The LR image enlarged, `(height, width, 3)`, uint8."""
    if Path(method).is_dir():
        return images.read_uint8(Path(method) / name)
    if method == "bicubic":
        return resize.upscale(lr, SCALE)
    return srgan.load(method).upscale(lr, dtype=np.uint8)


def _side_by_side(cells: list[np.ndarray]) -> np.ndarray:
    """The cells with a white gap at the right of each, and below all."""
    spaced = [np.pad(cell, [(0, 0), (0, GAP), (0, 0)], constant_values=255) for cell in cells]
    row = np.concatenate(spaced, axis=1)
    return np.pad(row, [(0, GAP), (0, 0), (0, 0)], constant_values=255)


if __name__ == "__main__":
    main()
