"""One stage of a run, from wherever it stands to its end: steps, kills, divergences."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from srgan.train import batches, callbacks, config, data
from srgan.train.callbacks import Diverged, Progress
from srgan.train.checkpoints import Checkpoints
from srgan.train.stage import Stage
from srgan.train.teaching import Lessons
from srgan.train.training import Adversarial
from srgan.train.validation import Rank, Validation
from srgan.util import files

_logger = logging.getLogger(__name__)

_MAX_HALVINGS = 3


class Source(NamedTuple):
    """What the batches of a run are cut from."""

    photos: data.Photos
    lessons: Lessons | None = None  # None without a teacher


class Interrupted(Exception):
    """Ctrl-C: the run ended after a whole step, with a checkpoint to resume from."""


def checkpoints_of(folder: Path, settings: config.Config) -> Checkpoints:
    """Returns the states that are kept of the stage in a folder."""
    return Checkpoints(folder / "checkpoints", settings.validate_every)


def fit(
    stage: Stage,
    folder: Path,
    schedule: config.Schedule,
    settings: config.Config,
    source: Source,
    validating: Sequence[data.Pair],
    rank: Rank,
    report: Callable[[Progress], None],
) -> None:
    """Runs what is left of a stage; leaves its generator with the best averaged weights.

    A training that diverges goes back to a good state, with half the learning rate.

    Raises:
        FloatingPointError: If it diverges after three halvings, too.
        Interrupted: After Ctrl-C, with the state saved.
    """
    for part in (folder, folder / "samples"):
        files.remove_partial(part)
    kept = checkpoints_of(folder, settings)
    if kept.restore(stage.state()):
        stage.resumed()
    else:
        stage.begin()
        kept.save(stage.state(), int(stage.step))
    judge = Validation(
        folder, validating, settings.validate_every, settings.scale, settings.projection, rank
    )
    stage.compile()
    while int(stage.step) < stage.total_steps:
        interruption = callbacks.Interruption()
        try:
            _run(stage, folder, schedule, settings, source, [judge, interruption], kept, report)
        except Diverged as divergence:
            _roll_back(stage, folder.name, schedule, kept, divergence)
        finally:
            interruption.restore()
        if interruption.happened and int(stage.step) < stage.total_steps:
            raise Interrupted(
                f"Stopped in {folder.name} at step {int(stage.step)} of {stage.total_steps}."
            )
    judge.finish(stage)
    stage.generator.set_weights([np.asarray(weight) for weight in stage.best])


def _run(
    stage: Stage,
    folder: Path,
    schedule: config.Schedule,
    settings: config.Config,
    source: Source,
    watching: list,
    kept: Checkpoints,
    report: Callable[[Progress], None],
) -> None:
    """Runs a stage until its end, a divergence or an interruption."""
    every, steps, done = settings.validate_every, stage.total_steps, int(stage.step)
    batch = partial(_batch, source, schedule, stage.taught, settings.seed)
    judge, interruption = watching
    watching = [callbacks.Sentry(every, batch(0)), callbacks.Log(folder), judge]
    if isinstance(stage, Adversarial):
        watching.append(callbacks.GradientNorms(folder, list(map(batch, range(4))), every))
    stage.fit(
        _batches(batch, source.photos.scale, schedule, stage.taught, done, steps),
        steps_per_epoch=steps - done,
        shuffle=False,
        verbose=0,
        callbacks=[
            *watching,
            callbacks.Checkpoint(kept, every),
            callbacks.Report(folder.name, steps, report),
            interruption,
        ],
    )


def _roll_back(
    stage: Stage, name: str, schedule: config.Schedule, kept: Checkpoints, divergence: Diverged
) -> None:
    """Goes back to a good state, with half the learning rate.

    If nothing was reached since the last time, the state of that time may be what is wrong, and
    the one before is taken.

    Raises:
        FloatingPointError: If that was done three times already.
    """
    halvings, before, reached = (
        int(number) for number in (stage.halvings, stage.rolled_back_to, stage.step)
    )
    if halvings == _MAX_HALVINGS:
        rate = schedule.learning_rate / 2**halvings
        raise FloatingPointError(
            f"{divergence} In {name}, the training has diverged again after the learning rate "
            f"was halved {halvings} times, to {rate:g}. The run has kept a state from before: "
            f"go on from it with --resume and a lower {name}.learning_rate or {name}.clip_norm."
        ) from None
    # Only regular ones, which do not depend on where a run was stopped; any, after `every` changed.
    _ = kept.restore(stage.state(), below=reached) or kept.restore(stage.state())
    if int(stage.step) == before:
        kept.restore(stage.state(), below=before)
    stage.resumed()
    stage.halvings.assign(halvings + 1)
    stage.rolled_back_to.assign(stage.step)
    kept.replace_after(stage.state(), int(stage.step))
    _logger.warning(
        "%s It goes on from step %d, with the learning rate halved (%d of at most %d times).",
        divergence,
        int(stage.step),
        halvings + 1,
        _MAX_HALVINGS,
    )


def _batches(
    batch: Callable[[int], tuple[np.ndarray, ...]],
    scale: int,
    schedule: config.Schedule,
    taught: int,
    start: int,
    stop: int,
) -> tf.data.Dataset:
    """The batches `start` to `stop`, made while the step before them is computed."""
    patch = schedule.hr_patch
    sizes = [(schedule.batch_size, patch // scale), (schedule.batch_size, patch)]
    sizes += [(taught, patch)] if taught else []

    def with_shape(k):
        arrays = tf.numpy_function(batch, [k], [tf.float32] * len(sizes))
        return tuple(
            tf.ensure_shape(array, (count, side, side, 3))
            for array, (count, side) in zip(arrays, sizes, strict=True)
        )

    return tf.data.Dataset.range(start, stop).map(with_shape, 2, deterministic=True).prefetch(4)


def _batch(
    source: Source, schedule: config.Schedule, taught: int, seed: int, k: int
) -> tuple[np.ndarray, ...]:
    """Batch `k` of a stage, whose first `taught` crops come from the lessons."""
    patch, candidates = schedule.hr_patch, schedule.crop_candidates
    cut = partial(batches.batch, k=int(k), seed=seed, hr_patch=patch, candidates=candidates)
    photos = schedule.batch_size - taught
    if not taught:
        return cut(source.photos, batch_size=photos)
    assert source.lessons is not None
    lr, hr, pictures = cut(source.lessons, batch_size=taught)
    if photos:
        others = cut(source.photos, batch_size=photos)
        lr, hr = (np.concatenate(both) for both in zip((lr, hr), others, strict=True))
    return lr, hr, pictures
