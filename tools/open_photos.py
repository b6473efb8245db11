"""Brings the openly licensed photos of a list into a folder, to train on.

    python tools/open_photos.py docs/open-photos.csv PHOTOS

The list names author and licence of each. JPEG is scaled down by at least 0.8, so that its losses
are not learned, and to at most 2.2 megapixels; PNG to at most 3. Needs git, and the network;
what is in the folder already is left alone.
"""

import argparse
import csv
import itertools
import subprocess
import tempfile
from pathlib import Path

from PIL import Image


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with open(arguments.list, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    rows = [row for row in rows if not (arguments.folder / row["name"]).exists()]
    rows.sort(key=lambda row: (row["repository"], row["commit"]))
    for (repository, commit), group in itertools.groupby(
        rows, key=lambda row: (row["repository"], row["commit"])
    ):
        print(repository, flush=True)
        group = list(group)
        with tempfile.TemporaryDirectory() as folder:
            git(folder, "init", "--quiet")
            git(folder, "config", "remote.origin.url", f"https://github.com/{repository}")
            git(folder, "fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", commit)
            git(folder, "checkout", "--quiet", commit, "--", *(row["path"] for row in group))
            for row in group:
                save(Path(folder, row["path"]), arguments.folder / row["name"])


def git(folder: str, *arguments: str) -> None:
    """Runs git there."""
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def save(source: Path, file: Path) -> None:
    """Scales a photo down, and writes it."""
    photo = Image.open(source)
    factor, most = (1, 3e6) if photo.format == "PNG" else (0.8, 2.2e6)
    factor = min(factor, (most / (photo.width * photo.height)) ** 0.5)
    size = round(photo.width * factor), round(photo.height * factor)
    photo = photo.convert("RGB")
    part = file.with_suffix(".part")  # what is there under its own name is whole
    (photo if factor == 1 else photo.resize(size, Image.Resampling.LANCZOS)).save(part, "PNG")
    part.replace(file)


if __name__ == "__main__":
    main()
