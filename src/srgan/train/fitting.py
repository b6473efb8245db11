"""One stage of a run, from wherever it stands to its end: steps, kills, divergences."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from srgan.networks import workers
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
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""What a collective operation ends with if a worker is gone."""


class Interrupted(Exception):
    """The run was asked to end, and did after a whole step, with a checkpoint to resume from."""


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

    A training that diverges goes back to a good state, with half the learning rate. Of several
    workers the first one keeps the state, which the others get.

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
        Interrupted: After Ctrl-C, or if a callback stops the training; with the state saved.
        ConnectionError: If another worker is gone.
        ValueError: If a caller's batches end too early, or one cannot be used.
    """
    kept = checkpoints_of(folder, settings)
    if workers.leads():
        _begin(stage, folder, kept)
    workers.share([*stage.state().values()])
    judge = Validation(
        folder, validating, settings.validate_every, settings.scale, settings.projection, rank
    )
    stage.compile()
    interruption = callbacks.Interruption()  # one for all tries: a signal may come as one diverges
    while int(stage.step) < stage.total_steps:
        try:
            _run(stage, folder, settings, stream, [judge, *further, interruption], kept, report)
        except Diverged as divergence:
            _check_patience(stage, folder.name, schedule, divergence)
            if workers.leads():
                _roll_back(stage, kept, divergence)
            workers.share([*stage.state().values()])
        else:
            # A signal counts that came in the last step, too, whose validation may take a while.
            if int(stage.step) < stage.total_steps or interruption.happened:
                who = "" if interruption.happened else " by a callback"
                raise Interrupted(
                    f"Stopped{who} in {folder.name} at step {int(stage.step)} of "
                    f"{stage.total_steps}."
                )
        finally:
            interruption.restore()
    if workers.leads():
        judge.finish(stage)
    stage.generator.set_weights([np.asarray(weight) for weight in stage.best])


def _begin(stage: Stage, folder: Path, kept: Checkpoints) -> None:
    """Goes on from the last state that was kept, or keeps the first one."""
    for part in (folder, folder / "samples"):
        files.remove_partial(part)
    if kept.restore(stage.state()):
        stage.resumed()
    else:
        stage.begin()
        kept.save(stage.state(), int(stage.step))


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
    watching = [callbacks.Sentry(every, first[0])]
    if workers.leads():
        watching += [callbacks.Log(folder, stream.waited), judge]
        if isinstance(stage, Adversarial):
            watching.append(callbacks.GradientNorms(folder, first, every))
        watching += [
            callbacks.Checkpoint(kept, every),
            callbacks.Report(folder.name, steps, report),
            *further,
        ]
    try:
        stage.fit(
            stream.dataset(done, steps),
            steps_per_epoch=steps - done,
            shuffle=False,
            verbose=0,
            callbacks=[*watching, interruption],
        )
    except tf.errors.OpError as error:
        if stream.error:
            raise stream.error from None
        if workers.count() > 1 and isinstance(error, _LOST):
            raise ConnectionError(
                f"Another worker has ended, or cannot be reached, after step {int(stage.step)} of "
                f"{folder.name}; its own message says why. The run has kept its last checkpoint: "
                "start all workers again, with --resume."
            ) from error
        raise


def _check_patience(
    stage: Stage, name: str, schedule: config.Schedule, divergence: Diverged
) -> None:
    """Raises if the learning rate was halved three times already.

    Raises:
        FloatingPointError: If so.
    """
    halvings = int(stage.halvings)
    if halvings == _MAX_HALVINGS:
        rate = schedule.learning_rate / 2**halvings
        raise FloatingPointError(
            f"{divergence} In {name}, the training has diverged again after the learning rate "
            f"was halved {halvings} times, to {rate:g}. The run has kept a state from before: "
            f"go on from it with --resume and a lower {name}.learning_rate or {name}.clip_norm."
        ) from None


def _roll_back(stage: Stage, kept: Checkpoints, divergence: Diverged) -> None:
    """Goes back to a good state, with half the learning rate.

    If nothing was reached since the last time, the state of that time may be what is wrong, and
    the one before is taken.
    """
    halvings, before, reached = (
        int(number) for number in (stage.halvings, stage.rolled_back_to, stage.step)
    )
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
