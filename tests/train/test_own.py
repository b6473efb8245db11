"""Networks, losses and batches of a caller's own are trained as the package's are, or refused."""

import json
from itertools import islice

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from keras import layers, ops

import srgan
from srgan.io import images
from srgan.networks.layers import PixelShuffle
from srgan.train import build, config, config_file, own, result, run, streams
from srgan.train.pretraining import Pretraining
from srgan.train.rehearsal import rehearse


@keras.saving.register_keras_serializable("tests")
class Net(keras.Model):
    """A subclassed generator."""

    def __init__(self, filters=8, **options):
        super().__init__(**options)
        self.filters = filters
        self.first = layers.Conv2D(filters, 3, padding="same", activation="relu")
        self.last = layers.Conv2D(48, 3, padding="same", kernel_initializer="zeros")
        self.shuffle = PixelShuffle(4)
        self.enlarge = layers.UpSampling2D(4)

    def call(self, lr):
        return self.enlarge(lr) + 0.5 * self.shuffle(self.last(self.first(lr)))

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


def edges(hr, sr):
    return ops.mean(ops.abs((hr - sr)[:, 1:] - (hr - sr)[:, :-1]))


def pairs(step):
    """An endless iterator, each batch a function of its number."""
    while True:
        hr = np.random.default_rng(step).random((2, 64, 64, 3), np.float32)
        yield hr.reshape(2, 16, 4, 16, 4, 3).mean((2, 4)), hr
        step += 1


def critic():
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, strides=2)(image)
    return keras.Model(image, layers.Conv2D(1, 3, strides=4)(layers.LeakyReLU(0.2)(x)))


