"""The precision follows the slowest GPU; float16 keeps small gradients by a scaled loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from srgan.networks import generators
from srgan.train import Pretraining, config, precision


@pytest.fixture(autouse=True)
def _as_before():
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([(9, 0)], "bfloat16"),
        ([(8, 0), (7, 5)], "float16"),
        ([(6, 1)], "float32"),
    ],
)
def test_the_precision_is_one_that_the_slowest_gpu_has(capabilities, expected, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    details = "compute_capability"
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {details: gpu})
    assert precision.choose("auto") == expected
    computed = "float32" if expected == "float32" else f"mixed_{expected}"
    assert keras.config.dtype_policy().name == computed


@pytest.mark.slow
def test_float16_learns_and_leaves_out_steps_that_overflow():
    precision.choose("float16")
    keras.utils.set_random_seed(0)
    generator = generators.residual(4, 16, 1, 0)
    settings = config.Pretrain(steps=40, batch_size=2, hr_patch=32, warmup=1, learning_rate=3e-3)
    stage = Pretraining(generator, settings)
    stage.compile()
    hr = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    lr = hr.reshape(2, 8, 4, 8, 4, 3).mean((2, 4))
    batches = tf.data.Dataset.from_tensors((lr, hr)).repeat()
    stage.generator_optimizer.dynamic_scale.assign(2.0**30)  # far too large

    seen = stage.fit(batches, steps_per_epoch=1, epochs=30, shuffle=False, verbose=0).history
    assert float(stage.generator_optimizer.dynamic_scale) < 2**30
    assert seen["gradient"][0] == 0  # left out
    assert seen["gradient"][-1] > 0
    assert seen["pixel"][-1] < 0.95 * seen["pixel"][0]
    assert all(np.isfinite(variable).all() for variable in stage.state().values())
