"""Draws pages of text, trains on twenty of them for a quarter of an hour, and scores the result.

    python benchmarks/transfer.py -o transfer --kodak KODAK24

The held-out pages have other words, in typefaces that no page of the training has. The commands
are those of docs/tutorials/transfer.md. Kodak24 tells what is forgotten about photos.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LEARNED = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
HELD_OUT = ("DejaVuSerif-Italic.ttf", "DejaVuSansCondensed-Oblique.ttf", "DejaVuSerif-Bold.ttf")
WORDS = re.findall(r"[A-Za-z0-9.,()%-]{2,}", Path("docs/guides/train.md").read_text("utf-8"))
HELD_OUT_WORDS = re.findall(r"[A-Za-z0-9.,()%-]{2,}", Path("docs/scale.md").read_text("utf-8"))


def page(rng: np.random.Generator, words: list[str], faces: list[Path]) -> Image.Image:
    """Draws 640x480 pixels of paragraphs, of several sizes and typefaces, dark on light or not."""
    paper, ink = rng.integers(215, 256, 3), rng.integers(0, 90, 3)
    if rng.random() < 0.2:
        paper, ink = ink, paper
    image = Image.new("RGB", (640, 480), tuple(map(int, paper)))
    drawing = ImageDraw.Draw(image)
    y = int(rng.integers(8, 24))
    bottom = y
    while y < 480:
        size = int(rng.choice([13, 15, 17, 20, 26, 34]))
        font = ImageFont.truetype(str(rng.choice(faces)), size)
        for _ in range(int(rng.integers(1, 5))):
            line = " ".join(rng.choice(words, 24))
            drawing.text((int(rng.integers(8, 20)), y), line, tuple(map(int, ink)), font)
            bottom, y = y + size, y + round(1.35 * size)
        if rng.random() < 0.3:
            drawing.line((10, y, 630, y), tuple(map(int, ink)), int(rng.integers(1, 3)))
        y += int(rng.integers(6, 20))
    return image.crop((0, 0, 640, min(bottom, 480) // 4 * 4))


def draw(folder: Path, count: int, seed: int, words: list[str], faces: list[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        page(np.random.default_rng((seed, k)), words, faces).save(folder / f"{k:02d}.png")


def srgan(*arguments: object) -> str:
    command = [sys.executable, "-m", "srgan", *map(str, arguments)]
    print("$", *command[2:], flush=True)
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--kodak", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, default="/usr/share/fonts/truetype/dejavu")
    parser.add_argument("--hours", type=float, default=0.25)
    parser.add_argument("--set", nargs="*", default=[], help="changes to the recipe own-x4")
    arguments = parser.parse_args()
    pages, held_out = arguments.output / "pages", arguments.output / "held-out"
    draw(pages, 20, 0, WORDS, [arguments.fonts / name for name in LEARNED])
    draw(held_out, 12, 1, HELD_OUT_WORDS, [arguments.fonts / name for name in HELD_OUT])
    print(srgan("check", pages, "--against", held_out))
    recipe = ["--recipe", "own-x4", "--init", "srgan-psnr-x4"]
    recipe += [f"--set={change}" for change in arguments.set]
    planned = json.loads(srgan("plan", pages, *recipe, "--max-hours", arguments.hours, "--json"))
    fitted = [f"--set={change}" for change in planned["changes"]]
    run = arguments.output / "run"
    began = time.perf_counter()
    srgan("train", pages, "-o", run, *recipe, *fitted)
    took = time.perf_counter() - began
    print(f"planned {planned['seconds']:.0f} s, took {took:.0f} s; {' '.join(planned['changes'])}")
    models = ["srgan-x4", run / "model.onnx"]
    for data in (held_out, arguments.kodak):
        report = arguments.output / f"{data.name}.html"
        scores = arguments.output / f"scores-{data.name}"
        command = ["evaluate", "--data", data, "--model", *models, "-o", scores]
        print(srgan(*command, "--table", "markdown", "--report", report))


if __name__ == "__main__":
    main()
