"""What a step of a stage takes, in all and by its parts, measured in a few of them."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from srgan.train import config, data, fitting, preflight, streams, teaching, validation
from srgan.train.adversarial import Adversarial
from srgan.train.stage import Stage

_WARM_UP, _STEPS = 2, 4  # of a stage: the first ones trace and allocate
_LEAST = 2.0  # seconds: of shorter steps more are measured, since batches lie ready for the first


class StageCost(NamedTuple):
    """What a stage takes; seconds are those of a step in which both networks learn."""

    name: str
    steps: int  # those in which the discriminator learns alone included
    step_seconds: float
    data_seconds: float  # of one batch, which is made beside the step before
    generator_seconds: float
    features_seconds: float
    discriminator_seconds: float
    validation_seconds: float  # of one validation, and of what is done beside it
    seconds: float  # of the whole stage
    checkpoint_bytes: int


class _Clock(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        self.at.append(time.perf_counter())

    def seconds(self) -> float:
        return float(np.median(np.diff(self.at[_WARM_UP - 1 :])))


def measure(
    name: str,
    stage: Stage,
    sample: data.Photos,
    lessons: teaching.Lessons | None,
    settings: config.Config,
    folder: Path,
    validating: Sequence[data.Pair],
) -> StageCost:
    """Measures a stage, which is not the same afterwards.

    Args:
        name: Of the stage.
        stage: What learns.
        sample: Photos to learn from.
        lessons: What a teacher makes of crops.
        settings: Of the run.
        folder: Made, for what a validation writes.
        validating: The validation set.
    """
    schedule = getattr(settings, name)
    stream = streams.PhotoStream(sample, lessons, schedule, stage.taught, settings)
    began = time.perf_counter()
    batch = stream.head(2)[0]
    making = (time.perf_counter() - began) / 2 / streams.WORKERS
    stage.compile()
    both = _step(stage, stream)
    alone = both
    if isinstance(stage, Adversarial):
        stage.step.assign(0)
        alone = _steps(stage, stream, _STEPS) if schedule.discriminator_steps else both
        stage.step.assign(schedule.discriminator_steps)
        both = _step(stage, stream)
    folder.mkdir(exist_ok=True)
    kept = fitting.checkpoints_of(folder, settings)
    judge = validation.Validation(
        folder,
        validating,
        settings.validate_every,
        settings.scale,
        settings.projection,
        validation.accuracy_rule,
    )
    judge.set_model(stage)
    judging = 0.0
    for _ in range(2):  # the first one traces, and loads what LPIPS needs
        began = time.perf_counter()
        judge.validate()
        stage.has_diverged(*batch[:2])  # this and the rest is done beside it
        if isinstance(stage, Adversarial):
            stage.gradient_norms(stream.head(4))
        kept.save(stage.state(), int(stage.step))
        judging = time.perf_counter() - began
    generator, features, discriminator = _parts(stage, batch)
    validations = math.ceil(stage.total_steps / settings.validate_every)
    learning = schedule.steps * max(both, making)
    learning += (stage.total_steps - schedule.steps) * max(alone, making)
    return StageCost(
        name=name,
        steps=stage.total_steps,
        step_seconds=both,
        data_seconds=making,
        generator_seconds=generator,
        features_seconds=features,
        discriminator_seconds=discriminator,
        validation_seconds=judging,
        seconds=learning + validations * judging,
        checkpoint_bytes=preflight.size_of(stage),
    )


def _step(stage: Stage, stream: streams.PhotoStream) -> float:
    """Seconds of a step, without those that trace and allocate."""
    seconds = _steps(stage, stream, _STEPS)
    more = math.ceil(_LEAST / seconds)
    return seconds if more <= _STEPS else _steps(stage, stream, min(more, 20))


def _steps(stage: Stage, stream: streams.PhotoStream, count: int) -> float:
    clock = _Clock()
    count += _WARM_UP
    stage.fit(
        stream.dataset(0, count), steps_per_epoch=count, shuffle=False, verbose=0, callbacks=[clock]
    )
    return clock.seconds()


def _parts(stage: Stage, batch: streams.Batch) -> tuple[float, float, float]:
    """Seconds of generator, features and discriminator alone, forwards and backwards."""
    lr = tf.constant(batch[0])

    def learn(model: Any, inputs: Any) -> Callable[[], Any]:
        @tf.function
        def run():
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = tf.nest.flatten(model(inputs, training=True))
                loss = tf.add_n([tf.reduce_mean(tf.cast(x, tf.float32)) for x in outputs])
            return tape.gradient(loss, [tf.nest.flatten(inputs), model.trainable_variables])

        return run

    generator = _time(learn(stage.generator, lr))
    if not isinstance(stage, Adversarial):
        return generator, 0.0, 0.0
    window = stage.settings.window
    images = tf.constant(batch[1][:, :window, :window])
    both = tf.concat([images, images], 0)
    features, judged = 0.0, both
    if stage.features is not None:
        features = 2 * _time(learn(stage.features, images))  # of hr and sr
        judged = stage.features(both) if stage.on_features else both
    return generator, features, _time(learn(stage.discriminator, judged))


def _time(run: Callable[[], Any]) -> float:
    run()
    began = time.perf_counter()
    for _ in range(2):
        run()
    return (time.perf_counter() - began) / 2
