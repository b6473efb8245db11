"""Losses: tensors in, a scalar out. Their weights are in the configuration.

`hr`, `sr`: images `(batch, height, width, 3)`, RGB in [0, 1] (sr may exceed it).
`real`, `fake`: the discriminator's logits for hr and sr, `(batch, 1)`.

The generator's loss is the sum over terms of weight x term (SRGAN, Ledig et al. 2017, eq. 3, and
ESRGAN, Wang et al. 2018, eq. 3).
"""

from collections.abc import Mapping

import numpy as np
from keras import ops

_LUMA = np.array([65.481, 128.553, 24.966], np.float32) / 255  # ITU-R BT.601, as in planes.py


def mse(hr, sr):
    """Mean squared error, SRGAN's pixel loss (eq. 4)."""
    return ops.mean(ops.square(hr - sr))


def l1(hr, sr):
    """Mean absolute error, ESRGAN's content loss (L_1 in eq. 3)."""
    return ops.mean(ops.abs(hr - sr))


def charbonnier(hr, sr):
    """Mean of sqrt(e^2 + 0.001^2): L1 with a gradient that fades near zero (LapSRN, eq. 2)."""
    return ops.mean(ops.sqrt(ops.square(hr - sr) + 1e-6))


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
    """How unequally the energy of fine detail is spread over the sub-pixel phases.

    With r the luma of sr minus its Gaussian blur (sigma 1), and e_p the mean of r^2 over the
    batch's pixels of phase p, one of scale^2, the loss is Var_p[e_p] / Mean_p[e_p]^2: the square
    of the metric GRID, over a batch. No phase is special in a photo, so a network that draws more
    at some phases weaves its lr grid into every texture.
    """
    luma = ops.sum(sr * _LUMA, axis=-1, keepdims=True)
    taps = np.exp(-0.5 * np.arange(-4, 5) ** 2).astype(np.float32)
    taps /= taps.sum()
    blurred = ops.conv(luma, taps.reshape(9, 1, 1, 1), padding="valid")
    blurred = ops.conv(blurred, taps.reshape(1, 9, 1, 1), padding="valid")
    energy = ops.square(luma[:, 4:-4, 4:-4] - blurred)
    height, width = (side - side % scale for side in energy.shape[1:3])
    phases = ops.mean(
        ops.reshape(
            energy[:, :height, :width], (-1, height // scale, scale, width // scale, scale)
        ),
        axis=(0, 1, 3),
    )
    return ops.var(phases) / (ops.square(ops.mean(phases)) + 1e-12)