def train(folder, tiny, photo_folder, vgg_file, **options):
    keras.utils.set_random_seed(0)
    brought = {
        "generator": Net(),
        "discriminator": critic(),
        "losses": {"edges": (edges, 0.5), "adversarial.flat": (lambda hr, sr: ops.var(sr), 0.1)},
        "dataset": pairs,
    }
    brought |= options
    return run.train(None, folder, tiny, **brought, validation=photo_folder, vgg_weights=vgg_file)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_file_of_plus_and_models_in_models_is_exported_in_float32(policy, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        lr, features = keras.Input((None, None, 3)), keras.Input((None, None, 8))
        wide = layers.Conv2D(8, 3, padding="same")
        block = keras.Model(features, layers.Conv2D(8, 3, padding="same")(features) + features)
        tail = keras.Sequential([features, layers.Conv2D(48, 3, padding="same"), PixelShuffle(4)])
        sr = layers.UpSampling2D(4)(lr) + tail(block(wide(lr)))
        keras.Model(lr, sr).save(tmp_path / "net.keras")
        net = own.load(tmp_path / "net.keras")
    finally:
        keras.config.set_dtype_policy(before)
    own.check_generator(net, 4)
    (tmp_path / "run").mkdir()
    result.write_model(net, tmp_path / "run" / "model.onnx", config.Config(), "photos", {})
    written = onnx.load(tmp_path / "run" / "model.onnx").metadata_props
    (certificate,) = (entry.value for entry in written if entry.key == "srgan.certificate")
    assert json.loads(certificate)["max_difference"] < 0.2


def test_a_generator_that_its_file_does_not_repeat_is_refused_before_the_first_step(
    tiny, photo_folder, vgg_file, tmp_path
):
    class Steeper(layers.ReLU):
        def call(self, inputs):
            return 1.1 * super().call(inputs)

    lr = keras.Input((None, None, 3))
    net = keras.Model(lr, PixelShuffle(4)(Steeper()(layers.Conv2D(48, 3, padding="same")(lr))))
    with pytest.raises(ValueError, match="cannot be exported: The ONNX file differs"):
        train(tmp_path / "run", tiny, photo_folder, vgg_file, generator=net)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_of_ones_own_parts_resumes_exactly_and_leaves_a_model(
    tiny, photo_folder, vgg_file, tmp_path
):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 3:
                raise KeyError

    straight = train(tmp_path / "straight", tiny, photo_folder, vgg_file)
    with pytest.raises(KeyError):
        train(tmp_path / "cut", tiny, photo_folder, vgg_file, callbacks=[Stop()])
    with pytest.raises(ValueError, match=r"began with Net .* as generator, and now there is none"):
        run.train(None, tmp_path / "cut", tiny, resume=True, dataset=pairs, vgg_weights=vgg_file)
    with pytest.raises(
        ValueError, match=r"began with a data set of its own, and now there is none"
    ):
        train(tmp_path / "cut", tiny, photo_folder, vgg_file, resume=True, dataset=None)
    resumed = train(tmp_path / "cut", tiny, photo_folder, vgg_file, resume=True)

    def weights(model):
        with np.load(model.parent / "adversarial" / "best.npz") as file:
            return [file[name] for name in file.files]

    for expected, found in zip(weights(straight), weights(resumed), strict=True):
        np.testing.assert_array_equal(found, expected)
    lr = images.read(photo_folder / "00.png")[:20, :30]
    kept = keras.saving.load_model(resumed.with_suffix(".keras"))
    model = srgan.load(resumed)
    assert model.upscale(lr).shape == (80, 120, 3)
    assert model.metadata.receptive_field == 2
    assert model.metadata.training_data.startswith("a data set, fingerprint ")
    assert "pretrain, 4 steps of a data set; " in model.metadata.training
    engine = tf.cast(kept(lr[None], training=False), tf.float32)
    assert engine.shape == (1, 80, 120, 3)
    log = (tmp_path / "cut" / "adversarial" / "log.csv").read_text().splitlines()[0]
    assert {"edges", "flat"} <= {*log.split(",")}
    assert "flat" not in (tmp_path / "cut" / "pretrain" / "log.csv").read_text()
    record = json.loads((tmp_path / "cut" / "run.json").read_text())
    assert record["own"]["losses.edges"] == "edges 0.5"
    # And a file of it is where another run begins.
    other = Net()
    own.build(other)
    build.load_weights(resumed.with_suffix(".keras"), other)
    for expected, found in zip(kept.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_an_own_term_is_part_of_the_loss_with_its_weight():
    lr, hr = next(pairs(0))
    terms = []
    for weight in (1.0, 3.0):
        keras.utils.set_random_seed(0)
        settings = config.Pretrain(steps=9, warmup=0)
        stage = Pretraining(Net(), settings, own_losses={"edges": (edges, weight)})
        terms.append(stage.train_step((tf.constant(lr), tf.constant(hr))))
    assert float(terms[1]["edges"]) == pytest.approx(3 * float(terms[0]["edges"]))
    assert float(terms[1]["gradient"]) > 1.5 * float(terms[0]["gradient"])


def test_a_stage_can_be_fitted_alone():
    stage = Pretraining(Net(), config.Pretrain(steps=4, warmup=0))
    stage.compile()
    lr, hr = next(pairs(0))
    stage.fit(tf.data.Dataset.from_tensors((lr, hr)).repeat(4), epochs=1, shuffle=False, verbose=0)
    assert int(stage.step) == 4


def test_a_fit_on_batches_without_end_ends_at_the_last_step():
    stage = Pretraining(Net(), config.Pretrain(steps=4, warmup=0))
    stage.compile()
    stage.fit(pairs(0), steps_per_epoch=3, shuffle=False, verbose=0)
    assert int(stage.step) == 3
    stage.fit(pairs(3), epochs=2, shuffle=False, verbose=0)
    assert int(stage.step) == 4


def test_a_checkpoint_of_keras_has_the_weights_of_a_stage(tmp_path):
    stage = Pretraining(Net(), config.Pretrain(steps=2, warmup=0))
    stage.compile()
    path = tmp_path / "last.weights.h5"
    keep = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    few = tf.data.Dataset.from_tensors(next(pairs(0))).repeat(2)
    stage.fit(few, shuffle=False, verbose=0, callbacks=[keep])
    learned = stage.generator.get_weights()
    stage.generator.set_weights([0 * weight for weight in learned])
    stage.load_weights(path)
    for weight, expected in zip(stage.generator.get_weights(), learned, strict=True):
        np.testing.assert_array_equal(weight, expected)


def functional(make):
    lr = keras.Input((None, None, 3))
    return keras.Model(lr, make(lr), name="net")


class Mixing(Net):
    def call(self, lr):
        return super().call(lr) + ops.mean(lr, axis=0, keepdims=True)[:, :1, :1]


class NoConfig(Net):
    def __init__(self, filters, other):
        super().__init__(filters)

    def get_config(self):
        return {}


class Failing(Net):
    def call(self, lr):
        if lr.shape[1] == 13:
            raise ValueError("too small a picture")
        return super().call(lr)


ENLARGE = layers.UpSampling2D(4)


@pytest.mark.parametrize(
    ("generator", "match"),
    [
        (lambda: functional(layers.Conv2D(3, 3, padding="same")), r"makes \(2, 13, 9, 3\) of lr"),
        (Mixing, "alone than beside another: it computes with statistics of the batch"),
        (lambda: NoConfig(8, 1), r"cannot be copied.*get_config"),
        (lambda: functional(ENLARGE), "has no weights to train"),
        (
            lambda: functional(
                lambda lr: ENLARGE(
                    layers.Conv2D(3, 3, padding="same", activation="gelu", name="one")(lr)
                )
            ),
            r"layer 'one' has the activation gelu\. Known are Conv2D",
        ),
        (
            lambda: functional(
                lambda lr: ENLARGE(
                    layers.BatchNormalization(name="two")(
                        layers.Conv2D(3, 3, padding="same")(lr), training=True
                    )
                )
            ),
            "statistics of",
        ),
        (
            lambda: functional(
                lambda lr: ENLARGE(
                    layers.Conv2D(3, 3, padding="same")(layers.Lambda(tf.sort, name="three")(lr))
                )
            ),
            r"layer 'three' \(Lambda\) has no translation\. Known are Conv2D",
        ),
        (Failing, "cannot enlarge images of 13x9: too small a picture"),
    ],
)
def test_a_generator_that_cannot_be_used_is_refused_before_photos_are_read(
    generator, match, tiny, tmp_path
):
    with pytest.raises(ValueError, match=match):
        run.train(tmp_path, tmp_path / "run", tiny, generator=generator())


def test_all_layers_that_onnx_lacks_are_named_at_once(tiny):
    def make(lr):
        x = layers.Conv2D(8, 3, padding="same", activation="gelu", name="one")(lr)
        return ENLARGE(layers.Conv2D(3, 3, padding="same", activation="tanh", name="two")(x))

    with pytest.raises(ValueError, match=r"'one' has .* gelu; layer 'two' has .* tanh\. Known"):
        own.check_generator(functional(make), 4)


def batch(**changes):
    lr, hr = next(pairs(0))
    parts = {"lr": lr, "hr": hr} | changes
    return parts["lr"], parts["hr"]


@pytest.mark.parametrize(
    ("first", "match"),
    [
        (batch(lr=np.zeros((2, 16, 16, 1))), r"lr of shape \(2, 16, 16, 1\)"),
        (batch(hr=np.zeros((2, 32, 32, 3))), r"hr \(2, 32, 32, 3\); .* 4 times as large"),
        (batch(lr=np.full((2, 16, 16, 3), np.nan)), "Batch 0 .* lr that are not finite"),
        (batch(hr=np.full((2, 64, 64, 3), 255.0)), "hr from 255 to 255; .*divide 8-bit"),
        (7, "is no pair of arrays"),
    ],
)
def test_a_first_batch_that_cannot_be_used_is_named_before_the_first_step(
    first, match, tiny, photo_folder, tmp_path
):
    with pytest.raises(ValueError, match=match):
        run.train(None, tmp_path / "run", tiny, dataset=lambda _: [first], validation=photo_folder)
    assert not (tmp_path / "run" / "config.toml").exists()


def first_stage(settings):
    """The first stage alone, of eight steps, with a checkpoint each four."""
    changes = ["pretrain.steps=8", "adversarial.steps=0", "validate_every=4"]
    return config_file.override(settings, changes)


def test_a_data_set_that_is_too_short_is_named_before_the_first_step():
    data = tf.data.Dataset.from_tensors(batch()).repeat(3)
    with pytest.raises(ValueError, match=r"ended after 3 batches, .* has 4 steps.*repeat"):
        streams.OwnStream(data, "pretrain", 4, 4, 1)


def test_a_data_set_of_as_many_batches_as_steps_is_enough():
    made = [batch()] * 2
    stream = streams.OwnStream(lambda step: iter(made[step:]), "pretrain", 2, 4, 1)
    assert len(stream.head(4)) == 2


@pytest.mark.parametrize(
    ("later", "match"),
    [
        ([], "ended after 6 batches, and the stage pretrain has 8 steps"),
        ([batch(lr=np.full((2, 16, 16, 3), np.nan))], "Batch 6 .* lr that are not finite"),
    ],
)
def test_a_batch_that_cannot_be_used_ends_a_run_with_its_number_and_keeps_a_checkpoint(
    later, match, tiny, photo_folder, tmp_path
):
    alone = first_stage(tiny)
    made = [*[batch()] * 6, *later]
    with pytest.raises(ValueError, match=match):
        run.train(
            None,
            tmp_path / "run",
            alone,
            dataset=lambda step: made[step:],
            validation=photo_folder,
        )
    stage = tmp_path / "run" / "pretrain"
    assert {path.stem for path in stage.glob("checkpoints/*")} == {"00000000", "00000004"}


@pytest.mark.slow
def test_a_run_that_a_batch_has_ended_goes_on_exactly_with_a_better_one(
    tiny, photo_folder, tmp_path
):
    def failing(step):
        yield from islice(pairs(step), max(6 - step, 0))
        raise OSError("the disk is gone")

    def train(name, dataset, **options):
        keras.utils.set_random_seed(0)
        folder = tmp_path / name
        run.train(
            None,
            folder,
            first_stage(tiny),
            generator=Net(),
            dataset=dataset,
            validation=photo_folder,
            progress=lambda state: seen.append((state.stage, state.step)),
            **options,
        )
        with np.load(folder / "pretrain" / "checkpoints" / "00000008.npz") as file:
            return {name: file[name] for name in file.files}

    seen = []
    expected = train("straight", pairs)
    with pytest.raises(OSError, match="the disk is gone"):
        train("cut", failing)
    seen.clear()
    found = train("cut", pairs, resume=True)
    assert [step for stage, step in seen if stage == "pretrain"] == [5, 6, 7, 8]
    for name, variable in expected.items():
        np.testing.assert_array_equal(found[name], variable, err_msg=name)


def test_a_term_with_a_name_that_is_taken_is_refused():
    for name, match in (("pixel", "a term already"), ("second.edges", "pretrain. or adversarial.")):
        with pytest.raises(ValueError, match=match):
            own.losses_of({name: (edges, 1.0)}, "pretrain")


def test_a_loss_that_is_no_scalar_is_named_before_the_first_step(tiny, vgg_file, tmp_path):
    losses = {"wide": (lambda hr, sr: hr - sr, 1.0)}
    with pytest.raises(ValueError, match=r"pretrain, .*'wide' has the shape \(1, .*finite scalar"):
        run.train(tmp_path, tmp_path / "run", tiny, losses=losses, vgg_weights=vgg_file)


def test_a_loss_that_fails_is_named_with_its_reason(tiny, vgg_file, tmp_path):
    losses = {"product": (lambda hr, sr: ops.mean(tf.reshape(hr, (7, -1)) - sr), 1.0)}
    with pytest.raises(ValueError, match=r"'product' cannot be computed: .*reshape.*hr and sr are"):
        run.train(tmp_path, tmp_path / "run", tiny, losses=losses, vgg_weights=vgg_file)


@pytest.mark.parametrize(
    "function",
    [lambda hr, sr: np.mean(np.abs(hr - sr)), lambda hr, sr: float(ops.mean(ops.abs(hr - sr)))],
)
def test_a_loss_that_only_numbers_can_pass_is_named_before_the_first_step(function, tiny, tmp_path):
    """Such a loss can be computed outside a graph."""
    alone = tiny.model_copy(
        update={"adversarial": tiny.adversarial.model_copy(update={"steps": 0})}
    )
    with pytest.raises(ValueError, match=r"'edges' cannot be computed: .*keras.ops or TensorFlow"):
        run.train(tmp_path, tmp_path / "run", alone, losses={"edges": (function, 1.0)})
    assert not [*(tmp_path / "run").glob("pretrain/*.csv")]


@pytest.mark.parametrize(
    "function",
    [
        lambda hr, sr: ops.mean(hr),
        lambda hr, sr: ops.mean(ops.stop_gradient(sr)),
        lambda hr, sr: ops.mean(ops.cast(sr > hr, "float32")),
        lambda hr, sr: ops.mean(ops.round(sr)),
    ],
)
def test_a_loss_without_a_gradient_is_named(function):
    settings = config.Pretrain(steps=9, warmup=0)
    stage = Pretraining(
        Net(), settings, own_losses={"edges": (edges, 1.0), "level": (function, 2.0)}
    )
    with pytest.raises(ValueError, match=r"'level' teaches the generator nothing.*no gradient"):
        rehearse(stage, next(pairs(0)))


@pytest.mark.slow
def test_a_loss_without_a_gradient_is_named_before_the_first_step(tiny, vgg_file, tmp_path):
    losses = {"adversarial.level": (lambda hr, sr: ops.mean(hr), 0.5)}
    with pytest.raises(ValueError, match=r"stage adversarial, .*'level' teaches the generator no"):
        run.train(tmp_path, tmp_path / "run", tiny, losses=losses, vgg_weights=vgg_file)
    assert not (tmp_path / "run").exists()


def test_a_loss_of_weight_zero_needs_no_gradient():
    settings = config.Pretrain(steps=9, warmup=0)
    level = {"level": (lambda hr, sr: ops.mean(hr), 0.0), "edges": (edges, 1.0)}
    rehearse(Pretraining(Net(), settings, own_losses=level), next(pairs(0)))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (keras.callbacks.TerminateOnNaN(), "callbacks is a TerminateOnNaN; expected a list"),
        ([keras.callbacks.TerminateOnNaN], "the class TerminateOnNaN; expected instances"),
        ([print], "a print; expected instances"),
    ],
)
def test_what_is_no_callback_is_refused(given, match, tiny, tmp_path):
    with pytest.raises(TypeError, match=match):
        run.train(tmp_path, tmp_path / "run", tiny, callbacks=given)


