"""`srgan check`."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from srgan.cli.options import AsJson


def check(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="TESTSET...", help="Folders of test images."),
    ] = None,
    lr_photos: Annotated[
        Path | None, typer.Option("--lr", metavar="FOLDER", help="Folder of LR images.")
    ] = None,
    scale: Annotated[
        int, typer.Option(min=2, help="Factor between the small ones and PHOTOS.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Look for photos that are bad for training.

    Finds files that are unreadable, tiny, blank, two-tone, framed by bars, blurred, enlarged
    earlier, noisy, or full of JPEG blocks; those that show the same, even if mirrored, inverted,
    turned, scaled or cropped; test images among the photos; and LR images that do not fit.
    Changes nothing.

    Exit code 0: nothing found; 1: something found; 2: bad usage or input.
    """
    from srgan.audit import audit
    from srgan.audit.findings import ADVICE
    from srgan.cli import progress

    with progress.bar(1) as show:
        report = audit.check(photos, against or [], lr_photos, scale, show)
    counts = Counter(finding.kind for finding in report.findings)
    if as_json:
        findings = [
            finding._asdict()
            | {"file": str(finding.file), "other": finding.other and str(finding.other)}
            for finding in report.findings
        ]
        print(json.dumps(report._asdict() | {"counts": counts, "findings": findings}))
    else:
        for kind, number in counts.items():
            print(f"{kind} ({number}): {ADVICE[kind]}")
            for finding in report.findings:
                if finding.kind == kind:
                    other = f": {finding.other}" if finding.other else ""
                    print(f"  {finding.file}  {finding.detail}{other}")
        found = ", ".join(f"{number} {kind}" for kind, number in counts.items()) or "nothing found"
        tests = f" against {report.tests} test images" if report.tests else ""
        print(f"{report.photos} photos checked{tests}: {found}")
    if report.findings:
        raise typer.Exit(1)
