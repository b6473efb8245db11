"""Validation: the averaged weights scored on whole photos, and which of them are the best."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from srgan.io import images
from srgan.numeric import projection, resize
from srgan.quality import metrics
from srgan.train import callbacks, checkpoints, csv_log
from srgan.train.data import Pair
from srgan.train.stage import Stage

PSNR_CEILING = 58.92
"""dB, 10 log10(12 x 255^2): an exact result that is rounded to 8 bits. Above, PSNR tells nothing.

A flat photo may score 60 dB or be exact, by chance, which must not outweigh all other photos.
"""

PSNR_LOSS = 2.0
"""dB that stage two may lose against stage one and still be the best."""

_GRID_CEILING = 0.06  # of the metric GRID: the grid artifact cannot be seen below

Rank = Callable[[metrics.Scores], float]
"""What "best" means: from mean scores to a finite number to maximise."""


def accuracy_rule(scores: metrics.Scores) -> float:
    """What "best" means in stage one: the highest PSNR, and of about equal ones the lowest LPIPS.

    rank = PSNR - LPIPS: towards its end a stage goes on gaining LPIPS, which stage two keeps,
    while PSNR goes up and down by some .01 dB, by chance of the few photos.
    """
    return scores.psnr - scores.lpips


def perception_rule(floor: float) -> Rank:
    """What "best" means in stage two: the lowest LPIPS of faithful results without grid artifact.

    rank = -LPIPS - max(0, floor - PSNR) - max(0, GRID - 0.06): LPIPS sees neither a drift of
    brightness nor a grid artifact. Of flat photos alone, there is no GRID.
    """

    def rank(scores: metrics.Scores) -> float:
        excess = 0.0 if np.isnan(scores.grid) else max(0.0, scores.grid - _GRID_CEILING)
        return -scores.lpips - max(0.0, floor - scores.psnr) - excess

    return rank


class Validation(keras.callbacks.Callback):
    """Scores the averaged weights on whole photos, and keeps the best of them.

    Writes `validation.csv`, `samples/NNNNNN.png` (rows: photos; columns: bicubic, sr, hr),
    TensorBoard scalars and images, and the best weights as `best.npz`.

    Args:
        folder: Of the stage.
        pairs: Photos to score.
        every: Steps between validations; the last step has one too.
        scale: Factor from lr to sr.
        projection: Rounds of the consistency projection.
        rank: The rule that says what "best" is.
    """

    def __init__(
        self,
        folder: Path,
        pairs: Sequence[Pair],
        every: int,
        scale: int,
        projection: int,
        rank: Rank,
    ) -> None:
        super().__init__()
        self._folder, self._pairs, self._every = folder, pairs, every
        self._scale, self._projection, self._rank = scale, projection, rank
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
        self._file = folder / "validation.csv"

    def on_train_begin(self, logs=None):
        csv_log.forget_after(self._file, int(self.model.step))
        if int(self.model.best_step) >= 0:
            self._save_best()  # that of the state, where a kill or a divergence left another

    def on_train_batch_end(self, batch, logs=None):
        if callbacks.is_due(self.model, self._every) and logs is not None:
            logs.update(self.validate())

    def finish(self, stage: Stage) -> None:
        """Sees to it that a stage which is over has its best weights, and the file of them."""
        self.set_model(stage)
        self.on_train_begin()
        if int(stage.best_step) < 0:  # steps were reduced to what was done
            self.validate()

    def validate(self) -> dict[str, float]:
        """Scores the averaged weights now; returns the scores by name."""
        step = int(self.model.step)
        results = [self._upscale(pair.lr) for pair in self._pairs]
        scores = [
            metrics.score(pair.hr, pair.lr, sr, self._scale)
            for pair, sr in zip(self._pairs, results, strict=True)
        ]
        mean = metrics.mean([s._replace(psnr=min(s.psnr, PSNR_CEILING)) for s in scores])
        rank = self._rank(mean)
        if self.model.keep_best(rank):
            self._save_best()
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

    @cached_property
    def _run(self):
        return tf.function(lambda lr: self.model.ema(lr, training=False), reduce_retracing=True)

    def _save_best(self) -> None:
        checkpoints.save(self._folder / "best.npz", checkpoints.named(self.model.best))

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
