"""Stage one: `Pretraining`, a Keras model to `compile` and `fit` on batches; see `stage.Stage`."""

import keras
import tensorflow as tf
from keras import ops

from srgan.train import config, losses, own
from srgan.train.optimizers import make
from srgan.train.stage import Stage, descend

_NO_TEACHER = config.Teacher()


class Pretraining(Stage):
    """Trains a generator towards the lowest pixel error.

    Args:
        generator: Maps lr to sr; trained in place.
        settings: Of this stage.
        teacher: Of the run.
        own_losses: Terms beside the pixel loss, as `losses` of `run.train`.
    """

    def __init__(
        self,
        generator: keras.Model,
        settings: config.Pretrain,
        teacher: config.Teacher = _NO_TEACHER,
        own_losses: own.Losses | None = None,
    ) -> None:
        taught = teacher.taught(teacher.pixel, settings.batch_size)
        super().__init__(generator, settings, settings.steps, taught, own_losses)
        self.pixel = getattr(losses, settings.pixel)
        self.generator_optimizer = make(settings, self.halvings)
        self.generator_optimizer.build(generator.trainable_variables)

    def optimizers(self):
        return {"generator_optimizer": self.generator_optimizer}

    def learn(self, data):
        target = self.target(data, self.taught)
        scale = (data[1].shape[1] or 0) // (data[0].shape[1] or 1)
        with tf.GradientTape() as tape:
            sr = ops.cast(self.generator(data[0], training=True), "float32")
            terms = {"pixel": self.pixel(target, sr)} | self.own_terms(target, sr)
            loss = sum(terms.values())
        norm = descend(self.generator, self.generator_optimizer, tape, loss)
        self.step.assign_add(1)
        self.average()
        return terms | {"gradient": norm} | self.observed(target, sr, scale)
