"""What is wrong with a run, told from what it has logged; see `diagnosis_page` for the plots.

Needs neither TensorFlow nor the photos, and may look at a run that goes on.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srgan.train import config, config_file, csv_log

STAGES = ("pretrain", "adversarial")
_LEAST = 4  # rows or validations, fewer of which tell nothing
_WON = 0.9  # mean accuracy
_GRID = 0.1  # of the metric GRID, from which it is seen; photos have 0.04
_FADING = 0.9  # times GRID at the first validation: what it began with goes away
_GROWN = 1.2  # likewise: it comes
_PATTERN = 0.5  # grey levels on plain surfaces; photos have less than 0.1
_DRIFT = 3.0  # grey levels
_STARVED = 0.9  # of the time of a step
_SPIKE = 4.0  # times the median of the rows around


class Finding(NamedTuple):
    """A fault of a stage."""

    stage: str
    name: str
    seen: str  # with the figures
    advice: str
    column: str  # that shows it best: "log/discriminator" is that column of log.csv


class Logs(NamedTuple):
    """What a stage has logged, as columns; one that was not logged is missing."""

    stage: str
    settings: config.Pretrain | config.Adversarial
    log: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    norms: dict[str, np.ndarray]
    halvings: int


class Diagnosis(NamedTuple):
    """The stages of a run and their faults."""

    logs: list[Logs]
    findings: list[Finding]

    @property
    def tells(self) -> bool:
        """Whether enough is logged for a run without findings to be healthy."""
        rows = (
            columns.get("step", ()) for logs in self.logs for columns in (logs.log, logs.validation)
        )
        return any(len(steps) >= _LEAST for steps in rows)


def diagnose(run: Path) -> Diagnosis:
    """Reads the logs of a run, and looks for faults.

    Raises:
        FileNotFoundError: If the folder holds no run.
        ValueError: If its configuration cannot be read.
    """
    if not (run / "config.toml").is_file():
        raise FileNotFoundError(
            f"{run} holds no run: config.toml is missing. Name the folder of srgan train -o RUN."
        )
    settings = config_file.read(run / "config.toml")
    logs = [
        Logs(
            stage,
            getattr(settings, stage),
            csv_log.columns(run / stage / "log.csv"),
            csv_log.columns(run / stage / "validation.csv"),
            csv_log.columns(run / stage / "gradient_norms.csv"),
            _halvings(run / stage),
        )
        for stage in STAGES
        if (run / stage).is_dir()
    ]
    found = [finding for each in logs for look in _LOOKS if (finding := look(each))]
    return Diagnosis(logs, found)


def _halvings(folder: Path) -> int:
    kept = sorted((folder / "checkpoints").glob("[0-9]*.npz"))
    try:
        with np.load(kept[-1], allow_pickle=False) as state:
            return int(state["halvings"])
    except (IndexError, OSError, KeyError, ValueError):
        return 0


def _latest(column: np.ndarray | None) -> float:
    """The mean of the last quarter, or of the last rows if those are few; or NaN."""
    if column is None:
        return float("nan")
    column = column[np.isfinite(column)]
    few = column[-max(len(column) // 4, _LEAST) :]
    return float(few.mean()) if len(few) >= _LEAST else float("nan")


def _late(column: np.ndarray | None) -> float:
    """The mean of the last half, or NaN."""
    if column is None:
        return float("nan")
    column = column[np.isfinite(column)]
    return float(column[len(column) // 2 :].mean()) if len(column) >= _LEAST else float("nan")


def _asleep(logs: Logs) -> Finding | None:
    if not isinstance(logs.settings, config.Adversarial):
        return None
    kind = logs.settings.adversarial
    loss, accuracy = (_latest(logs.log.get(name)) for name in ("discriminator", "accuracy"))
    if not config.is_at_chance(kind, loss, accuracy):
        return None
    return Finding(
        logs.stage,
        "discriminator asleep",
        f"its loss is {loss:.3f}, and {config.CHANCE[kind]:.3f} at chance",
        "It teaches next to nothing. Raise discriminator_learning_rate, discriminator_steps or "
        "generator_every.",
        "log/discriminator",
    )


def _won(logs: Logs) -> Finding | None:
    accuracy = _late(logs.log.get("accuracy"))
    if not accuracy > _WON:
        return None
    return Finding(
        logs.stage,
        "discriminator too strong",
        f"it is right in {100 * accuracy:.1f} % of the cases",
        "Lower discriminator_learning_rate or discriminator_steps, set pause_above to 0.9, or "
        "penalise its gradient with r1_weight.",
        "log/accuracy",
    )


def _collapse(logs: Logs) -> Finding | None:
    psnr = logs.validation.get("psnr", np.array([]))
    if len(psnr) < _LEAST or not np.nanmax(psnr) - np.median(psnr[-2:]) > 6:
        return None
    return Finding(
        logs.stage,
        "collapse",
        f"PSNR fell from {np.nanmax(psnr):.1f} to {psnr[-1]:.1f} dB",
        "The results are no longer those photos. Lower learning_rate, or adversarial_weight.",
        "validation/psnr",
    )


def _too_fast(logs: Logs) -> Finding | None:
    pixel = logs.log.get("pixel", np.array([]))
    pixel = pixel[pixel > 0]  # none while the discriminator learns alone
    spikes = 0
    for i in range(2, len(pixel) - 2):
        around = statistics.median([*pixel[i - 2 : i], *pixel[i + 1 : i + 3]])
        spikes += bool(pixel[i] > _SPIKE * around)
    if not logs.halvings and spikes <= len(pixel) // 20:
        return None
    seen = f"the pixel loss jumps in {spikes} of {len(pixel)} rows"
    if logs.halvings:
        seen = f"it diverged, and was halved {logs.halvings} times"
    return Finding(
        logs.stage,
        "learning rate too high",
        seen,
        f"Lower {logs.stage}.learning_rate or clip_norm, or lengthen warmup.",
        "log/pixel",
    )


def _plateau(logs: Logs) -> Finding | None:
    rank = logs.validation.get("rank", np.array([]))
    rate = logs.log.get("learning_rate", np.array([]))
    if len(rank) < 2 * _LEAST or not len(rate) or not rate[-1] > 0.3 * np.nanmax(rate):
        return None
    half = len(rank) // 2
    gained = np.nanmax(rank[half:]) - np.nanmax(rank[:half])
    if gained > 0.02 * abs(np.nanmax(rank[:half]) - rank[0]):
        return None
    return Finding(
        logs.stage,
        "plateau",
        f"the last {len(rank) - half} validations gained {gained:.4f} in rank",
        "Let the learning rate fall sooner: fewer steps, or milestones; or take a larger network.",
        "validation/rank",
    )


def _drift(logs: Logs) -> Finding | None:
    drift = logs.validation.get("colour_drift", np.array([]))
    if len(drift) < 2 or not (drift[-1] > _DRIFT and drift[-1] > 1.5 * np.nanmin(drift)):
        return None
    return Finding(
        logs.stage,
        "colours drift",
        f"by {drift[-1]:.1f} grey levels, from {np.nanmin(drift):.1f}",
        "Raise pixel_weight or chroma_weight, or let projection be 4 if LR images are clean.",
        "validation/colour_drift",
    )


def _checkerboard(logs: Logs) -> Finding | None:
    grid, pattern = (
        column[np.isfinite(column)]
        for column in (logs.validation.get(name, np.array([])) for name in ("grid", "checkerboard"))
    )
    if len(pattern) >= _LEAST and np.median(pattern[-3:]) > _PATTERN:
        seen, column = (
            f"plain surfaces have a pattern (checkerboard) of {pattern[-1]:.1f} grey levels",
            "checkerboard",
        )
    elif logs.stage == "adversarial" and len(grid) >= _LEAST and _has_grid_artifact(grid):
        seen, column = f"GRID is {grid[-1]:.3f}, and 0.04 in photos", "grid"
    else:  # stage one has a high GRID where it is blurred: detail is missing between lr pixels
        return None
    advice = "Raise adversarial.grid_weight; see whether the discriminator is asleep."
    if logs.stage == "pretrain":
        if _overfitting(logs):  # which says the opposite
            return None
        advice = "Train for more steps: a generator begins with one."
    return Finding(logs.stage, "grid artifact", seen, advice, f"validation/{column}")


def _has_grid_artifact(grid: np.ndarray) -> bool:
    late = np.median(grid[-3:])
    return bool(late > max(_GRID, _FADING * grid[0]) or late > max(0.8 * _GRID, _GROWN * grid[0]))


def _starved(logs: Logs) -> Finding | None:
    data, step = (_late(logs.log.get(name)) for name in ("data_seconds", "step_seconds"))
    if not data > _STARVED * step:
        return None
    return Finding(
        logs.stage,
        "starved of data",
        f"a batch takes {data:.3f} s to make, and a step {step:.3f} s",
        "Lower crop_candidates, put the cache on a faster disk, or make your data set faster.",
        "log/data_seconds",
    )


def _overfitting(logs: Logs) -> Finding | None:
    psnr = logs.validation.get("psnr", np.array([]))
    pixel = logs.log.get("pixel", np.array([]))
    if logs.stage != "pretrain" or len(psnr) < _LEAST or len(pixel) < _LEAST:
        return None
    steps, best = logs.validation["step"], int(np.nanargmax(psnr))
    fell = psnr[best] - psnr[-1]
    before = pixel[logs.log["step"] <= steps[best]][-3:]
    learned = len(before) and np.mean(pixel[-3:]) < 0.9 * np.mean(before)
    if not (fell > 0.2 and learned and steps[best] < 0.7 * steps[-1]):
        return None
    return Finding(
        logs.stage,
        "overfitting",
        f"PSNR was best at step {int(steps[best])} and fell by {fell:.2f} dB, while the loss on "
        "the photos of the training went on falling",
        "Take more photos, fewer steps, or a smaller network.",
        "validation/psnr",
    )


_LOOKS: Sequence[Callable[[Logs], Finding | None]] = (
    _asleep,
    _won,
    _collapse,
    _too_fast,
    _plateau,
    _drift,
    _checkerboard,
    _starved,
    _overfitting,
)
