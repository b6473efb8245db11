"""`srgan diagnose` and `srgan runs`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli.options import AsJson

if TYPE_CHECKING:
    from srgan.train.comparison import Row


def diagnose(
    run: Annotated[Path, typer.Argument(help="The folder of the run.", show_default=False)],
    page: Annotated[
        Path | None,
        typer.Option(metavar="HTML", help="The page with all plots. [RUN/diagnosis.html]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a training, and what to change.

    It may go on meanwhile. The page has each column of its logs as a plot.
    """
    from srgan.train import diagnose as diagnosis
    from srgan.train import diagnosis_page
    from srgan.util import files

    found = diagnosis.diagnose(run)
    page = page or run / "diagnosis.html"
    files.check_destination(page, overwrite=True)
    files.write_bytes(page, diagnosis_page.page(run.name, found).encode())
    if as_json:
        findings = [finding._asdict() for finding in found.findings]
        print(json.dumps({"findings": findings, "page": str(page)}))
        return
    for finding in found.findings:
        print(f"{finding.stage}: {finding.name}: {finding.seen}. {finding.advice}")
    if not found.findings:
        print(diagnosis_page.verdict(found))
    print(page)


def runs(
    folders: Annotated[
        list[Path], typer.Argument(help="Runs, or folders of runs.", show_default=False)
    ],
    page: Annotated[
        Path | None, typer.Option(metavar="HTML", help="A page with the table and plots.")
    ] = None,
    plane: Annotated[
        Path | None, typer.Option(metavar="SVG", help="A drawing of LPIPS against PSNR.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare trainings: how far each is, and what its best weights scored in validation."""
    from srgan.train import comparison

    found = comparison.find(folders)
    rows = comparison.compare(found)
    write(rows, found, page, plane)
    if as_json:
        from srgan.util import jsonable

        plain = [{k: jsonable.plain(v) for k, v in row._asdict().items()} for row in rows]
        print(json.dumps(plain))
        return
    width = max([3, *(len(row.run) for row in rows)])
    head = f"{'run':{width}}  {'stage':11}  {'network':9}  {'step':>15}  {'best at':>8}"
    print(f"{head}  {'PSNR':>6}  {'LPIPS':>6}  {'GRID':>6}")
    for row in rows:
        done = f"{row.step:,}/{row.steps:,}"
        print(
            f"{row.run:{width}}  {row.stage:11}  {row.network:9}  {done:>15}  {row.best_step:8,}  "
            f"{row.psnr:6.2f}  {row.lpips:6.4f}  {row.grid:6.3f}"
        )


def write(
    rows: Sequence["Row"], runs: Sequence[Path], page: Path | None, plane: Path | None
) -> None:
    """Writes the page and the drawing of runs, those that are asked for.

    Raises:
        ValueError: If no run has been validated.
    """
    from srgan.train import comparison_page
    from srgan.util import files

    if (page or plane) and not rows:
        raise ValueError("No run has been validated yet; there is nothing to draw.")
    if page:
        files.check_destination(page, overwrite=True)
        files.write_bytes(page, comparison_page.page(rows, runs).encode())
    if plane:
        files.check_destination(plane, overwrite=True)
        files.write_bytes(plane, comparison_page.drawing(rows).encode())
