"""What happens between the steps of a stage: guarding, logging, keeping; see also `validation`.

Each is a Keras callback that counts by the stage's own `step`, so that a resumed run goes on where
it was. Their order matters: `Sentry` comes before all that keeps something.
"""

import logging
import math
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from srgan.networks import workers
from srgan.train import checkpoints, config, csv_log
from srgan.train.stage import OBSERVED, Stage

_logger = logging.getLogger(__name__)


class Progress(NamedTuple):
    """How far a run is: reported after every step."""

    stage: str  # "data", "teacher", "pretrain" or "adversarial"
    step: int
    steps: int
    logs: dict[str, float]  # loss terms, already weighted; validation scores when they are new


class Diverged(FloatingPointError):
    """A training went wrong: what was learned is lost since its last good state."""


def is_due(stage: Stage, every: int) -> bool:
    """Whether a step is one at which a stage is validated and kept."""
    step = int(stage.step)
    return step % every == 0 or step == stage.total_steps


class Sentry(keras.callbacks.Callback):
    """Stops a stage that diverges, and reports a discriminator that sleeps.

    Args:
        every: Steps between checks of all variables and of the results.
        batch: What the results are checked on.
        patience: Steps over which the discriminator's loss and accuracy are averaged. At chance it
            teaches nothing, and the perceptual term alone draws the texture.
    """

    def __init__(self, every: int, batch: tuple, patience: int = 200) -> None:
        super().__init__()
        self._every, self._batch, self._patience = every, batch, patience
        self._average = np.zeros(2)  # of loss and accuracy
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        logs = logs or {}
        for term, value in logs.items():
            if term not in OBSERVED and not math.isfinite(value):
                raise Diverged(f"The loss term {term!r} is {value} at step {int(self.model.step)}.")
        if is_due(self.model, self._every) and any(
            workers.any_of(self.model.has_diverged(*self._batch[:2]))
        ):
            raise Diverged(f"The results are worse than plain grey at step {int(self.model.step)}.")
        if "discriminator" in logs:
            self._steps += 1
            now = np.array([float(logs["discriminator"]), float(logs["accuracy"])])
            self._average += (now - self._average) / min(self._steps, self._patience)
            kind = self.model.settings.adversarial
            if self._steps % self._patience == 0 and config.is_at_chance(kind, *self._average):
                _logger.warning(
                    "The discriminator is at chance (loss %.3f of %.3f over %d steps): raise "
                    "discriminator_learning_rate, discriminator_steps or generator_every.",
                    self._average[0],
                    config.CHANCE[kind],
                    self._patience,
                )


class Log(keras.callbacks.Callback):
    """Writes the mean of every loss term each `every` steps to `log.csv` and TensorBoard.

    Beside them, the generator's learning rate, the seconds of a step, waiting for its batch
    included, and those in which a batch is made.

    Args:
        folder: Of the stage.
        waited: Tells the latter.
        every: Steps between two rows.
    """

    def __init__(self, folder: Path, waited: Callable[[], float], every: int = 20) -> None:
        super().__init__()
        self._waited, self._seconds, self._began = waited, 0.0, 0.0
        self._file = folder / "log.csv"
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
        self._every = every
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0

    def on_train_begin(self, logs=None):
        csv_log.forget_after(self._file, int(self.model.step))

    def on_train_batch_begin(self, batch, logs=None):
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._seconds += time.perf_counter() - self._began
        for term, value in (logs or {}).items():
            self._sums[term] += float(value)
        self._count += 1
        if int(self.model.step) % self._every == 0:
            self._write()

    def on_train_end(self, logs=None):
        if self._count:
            self._write()

    def _write(self) -> None:
        step = int(self.model.step)
        means = {term: total / self._count for term, total in self._sums.items()}
        means["learning_rate"] = float(self.model.generator_optimizer.learning_rate)
        means["step_seconds"] = self._seconds / self._count
        means["data_seconds"] = self._waited()
        self._seconds = 0.0
        csv_log.append(self._file, {"step": step} | means)
        with self._writer.as_default(step):
            for term, mean in means.items():
                tf.summary.scalar(f"train/{term}", mean)
        self._sums.clear()
        self._count = 0


class GradientNorms(keras.callbacks.Callback):
    """Writes the gradient norm of each loss term of stage two, to a file and TensorBoard.

    The file is `gradient_norms.csv`.

    See `training.Adversarial.gradient_norms`.

    Args:
        folder: Of the stage.
        batches: What to measure it on, the same each time.
        every: Steps between measurements.
    """

    def __init__(self, folder: Path, batches: Sequence[tuple], every: int) -> None:
        super().__init__()
        self._file, self._batches, self._every = folder / "gradient_norms.csv", batches, every
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))

    def on_train_begin(self, logs=None):
        csv_log.forget_after(self._file, int(self.model.step))

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step)
        if step % self._every == 0:
            norms = self.model.gradient_norms(self._batches)
            csv_log.append(self._file, {"step": step} | norms)
            with self._writer.as_default(step):
                for term, norm in norms.items():
                    tf.summary.scalar(f"gradient_norm/{term}", norm)


class Checkpoint(keras.callbacks.Callback):
    """Keeps the whole state: every few steps, at the last, and at Ctrl-C."""

    def __init__(self, kept: checkpoints.Checkpoints, every: int) -> None:
        super().__init__()
        self._kept, self._every = kept, every

    def on_train_batch_end(self, batch, logs=None):
        if is_due(self.model, self._every):
            self._kept.save(self.model.state(), int(self.model.step))

    def on_train_end(self, logs=None):
        if not is_due(self.model, self._every):
            self._kept.save(self.model.state(), int(self.model.step))


class Report(keras.callbacks.Callback):
    """Tells the caller how far the stage is."""

    def __init__(self, stage: str, steps: int, report: Callable[[Progress], None]) -> None:
        super().__init__()
        self._stage, self._steps, self._report = stage, steps, report

    def on_train_batch_end(self, batch, logs=None):
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._report(Progress(self._stage, int(self.model.step), self._steps, values))


class Interruption(keras.callbacks.Callback):
    """Lets Ctrl-C (and SIGTERM) finish the step, so that the stage ends with a checkpoint.

    A second Ctrl-C is not waited for. Outside the main thread, where Python allows no signal
    handlers, the signals do what they always do.

    Attributes:
        happened: Whether a signal came to a worker, as all of them know.
    """

    def __init__(self) -> None:
        super().__init__()
        self.happened = self._came = False
        self._before: dict = {}

    def on_train_begin(self, logs=None):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)

    def on_train_batch_end(self, batch, logs=None):
        # All workers stop after the same step, whoever was asked to. A signal that comes while they
        # agree counts after the next one.
        self.happened, stopped = workers.any_of(self._came, self.model.stop_training)
        self.model.stop_training = self.happened or stopped

    def on_train_end(self, logs=None):
        self.restore()

    def restore(self) -> None:
        """Gives the signals back; also to be called when training ends by an error."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _stop(self, number, frame):
        self._came = True
        self.restore()
