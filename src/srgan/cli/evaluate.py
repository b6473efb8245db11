"""`srgan evaluate`: scores, as tables."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from srgan.cli import messages
from srgan.cli.options import AsJson, Overwrite

if TYPE_CHECKING:
    from srgan.quality.results import Evaluation
    from srgan.quality.sheet import Window


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
    reference: Annotated[
        str | None,
        typer.Option(metavar="M", help="Method that differences are taken to. [the first --model]"),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Columns photo, file: what belongs together."),
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="Crop results that exceed a multiple of the scale.")
    ] = False,
    table: Annotated[
        Literal["csv", "markdown", "latex"] | None, typer.Option(help="Print this table instead.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="PAPER", help="Published figures: x4, or a JSON file of them."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write a page to look at.")
    ] = None,
    plane: Annotated[
        Path | None, typer.Option(metavar="SVG", help="Draw LPIPS against PSNR.")
    ] = None,
    crops: Annotated[
        list[str] | None,
        typer.Option(
            metavar="W...", help="Windows to show side by side: PHOTO:LEFT,TOP,WIDTHxHEIGHT."
        ),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PNG or PDF of --crops. [OUTPUT/crops.png]")
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
    from srgan.io import opening, pairing
    from srgan.quality import datasets, evaluation, published, tables
    from srgan.quality import report as page
    from srgan.quality import sheet as sheets
    from srgan.util import files

    if table and as_json:
        raise ValueError("--table and --json exclude each other: choose one.")
    if plane and plane.suffix.lower() != ".svg":
        raise ValueError(f"{plane} is no drawing; expected the suffix .svg.")
    windows, sheet = _windows(crops, sheet, output)
    written = {"Page to look at": report, "LPIPS against PSNR": plane}
    written["Crops side by side"] = sheet if windows else None
    for path in written.values():
        if path and path.parent != output:
            files.check_destination(path, overwrite)
    paper = published.load(against) if against else None
    sets = datasets.find_datasets(data or [], lr or [])
    known = pairing.read_pairs(pairs) if pairs else {}
    if windows:
        photos = dict(pair for one in sets for pair in datasets.list_photos(one, known))
        for case, window in sheets.find([*photos], windows):
            if hr := photos[case].hr:
                sheets.require_within(case, window, *opening.size(hr))
    options = evaluation.Options(
        protocol=protocol,
        scale=scale,
        crop=crop,
        realism=sorted(realism or []),
        reference=reference,
        pairs=known,
        command=shlex.join(["srgan", *sys.argv[1:]]),
    )
    with progress.bar(1) as show:
        found = evaluation.evaluate(
            *(sets, model, output, options),
            progress=lambda done, total: show(done / total, f"{done} of {total} results"),
        )
    if report:
        with progress.bar(1) as show:
            page.write(
                found,
                report,
                overwrite,
                progress=lambda done, total: show(done / total, f"page, {done} of {total} photos"),
                paper=paper,
            )
    if as_json:
        figures = {"published": published.to_json(found, paper)} if paper else {}
        print(json.dumps(found.to_json() | figures))
    elif table:
        print(tables.write(found, table), end="")
        for line in published.lines(found, paper) if paper else ():
            messages.notice(line.strip())
    else:
        _print(found)
        for line in published.lines(found, paper) if paper else ():
            print(line)
        print(f"Scores of every image: {output / 'evaluation.json'}")
        for what, path in written.items():
            if path:
                print(f"{what}: {path}")
    _draw(found, plane, windows, sheet)  # last: where there is no HR, a window may not fit
    failed = [result for result in found.results if result.error]
    for result in failed:
        messages.fail(f"{result.case.dataset}/{result.case.name}, {result.method}: {result.error}")
    if failed:
        messages.fail(f"{len(failed)} of {len(found.results)} results could not be scored.")
        raise typer.Exit(1)


def _windows(
    crops: list[str] | None, sheet: Path | None, output: Path
) -> "tuple[list[Window], Path]":
    """What to show on which sheet."""
    from srgan.quality import sheet as sheets

    if sheet and not crops:
        raise ValueError("--sheet needs --crops, the windows to show.")
    sheet = sheet or output / "crops.png"
    if sheet.suffix.lower() not in sheets.SUFFIXES:
        raise ValueError(f"{sheet} is no sheet; expected {' or '.join(sheets.SUFFIXES)}.")
    return [sheets.window(text) for text in crops or []], sheet


def _draw(found: "Evaluation", plane: Path | None, windows: "list[Window]", sheet: Path) -> None:
    from srgan.quality import plane as planes
    from srgan.quality import sheet as sheets
    from srgan.util import files

    if plane:
        files.write_bytes(plane, planes.draw(found).encode())
    if windows:
        sheets.save(sheets.draw(found, windows), sheet)


def _print(found: "Evaluation") -> None:
    from srgan.quality import tables

    print(f"Protocol {found.protocol}, x{found.scale}; means over the n photos that all have.")
    print(tables.terminal(found))
    for note in tables.notes(found):
        print(f"Note: {note}")
    lines = tables.differences(found)
    if lines:
        print(f"{tables.footnote(found)} --reference takes another.")
    for line in lines:
        print(f"  {line}")
