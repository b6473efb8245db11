"""Writes the photos and the letters that `srgan demo` shows.

    python tools/demo_photos.py src/srgan/photos

The photos are crops of scikit-image's, as `src/srgan/photos/README.md` says. The letters need the
font DejaVu Sans Mono.
"""

import argparse
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from srgan.numeric import resize

HEIGHT, WIDTH = 288, 448
GLYPH_HEIGHT, GLYPH_WIDTH = 22, 11


def photos() -> dict[str, np.ndarray]:
    """Returns the photos by name, each `(288, 448, 3)` uint8 RGB.

    The two that were JPEG files are scaled down first, until no blocks can be seen.
    """
    return {
        "astronaut": _crop(data.astronaut(), 12, 40),
        "cat": _crop(data.cat(), 6, 2),
        "coffee": _crop(resize.bicubic(data.coffee(), 300, 450), 6, 1),
        "rocket": _crop(resize.bicubic(data.rocket(), 299, 448), 5, 0),
    }


def letters() -> np.ndarray:
    """Returns the printable ASCII characters, from the space on, dark on white, in one row."""
    characters = [chr(code) for code in range(32, 127)]
    row = Image.new("L", (GLYPH_WIDTH * len(characters), GLYPH_HEIGHT), 255)
    draw, font = ImageDraw.Draw(row), ImageFont.truetype("DejaVuSansMono.ttf", 18)
    for i, character in enumerate(characters):
        draw.text((i * GLYPH_WIDTH, 0), character, fill=32, font=font)
    return np.array(row)


def _crop(photo: np.ndarray, top: int, left: int) -> np.ndarray:
    return photo[top : top + HEIGHT, left : left + WIDTH]


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description="Writes the files that `srgan demo` shows.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, photo in photos().items():
        image = pyvips.Image.new_from_array(np.ascontiguousarray(photo))
        image.webpsave(str(folder / f"{name}.webp"), lossless=True, effort=6, keep="none")
    pyvips.Image.new_from_array(letters()).pngsave(str(folder / "letters.png"), keep="none")


if __name__ == "__main__":
    main()
