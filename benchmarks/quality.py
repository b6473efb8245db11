"""Scores models on folders of hr photos by the protocol y-crop4, as in docs/models.md.

    python benchmarks/quality.py Set5/HR Set14/HR --model srgan-psnr-x4 --model srgan-x4

Prints a Markdown table of means over each folder: PSNR-Y, SSIM-Y, LPIPS, LR-PSNR and GRID. The lr
images are MATLAB's bicubic downscale of the photos, each result is rounded to 8 bits, and PSNR and
SSIM leave out `scale` pixels at the edges. Images whose downscaled result equals lr exactly, with
an infinite LR-PSNR, are left out of that mean; the column says how many.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from srgan import images, metrics, models, resize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", action="append", required=True, help="name or ONNX file")
    parser.add_argument("--json", type=Path, help="file for the scores of every image")
    arguments = parser.parse_args()

    loaded = [models.load(name) for name in arguments.model]
    scale = loaded[0].metadata.scale
    records = []
    for folder in arguments.folders:
        for path in images.find(folder):
            hr = resize.crop_to_multiple(images.read_uint8(path), scale)
            lr = resize.downscale(hr, scale)
            results = {"bicubic": resize.upscale(lr, scale)}
            for name, model in zip(arguments.model, loaded, strict=True):
                results[name] = model.upscale(lr, dtype=np.uint8)
            for name, sr in results.items():
                scores = metrics.score(hr, lr, sr, scale)
                records.append(
                    {"set": str(folder), "image": path.name, "model": name} | scores._asdict()
                )
    print("| set | model | PSNR-Y | SSIM-Y | LPIPS | LR-PSNR | GRID |")
    print("|---|---|---|---|---|---|---|")
    for folder in arguments.folders:
        for name in ("bicubic", *arguments.model):
            chosen = [r for r in records if r["set"] == str(folder) and r["model"] == name]
            mean = {
                key: np.mean([r[key] for r in chosen]) for key in ("psnr", "ssim", "lpips", "grid")
            }
            finite = [r["lr_psnr"] for r in chosen if np.isfinite(r["lr_psnr"])]
            exact = len(chosen) - len(finite)
            consistency = f"{np.mean(finite):.1f}" if finite else "inf"
            print(
                f"| {folder} | {name} | {mean['psnr']:.2f} | {mean['ssim']:.4f} "
                f"| {mean['lpips']:.4f} | {consistency}{f' ({exact} exact)' if exact else ''} "
                f"| {mean['grid']:.3f} |"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
