"""Losses: tensors in, a scalar out. `training` sums them, with the weights of the configuration.

`hr`, `sr`: images `(batch, height, width, 3)`, RGB in [0, 1] (sr may exceed it).
`real`, `fake`: the discriminator's logits for hr and sr, `(batch, 1)`.

The generator's loss is the sum over terms of weight x term (SRGAN, Ledig et al. 2017, eq. 3, and
ESRGAN, Wang et al. 2018, eq. 3).
"""

from collections.abc import Mapping

import numpy as np
from keras import ops

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
    return discriminator(real - ops.mean(fake), fake - ops.mean(real))


def relativistic_generator(real, fake):
    """The generator's side of the relativistic average (ESRGAN, eq. 2): labels swapped."""
    return relativistic_discriminator(real=fake, fake=real)


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
    pooled = ops.mean(energies, axis=0)
    uneven = ops.var(pooled) / (ops.square(ops.mean(pooled)) + 1e-12)
    offsets = ops.mean(ops.square(ops.mean(detail, axis=(1, 3))), axis=(1, 2, 3))
    return uneven + ops.mean(offsets / (ops.mean(energies, axis=(1, 2)) + (4 / 255) ** 2))
