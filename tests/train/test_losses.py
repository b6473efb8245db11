"""Losses are checked by hand, and `grid` against the metric of the same name."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from srgan.quality import artifacts
from srgan.train import losses
from srgan.train.config import CHANCE as CHANCES

CHANCE = 2 * math.log(2)  # 1.386


def column(*logits):
    return np.array(logits, np.float32)[:, None]


@pytest.fixture
def images():
    """Two greys, 0.3 apart in one image of two and equal in the other."""
    hr = np.full((2, 4, 4, 3), 0.5, np.float32)
    sr = hr.copy()
    sr[0] += 0.3
    return hr, sr


def test_mse_is_the_mean_of_squares(images):
    assert float(losses.mse(*images)) == pytest.approx(0.09 / 2)


def test_l1_is_the_mean_of_absolute_differences(images):
    assert float(losses.l1(*images)) == pytest.approx(0.3 / 2)


def test_chroma_ignores_brightness_and_sees_colour():
    hr = np.full((2, 4, 4, 3), 0.5, np.float32)
    brighter = hr + np.float32(0.2)
    assert losses.chroma(hr, brighter) < 1e-7
    red = hr.copy()
    red[0, ..., 0] += 0.2  # of one image of two; red has 65.481 parts of 219 of the luma
    luma = 0.2 * 65.481 / 219
    expected = ((0.2 - luma) + 2 * luma) / 3 / 2
    assert float(losses.chroma(hr, red)) == pytest.approx(expected, rel=1e-5)


def test_charbonnier_is_l1_rounded_off_at_a_thousandth(images):
    expected = (math.hypot(0.3, 0.001) + 0.001) / 2
    assert float(losses.charbonnier(*images)) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_charbonnier_is_finite_where_images_are_equal(images):
    hr = tf.Variable(images[0])
    with tf.GradientTape() as tape:
        loss = losses.charbonnier(images[0], hr)
    np.testing.assert_array_equal(tape.gradient(loss, hr), 0)


def test_normalised_compares_directions_and_not_lengths():
    hr = np.array([[[[3.0, 4.0], [1.0, 0.0]]]], np.float32)
    sr = np.array([[[[30.0, 40.0], [0.0, 7.0]]]], np.float32)  # along it, and at a right angle
    assert float(losses.normalised(hr, sr)) == pytest.approx((0 + 2) / 2, rel=1e-5)


def test_the_gradient_of_normalised_is_finite_where_no_feature_is_active():
    sr = tf.zeros((1, 2, 2, 4))
    with tf.GradientTape() as tape:
        tape.watch(sr)
        loss = losses.normalised(tf.ones_like(sr), sr)
    assert float(loss) == pytest.approx(1)
    assert np.isfinite(tape.gradient(loss, sr)).all()


def test_perceptual_weighs_the_layers_that_have_a_weight():
    zero = np.zeros((1, 2, 2, 4), np.float32)
    hr = {"a": zero, "b": zero, "c": zero}
    sr = {"a": zero - 2, "b": zero + 3, "c": zero + 1000}
    assert float(losses.perceptual(hr, sr, {"a": 0.1, "b": 2.0})) == pytest.approx(0.1 * 2 + 2 * 3)


def test_discriminator_is_the_cross_entropy_of_both_labels():
    real, fake = column(2.0, -1.0), column(0.5)
    sigmoid = [1 / (1 + math.exp(-x)) for x in (2.0, -1.0, 0.5)]
    expected = -(math.log(sigmoid[0]) + math.log(sigmoid[1])) / 2 - math.log(1 - sigmoid[2])
    assert float(losses.discriminator(real, fake)) == pytest.approx(expected, rel=1e-6)


def test_generator_is_minus_the_log_of_what_the_discriminator_believes():
    expected = (math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(3))) / 2
    assert float(losses.generator(column(0.5, -3.0))) == pytest.approx(expected, rel=1e-6)


def test_at_chance_both_discriminators_lose_two_log_two():
    for logit in (0.0, 5.0):
        same = column(logit, logit)
        assert float(losses.relativistic_discriminator(same, same)) == pytest.approx(
            CHANCE, rel=1e-6
        )
        assert float(losses.relativistic_generator(same, same)) == pytest.approx(CHANCE, rel=1e-6)
    assert float(losses.discriminator(column(0.0), column(0.0))) == pytest.approx(CHANCE, rel=1e-6)


def test_relativistic_compares_each_logit_with_the_mean_of_the_others():
    real, fake = column(1.0, 3.0), column(-2.0, 0.0)  # means 2 and -1
    expected = sum(math.log(1 + math.exp(-x)) for x in (1 + 1, 3 + 1)) / 2
    expected += sum(math.log(1 + math.exp(x)) for x in (-2 - 2, 0 - 2)) / 2
    assert float(losses.relativistic_discriminator(real, fake)) == pytest.approx(expected, rel=1e-6)


def test_the_relativistic_generator_is_the_discriminator_with_labels_swapped():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 5, 1)).astype(np.float32)
    swapped = losses.relativistic_discriminator(fake, real)
    assert losses.relativistic_generator(real, fake) == swapped
    # -x is as likely as x: negating all logits swaps the labels too.
    negated = losses.relativistic_discriminator(-real, -fake)
    assert float(negated) == pytest.approx(float(swapped), rel=1e-6)


def test_relativistic_depends_on_differences_of_logits_only():
    real, fake = column(1.0, 3.0), column(-2.0, 0.0)
    shifted = losses.relativistic_discriminator(real + 7, fake + 7)
    assert float(shifted) == pytest.approx(
        float(losses.relativistic_discriminator(real, fake)), rel=1e-5
    )


def test_extreme_logits_stay_finite():
    real, fake = column(-1e4), column(1e4)
    assert float(losses.discriminator(real, fake)) == pytest.approx(2e4)
    assert float(losses.generator(-fake)) == pytest.approx(1e4)


def noise(batch=1, side=264):
    rng = np.random.default_rng(0)
    return (0.5 + 0.1 * rng.normal(size=(batch, side, side, 3))).astype(np.float32)


def grid_artifact(scale=4, side=264):
    """Grey with one bright pixel in every scale x scale block."""
    image = np.full((1, side, side, 3), 0.5, np.float32)
    image[:, ::scale, ::scale] = 1
    return image


def uneven(scale=4, side=264, phase=0):
    """Noise that is three times as strong at one phase, without a pattern of its own."""
    image = noise(side=side)
    image[:, phase::scale, phase::scale] = 0.5 + 3 * (image[:, phase::scale, phase::scale] - 0.5)
    return image


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_grid_is_high_for_a_grid_artifact_and_near_zero_for_noise(scale):
    assert losses.grid(grid_artifact(scale), scale) > 1 / 2
    assert losses.grid(uneven(scale), scale) > 1 / 10
    assert losses.grid(noise(), scale) < 0.002
    assert losses.grid(noise() + grid_artifact(scale), scale) > 100 * losses.grid(noise(), scale)


def test_grid_of_a_flat_image_is_zero_and_its_gradient_finite():
    flat = tf.Variable(np.full((1, 24, 24, 3), 0.5, np.float32))
    with tf.GradientTape() as tape:
        loss = losses.grid(flat, 4)
    assert float(loss) < 1e-6
    assert np.isfinite(tape.gradient(loss, flat)).all()


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_grid_of_detail_without_offsets_is_the_square_of_the_metric(scale):
    side = 16 + 480  # the metric leaves out 8 pixels at each edge, and 480 is a multiple of all
    image = (255 * np.clip(uneven(scale, side), 0, 1)).astype(np.uint8)
    loss = losses.grid(image[:, 4:-4, 4:-4] / np.float32(255), scale)  # the loss leaves out 4
    metric = artifacts.grid(image[0], scale) ** 2
    assert float(loss) == pytest.approx(metric, rel=0.03)
    assert metric > 0.1


@pytest.mark.parametrize("channel", [0, 2])
def test_grid_of_an_offset_is_its_square_over_the_energy_in_every_channel(channel):
    side = 8 + 48
    offset = np.zeros((2, side, side, 3), np.float32)
    offset[0, 1::4, 2::4, channel] = 0.05  # of one image of two
    noisy = noise(batch=2, side=side)
    found = float(losses.grid(0.5 + offset, 4))  # no energy: over that of four grey levels

    detail = offset[0, ..., channel] - ndimage.gaussian_filter(offset[0, ..., channel], 1.0)
    phases = detail[4:-4, 4:-4].reshape(12, 4, 12, 4).mean(axis=(0, 2))
    expected = np.mean(phases**2) / 3 * (255 / 4) ** 2 / 2  # one channel of three, one image of two
    assert found == pytest.approx(expected, rel=1e-3)
    # The same offset where there is texture is not seen, and hardly counts.
    assert losses.grid(noisy + offset, 4) - losses.grid(noisy, 4) < 0.2 * found


def test_an_offset_does_not_make_up_for_energy_that_a_phase_lacks():
    image = noise()
    image[:, ::4, ::4] = 0.5 + 0.3 * (image[:, ::4, ::4] - 0.5)
    paid = image.copy()
    paid[:, ::4, ::4] += 0.08
    as_uint8 = [(255 * np.clip(x, 0, 1)).astype(np.uint8)[0] for x in (image, paid)]
    assert artifacts.grid(as_uint8[1], 4) < 0.7 * artifacts.grid(as_uint8[0], 4)
    assert losses.grid(paid, 4) > 1.5 * losses.grid(image, 4)


def test_grid_pools_the_energies_over_the_batch():
    # Uneven at opposite phases: each alone is, together they are less so.
    first, second = uneven(), uneven(phase=2)
    both = float(losses.grid(np.concatenate([first, second]), 4))
    assert float(losses.grid(first, 4)) == pytest.approx(float(losses.grid(second, 4)), rel=0.2)
    assert both < 0.6 * float(losses.grid(first, 4))


def test_descending_on_grid_takes_the_grid_artifact_out():
    image = keras.Variable(0.5 * noise(side=40) + 0.5 * grid_artifact(side=40))
    before = float(losses.grid(image, 4))
    for _ in range(20):
        with tf.GradientTape() as tape:
            loss = losses.grid(image, 4)
        gradient = tape.gradient(loss, image.value)
        image.assign_sub(0.5 * gradient / tf.norm(gradient))
    assert float(losses.grid(image, 4)) < 0.5 * before


@pytest.mark.parametrize(
    ("kind", "discriminator", "generator"),
    [
        # By hand, of real 2 and 0.5 and fake -1 and 0.
        ("hinge", (0 + 0.5) / 2 + (0 + 1) / 2, 0.5),
        ("least_squares", 0.5 * (1 + 0.25) / 2 + 0.5 * 1 / 2, 0.5 * (4 + 1) / 2),
        (
            "relativistic_paired",
            (math.log1p(math.exp(-3)) + math.log1p(math.exp(-0.5))) / 2,
            (math.log1p(math.exp(3)) + math.log1p(math.exp(0.5))) / 2,
        ),
    ],
)
def test_adversarial_losses_are_the_papers(kind, discriminator, generator):
    real, fake = column(2, 0.5), column(-1, 0)
    loss = losses.ADVERSARIAL[kind]
    assert float(loss.discriminator(real, fake)) == pytest.approx(discriminator, rel=1e-5)
    assert float(loss.generator(real, fake)) == pytest.approx(generator, rel=1e-5)


@pytest.mark.parametrize("kind", losses.ADVERSARIAL)
def test_a_discriminator_that_cannot_tell_is_at_chance_and_not_right(kind):
    loss = losses.ADVERSARIAL[kind]
    undecided = column(0.5, 0.5) if kind == "least_squares" else column(0, 0)
    assert float(loss.discriminator(undecided, undecided)) == pytest.approx(CHANCES[kind])
    above, below = loss.margins(column(3, 3), column(-3, -3))
    assert (np.asarray(above) > 0).all()
    assert (np.asarray(below) < 0).all()
    above, below = loss.margins(undecided, undecided)
    assert not (np.asarray(above) > 0).any()
    assert not (np.asarray(below) < 0).any()


def test_the_gradient_penalty_is_the_mean_square_of_the_gradient():
    def discriminator(images, training):
        return tf.reduce_sum(images**2, axis=(1, 2, 3))

    images = tf.random.stateless_normal((3, 4, 5, 3), (0, 1))
    expected = 4 * np.square(images).sum(axis=(1, 2, 3)).mean()
    assert float(losses.gradient_penalty(discriminator, images)) == pytest.approx(expected)

    def of_features(features, training):
        return tf.reduce_sum(2 * features["a"], axis=(1, 2, 3)) + features["b"][:, 0, 0, 0]

    features = {"a": tf.ones((2, 2, 3, 5)), "b": tf.ones((2, 1, 1, 1))}
    assert float(losses.gradient_penalty(of_features, features)) == pytest.approx(4 * 30 + 1)


def test_the_gradient_penalty_is_that_of_the_mean_logit():
    def of_pixels(images, training):
        return 3 * tf.reduce_sum(images, axis=-1, keepdims=True)

    images = tf.ones((2, 4, 5, 3))
    assert float(losses.gradient_penalty(of_pixels, images)) == pytest.approx(9 * 60 / 20**2)


def test_the_artifact_loss_is_that_of_ldl():
    rng = np.random.default_rng(0)
    hr, sr, average = rng.random((3, 2, 12, 14, 3)).astype(np.float32)
    r, of_average = np.abs(hr - sr).sum(-1), np.abs(hr - average).sum(-1)
    weight = np.zeros_like(r)
    for image in range(2):
        padded = np.pad(r[image], 3, mode="reflect")
        local = np.lib.stride_tricks.sliding_window_view(padded, (7, 7)).var((2, 3), ddof=1)
        weight[image] = r[image].var() ** 0.2 * local
    weight[r < of_average] = 0
    expected = np.abs(weight[..., None] * (hr - sr)).mean()
    assert float(losses.artifact(hr, sr, average)) == pytest.approx(expected, rel=1e-4)
    assert float(losses.artifact(hr, sr, hr + 9)) == 0  # nothing is worse than its average


def test_the_focal_frequency_loss_is_its_equation():
    rng = np.random.default_rng(0)
    hr, sr = rng.random((2, 2, 8, 12, 3)).astype(np.float32)
    spectrum = np.abs(np.fft.fft2(hr - sr, axes=(1, 2), norm="ortho"))
    weight = spectrum / spectrum.max(axis=(1, 2), keepdims=True)
    expected = (weight * spectrum**2).mean()
    assert float(losses.focal_frequency(hr, sr)) == pytest.approx(expected, rel=1e-4)
    assert float(losses.focal_frequency(hr, hr)) == 0
