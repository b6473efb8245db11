"""Flat photos in the validation set decide nothing, and hide nothing."""

import math

import keras
import numpy as np
import pytest
from skimage import data as photos

from srgan.networks.generators import residual
from srgan.numeric import resize
from srgan.quality import metrics
from srgan.train import config, csv_log
from srgan.train.pairs import Pair
from srgan.train.pretraining import Pretraining
from srgan.train.validation import PSNR_CEILING, Validation, accuracy_rule, perception_rule


def pair(hr):
    return Pair(resize.downscale(hr, 4), hr)


WHITE, PHOTO = pair(np.full((64, 64, 3), 255, np.uint8)), pair(photos.astronaut()[:64, :64])


def scores(**changes):
    values = dict.fromkeys(metrics.Scores._fields, 0.0)
    return metrics.Scores(**values | {"psnr": 31.0, "lpips": 0.1, "grid": 0.05} | changes)


def test_stage_one_prefers_psnr_and_of_equal_ones_the_lower_lpips():
    assert accuracy_rule(scores(psnr=31.1, lpips=0.12)) > accuracy_rule(scores())
    assert accuracy_rule(scores(psnr=30.998, lpips=0.095)) > accuracy_rule(scores())


def test_the_perception_rule_weighs_lpips_against_drift_and_grid_artifact():
    rank = perception_rule(floor=30.0)
    assert rank(scores()) == pytest.approx(-0.1)
    assert rank(scores(psnr=29.5)) == pytest.approx(-0.6)
    assert rank(scores(grid=0.10)) == pytest.approx(-0.14)
    assert rank(scores(grid=math.nan)) == pytest.approx(-0.1)


def test_the_ceiling_is_the_psnr_of_rounding_to_8_bits():
    exact = np.random.default_rng(0).uniform(0, 255, 10**6)
    error = np.mean((exact - np.rint(exact)) ** 2)
    assert pytest.approx(10 * np.log10(255**2 / error), abs=0.01) == PSNR_CEILING


@pytest.fixture
def stage():
    """A stage whose generator repeats pixels, and adds a constant."""
    stage = Pretraining(residual(4, filters=4, blocks=1, hr_filters=0), config.Pretrain())
    stage.ema.get_layer("tail").kernel.assign(
        keras.ops.zeros_like(stage.ema.get_layer("tail").kernel)
    )
    return stage


@pytest.mark.parametrize("rule", [accuracy_rule, perception_rule(20.0)])
@pytest.mark.parametrize("validating", [[WHITE], [WHITE, PHOTO]], ids=len)
def test_the_first_weights_are_kept_and_better_ones_take_their_place(
    stage, tmp_path, rule, validating
):
    judge = Validation(tmp_path, validating, 1, 4, 0, rule)
    judge.set_model(stage)
    bias = stage.ema.get_layer("tail").bias
    for step, offset in enumerate((-0.2, 0.0, -0.1), start=1):  # exact on white, in the middle
        bias.assign(np.full(bias.shape, offset, np.float32))
        stage.step.assign(step)
        judge.on_train_batch_end(0, {})
        assert (tmp_path / "best.npz").exists()
    rows = csv_log.read_rows(tmp_path / "validation.csv")
    assert [math.isfinite(float(row["rank"])) for row in rows] == [True, True, True]
    assert int(stage.best_step) == 2


def test_a_flat_photo_is_in_no_mean_that_it_has_no_value_for(stage, tmp_path):
    found = []
    for name, validating in (("alone", [PHOTO]), ("with white", [PHOTO, WHITE])):
        judge = Validation(tmp_path / name, validating, 1, 4, 0, accuracy_rule)
        judge.finish(stage)
        stage.best_step.assign(-1)
        found += csv_log.read_rows(tmp_path / name / "validation.csv")
    alone, both = found
    for measure in ("grid", "sharpness", "sharpening", "aliasing"):
        assert both[measure] == alone[measure]
    expected = (float(alone["psnr"]) + PSNR_CEILING) / 2
    assert float(both["psnr"]) == pytest.approx(expected, abs=1e-3)
