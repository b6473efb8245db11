"""A stage goes on after kills, damage and divergence as if there had been none of the first two."""

import csv
import os
import signal

import keras
import numpy as np
import pytest

from srgan.networks.generators import residual
from srgan.train import config, data, fitting, streams, validation
from srgan.train.pretraining import Pretraining

STEPS = 16
RATE = 0.05  # too high, but not after one or two halvings


class KilledError(Exception):
    """Ends a run as a kill does, between two steps."""


@pytest.fixture(scope="module")
def pairs(photo_folder, tmp_path_factory):
    return data.prepare(photo_folder, tmp_path_factory.mktemp("cache"), 4)


@pytest.fixture
def fit(pairs):
    def fit(folder, rate=RATE, report=lambda progress: None, every=2, further=()):
        schedule = config.Pretrain(
            steps=STEPS,
            batch_size=2,
            hr_patch=32,
            warmup=8,
            learning_rate=rate,
            optimizer="adam",
        )
        settings = config.Config(validate_every=every, pretrain=schedule)
        folder.mkdir(exist_ok=True)
        keras.utils.set_random_seed(0)
        stage = Pretraining(residual(4, filters=16, blocks=1), schedule)
        fitting.fit(
            stage,
            folder,
            schedule,
            settings,
            streams.PhotoStream(pairs, None, schedule, stage.taught, settings),
            [pairs[0]],
            validation.accuracy_rule,
            report,
            further,
        )
        return {name: np.array(value) for name, value in stage.state().items()}

    return fit


class StopAt(keras.callbacks.Callback):
    """Stops a training as Keras' own callbacks do."""

    def __init__(self, step):
        super().__init__()
        self.at = step

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = int(self.model.step) == self.at


def after(count, act):
    """A report that acts once, at the `count`-th step."""
    seen = []

    def report(progress):
        seen.append(progress)
        if len(seen) == count:
            act()

    return report


def kill():
    raise KilledError


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


def rows(folder):
    with open(folder / "validation.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_training_that_diverges_goes_back_and_on_with_half_the_rate_until_its_end(
    fit, tmp_path, caplog
):
    state = fit(tmp_path / "run")
    assert int(state["step"]) == STEPS
    assert 0 < int(state["halvings"]) < 3
    assert all(np.isfinite(value).all() for value in state.values())
    for count in range(1, 1 + int(state["halvings"])):
        assert f"with the learning rate halved ({count} of at most 3 times)" in caplog.text
    assert [int(row["step"]) for row in rows(tmp_path / "run")] == list(range(2, STEPS + 1, 2))
    best = max(rows(tmp_path / "run"), key=lambda row: float(row["rank"]))
    assert int(state["best_step"]) == int(best["step"])


@pytest.mark.slow
def test_a_training_killed_and_stopped_among_its_divergences_ends_with_the_same_weights(
    fit, tmp_path
):
    straight, kept = fit(tmp_path / "straight"), tmp_path / "run" / "checkpoints"
    with pytest.raises(KilledError):
        fit(tmp_path / "run", report=after(7, kill))
    with np.load(max(kept.iterdir()), allow_pickle=False) as state:
        assert 0 < state["halvings"] < 3
    with pytest.raises(fitting.Interrupted, match=r"Stopped in run at step \d+ of 16"):
        fit(tmp_path / "run", report=after(3, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(KilledError):
        fit(tmp_path / "run", report=after(4, kill))
    assert_same(fit(tmp_path / "run"), straight)
    assert rows(tmp_path / "run") == rows(tmp_path / "straight")


@pytest.mark.slow
def test_the_newest_checkpoint_may_be_damaged(fit, tmp_path, caplog):
    straight = fit(tmp_path / "straight", rate=1e-3)
    with pytest.raises(KilledError):
        fit(tmp_path / "run", rate=1e-3, report=after(9, kill))
    newest = tmp_path / "run" / "checkpoints" / "00000008.npz"
    newest.write_bytes(newest.read_bytes()[:-50])
    (tmp_path / "run" / "best.npz").write_bytes(b"")
    assert_same(fit(tmp_path / "run", rate=1e-3), straight)
    assert "00000008.npz is damaged, or no checkpoint" in caplog.text
    best = (tmp_path / name / "best.npz" for name in ("run", "straight"))
    assert len({file.read_bytes() for file in best}) == 1


@pytest.mark.slow
def test_a_callback_that_stops_the_training_ends_it_where_it_goes_on_later(fit, tmp_path):
    straight = fit(tmp_path / "straight", rate=1e-3)
    with pytest.raises(fitting.Interrupted, match="Stopped by a callback in run at step 5 of 16"):
        fit(tmp_path / "run", rate=1e-3, further=[StopAt(5)])
    assert_same(fit(tmp_path / "run", rate=1e-3), straight)


class SignalBefore(keras.callbacks.Callback):
    """Sends SIGINT once, before the step after some."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.step) == self.steps:
            self.steps = None
            signal.raise_signal(signal.SIGINT)


def test_a_signal_in_a_step_that_diverges_is_not_lost(fit, tmp_path):
    with pytest.raises(fitting.Interrupted, match="Stopped in run at step 1 of 16"):
        fit(tmp_path / "run", rate=1000, further=[SignalBefore(1)])  # the second step diverges


def test_a_signal_in_the_last_step_ends_a_run_which_has_that_stage_behind_it(fit, tmp_path):
    with pytest.raises(fitting.Interrupted, match="Stopped in run at step 16 of 16"):
        fit(tmp_path / "run", rate=1e-3, every=8, further=[SignalBefore(STEPS - 1)])
    resumed = fit(tmp_path / "run", rate=1e-3, every=8, report=lambda _: kill())  # has no step
    assert resumed["step"] == STEPS
    assert (tmp_path / "run" / "best.npz").exists()


@pytest.mark.slow
def test_a_training_that_no_halving_mends_says_so_and_goes_on_with_a_lower_rate(fit, tmp_path):
    match = r"worse than plain grey at step 2\. In run, .* halved 3 times, to 125\. .*--resume"
    for _ in range(2):  # the second time, it begins where the first one ended
        with pytest.raises(FloatingPointError, match=match):
            fit(tmp_path / "run", rate=1000)
    state = fit(tmp_path / "run", rate=1e-3)
    assert int(state["step"]) == STEPS
    assert int(state["halvings"]) == 0


def test_a_loss_that_is_not_finite_is_a_divergence_and_names_the_term(fit, tmp_path):
    with pytest.raises(FloatingPointError, match=r"loss term '(pixel|gradient)' is (nan|inf)"):
        fit(tmp_path / "run", rate=1e30, every=50)
