"""Muon for convolutions: the optimizer that halves the steps of pretraining; and Adam.

A network may have hundreds of variables, and a graph with twenty operations for the update of each
takes longer to make than any step: here they are few.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from srgan.train import config

_GENERAL = ("learning_rate", "global_clipnorm", "gradient_accumulation_steps")
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic, chosen for its slope at zero


@keras.saving.register_keras_serializable("srgan")
class Adam(keras.optimizers.Adam):
    """Keras' Adam, whose update of a variable is one operation of TensorFlow instead of twenty.

    m <- m + (1 - b1) (g - m), v <- v + (1 - b2) (g^2 - v), x <- x - a m / (sqrt(v) + e), where
    a = rate sqrt(1 - b2^t) / (1 - b1^t): the same, but for rounding.
    """

    def build(self, var_list):
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, var_list)
        # As Keras does, but of arrays: its initializers take twice as long.
        made = [
            self.add_variable_from_reference(
                variable, name, np.zeros(variable.shape, variable.dtype)
            )
            for variable in var_list
            for name in ("momentum", "velocity")
        ]
        self._momentums, self._velocities = made[::2], made[1::2]

    def _clip_gradients(self, grads):
        if not self.global_clipnorm:
            return super()._clip_gradients(grads)
        norm = tf.linalg.global_norm(grads)
        # Not a number if the norm is not finite, so that no weight hides it.
        scale = self.global_clipnorm / tf.maximum(norm, self.global_clipnorm) + (norm - norm)
        return [None if one is None else one * tf.cast(scale, one.dtype) for one in grads]

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        step = tf.cast(self.iterations + 1, tf.float32)
        powers = {"beta1_power": self.beta_1**step, "beta2_power": self.beta_2**step}
        numbers: dict[str, Any] = powers | {
            "lr": learning_rate,
            "beta1": self.beta_1,
            "beta2": self.beta_2,
            "epsilon": self.epsilon,
        }
        update: Any = tf.raw_ops.ResourceApplyAdam
        cast = {
            kind: {name: tf.cast(number, kind) for name, number in numbers.items()}
            for kind in {variable.dtype for variable in trainable_variables}
        }
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            index = self._get_variable_index(variable)
            update(
                var=variable.handle,
                m=self._momentums[index].handle,
                v=self._velocities[index].handle,
                grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
                **cast[variable.dtype],
            )


@keras.saving.register_keras_serializable("srgan")
class Muon(keras.optimizers.Optimizer):
    """Momentum made orthogonal (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/).

    A convolution's kernel is a matrix from height x width x channels-in to channels-out. Its
    update is U V^T, where U S V^T is the singular value decomposition of the momentum: all
    directions are learned at one pace, not only the dominant ones. `keras.optimizers.Muon` does
    so for dense layers only. The update is scaled by 0.2 sqrt(max(rows, columns)), which gives it
    the root mean square of Adam's (Liu et al. 2025, eq. 4), so that learning rates carry over.

    Kernels from or to fewer than `smallest` channels (the first and last of a generator), biases
    and other vectors are left to Adam.

    Args:
        learning_rate: Or a schedule.
        momentum: Decay of the momentum.
        adam_ratio: Adam's learning rate, in parts of `learning_rate`.
        beta_1: Adam's decay of the first moment.
        beta_2: Adam's decay of the second moment.
        iterations: Newton-Schulz steps towards U V^T.
        smallest: Fewest channels of a kernel that counts as a matrix.
        global_clipnorm: Largest joint norm of the gradients.
        gradient_accumulation_steps: Batches of whose gradients the mean makes an update.
    """

    def __init__(
        self,
        learning_rate,
        momentum: float = 0.95,
        adam_ratio: float = 0.5,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        iterations: int = 5,
        smallest: int = 16,
        global_clipnorm: float | None = None,
        gradient_accumulation_steps: int | None = None,
    ) -> None:
        super().__init__(
            learning_rate,
            name="muon",
            global_clipnorm=global_clipnorm,
            gradient_accumulation_steps=gradient_accumulation_steps,
        )
        self.momentum = momentum
        self.adam_ratio = adam_ratio
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.steps = iterations
        self.smallest = smallest

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._first = [self.add_variable_from_reference(v, name="first") for v in variables]
        self._second = [
            None if self._is_matrix(v) else self.add_variable_from_reference(v, name="second")
            for v in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        first, second = self._first[index], self._second[index]
        learning_rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        if second is None:
            self.assign(first, self.momentum * first + gradient)
            columns = variable.shape[-1]
            matrix = ops.reshape(gradient + self.momentum * first, (-1, columns))
            size = 0.2 * max(matrix.shape[0], columns) ** 0.5
            update = size * ops.reshape(orthogonal(matrix, self.steps), variable.shape)
        else:
            step = ops.cast(self.iterations + 1, variable.dtype)
            self.assign(first, self.beta_1 * first + (1 - self.beta_1) * gradient)
            self.assign(second, self.beta_2 * second + (1 - self.beta_2) * ops.square(gradient))
            mean = first / (1 - self.beta_1**step)
            update = mean / (ops.sqrt(second / (1 - self.beta_2**step)) + 1e-8)
            update = self.adam_ratio * update
        self.assign_sub(variable, learning_rate * update)

    def get_config(self):
        own = {
            "momentum": self.momentum,
            "adam_ratio": self.adam_ratio,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "iterations": self.steps,
            "smallest": self.smallest,
        }
        config = super().get_config()
        return {key: config[key] for key in _GENERAL} | own

    def _is_matrix(self, variable) -> bool:
        return len(variable.shape) == 4 and min(variable.shape[2:]) >= self.smallest


def orthogonal(matrix, iterations: int = 5):
    """Returns nearly U V^T of a matrix U S V^T: its singular values end up in about 0.7..1.2.

    Newton-Schulz: X <- a X + b (X X^T) X + c (X X^T)^2 X, applied to the matrix over its norm.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if tall else matrix
    x = x / (ops.norm(x) + 1e-7)
    for _ in range(iterations):
        square = x @ ops.transpose(x)
        x = a * x + (b * square + c * square @ square) @ x
    return ops.transpose(x) if tall else x


