"""`srgan evaluate`: scores, as tables."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import messages
from srgan.cli.options import AsJson, Overwrite

if TYPE_CHECKING:
    from srgan.quality.results import Evaluation


def evaluate(
    model: Annotated[
        list[str],
        typer.Option(metavar="M...", help="Shipped models, ONNX files, folders of results."),
    ],
    data: Annotated[
        list[Path] | None, typer.Option(metavar="DIR...", help="Folders of HR images.")
    ] = None,
    lr: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR...", help="Folders of LR images; else they are made."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for scores and enlarged photos, made.")
    ] = Path("evaluation"),
    protocol: Annotated[
        str | None, typer.Option(help="y-crop4, rgb, rgb-crop4, srgan-paper. [y-cropSCALE]")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=1, max=16, help="Factor; else that of the models.")
    ] = None,
    realism: Annotated[
        list[float] | None,
        typer.Option(
            min=0, max=1, metavar="R...", help="Network interpolations of GAN models, from 0 to 1."
        ),
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="Crop results that exceed a multiple of the scale.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write a page to look at.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Score models on photos, beside bicubic.

    --data are folders of HR images, from which the LR images are made by MATLAB's bicubic;
    with --lr, these are given, in the same order; --lr alone scores without HR images what can be
    scored so. --model also takes folders of what other programs made of the LR images.
    Results are kept as they come in: after Ctrl-C, the same command goes on.

    Exit code 1: some results could not be scored; they are listed.
    """
    from srgan.cli import progress
    from srgan.quality import datasets, evaluation
    from srgan.quality import report as page
    from srgan.util import files

    if report:
        files.check_destination(report, overwrite)
    sets = datasets.find_datasets(data or [], lr or [])
    with progress.bar(1) as show:
        found = evaluation.evaluate(
            sets,
            model,
            output,
            protocol,
            scale,
            crop,
            sorted(realism or []),
            progress=lambda done, total: show(done / total, f"{done} of {total} results"),
        )
    if report:
        with progress.bar(1) as show:
            page.write(
                found,
                report,
                overwrite,
                progress=lambda done, total: show(done / total, f"page, {done} of {total} photos"),
            )
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        print(f"Protocol {found.protocol}, x{found.scale}; means over the images.")
        _print_means(found)
        _print_differences(found)
        print(f"Scores of every image: {output / 'evaluation.json'}")
        if report:
            print(f"Page to look at: {report}")
    failed = [result for result in found.results if result.error]
    for result in failed:
        messages.fail(f"{result.case.dataset}/{result.case.name}, {result.method}: {result.error}")
    if failed:
        messages.fail(f"{len(failed)} of {len(found.results)} results could not be scored.")
        raise typer.Exit(1)


def _print_means(found: "Evaluation") -> None:
    from srgan.quality.measures import MEASURES

    rows = [
        ("set", "method", *(measure.label for measure in MEASURES.values())),
        ("", "", *(measure.unit for measure in MEASURES.values())),
    ]
    for dataset in found.datasets:
        for method, scores in found.means(dataset).items():
            values = (MEASURES[name].format(value) for name, value in scores._asdict().items())
            rows.append((dataset, method, *values))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{text:{'<' if k < 2 else '>'}{widths[k]}}" for k, text in enumerate(row))
        print("  ".join(cells).rstrip())


def _print_differences(found: "Evaluation") -> None:
    """Every model against the first, or the only one against bicubic, in what is mostly asked."""
    from srgan.quality.measures import MEASURES

    first = found.methods[1 if len(found.methods) > 2 else 0].name
    asked = ("psnr", "ssim", "lpips")
    rows = [d for d in found.differences if d.other == first and d.measure in asked]
    if rows:
        print(f"Difference to {first}, with the 95 % interval of a paired bootstrap:")
    for row in rows:
        measure = MEASURES[row.measure]
        mean, low, high = (measure.format(x, "+") for x in (row.mean, row.low, row.high))
        unclear = "" if row.low * row.high > 0 else "  (no difference shown)"
        print(f"  {row.dataset}  {row.method}  {measure.label} {mean} [{low}, {high}]{unclear}")
