"""Losses: tensors in, a scalar out. `training` sums them, with the weights of the configuration.

`hr`, `sr`: images `(batch, height, width, 3)`, RGB in [0, 1] (sr may exceed it).
`real`, `fake`: the discriminator's logits for hr and sr, `(batch, 1)`.

The generator's loss is the sum over terms of weight x term (SRGAN, Ledig et al. 2017, eq. 3, and
ESRGAN, Wang et al. 2018, eq. 3).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from srgan.networks import workers
from srgan.numeric import color

_LUMA = color.LUMA.astype(np.float32)


def mse(hr, sr):
    """Mean squared error, SRGAN's pixel loss (eq. 4)."""
    return ops.mean(ops.square(hr - sr))


def l1(hr, sr):
    """Mean absolute error, ESRGAN's content loss (L_1 in eq. 3)."""
    return ops.mean(ops.abs(hr - sr))


def charbonnier(hr, sr):
    """Mean of sqrt(e^2 + 0.001^2): L1 with a gradient that fades near zero (LapSRN, eq. 2)."""
    return ops.mean(ops.sqrt(ops.square(hr - sr) + 1e-6))


def chroma(hr, sr):
    """Mean absolute error of colour alone: of hr and sr, each minus its luma.

    A network that invents texture need not invent coloured texture, which photos hardly have.
    """
    error = hr - sr
    luma = ops.sum(error * (_LUMA / _LUMA.sum()), axis=-1, keepdims=True)
    return ops.mean(ops.abs(error - luma))


def normalised(hr, sr):
    """Mean over positions of |hr / |hr| - sr / |sr||^2, whose vectors run over the channels.

    The distance inside LPIPS (Zhang et al. 2018, eq. 1) without its learned weights: where there
    is little contrast, features differ as much as where there is more.
    """

    def unit(features):
        length = ops.sqrt(ops.sum(ops.square(features), axis=-1, keepdims=True) + 1e-8)
        return features / length

    return ops.mean(ops.sum(ops.square(unit(hr) - unit(sr)), axis=-1))


def perceptual(
    hr_features: Mapping, sr_features: Mapping, weights: Mapping[str, float], distance=l1
):
    """Weighted sum over layers of the distance between features.

    Args:
        hr_features: From layer names to features of hr, `(batch, height, width, channels)`.
        sr_features: The same of sr.
        weights: From layer names to weights; other layers are ignored.
        distance: `mse` in SRGAN (eq. 5), `l1` in ESRGAN, or `normalised`.
    """
    return sum(
        weight * distance(hr_features[name], sr_features[name]) for name, weight in weights.items()
    )


def discriminator(real, fake):
    """Cross-entropy of the discriminator (SRGAN, eq. 2): -E[log D(hr)] - E[log(1 - D(sr))].

    At chance it is 2 log 2 = 1.386.
    """
    return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))


def generator(fake):
    """The paper's adversarial loss of the generator (SRGAN, eq. 6): -E[log D(sr)]."""
    return ops.mean(ops.softplus(-fake))


def relativistic_discriminator(real, fake):
    """Relativistic average discriminator (ESRGAN, eq. 1).

    L_D = -E_r[log D(r, f)] - E_f[log(1 - D(f, r))], where D(a, b) = sigmoid(a - E[b]) is how much
    more real `a` is than the average `b`. At chance it is 2 log 2 = 1.386.
    """
    return discriminator(*relativistic_margins(real, fake))


def relativistic_generator(real, fake):
    """The generator's side of the relativistic average (ESRGAN, eq. 2): labels swapped."""
    return relativistic_discriminator(real=fake, fake=real)


def relativistic_margins(real, fake):
    """How much more real each hr is than the average sr, and each sr than the average hr.

    The averages are those of the whole batch, of which other workers have parts.
    """
    real_mean, fake_mean = workers.mean(ops.mean(real), ops.mean(fake))
    return real - fake_mean, fake - real_mean


