"""What both stages of a training share: a generator, its moving average, and a state to save."""

from collections.abc import Sequence
from typing import cast

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from srgan.networks import graph, workers
from srgan.train import config, losses, own

WORST_ERROR = 0.5
"""Mean absolute error of a generator that has diverged: plain grey errs by no more on any image."""

OBSERVED = ("colour_drift", "grid_energy")
"""What is logged besides the loss, and follows from what a term of it tells first."""

_NEVER = -1  # of a step that has not been


class UnusableTerm(ValueError):
    """A caller's term of the loss cannot be computed, is no number, or teaches nothing."""


class _LastStep(keras.callbacks.Callback):
    """Ends `fit` when a stage has done all its steps."""

    left = 0

    def on_train_begin(self, logs=None):
        self.left = self.model.total_steps - int(self.model.step)

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left <= 0:
            self.model.stop_training = True


class Stage(keras.Model):
    """A generator in training, its moving average, and the best of that so far.

    The exponential moving average of the weights is what is validated, and the best of it is what
    is shipped.

    It fits batches `(lr, hr)` until it has done its steps, or they end; where a teacher teaches,
    `(lr, hr, taught)`, of which the last are the teacher's pictures of the first crops.

    Args:
        generator: Maps lr to sr; trained in place.
        settings: Of the stage.
        steps: That the stage has in all.
        taught: How many crops of a batch the teacher teaches.
        own_losses: A caller's own terms.

    Attributes:
        halvings: How often the learning rate was halved, since the training diverged.
        rolled_back_to: The step that the last divergence led back to, or -1.
        best: The averaged weights that were validated as the best.
        best_rank: Their rank.
        best_step: Their step, or -1.
    """

    def __init__(
        self,
        generator: keras.Model,
        settings: config.Schedule,
        steps: int,
        taught: int,
        own_losses: own.Losses | None = None,
    ) -> None:
        super().__init__()
        own.build(generator)
        self.generator = generator
        self.taught = taught
        self.own_losses = dict(own_losses or {})
        self.total_steps = steps
        self.ema = own.copy(generator)
        self.best = [keras.Variable(weight, trainable=False) for weight in generator.get_weights()]
        self.decay = settings.ema
        self.step = self._number("step", 0)
        self.halvings = self._number("halvings", 0)
        self.rolled_back_to = self._number("rolled_back_to", _NEVER)
        self.best_step = self._number("best_step", _NEVER)
        self.best_rank = self._number("best_rank", 0.0, "float64")
        self._rate = settings.learning_rate
        self._halved_rate = self._number("halved_rate", self._rate, "float64")
        self.built = True  # which Keras' ModelCheckpoint asks, and it is never called on an image

    def compile(self) -> None:
        """Makes the stage ready for `fit`; once, so that its graph is traced once."""
        if self.compiled:
            return
        # XLA's convolutions are two to four times slower than oneDNN's on a CPU. Callbacks of other
        # packages look at `optimizer`.
        super().compile(self.optimizers()["generator_optimizer"], jit_compile=False)

    def fit(self, *args, callbacks=(), **options):
        """As Keras' own, but ends at the stage's last step, also if batches have no end."""
        given = callbacks if isinstance(callbacks, Sequence) else [callbacks]
        return super().fit(*args, callbacks=[*given, _LastStep()], **options)

    def make_train_function(self, force=False):
        # Keras' own traces a function inside another one, which takes a quarter longer.
        if tf.distribute.has_strategy() or self.run_eagerly:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = tf.function(
                lambda batches: self.train_step(next(batches)),
                autograph=False,
                reduce_retracing=True,
            )
        return self.train_function

    def begin(self) -> None:
        """Starts from the weights that the generator has now."""
        self.ema.set_weights(self.generator.get_weights())

    def train_step(self, data):
        terms = self.learn(data)
        return dict(zip(terms, workers.mean(*terms.values()), strict=True))

    def learn(self, data) -> dict:
        """Computes a step; returns the terms of the loss, and what else is logged.

        Args:
            data: A batch, or this worker's part of it.
        """
        raise NotImplementedError

    def average(self) -> None:
        """Moves the moving average one step towards the generator's weights."""
        step = tf.cast(self.step.value, tf.float32)
        decay = tf.minimum(self.decay, (1 + step) / (10 + step))  # no memory of the first steps
        rest = 1 - decay
        # By TensorFlow's own means, since Keras' take three times as long to trace.
        for average, weight in zip(self.ema.weights, self.generator.weights, strict=True):
            mean = tf.add(tf.multiply(decay, average.value), tf.multiply(rest, weight.value))
            average.value.assign(mean, read_value=False)

    def state(self) -> dict[str, keras.Variable]:
        """Everything that the rest of the stage depends on, besides the data: variables by name."""
        parts = {
            "generator": self.generator.weights,
            "ema": self.ema.weights,
            "best": self.best,
        }
        for name, optimizer in self.optimizers().items():
            parts[name] = optimizer.variables
        variables = {
            f"{part}/{i:03d}": variable
            for part, members in parts.items()
            for i, variable in enumerate(members)
        }
        return variables | {
            "step": self.step,
            "halvings": self.halvings,
            "rolled_back_to": self.rolled_back_to,
            "halved_rate": self._halved_rate,
            "best_step": self.best_step,
            "best_rank": self.best_rank,
        }

    def resumed(self) -> None:
        """To be called when the state was restored: halvings count for one learning rate alone."""
        if float(self._halved_rate) != self._rate:
            self._halved_rate.assign(self._rate)
            self.halvings.assign(0)
            self.rolled_back_to.assign(_NEVER)

    def keep_best(self, rank: float) -> bool:
        """Keeps the averaged weights if they rank higher than all before; returns whether."""
        is_best = int(self.best_step) == _NEVER or rank > float(self.best_rank)
        if is_best:
            for best, average in zip(self.best, self.ema.weights, strict=True):
                best.assign(average)
            self.best_rank.assign(rank)
            self.best_step.assign(int(self.step))
        return is_best

    def has_diverged(self, lr: np.ndarray, hr: np.ndarray) -> bool:
        """Whether a variable is not finite, or the generator is worse than plain grey.

        Losses tell too late: that of a step is from before its update.

        Args:
            lr: `(batch, height, width, 3)` in [0, 1].
            hr: What the generator should make of it.
        """
        if not all(np.isfinite(variable).all() for variable in self.state().values()):
            return True
        error = np.mean(np.abs(hr - np.asarray(self.generator(lr, training=False))))
        return not error <= WORST_ERROR  # NaN too

    def own_terms(self, hr, sr) -> dict:
        """The caller's terms of the loss, with their weights.

        Raises:
            UnusableTerm: If one cannot be computed.
        """
        terms = {}
        for name, (function, weight) in self.own_losses.items():
            try:
                terms[name] = weight * ops.cast(function(hr, sr), "float32")
            except (tf.errors.OpError, NotImplementedError, TypeError, ValueError) as error:
                why = f"{graph.reason(error)} (hr and sr are {hr.shape})"
                raise UnusableTerm(f"the loss term {name!r} cannot be computed: {why}") from error
        return terms

    def seen(self, images):
        """What the caller's terms see of images."""
        return images

    @staticmethod
    def observed(hr, sr, scale: int) -> dict:
        """What is logged besides the loss: how far mean colours drift, and the grid's energy."""
        sr = ops.stop_gradient(sr)
        drift = ops.mean(ops.abs(ops.mean(hr - sr, axis=(1, 2))))
        is_large = min(side or 0 for side in sr.shape[1:3]) >= 8 + 2 * scale
        grid = losses.grid(sr, scale) if is_large else tf.constant(0.0)
        return dict(zip(OBSERVED, (drift, grid), strict=True))

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The stage's optimizers by name."""
        raise NotImplementedError

    @staticmethod
    def target(batch: Sequence, count: int):
        """What sr is compared with: the teacher's pictures of the first `count` crops, else hr.

        Of a part of a batch, likewise of a part of these.
        """
        hr, count = batch[1], count // workers.count()
        return ops.concatenate([batch[2][:count], hr[count:]]) if count else hr

    def advance_to_trial(self) -> None:
        """Sets the step to one that uses all parts of the stage."""

    def _number(self, name: str, value: float, dtype: str = "int64") -> keras.Variable:
        number = self.add_weight(
            shape=(), dtype=dtype, initializer="zeros", trainable=False, name=name
        )
        number.assign(value)  # in all its digits, which an initializer rounds to float32
        return number


def descend(model, optimizer, tape, loss):
    """One step of the optimizer; returns the norm of the gradients before clipping."""
    weights = cast(list, model.trainable_variables)
    gradients, scale = slopes(tape, loss, weights, optimizer)
    optimizer.apply(gradients, weights)
    norm = tf.linalg.global_norm(gradients) / scale
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):  # which has left the step out
        return tf.where(tf.math.is_finite(norm), norm, 0.0)
    return norm


def slopes(tape, loss, weights, optimizer) -> tuple:
    """Returns the gradients of the mean loss of all workers, times a scale, and the scale.

    The optimizer wants a scale other than 1 where gradients are computed in float16.
    """
    scale = optimizer.scale_loss(tf.ones_like(loss))
    return workers.means(tape.gradient(loss, weights, output_gradients=scale)), scale
