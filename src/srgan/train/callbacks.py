"""What happens between the steps of a stage: guarding, logging, validating, keeping.

Each is a Keras callback that counts by the stage's own `step`, so that a resumed run goes on where
it was. Their order matters: `Sentry` comes before `Checkpoint`, which then never keeps a broken
state.
"""

import logging
import math
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from srgan.io import images
from srgan.numeric import projection, resize
from srgan.quality import metrics
from srgan.train import checkpoints, csv_log
from srgan.train.data import Pair
from srgan.train.training import Stage

_logger = logging.getLogger(__name__)


class Progress(NamedTuple):
    """How far a run is: reported after every step."""

    stage: str  # "data", "pretrain" or "adversarial"
    step: int
    steps: int
    logs: dict[str, float]  # loss terms, already weighted; validation scores when they are new


class Sentry(keras.callbacks.Callback):
    """Stops a run whose loss is not finite, and reports a discriminator that sleeps.

    Args:
        patience: Steps over which the discriminator's loss is averaged. Within 3 % of chance,
            2 log 2, it teaches nothing, and the perceptual term alone draws the texture.
    """

    def __init__(self, patience: int = 200) -> None:
        super().__init__()
        self._patience = patience
        self._average = 0.0
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        logs = logs or {}
        for term, value in logs.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"The loss term {term!r} became {value} at step {int(self.model.step)}; it "
                    "must be finite. The last checkpoint is from before: continue it with a lower "
                    "learning_rate or clip_norm."
                )
        if "discriminator" in logs:
            self._steps += 1
            self._average += (float(logs["discriminator"]) - self._average) / min(
                self._steps, self._patience
            )
            if self._steps % self._patience == 0 and self._average > 0.97 * 2 * math.log(2):
                _logger.warning(
                    "The discriminator is at chance (loss %.3f of 1.386 over %d steps): raise "
                    "discriminator_learning_rate, discriminator_steps or generator_every.",
                    self._average,
                    self._patience,
                )


class Log(keras.callbacks.Callback):
    """Writes the mean of every loss term each `every` steps to `log.csv` and TensorBoard."""

    def __init__(self, folder: Path, every: int = 20) -> None:
        super().__init__()
        self._file = folder / "log.csv"
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
        self._every = every
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0

    def on_train_begin(self, logs=None):
        csv_log.forget_after(self._file, int(self.model.step))

    def on_train_batch_end(self, batch, logs=None):
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
        csv_log.append(self._file, {"step": step} | means)
        with self._writer.as_default(step):
            for term, mean in means.items():
                tf.summary.scalar(f"train/{term}", mean)
        self._sums.clear()
        self._count = 0


class Validation(keras.callbacks.Callback):
    """Scores the averaged weights on whole photos, and keeps the best of them.

    Writes `validation.csv`, `samples/NNNNNN.png` (rows: photos; columns: bicubic, sr, hr),
    TensorBoard scalars and images, and the best weights as `best.npz`.

    Args:
        folder: Of the stage.
        pairs: Photos to score.
        every: Steps between validations.
        scale: Factor from lr to sr.
        projection: Rounds of the consistency projection.
        rank: From scores to a number to maximise: the rule that says what "best" is.
    """

    def __init__(
        self,
        folder: Path,
        pairs: Sequence[Pair],
        every: int,
        scale: int,
        projection: int,
        rank: Callable[[metrics.Scores], float],
    ) -> None:
        super().__init__()
        self._folder, self._pairs, self._every = folder, pairs, every
        self._scale, self._projection, self._rank = scale, projection, rank
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
        self._file = folder / "validation.csv"

    def on_train_begin(self, logs=None):
        csv_log.forget_after(self._file, int(self.model.step))
        rows = csv_log.read_rows(self._file)
        self._best = max((float(row["rank"]) for row in rows), default=-math.inf)
        self._run = tf.function(
            lambda lr: self.model.ema(lr, training=False), reduce_retracing=True
        )

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) % self._every == 0 and logs is not None:
            logs.update(self._validate())

    def finish(self, stage: Stage) -> float:
        """Validates the last weights if no validation fell on them; returns the best rank."""
        self.set_model(stage)
        self.on_train_begin()
        if not any(int(row["step"]) == int(stage.step) for row in csv_log.read_rows(self._file)):
            self._validate()
        return self._best

    def _validate(self) -> dict[str, float]:
        step = int(self.model.step)
        results = [self._upscale(pair.lr) for pair in self._pairs]
        scores = [
            metrics.score(pair.hr, pair.lr, sr, self._scale)
            for pair, sr in zip(self._pairs, results, strict=True)
        ]
        mean = metrics.Scores(*np.mean(scores, axis=0).tolist())
        rank = self._rank(mean)
        if rank > self._best:
            self._best = rank
            checkpoints.save(self._folder / "best.npz", checkpoints.named(self.model.ema))
        csv_log.append(self._file, {"step": step} | mean._asdict() | {"rank": rank})
        sample = self._sample(results)
        (self._folder / "samples").mkdir(exist_ok=True)
        images.write(self._folder / "samples" / f"{step:06d}.png", sample, overwrite=True)
        with self._writer.as_default(step):
            for name, value in mean._asdict().items():
                tf.summary.scalar(f"validation/{name}", value)
            tf.summary.image("bicubic, sr, hr", sample[None])
        self._writer.flush()
        return {f"validation_{name}": value for name, value in mean._asdict().items()}

    def _upscale(self, lr: np.ndarray) -> np.ndarray:
        small = lr.astype(np.float32) / 255
        sr = self._run(tf.constant(small[None]))[0].numpy()
        return images.to_uint8(np.clip(projection.project(sr, small, self._projection), 0, 1))

    def _sample(self, results: list[np.ndarray], rows: int = 4, side: int = 256) -> np.ndarray:
        """The middle of the first photos, side by side."""
        picture = np.zeros((rows * side, 3 * side, 3), np.uint8)
        for row, (pair, sr) in enumerate(zip(self._pairs[:rows], results, strict=False)):
            for column, image in enumerate((resize.upscale(pair.lr, self._scale), sr, pair.hr)):
                top, left = (max(length - side, 0) // 2 for length in image.shape[:2])
                crop = image[top : top + side, left : left + side]
                y, x = row * side, column * side
                picture[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        return picture


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
    """Keeps the whole state as `latest.npz`: every few steps, at the end, and at Ctrl-C."""

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__()
        self._file, self._every = folder / "latest.npz", every

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) % self._every == 0:
            checkpoints.save(self._file, self.model.state())

    def on_train_end(self, logs=None):
        checkpoints.save(self._file, self.model.state())


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
        happened: Whether a signal came.
    """

    def __init__(self) -> None:
        super().__init__()
        self.happened = False
        self._before: dict = {}

    def on_train_begin(self, logs=None):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)

    def on_train_batch_end(self, batch, logs=None):
        if self.happened:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.restore()

    def restore(self) -> None:
        """Gives the signals back; also to be called when training ends by an error."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _stop(self, number, frame):
        self.happened = True
        self.restore()
