"""What a run reads: photos, the validation set, and what a teacher makes of crops."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from srgan.io.find import find_images
from srgan.quality import metrics
from srgan.train import config, data, preflight, record, teaching
from srgan.train.callbacks import Progress
from srgan.train.fitting import Interrupted

_logger = logging.getLogger(__name__)

VALIDATION_PHOTOS = 8


def check_folders(*folders: str | os.PathLike[str] | None) -> None:
    """Raises if one that is named is not there, before networks are made.

    Raises:
        NotADirectoryError: If so.
    """
    for folder in folders:
        if folder and not Path(folder).is_dir():
            raise NotADirectoryError(
                f"{folder} is not a folder. Name an existing folder of images."
            )


def choose(
    photos: str | os.PathLike[str] | None,
    lr_photos: Path | None,
    validating: Path | None,
    cache: Path | None,
    folder: Path,
    known: record.Record | None,
) -> record.Inputs:
    """What was named now, and else when the run began."""
    before = known.inputs if known else None

    def either(now: str | os.PathLike[str] | None, then: Path | None) -> Path | None:
        return Path(now).resolve() if now else then

    return record.Inputs(
        photos=either(photos, before and before.photos),
        lr_photos=either(lr_photos, before and before.lr_photos),
        validation=either(validating, before and before.validation),
        cache=either(cache, before and before.cache) or (folder / "cache").resolve(),
    )


def prepare(
    inputs: record.Inputs, settings: config.Config, report: Callable[[Progress], None]
) -> tuple[data.Photos | None, list[data.Pair]]:
    """The photos to train on, if there are any, and the pairs of the validation set."""
    stages = (settings.pretrain, settings.adversarial)
    if inputs.validation:
        find_images(inputs.validation)  # said before the photos are decoded
    pairs = held_out = None
    if inputs.photos:
        pairs = data.prepare(
            inputs.photos,
            inputs.cache,
            settings.scale,
            inputs.lr_photos,
            max(stage.hr_patch for stage in stages if stage.steps) // settings.scale,
            settings.degradation,
            lambda done, total: report(Progress("data", done, total, {})),
        )
    if inputs.validation:
        held_out = data.prepare(
            inputs.validation,
            inputs.cache,
            settings.scale,
            minimum=-(-metrics.LPIPS_MINIMUM // settings.scale),
            degradation=_once(settings.degradation),
        )
        for name, reason in held_out.skipped:
            _logger.warning("Left out of validation: %s: %s", name, reason)
    elif pairs:
        if len(pairs.names) == 1:
            _logger.warning(
                "%s is the only photo: it is trained on and validated on, so the scores do not "
                "tell of others. Add photos, or name some with --validation.",
                pairs.names[0],
            )
        pairs, held_out = pairs.hold_back(VALIDATION_PHOTOS)
    assert held_out
    for name, reason in pairs.skipped if pairs else ():
        _logger.warning("Left out %s: %s", name, reason)
    return pairs, [held_out[i] for i in range(min(len(held_out), VALIDATION_PHOTOS))]


def lessons(
    teacher: preflight.Teacher,
    pairs: data.Photos,
    settings: config.Teacher,
    cache: Path,
    report: Callable[[Progress], None],
) -> teaching.Lessons:
    """What the teacher makes of crops of the photos, found in the cache or made now.

    Raises:
        Interrupted: After Ctrl-C; what is made by then is kept.
    """
    try:
        return teaching.prepare(
            pairs,
            teacher.model,
            teacher.source.sha256,
            settings,
            cache,
            lambda done, total: report(Progress("teacher", done, total, {})),
        )
    except KeyboardInterrupt:
        raise Interrupted("Stopped before the teacher had made all its pictures.") from None


def _once(degradation: config.Degradation) -> config.Degradation:
    """The same for the validation set, of which there is one version each."""
    return degradation.model_copy(update={"versions": min(degradation.versions, 1)})
