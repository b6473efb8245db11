"""One stage of a run, from wherever it stands to its end: steps, kills, divergences."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from srgan.train import callbacks, config, data
from srgan.train.adversarial import Adversarial
from srgan.train.callbacks import Diverged, Progress
from srgan.train.checkpoints import Checkpoints
from srgan.train.stage import Stage
from srgan.train.streams import Stream
from srgan.train.validation import Rank, Validation
from srgan.util import files

_logger = logging.getLogger(__name__)

_MAX_HALVINGS = 3


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
    stream: Stream,
    validating: Sequence[data.Pair],
    rank: Rank,
    report: Callable[[Progress], None],
    further: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Runs what is left of a stage; leaves its generator with the best averaged weights.

    A training that diverges goes back to a good state, with half the learning rate.

    Args:
        stage: What learns.
        folder: Of the stage.
        schedule: Of the stage.
        settings: Of the run.
        stream: The batches.
        validating: Photos that choose the best weights.
        rank: What "best" means.
        report: Called after every step.
        further: Callbacks of the caller.

    Raises:
        FloatingPointError: If it diverges after three halvings, too.
        Interrupted: After Ctrl-C, with the state saved.
        ValueError: If a caller's batches end too early, or one cannot be used.
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
            _run(stage, folder, settings, stream, [judge, *further, interruption], kept, report)
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
    settings: config.Config,
    stream: Stream,
    watching: list,
    kept: Checkpoints,
    report: Callable[[Progress], None],
) -> None:
    """Runs a stage until its end, a divergence or an interruption."""
    every, steps, done = settings.validate_every, stage.total_steps, int(stage.step)
    judge, *further, interruption = watching
    first = stream.head(4)
    watching = [callbacks.Sentry(every, first[0]), callbacks.Log(folder, stream.waited), judge]
    if isinstance(stage, Adversarial):
        watching.append(callbacks.GradientNorms(folder, first, every))
    try:
        stage.fit(
            stream.dataset(done, steps),
            steps_per_epoch=steps - done,
            shuffle=False,
            verbose=0,
            callbacks=[
                *watching,
                callbacks.Checkpoint(kept, every),
                callbacks.Report(folder.name, steps, report),
                *further,
                interruption,
            ],
        )
    except tf.errors.OpError:
        if stream.error:
            raise stream.error from None
        raise


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