def test_a_checkpoint_of_whole_models_is_refused_before_the_first_step(tiny, tmp_path):
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")
    with pytest.raises(ValueError, match=r"saves whole models.*expected save_weights_only=True"):
        run.train(tmp_path, tmp_path / "run", tiny, callbacks=[keep])


class Around(keras.Model):
    """Is made of something that Keras cannot write."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, lr):
        return ENLARGE(self.layer(lr))


def test_a_generator_that_keras_cannot_copy_is_refused_with_the_whole_reason():
    convolution = layers.Conv2D(3, 3, padding="same")
    with pytest.raises(ValueError, match=r"must override `get_config\(\)` in order to be serial"):
        own.copy(Around(convolution))


def test_a_file_of_another_kind_is_no_network(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(ValueError, match=r"model\.onnx is no \.keras file"):
        own.load(tmp_path / "model.onnx")


@pytest.mark.parametrize("source", [[batch()], iter([batch()])])
def test_batches_that_cannot_be_had_from_any_step_are_refused(source):
    with pytest.raises(TypeError, match=r"is a list.*; expected a tf.data.Dataset, or a function"):
        streams.OwnStream(source, "pretrain", 1, 4, 1)


def test_what_is_no_network_is_refused(tiny, tmp_path):
    with pytest.raises(TypeError, match=r"a function; expected a keras.Model, or the path"):
        run.train(tmp_path, tmp_path / "run", tiny, generator=edges)
