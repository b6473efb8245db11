"""`srgan demo`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli.options import AsJson, Overwrite

if TYPE_CHECKING:
    pass


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to write to, which is made.")
    ] = Path("demo"),
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare the shipped models on bundled photos.

    Writes what becomes of the photos and a picture of all side by side, and prints the scores.
    """
    from srgan.cli import progress
    from srgan.quality.results import to_json
    from srgan.upscaling import demo

    with progress.bar(1) as show:
        results = demo.run(
            output, overwrite=overwrite, progress=lambda done, total: show(done / total, "demo")
        )
    rows = [(result.photo, result.method, result.scores) for result in results]
    rows += [("mean", method, scores) for method, scores in demo.mean(results).items()]
    if as_json:
        print(json.dumps([{"photo": p, "method": m} | to_json(s) for p, m, s in rows]))
        return
    print("photo      method         PSNR-Y dB  SSIM-Y   LPIPS  LR-PSNR dB   (protocol y-crop4)")
    for photo, method, scores in rows:
        print(
            f"{photo:10} {method:14} {scores.psnr:9.2f}  {scores.ssim:.4f}  {scores.lpips:.4f}"
            f"  {scores.lr_psnr:10.2f}"
        )
    print(f"Side by side: {output / 'comparison.png'}")
