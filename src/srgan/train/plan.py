"""What a training will take, measured in a few steps: time, memory, room; and a schedule that fits.

All that could fail later is tried first, as `run.train` does.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyvips

from srgan.train import (
    config,
    config_file,
    data,
    inputs,
    measuring,
    pairs,
    precision,
    preflight,
    teaching,
)

_SAMPLE = 12  # photos that are decoded


class Plan(NamedTuple):
    """What a training will take."""

    settings: config.Config
    changes: list[str]  # to the configuration, so that it fits the time
    computed_in: str  # float32, bfloat16 or float16
    photos: int
    megapixels: float
    unreadable: list[str]
    decode_seconds: float
    teacher_seconds: float
    memory_bytes: int  # 0 if it is not known
    cache_bytes: int
    disk_bytes: int  # of checkpoints and models
    stages: list[measuring.StageCost]

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        learning = sum(stage.seconds for stage in self.stages)
        return self.decode_seconds + self.teacher_seconds + learning


def make(
    photos: Path,
    settings: config.Config,
    *,
    lr_photos: Path | None = None,
    init: str | os.PathLike[str] | None = None,
    vgg_weights: Path | None = None,
    max_hours: float | None = None,
) -> Plan:
    """Measures what a training on photos will take.

    Args:
        photos: As of `run.train`, and so are the others.
        settings: The configuration.
        lr_photos: Tree of lr photos.
        init: The initial weights.
        vgg_weights: Those of the perceptual loss.
        max_hours: What a run may take: steps and warm-up are reduced in proportion.

    Raises:
        FileNotFoundError: If a file is missing.
        NotADirectoryError: If a folder is.
        OSError: If there is no room on the disk of temporary files.
        ValueError: If the photos, the configuration or a file cannot be used, or no time is left.
    """
    with tempfile.TemporaryDirectory(prefix="srgan-plan-") as folder:
        return _measure(photos, Path(folder), settings, lr_photos, init, vgg_weights, max_hours)


def _measure(
    photos: Path,
    folder: Path,
    settings: config.Config,
    lr_photos: Path | None,
    init: str | os.PathLike[str] | None,
    vgg_weights: Path | None,
    max_hours: float | None,
) -> Plan:
    inputs.check_folders(photos, lr_photos)
    teacher = preflight.teacher(settings, None)
    computed_in = precision.choose(settings.precision)
    networks = preflight.make(settings, vgg_weights, None)
    preflight.initialise(networks, folder, settings, init, None)
    preflight.rehearse(networks.stages, settings)
    preflight.check_room(folder, networks.stages)

    files, _ = pairs.find(photos, lr_photos, settings.scale)
    sizes, unreadable = _sizes(files)
    megapixels = sum(sizes.values()) / 1e6
    began = time.perf_counter()
    sample, validating = choose(photos, lr_photos, [*sizes], folder, settings)
    seen = sum(sizes[photos / name] for name in {*sample.names, *validating.names}) / 1e6
    decode = (time.perf_counter() - began) * megapixels / max(seen, 1e-9)
    taught = 0.0
    lessons = None
    if teacher:
        few = settings.teacher.model_copy(update={"crops": 2})
        began = time.perf_counter()
        lessons = teaching.prepare(
            sample, teacher.model, teacher.source.sha256, few, folder / "cache"
        )
        taught = (time.perf_counter() - began) / 2 * settings.teacher.crops
    costs = [
        measuring.measure(
            name,
            stage,
            sample,
            lessons,
            settings,
            folder / name,
            [validating[i] for i in range(len(validating))],
        )
        for name, stage in networks.stages.items()
    ]
    versions = max(settings.degradation.versions, 1)
    found = Plan(
        settings=settings,
        changes=[],
        computed_in=computed_in,
        photos=len(sizes),
        megapixels=megapixels,
        unreadable=unreadable,
        decode_seconds=decode,
        teacher_seconds=taught,
        memory_bytes=_peak_memory(),
        cache_bytes=round(3e6 * megapixels * (1 + versions / settings.scale**2)),
        disk_bytes=preflight.needed(networks.stages),
        stages=costs,
    )
    return found if max_hours is None else fit(found, 3600 * max_hours)


def fit(plan: Plan, seconds: float) -> Plan:
    """Returns a plan whose schedule takes at most so many seconds.

    Raises:
        ValueError: If what comes before the first step takes longer.
    """
    if plan.seconds <= seconds:
        return plan
    fixed = plan.decode_seconds + plan.teacher_seconds
    share = (seconds - fixed) / (plan.seconds - fixed)
    settings = plan.settings
    changes = []  # validations become fewer with the steps
    for name in ("pretrain", "adversarial"):
        stage = getattr(settings, name)
        keys = ["steps", "warmup", "decay_every"]
        keys += ["ramp", "discriminator_steps"] if name == "adversarial" else []
        if not stage.steps:
            continue
        if int(share * stage.steps) < stage.accumulate:
            raise ValueError(
                f"{seconds / 3600:g} hours are not enough: {name} needs at least one step, and "
                f"what comes before the first one takes {fixed / 3600:.2g} hours."
            )
        for key in keys:
            value = getattr(stage, key)
            if value:
                every = stage.accumulate if key == "steps" else 1
                changes.append(f"{name}.{key}={int(share * value) // every * every}")
        if stage.milestones:
            moved = sorted({max(1, int(share * at)) for at in stage.milestones})
            changes.append(f"{name}.milestones={moved}")
    fitted = config_file.override(settings, changes, "--max-hours")
    stages = [
        cost._replace(steps=int(share * cost.steps), seconds=share * cost.seconds)
        for cost in plan.stages
    ]
    return plan._replace(settings=fitted, changes=changes, stages=stages)


def _sizes(files: Sequence[Path]) -> tuple[dict[Path, int], list[str]]:
    """The pixels of each photo, by what its header says, and those that have no such header."""
    sizes, unreadable = {}, []
    for path in files:
        try:
            image: Any = pyvips.Image.new_from_file(str(path), access="sequential")
            sizes[path] = image.width * image.height
        except pyvips.Error:
            unreadable.append(path.name)
    if not sizes:
        raise ValueError(f"None of the {len(files)} images can be opened, {unreadable[0]} first.")
    return sizes, unreadable


def choose(
    photos: Path, lr_photos: Path | None, files: list[Path], folder: Path, settings: config.Config
) -> tuple[data.Photos, data.Photos]:
    """Decodes some photos to learn from, and those of the validation set, which a run takes too.

    What a validation takes is in proportion to its pixels, so it is measured on that set.

    Args:
        photos: Tree of hr photos.
        lr_photos: Tree of lr photos.
        files: Those of `photos` that can be opened.
        folder: For links to the chosen ones, and their pixels.
        settings: The configuration.
    """
    names = [path.relative_to(photos).as_posix() for path in files]
    held = data.held_back(names, inputs.VALIDATION_PHOTOS)
    chosen = {*_spread(names), *held}
    for path, partner in zip(*pairs.find(photos, lr_photos, settings.scale), strict=True):
        if path.relative_to(photos).as_posix() in chosen:
            _link(path, photos, folder / "hr")
            if partner and lr_photos:
                _link(partner, lr_photos, folder / "lr")
    stages = [stage for stage in (settings.pretrain, settings.adversarial) if stage.steps]
    decoded = data.prepare(
        folder / "hr",
        folder / "cache",
        settings.scale,
        folder / "lr" if lr_photos else None,
        max(stage.hr_patch for stage in stages) // settings.scale,
        settings.degradation,
    )
    learning, validating = decoded.split(held)
    if learning and validating:
        return learning, validating
    return decoded.hold_back(inputs.VALIDATION_PHOTOS)  # the others cannot be used


def _link(path: Path, root: Path, place: Path) -> None:
    """Links to a file of a tree in another one, by the same name: faults are drawn by that."""
    link = place / path.relative_to(root)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(path.resolve())


def _spread(names: list[str]) -> list[str]:
    return names[:: max(1, -(-len(names) // _SAMPLE))]


def _peak_memory() -> int:
    """Bytes that this process has had at most; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes if sys.platform == "darwin" else 1024 * kibibytes
