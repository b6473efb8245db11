"""Stage two: `Adversarial`, a Keras model to `compile` and `fit` on batches; see `stage.Stage`."""

from collections.abc import Sequence
from typing import cast

import keras
import tensorflow as tf
from keras import ops

from srgan.networks import workers
from srgan.networks.consistency import Projection
from srgan.train import config, losses, own
from srgan.train.optimizers import adam, learning_rate, make
from srgan.train.stage import Stage, descend, slopes

_NO_TEACHER = config.Teacher()
_TERMS = ("pixel", "chroma", "perceptual", "adversarial", "grid")
_OPTIONAL = ("artifact", "frequency")
_MEMORY = 0.99  # of the mean accuracy, by which a discriminator that has won is paused


class Adversarial(Stage):
    """Trains a pretrained generator against a discriminator (SRGAN eq. 3, ESRGAN section 3.2).

    L = w_x L_pixel + w_c L_chroma + w_p L_perceptual + w_a(step) L_adversarial + w_g L_grid,
    and what else has a weight: see `losses`. The sr image is made consistent with lr first, so that
    the losses judge what will be shipped. They see a window at a random place: it keeps clear of
    the edges, where lr, made from the whole photo, knows pixels that hr lacks, and VGG's and the
    discriminator's strides fall on another phase each time.

    Args:
        generator: Maps lr to sr; trained in place.
        discriminator: Maps images to logits, or features of them if its inputs have the names of
            such; trained in place.
        features: Maps images to the features of the perceptual loss, see `features.vgg`; None
            leaves that loss out.
        settings: Of this stage.
        scale: Factor from lr to sr.
        projection: Rounds of the consistency projection.
        seed: Of the windows.
        teacher: Of the run. What it teaches takes the place of hr in one loss, and not in another.
        own_losses: Further terms, as `losses` of `run.train`; they see the window.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        features: keras.Model | None,
        settings: config.Adversarial,
        scale: int,
        projection: int = 4,
        seed: int = 0,
        teacher: config.Teacher = _NO_TEACHER,
        own_losses: own.Losses | None = None,
    ) -> None:
        steps = settings.total_steps
        self.taught_pixel, self.taught_perceptual, self.taught_adversarial = counts = [
            teacher.taught(share, settings.batch_size)
            for share in (teacher.pixel, teacher.perceptual, teacher.adversarial)
        ]
        super().__init__(generator, settings, steps, max(counts), own_losses)
        self.discriminator = discriminator
        inputs = {tensor.name for tensor in getattr(discriminator, "inputs", None) or ()}
        self.on_features = features is not None and bool(inputs) and inputs <= {*settings.taps}
        self.features = features
        self.settings = settings
        self.scale = scale
        self.seed = seed
        self.project = Projection(scale, projection)
        self.pixel = getattr(losses, settings.pixel)
        self.kind = losses.ADVERSARIAL[settings.adversarial]
        self.accuracy = self._number("accuracy", 0.5, "float32")
        self.generator_optimizer = make(settings, self.halvings)
        self.generator_optimizer.build(generator.trainable_variables)
        rate = learning_rate(settings, settings.discriminator_learning_rate, steps, self.halvings)
        self.discriminator_optimizer = adam(settings, rate)
        self.discriminator_optimizer.build(discriminator.trainable_variables)

    def optimizers(self):
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def state(self):
        weights = {
            f"discriminator/{i:03d}": variable
            for i, variable in enumerate(self.discriminator.weights)
        }
        if self.settings.pause_above < 1:
            weights["accuracy"] = self.accuracy
        return super().state() | weights

    def advance_to_trial(self):
        self.step.assign(self.settings.discriminator_steps)  # both networks learn, from here on

    def learn(self, data):
        turn = self.step - self.settings.discriminator_steps  # negative: the critic learns alone
        logs = tf.cond(
            (turn >= 0) & (turn % self.settings.generator_every == 0),
            lambda: self._update_both(data),
            lambda: self._update_discriminator(data),
        )
        self.step.assign_add(1)
        return logs

    def gradient_norms(self, batches: Sequence[tuple]) -> dict[str, float]:
        """How hard each term of the generator's loss pulls at its weights.

        The size of a term does not tell: near its minimum a large one may hardly pull at all. The
        networks stay as they are.

        Args:
            batches: At least one.

        Returns:
            By term, with its weight: |mean over the batches of its gradient|, in all weights of the
            generator. What pulls one crop here and the other there, is lost in the mean.
        """
        first, *others = batches
        with workers.alone():
            sums = self._gradients(tuple(first))
            for batch in others:
                sums = tf.nest.map_structure(tf.add, sums, self._gradients(tuple(batch)))
        count = len(batches)
        return {name: float(tf.linalg.global_norm(total)) / count for name, total in sums.items()}

    def _gradients(self, batch):
        """The gradients of each term, by its name; zeros of a term that is off.

        Computed eagerly: a graph of so many gradients takes longer to make than it ever saves.
        """
        weights = cast(list, self.generator.trainable_variables)
        with tf.GradientTape(persistent=True) as tape:
            terms, *_ = self._forward(batch, training=False)
        found = {name: tape.gradient(term, weights) for name, term in terms.items()}
        return {
            name: [
                ops.zeros_like(weight) if gradient is None else gradient
                for weight, gradient in zip(weights, gradients, strict=True)
            ]
            for name, gradients in found.items()
        }

    def _forward(self, batch, training=True):
        """The weighted terms of the generator's loss, and the logits of hr and sr."""
        weights = self.settings
        sr = self._results(batch, training)
        hr = self._truth(batch, self.taught_pixel)
        features = self._see(sr)
        hr_features = self._see_truth(batch, self.taught_perceptual)
        if self.on_features and self.taught_perceptual == self.taught_adversarial:
            judged = hr_features, features
        else:
            judged = self._real(batch), features if self.on_features else sr
        real, fake = self._judge(*judged, training)
        terms = {
            "pixel": weights.pixel_weight * self.pixel(hr, sr),
            "chroma": weights.chroma_weight * losses.chroma(hr, sr),
            "perceptual": weights.perceptual_weight * self._perceptual(hr_features, features),
            "adversarial": self._ramp() * self.kind.generator(real, fake),
            "grid": weights.grid_weight * losses.grid(sr, self.scale),
        }
        if weights.artifact_weight:
            average = self._window(self.project([self.ema(batch[0], training=False), batch[0]]))
            terms["artifact"] = weights.artifact_weight * losses.artifact(hr, sr, average)
        if weights.frequency_weight:
            terms["frequency"] = weights.frequency_weight * losses.focal_frequency(hr, sr)
        watched = self.observed(hr, sr, self.scale)
        return terms | self.own_terms(hr, sr), judged, (real, fake), watched

    def _update_both(self, batch):
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            terms, judged, (real, fake), watched = self._forward(batch)
            g_loss = sum(terms.values())
            d_loss = self.kind.discriminator(real, fake)
            with g_tape.stop_recording():
                penalty = self._penalty(*judged)
            d_total = d_loss + penalty
        # Both updates use the same forward pass: each tape differentiates only its own network's
        # weights, so neither leaks into the other.
        norm = descend(self.generator, self.generator_optimizer, g_tape, g_loss)
        self._teach_discriminator(d_tape, d_total)
        self.average()
        said = self._opinion(real, fake, d_loss, penalty) | {"gradient": norm}
        return terms | said | watched

    def _update_discriminator(self, batch):
        sr = self._results(batch, training=False)
        judged = self._real(batch), self._see(sr) if self.on_features else sr
        with tf.GradientTape() as tape:
            real, fake = self._judge(*judged)
            loss = self.kind.discriminator(real, fake)
            penalty = self._penalty(*judged)
            total = loss + penalty
        self._teach_discriminator(tape, total)
        idle = dict.fromkeys(self._weighted(), tf.constant(0.0))
        said = self._opinion(real, fake, loss, penalty) | {"gradient": tf.constant(0.0)}
        return idle | said | self.observed(self._truth(batch, self.taught_pixel), sr, self.scale)

    def _teach_discriminator(self, tape, loss):
        """One step of the discriminator, unless it has won: then it waits for the generator."""
        weights = cast(list, self.discriminator.trainable_variables)
        gradients, _ = slopes(tape, loss, weights, self.discriminator_optimizer)

        def apply():
            self.discriminator_optimizer.apply(gradients, weights)

        if self.settings.pause_above == 1:
            apply()
        else:
            tf.cond(self.accuracy <= self.settings.pause_above, apply, lambda: None)

    def _penalty(self, real, fake):
        """The gradient penalties of the discriminator, of weight r / 2 each."""
        penalty = tf.constant(0.0)
        for weight, judged in (
            (self.settings.r1_weight, real),
            (self.settings.r2_weight, tf.nest.map_structure(tf.stop_gradient, fake)),
        ):
            if weight:
                penalty += weight / 2 * losses.gradient_penalty(self.discriminator, judged)
        return penalty

    def _opinion(self, real, fake, loss, penalty):
        """What tells whether the discriminator is awake: its loss, and how often it is right.

        A relativistic one is right where it takes hr for more real than sr is on average.
        """
        real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
        means = {"real": ops.mean(real), "fake": ops.mean(fake)}
        above, below = self.kind.margins(real, fake)
        (right,) = workers.mean(
            0.5
            * (ops.mean(ops.cast(above > 0, "float32")) + ops.mean(ops.cast(below < 0, "float32")))
        )
        self.accuracy.assign(_MEMORY * self.accuracy + (1 - _MEMORY) * right)
        said = {"discriminator": loss, "accuracy": right} | means
        if self.settings.r1_weight or self.settings.r2_weight:
            said["penalty"] = penalty
        return said

    def _weighted(self) -> list[str]:
        """The names of the terms, those of weight zero apart that are no part of the recipe."""
        optional = [name for name in _OPTIONAL if getattr(self.settings, f"{name}_weight")]
        return [*_TERMS, *optional, *self.own_losses]

    def _results(self, batch, training):
        lr = batch[0]
        return self._window(self.project([self.generator(lr, training=training), lr]))

    def _truth(self, batch, count):
        return self._window(self.target(batch, count))

    def _real(self, batch):
        """What the discriminator should take for real."""
        if self.on_features:
            return self._see_truth(batch, self.taught_adversarial)
        return self._truth(batch, self.taught_adversarial)

    def _see(self, images):
        """The features of images; none if nothing needs them."""
        if self.features is None:
            return {}
        features = self.features(images, training=False)
        scale = self.settings.feature_scale
        return {name: scale * ops.cast(x, "float32") for name, x in features.items()}

    def _see_truth(self, batch, count):
        """Constants: no gradient, half the memory."""
        return tf.nest.map_structure(tf.stop_gradient, self._see(self._truth(batch, count)))

    def _judge(self, real, fake, training=True):
        # One pass over both: BatchNorm must not tell them apart by their own statistics.
        both = tf.nest.map_structure(lambda *pair: ops.concatenate(pair), real, fake)
        return tf.split(self.discriminator(both, training=training), 2)

    def _perceptual(self, real, fake):
        if self.features is None:
            return tf.constant(0.0)
        distance = getattr(losses, self.settings.feature_distance)
        return losses.perceptual(real, fake, self.settings.taps, distance)

    def _ramp(self):
        updates = (self.step - self.settings.discriminator_steps) // self.settings.generator_every
        risen = ops.cast(updates + 1, "float32") / max(self.settings.ramp, 1)
        return self.settings.adversarial_weight * ops.clip(risen, 0.0, 1.0)

    def seen(self, images):
        return self._window(images)

    def _window(self, image):
        """The same random window of every image of this step."""
        size = self.settings.window
        room = tf.reduce_min(tf.shape(image)[1:3]) - size
        margin = room // 4  # at least a quarter of the room on every side
        offset = tf.random.stateless_uniform(
            (2,),
            tf.stack([tf.constant(self.seed, tf.int64), tf.cast(self.step, tf.int64)]),
            margin,
            room - margin + 1,
            tf.int32,
        )
        window = tf.slice(image, [0, offset[0], offset[1], 0], [-1, size, size, 3])
        return tf.ensure_shape(window, (None, size, size, 3))