def hinge_discriminator(real, fake):
    """Hinge loss of the discriminator (Miyato et al. 2018, eq. 16); 2 at chance.

    E[max(0, 1 - D(hr))] + E[max(0, 1 + D(sr))].
    """
    return ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake))


def hinge_generator(fake):
    """The generator's side of the hinge loss (eq. 17): -E[D(sr)]."""
    return -ops.mean(fake)


def least_squares_discriminator(real, fake):
    """LSGAN (Mao et al. 2017, eq. 9): E[(D(hr) - 1)^2] / 2 + E[D(sr)^2] / 2; 1/4 at chance."""
    return 0.5 * ops.mean(ops.square(real - 1)) + 0.5 * ops.mean(ops.square(fake))


def least_squares_generator(fake):
    """The generator's side of LSGAN (eq. 9): E[(D(sr) - 1)^2] / 2."""
    return 0.5 * ops.mean(ops.square(fake - 1))


def paired_discriminator(real, fake):
    """Relativistic pairing (R3GAN, Huang et al. 2024, eq. 2): E[-log sigmoid(D(hr) - D(sr))].

    Of each crop, hr is compared with its sr; log 2 at chance. To be taken with the penalties R1
    and R2.
    """
    return ops.mean(ops.softplus(fake - real))


def paired_generator(real, fake):
    """The generator's side of relativistic pairing: E[-log sigmoid(D(sr) - D(hr))]."""
    return ops.mean(ops.softplus(real - fake))


class AdversarialLoss(NamedTuple):
    """The two sides of an adversarial loss.

    Attributes:
        discriminator: Of `(real, fake)`.
        generator: Likewise.
        margins: From `(real, fake)` to what is positive for hr, and negative for sr, where the
            discriminator is right.
    """

    discriminator: Callable[[Any, Any], Any]
    generator: Callable[[Any, Any], Any]
    margins: Callable[[Any, Any], tuple[Any, Any]] = lambda real, fake: (real, fake)


ADVERSARIAL = {
    "vanilla": AdversarialLoss(discriminator, lambda real, fake: generator(fake)),
    "hinge": AdversarialLoss(hinge_discriminator, lambda real, fake: hinge_generator(fake)),
    "least_squares": AdversarialLoss(
        least_squares_discriminator,
        lambda real, fake: least_squares_generator(fake),
        lambda real, fake: (real - 0.5, fake - 0.5),
    ),
    "relativistic": AdversarialLoss(
        relativistic_discriminator,
        relativistic_generator,
        relativistic_margins,
    ),
    "relativistic_paired": AdversarialLoss(
        paired_discriminator,
        paired_generator,
        lambda real, fake: (real - fake, fake - real),
    ),
}
"""By their names in the configuration."""