class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak`, then half a cosine to zero at the last step.

    Args:
        peak: The highest learning rate.
        steps: Of the optimizer, in all.
        warmup: Steps of the rise.
        halvings: All of it is divided by 2 ** halvings, which may change on the way.
    """

    def __init__(self, peak: float, steps: int, warmup: int, halvings: keras.Variable) -> None:
        self._arguments = {"peak": peak, "steps": steps, "warmup": warmup}
        self._full = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else peak,
            steps - warmup,
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
        self._halvings = halvings

    def __call__(self, step):
        return self._full(step) / ops.cast(2**self._halvings, "float32")

    def get_config(self):  # what trackers log
        return self._arguments


class WarmSteps(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak`, which is multiplied by `factor` at each of some steps.

    Args:
        peak: The highest learning rate.
        milestones: Steps of the optimizer.
        factor: At each of them.
        warmup: Steps of the rise.
        halvings: As of `WarmCosine`.
    """

    def __init__(
        self,
        peak: float,
        milestones: Sequence[float],
        factor: float,
        warmup: int,
        halvings: keras.Variable,
    ) -> None:
        self._peak, self._factor, self._warmup = peak, factor, warmup
        self._milestones, self._halvings = [*milestones], halvings

    def __call__(self, step):
        step = ops.cast(step, "float32")
        passed = sum(ops.cast(step >= at, "float32") for at in self._milestones)
        risen = ops.minimum((step + 1) / self._warmup, 1.0) if self._warmup else 1.0
        rate = self._peak * risen * self._factor ** ops.cast(passed, "float32")
        return rate / ops.cast(2**self._halvings, "float32")

    def get_config(self):
        milestones, warmup = self._milestones, self._warmup
        return {"peak": self._peak, "milestones": milestones, "warmup": warmup}


def learning_rate(
    settings: config.Schedule, peak: float, steps: int, halvings: keras.Variable
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the schedule of a stage for an optimizer of so many steps.

    Milestones are steps of the generator, and shift in proportion for a discriminator.
    """
    if settings.schedule == "cosine":
        return WarmCosine(peak, steps, settings.warmup, halvings)
    milestones: Sequence[int] = settings.milestones
    if settings.decay_every:
        milestones = range(settings.decay_every, settings.steps, settings.decay_every)
    stretched = [at * steps / settings.steps for at in milestones]
    return WarmSteps(peak, stretched, settings.decay_factor, settings.warmup, halvings)


def accumulated(settings: config.Schedule) -> int | None:
    """Returns how many batches make an update, as Keras' optimizers take it."""
    return settings.accumulate if settings.accumulate > 1 else None


def make(
    settings: config.Pretrain | config.Adversarial, halvings: keras.Variable
) -> keras.optimizers.Optimizer:
    """The generator's optimizer, on a schedule, with the gradients' joint norm clipped."""
    rate = learning_rate(settings, settings.learning_rate, settings.steps, halvings)
    if settings.optimizer == "adam":
        return adam(settings, rate)
    batches = accumulated(settings)
    return _scaled(
        Muon(rate, global_clipnorm=settings.clip_norm, gradient_accumulation_steps=batches)
    )


def adam(
    settings: config.Schedule, rate: keras.optimizers.schedules.LearningRateSchedule
) -> keras.optimizers.Optimizer:
    """Adam as GANs take it, with the gradients' joint norm clipped."""
    return _scaled(
        Adam(
            rate,
            beta_1=0.9,
            beta_2=0.99,
            global_clipnorm=settings.clip_norm,
            gradient_accumulation_steps=accumulated(settings),
        )
    )


def _scaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer of a loss that float16 needs large, lest small gradients vanish.

    The scale halves when a gradient overflows, and that step is left out.
    """
    if keras.config.dtype_policy().compute_dtype != "float16":
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
