"""Runs side by side: what each is, how far it is, and what its best weights scored."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from srgan.train import config_file, csv_log
from srgan.train.diagnose import STAGES


class Row(NamedTuple):
    """A stage of a run."""

    run: str
    stage: str
    network: str
    step: int  # of the last validation
    steps: int
    best_step: int
    psnr: float  # dB, of the best
    lpips: float
    grid: float


def find(folders: Sequence[Path]) -> list[Path]:
    """Returns those folders that are runs, and the runs in the others.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = []
    for folder in folders:
        inside = sorted((file.parent for file in folder.glob("*/config.toml")), key=_natural)
        found += [folder] if (folder / "config.toml").is_file() else inside
    if not found:
        raise FileNotFoundError(
            f"There is no run in {', '.join(map(str, folders))}: no config.toml, there or in a "
            "folder below."
        )
    return found


def _natural(run: Path) -> list[tuple[float, str]]:
    """Sorts weight=9 before weight=27."""
    parts = re.split(r"(\d+(?:\.\d+)?)", run.name)
    return [(float(part), "") if i % 2 else (0.0, part) for i, part in enumerate(parts)]


def _own(run: Path) -> str:
    """The class of a caller's own generator, which takes the place of the configuration's."""
    try:
        return json.loads((run / "run.json").read_bytes())["own"]["generator"].split()[0]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def compare(runs: Sequence[Path]) -> list[Row]:
    """Returns a row for each stage that has been validated."""
    rows = []
    for run in runs:
        settings = config_file.read(run / "config.toml")
        for stage in STAGES:
            scored = csv_log.read_rows(run / stage / "validation.csv")
            if not scored:
                continue
            best = max(scored, key=lambda row: float(row["rank"]))
            schedule = getattr(settings, stage)
            rows.append(
                Row(
                    run.name,
                    stage,
                    _own(run) or settings.generator.architecture,
                    int(scored[-1]["step"]),
                    getattr(schedule, "total_steps", schedule.steps),
                    int(best["step"]),
                    *(float(best[name]) for name in ("psnr", "lpips", "grid")),
                )
            )
    return rows