def gradient_penalty(discriminator, images):
    """R1 of real and R2 of generated images (Mescheder et al. 2018, eq. 9): E[|grad_x D(x)|^2].

    D(x) is the mean of an image's logits, so that a weight means the same for one and for many.

    Args:
        discriminator: Maps images to logits, without batch normalisation, which mixes them.
        images: Or what else it judges: a dict of features.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = ops.cast(discriminator(images, training=True), "float32")
        total = ops.mean(logits) * ops.cast(ops.shape(logits)[0], "float32")
    squares = [
        ops.sum(ops.square(ops.cast(gradient, "float32")), axis=(1, 2, 3))
        for gradient in tf.nest.flatten(tape.gradient(total, images))
    ]
    return ops.mean(sum(squares))


def artifact(hr, sr, average, side: int = 7):
    """LDL's artefact-weighted loss (Liang et al. 2022, eq. 3 to 7): E[|M (hr - sr)|].

    With r = |hr - sr|, summed over channels: M = var(r)^(1/5) var_local(r), of the whole image and
    of `side` x `side` pixels, and 0 where r is less than that of `average`: where the present
    network is better than its moving average, it does not invent artefacts but details.

    Args:
        hr: The truth.
        sr: Of the network in training.
        average: Of its moving average.
        side: Of the neighbourhood, odd.
    """
    r, r_average = (ops.sum(ops.abs(hr - image), axis=-1, keepdims=True) for image in (sr, average))
    pad = side // 2
    padded = ops.pad(r, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    mean, square = (
        ops.average_pool(x, side, strides=1, padding="valid") for x in (padded, padded**2)
    )
    local = (square - mean**2) * (side**2 / (side**2 - 1))
    whole = ops.var(r, axis=(1, 2, 3), keepdims=True) ** 0.2
    weight = ops.where(r < r_average, 0.0, whole * local)
    return ops.mean(ops.abs(ops.stop_gradient(weight) * (hr - sr)))


def focal_frequency(hr, sr):
    """Focal frequency loss (Jiang et al. 2021, eq. 8): E[w |F(hr) - F(sr)|^2].

    F is the orthonormal Fourier transform of each channel, and w = |F(hr) - F(sr)|, over its
    largest value in the channel, without a gradient: frequencies that are hard weigh most.
    """
    difference = ops.transpose(hr - sr, (0, 3, 1, 2))
    height, width = ops.shape(difference)[2:]
    spectrum = tf.signal.fft2d(tf.cast(difference, tf.complex64))
    size = ops.cast(height * width, "float32")
    square = (ops.square(tf.math.real(spectrum)) + ops.square(tf.math.imag(spectrum))) / size
    weight = ops.sqrt(square)
    weight = weight / (ops.max(weight, axis=(2, 3), keepdims=True) + 1e-12)
    return ops.mean(ops.stop_gradient(weight) * square)


def grid(sr, scale: int):
    """How much fine detail depends on its place in the lr grid: unequal energies, and offsets.

    r is sr minus its Gaussian blur (sigma 1), and a phase one of the scale^2 places of a pixel
    within its lr pixel. No phase is special in a photo, so a network whose detail differs between
    them weaves its lr grid into every texture, or draws it on plain colours. The loss is a sum:

    - Var_p[E_p] / Mean_p[E_p]^2, where e_p is the variance of r's luma over an image's pixels of
      phase p, and E_p its mean over the batch: without offsets, the square of the metric GRID;
    - the mean over images of Mean_{p, c}[m_{p, c}^2] / (Mean_p[e_p] + d^2), where m_{p, c} is the
      mean of r over an image's pixels of phase p in channel c, the offset that the metric
      `checkerboard` sees, and d = 4/255: it counts most where there is least to hide it.

    Were e_p the mean of r^2, offsets could make up for the energy that a phase lacks.
    """
    taps = np.exp(-0.5 * np.arange(-4, 5) ** 2).astype(np.float32)
    taps = np.repeat((taps / taps.sum())[:, None], 3, axis=1)
    blurred = ops.depthwise_conv(sr, taps.reshape(9, 1, 3, 1), padding="valid")
    blurred = ops.depthwise_conv(blurred, taps.reshape(1, 9, 3, 1), padding="valid")
    detail = sr[:, 4:-4, 4:-4] - blurred
    height, width = (side - side % scale for side in detail.shape[1:3])
    cells = (-1, height // scale, scale, width // scale, scale, 3)
    detail = ops.reshape(detail[:, :height, :width], cells)
    luma = ops.sum(detail * _LUMA, axis=-1)

    energies = ops.var(luma, axis=(1, 3))
    (pooled,) = workers.mean(ops.mean(energies, axis=0))
    uneven = ops.var(pooled) / (ops.square(ops.mean(pooled)) + 1e-12)
    offsets = ops.mean(ops.square(ops.mean(detail, axis=(1, 3))), axis=(1, 2, 3))
    return uneven + ops.mean(offsets / (ops.mean(energies, axis=(1, 2)) + (4 / 255) ** 2))
