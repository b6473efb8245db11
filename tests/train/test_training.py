"""The two stages: what a step computes, what it leaves alone, and that it can be repeated."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from srgan.networks.features import vgg
from srgan.networks.generators import residual
from srgan.train import batches, build, checkpoints, config, data, losses, optimizers
from srgan.train.adversarial import Adversarial
from srgan.train.pretraining import Pretraining


@pytest.fixture
def batch(photo_folder, tmp_path):
    photos = data.prepare(photo_folder, tmp_path / "cache", 4)
    return tuple(map(tf.constant, batches.batch(photos, k=0, seed=0, batch_size=2, hr_patch=64)))


NO_TEACHER = config.Teacher()


def pretraining(teacher=NO_TEACHER, **changes):
    keras.utils.set_random_seed(0)
    settings = config.Pretrain(**{"steps": 50, "warmup": 2} | changes)
    stage = Pretraining(residual(4, filters=16, blocks=1), settings, teacher)
    stage.compile()
    return stage


def adversarial(vgg_file, teacher=NO_TEACHER, **changes):
    keras.utils.set_random_seed(0)
    settings = config.Adversarial(
        **{
            "steps": 50,
            "hr_patch": 64,
            "window": 48,
            "taps": {"conv1_2": 1.0},
            "grid_weight": 1.0,
            "discriminator_steps": 0,
            "ramp": 4,
        }
        | changes
    )
    generator = residual(4, filters=16, blocks=1)
    features = vgg("vgg16", list(settings.taps), settings.before_activation, vgg_file)
    small = settings.model_copy(update={"discriminator_filters": 4})
    discriminator = build.discriminator(small, features)
    stage = Adversarial(
        generator, discriminator, features, settings, scale=4, seed=3, teacher=teacher
    )
    stage.compile()
    return stage


def step(stage, batch):
    return {name: float(value) for name, value in stage.train_step(batch).items()}


def changed(model, before):
    return any(
        not np.array_equal(now, then) for now, then in zip(model.get_weights(), before, strict=True)
    )


def test_the_learning_rate_rises_to_the_peak_and_falls_to_zero():
    rate = optimizers.WarmCosine(0.4, 110, warmup=10, halvings=keras.Variable(0, dtype="int64"))
    assert float(rate(0)) == 0.0
    assert float(rate(5)) == pytest.approx(0.2)
    assert float(rate(10)) == pytest.approx(0.4)
    assert float(rate(60)) == pytest.approx(0.2)  # half of the cosine
    assert float(rate(110)) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decay_every": 40}, {0: 0.04, 9: 0.4, 39: 0.4, 40: 0.04, 80: 0.004, 99: 0.004}),
        ({"milestones": (30, 90), "decay_factor": 0.5}, {29: 0.4, 30: 0.2, 89: 0.2, 90: 0.1}),
    ],
)
def test_the_learning_rate_falls_in_steps(changes, expected):
    settings = config.Pretrain(
        **{"steps": 100, "warmup": 10, "schedule": "step", "decay_factor": 0.1} | changes
    )
    halvings = keras.Variable(0, dtype="int64")
    rate = optimizers.learning_rate(settings, 0.4, 100, halvings)
    assert {step: float(rate(step)) for step in expected} == pytest.approx(expected)
    stretched = optimizers.learning_rate(settings, 0.4, 300, halvings)
    assert float(stretched(299)) == pytest.approx(float(rate(99)))
    halvings.assign(1)
    assert float(rate(50)) == pytest.approx(float(stretched(150)))


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_gradients_of_several_batches_make_the_update_of_one_large_one(batch, optimizer):
    lr, hr = batch
    once = pretraining(warmup=0, optimizer=optimizer)
    once.train_step((lr, hr))
    apart = pretraining(warmup=0, optimizer=optimizer, accumulate=2)
    before = apart.generator.get_weights()
    apart.train_step((lr[:1], hr[:1]))
    assert not changed(apart.generator, before)
    apart.train_step((lr[1:], hr[1:]))
    assert changed(apart.generator, before)
    # Of schedules, the second batch has the rate of its own step.
    pairs = zip(once.generator.get_weights(), apart.generator.get_weights(), strict=True)
    for expected, got in pairs:
        np.testing.assert_allclose(got, expected, atol=3e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"adversarial": "relativistic_paired", "r1_weight": 1.0, "r2_weight": 1.0},
        {"discriminator_head": "features", "r1_weight": 1.0},
        {"discriminator_head": "unet", "r1_weight": 1.0, "adversarial": "hinge"},
    ],
)
def test_penalties_are_reported_and_reach_the_discriminator(batch, vgg_file, changes):
    base = {"discriminator_head": "pooled", "discriminator_normalised": False} | changes
    with_penalty, without = (
        adversarial(vgg_file, **base | weights)
        for weights in ({}, {"r1_weight": 0.0, "r2_weight": 0.0})
    )
    logs, plain = step(with_penalty, batch), step(without, batch)
    assert logs["penalty"] > 0
    assert "penalty" not in plain
    assert logs["discriminator"] == pytest.approx(plain["discriminator"], rel=1e-4)
    assert logs["gradient"] == pytest.approx(plain["gradient"], rel=1e-3)  # the generator's
    pairs = zip(with_penalty.discriminator.weights, without.discriminator.weights, strict=True)
    assert any(not np.array_equal(a, b) for a, b in pairs)


def test_a_discriminator_that_has_won_waits_for_the_generator(batch, vgg_file):
    stage = adversarial(vgg_file, pause_above=0.7)
    for accuracy, moves in ((0.9, False), (0.5, True)):
        stage.accuracy.assign(accuracy)
        before = stage.discriminator.get_weights()
        trained = stage.discriminator.trainable_variables
        values = [np.array(value) for value in trained]
        generator = stage.generator.get_weights()
        stage.train_step(batch)
        moved = any(not np.array_equal(a, b) for a, b in zip(trained, values, strict=True))
        assert moved == moves
        assert changed(stage.generator, generator)
        assert len(before) == len(stage.discriminator.get_weights())
    assert "accuracy" in stage.state()
    assert "accuracy" not in adversarial(vgg_file).state()


def test_further_losses_are_reported_with_their_weights(batch, vgg_file):
    once, twice = (
        step(adversarial(vgg_file, artifact_weight=w, frequency_weight=w), batch) for w in (1, 2)
    )
    for term in ("artifact", "frequency"):
        assert once[term] > 0
        assert twice[term] == pytest.approx(2 * once[term], rel=1e-4)


def test_the_learning_rate_is_halved_as_often_as_the_stage_says():
    halvings = keras.Variable(0, dtype="int64")
    rate = optimizers.WarmCosine(0.4, 110, warmup=0, halvings=halvings)
    full = [float(rate(step)) for step in (0, 7, 50)]
    for count in (1, 2, 3):
        halvings.assign(count)
        assert [float(rate(step)) for step in (0, 7, 50)] == [x / 2**count for x in full]


def test_pretraining_reports_the_loss_before_its_step_and_lowers_it(batch):
    stage = pretraining(learning_rate=0.003)
    lr, hr = batch
    before = float(losses.charbonnier(hr, stage.generator(lr)))
    run = stage.train_step
    reported = [float(run(batch)["pixel"]) for _ in range(30)]
    assert reported[0] == pytest.approx(before, rel=1e-5)
    assert reported[-1] < 0.9 * before


def test_the_moving_average_is_what_its_formula_says(batch):
    stage = pretraining(learning_rate=0.01, ema=0.15)
    run = stage.train_step
    average = stage.generator.get_weights()
    for number in range(1, 4):
        run(batch)
        decay = min(0.15, (1 + number) / (10 + number))
        average = [
            decay * a + (1 - decay) * w
            for a, w in zip(average, stage.generator.get_weights(), strict=True)
        ]
    for expected, got in zip(average, stage.ema.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_the_discriminator_learns_alone_first(batch, vgg_file):
    stage = adversarial(vgg_file, discriminator_steps=2)
    assert stage.total_steps == 52
    generator = stage.generator.get_weights()
    run = stage.train_step
    for _ in range(2):
        discriminator = stage.discriminator.get_weights()
        run(batch)
        assert changed(stage.discriminator, discriminator)
        assert not changed(stage.generator, generator)
    run(batch)
    assert changed(stage.generator, generator)


def test_the_learning_rates_of_both_networks_reach_zero_with_the_last_step(vgg_file):
    stage = adversarial(vgg_file, steps=10, generator_every=2, discriminator_steps=5)
    assert stage.total_steps == 25
    for optimizer, updates in zip(stage.optimizers().values(), (10, 25), strict=True):
        rate = optimizer._learning_rate
        assert float(rate(updates - 1)) > 1e-7
        assert float(rate(updates)) == pytest.approx(0.0, abs=1e-12)


def test_the_update_ratio_is_kept(batch, vgg_file):
    stage = adversarial(vgg_file, generator_every=3)
    run = stage.train_step
    moved = []
    for _ in range(6):
        before = stage.generator.get_weights()
        run(batch)
        moved.append(changed(stage.generator, before))
    assert moved == [True, False, False, True, False, False]


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("vanilla", "features"),
        pytest.param("relativistic", "pooled", marks=pytest.mark.slow),
    ],
)
def test_the_discriminator_learns_to_tell(batch, vgg_file, kind, head):
    stage = adversarial(
        vgg_file,
        discriminator_steps=12,
        discriminator_learning_rate=5e-3,
        adversarial=kind,
        discriminator_head=head,
        window=64,  # of a fixed place, since so few steps see few phases
    )
    run = stage.train_step
    first, *_, last = (float(run(batch)["discriminator"]) for _ in range(12))
    assert last < 0.8 * first


def test_terms_are_reported_with_their_weights(batch, vgg_file):
    once, twice = (
        step(
            adversarial(
                vgg_file,
                pixel_weight=factor,
                chroma_weight=factor,
                perceptual_weight=0.05 * factor,
                adversarial_weight=0.005 * factor,
                grid_weight=factor,
            ),
            batch,
        )
        for factor in (1, 2)
    )
    for term in ("pixel", "chroma", "perceptual", "adversarial", "grid"):
        assert once[term] > 0
        assert twice[term] == pytest.approx(2 * once[term], rel=1e-4)


@pytest.mark.slow
def test_the_gradient_norm_is_the_norm_of_each_terms_gradient_and_changes_nothing(batch, vgg_file):
    stage = adversarial(vgg_file, pixel_weight=3.0)
    lr, hr = batch
    with tf.GradientTape() as tape:
        sr = stage.project([stage.generator(lr, training=False), lr])
        loss = 3.0 * losses.mse(stage._window(hr), stage._window(sr))
    gradients = tape.gradient(loss, stage.generator.trainable_variables)
    expected = np.sqrt(sum(np.square(gradient).sum() for gradient in gradients))
    before = {name: np.array(value) for name, value in stage.state().items()}

    norms = stage.gradient_norms([batch])

    assert norms["pixel"] == pytest.approx(expected, rel=1e-4)
    assert list(norms) == ["pixel", "chroma", "perceptual", "adversarial", "grid"]
    assert min(norms.values()) > 0
    for name, value in stage.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_term_that_is_off_has_no_gradient(batch, vgg_file):
    stage = adversarial(vgg_file, perceptual_weight=0.0, discriminator_head="pooled")
    gradients = stage._gradients(batch)
    shapes = [weight.shape for weight in stage.generator.trainable_variables]
    for term in gradients.values():
        assert [gradient.shape for gradient in term] == shapes
    assert all(np.all(gradient == 0) for gradient in gradients["perceptual"])
    assert any(np.any(gradient != 0) for gradient in gradients["pixel"])


@pytest.mark.slow
def test_the_gradient_norm_over_batches_is_that_of_their_mean_and_as_the_weights(batch, vgg_file):
    stage = adversarial(vgg_file, adversarial_weight=0.01)
    heavier = adversarial(vgg_file, adversarial_weight=0.04)
    lr, hr = batch
    swapped = lr[::-1], hr  # gradients that disagree

    once, other = stage.gradient_norms([batch]), stage.gradient_norms([swapped])
    assert stage.gradient_norms([batch, batch]) == pytest.approx(once, rel=1e-4)
    assert stage.gradient_norms([batch, swapped])["pixel"] < 0.5 * (once["pixel"] + other["pixel"])
    expected = once | {"adversarial": 4 * once["adversarial"]}
    assert heavier.gradient_norms([batch]) == pytest.approx(expected, rel=1e-4)


def test_the_adversarial_weight_rises_over_the_ramp(batch, vgg_file):
    stage = adversarial(vgg_file, ramp=4, adversarial_weight=0.1, discriminator_steps=3)
    weights = []
    for number in range(9):
        stage.step.assign(number)
        weights.append(float(stage._ramp()))
    np.testing.assert_allclose(weights, [0, 0, 0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


def test_the_window_is_the_same_for_all_images_of_a_step_and_clear_of_the_edges(vgg_file):
    stage = adversarial(vgg_file)
    rows = tf.range(64, dtype=tf.float32)
    image = tf.tile((64 * rows[:, None] + rows)[None, :, :, None], [2, 1, 1, 3])
    corners = set()
    for number in range(40):
        stage.step.assign(number)
        window, again = stage._window(image), stage._window(image)
        np.testing.assert_array_equal(window, again)
        assert window.shape == (2, 48, 48, 3)
        corners.add(divmod(int(window[0, 0, 0, 0]), 64))
    for axis in zip(*corners, strict=True):
        assert set(axis) == set(range(4, 13))  # a quarter of the room of 16 stays on every side


def test_a_discriminator_on_features_leaves_them_as_they_are_and_teaches_the_generator(
    batch, vgg_file
):
    stage = adversarial(
        vgg_file,
        discriminator_head="features",
        perceptual_weight=0.0,
        pixel_weight=0.0,
        grid_weight=0.0,
    )
    seen, generator = stage.features.get_weights(), stage.generator.get_weights()
    logs = step(stage, batch)
    assert logs["perceptual"] == 0
    assert logs["gradient"] > 0
    assert changed(stage.generator, generator)
    assert not changed(stage.features, seen)


@pytest.mark.parametrize(
    "name", ["pretraining", pytest.param("pooled", marks=pytest.mark.slow), "features"]
)
def test_a_stage_resumed_from_its_checkpoint_goes_on_bit_for_bit(batch, vgg_file, tmp_path, name):
    def stage():
        if name == "pretraining":
            return pretraining()
        return adversarial(vgg_file, discriminator_head=name)

    straight = stage()
    for number in range(6):
        straight.train_step(batch)
        if number == 2:
            checkpoints.save(tmp_path / "latest.npz", straight.state())

    resumed = stage()
    checkpoints.restore(tmp_path / "latest.npz", resumed.state())
    for _ in range(3):
        resumed.train_step(batch)
    for key, variable in straight.state().items():
        np.testing.assert_array_equal(resumed.state()[key], variable, err_msg=key)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    checkpoints.save(tmp_path / "latest.npz", pretraining().state())
    other = Pretraining(residual(4, filters=24, blocks=1), config.Pretrain())
    with pytest.raises(ValueError, match=r"has shape .*this network needs"):
        checkpoints.restore(tmp_path / "latest.npz", other.state())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no zip", b"\x80\x04pickle"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "latest.npz").write_bytes(content)
    with pytest.raises(ValueError, match="is damaged, or no checkpoint"):
        checkpoints.restore(tmp_path / "latest.npz", pretraining().state())


def teacher(pixel, perceptual=0.0, adversarial=0.0):
    return config.Teacher(model="x", pixel=pixel, perceptual=perceptual, adversarial=adversarial)


@pytest.fixture
def taught(batch):
    """Both crops, with what a teacher makes of them."""
    lr, hr = batch
    return lr, hr, hr[:, ::-1]


def test_pixels_of_a_share_of_the_crops_come_from_the_teacher(taught):
    lr, hr, pictures = taught
    targets = {
        1.0: pictures,
        0.5: tf.concat([pictures[:1], hr[1:]], axis=0),
        0.0: hr,
    }
    for share, target in targets.items():
        stage = pretraining(teacher(share), batch_size=2)
        assert stage.taught == 2 * share
        found = step(stage, (lr, hr, pictures[: stage.taught])[: 2 + bool(stage.taught)])
        assert found == step(pretraining(batch_size=2), (lr, target))


@pytest.mark.parametrize(
    ("head", "shares"),
    [
        ("features", (1.0, 0.0, 0.5)),
        pytest.param("features", (0.0, 0.5, 0.5), marks=pytest.mark.slow),
        pytest.param("pooled", (0.5, 0.0, 1.0), marks=pytest.mark.slow),
    ],
)
def test_each_loss_of_stage_two_has_its_own_share_of_the_teacher(taught, vgg_file, head, shares):
    lr, hr, pictures = taught
    options = {"batch_size": 2, "discriminator_head": head}
    stage = adversarial(vgg_file, teacher(*shares), **options)
    assert stage.taught == 2 * max(shares)
    found = step(stage, (lr, hr, pictures[: stage.taught]))
    for share, terms in zip(shares, ("pixel chroma", "perceptual", "discriminator"), strict=True):
        count = round(2 * share)
        target = tf.concat([pictures[:count], hr[count:]], axis=0)
        expected = step(adversarial(vgg_file, **options), (lr, target))
        for term in terms.split():
            assert found[term] == pytest.approx(expected[term], rel=1e-5), term
