"""Workers learn what one process alone does, and none is left waiting for another."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import tensorflow as tf
import tomli_w

from srgan.networks import layers, workers
from srgan.train import batches, callbacks, config, sharing, streams

TRAIN = """
import json, sys
from pathlib import Path
from srgan.train import config_file, train
from srgan.train.run import Interrupted

photos, run, settings, vgg, log, *resume = sys.argv[1:]
steps = open(log, "a")

def record(state):
    steps.write(json.dumps([state.stage, state.step, state.logs]) + "\\n")
    steps.flush()

try:
    train(photos, run, config_file.read(Path(settings)), vgg_weights=vgg, resume=bool(resume),
          progress=record)
except (OSError, ValueError) as error:
    print(error, file=sys.stderr)
    sys.exit(2)
except Interrupted as stop:
    print(stop, file=sys.stderr)
    sys.exit(130)
"""


class Team:
    """Processes that train together, in a folder each for what the first one leaves."""

    def __init__(self, folder, settings, vgg):
        self.folder, self.vgg = folder, vgg
        self.file = folder / "config.toml"
        self.file.write_text(tomli_w.dumps(settings.model_dump(mode="json")))

    def start(self, name, count, photos, *resume, file=None):
        opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in opened]
        for one in opened:
            one.close()
        running = []
        for index in range(count):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            command = [photos[index % len(photos)], self.folder / name, file or self.file]
            command += [self.vgg, self.folder / f"{name}.jsonl", *resume]
            running.append(
                subprocess.Popen(
                    [sys.executable, "-c", TRAIN, *map(str, command)],
                    env=os.environ | {"TF_CONFIG": json.dumps(task)},
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        return running

    def finish(self, running):
        """The exit code and last words of each."""
        ended = [(one, one.communicate(timeout=300)[1]) for one in running]
        return [(one.returncode, said.strip().splitlines()[-1:]) for one, said in ended]

    def steps(self, name):
        file = self.folder / f"{name}.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [step for step in map(json.loads, lines) if step[0] != "data"]  # of photos decoded

    def weights(self, name):
        with np.load(self.folder / name / "adversarial" / "best.npz") as file:
            return np.concatenate([file[key].ravel() for key in sorted(file.files)])


@pytest.fixture(scope="module")
def team(tiny, vgg_file, photo_folder, tmp_path_factory):
    """Every part that looks at a whole batch: normalisation, relative logits, mixed crops."""
    settings = tiny.model_copy(
        update={
            "validate_every": 10,
            "pretrain": tiny.pretrain.model_copy(
                update={"steps": 25, "batch_size": 4, "mixup": 0.5}
            ),
            "adversarial": tiny.adversarial.model_copy(
                update={"steps": 23, "batch_size": 4, "discriminator_steps": 2}
                | {"adversarial": "relativistic"}
            ),
        }
    )
    team = Team(tmp_path_factory.mktemp("team"), settings, vgg_file)
    assert team.finish(team.start("alone", 1, [photo_folder]))[0][0] == 0
    return team


@pytest.mark.long
@pytest.mark.slow
def test_two_and_four_workers_learn_what_one_does(team, photo_folder):
    for name, count in (("two", 2), ("four", 4)):
        ended = team.finish(team.start(name, count, [photo_folder]))
        assert [code for code, _ in ended] == [0] * count, ended
    alone, two, four = (team.steps(name) for name in ("alone", "two", "four"))
    assert len(alone) == 50
    for found in (two, four):
        for (stage, step, expected), (*place, logs) in zip(alone, found, strict=True):
            assert [stage, step] == place
            # A discriminator makes rounding grow; the means of its logits are near 0.
            within = 1e-5 if stage == "pretrain" else 1e-3
            for term in ("pixel", "chroma", "perceptual", "adversarial", "grid", "discriminator"):
                value = expected.get(term, 0.0)
                assert logs.get(term, 0.0) == pytest.approx(value, rel=within), (step, term)
    for name in ("two", "four"):  # Adam follows the sign of gradients that are nearly 0
        np.testing.assert_allclose(team.weights(name), team.weights("alone"), atol=5e-4)


@pytest.mark.slow
def test_workers_that_are_stopped_or_killed_leave_a_run_that_ends_with_the_same_weights(
    team, photo_folder
):
    def wait_for(stage, step, running):
        while [stage, step] not in [seen[:2] for seen in team.steps("hurt")]:
            assert running[0].poll() is None
            time.sleep(0.02)

    running = team.start("hurt", 2, [photo_folder])
    wait_for("pretrain", 3, running)
    running[1].send_signal(signal.SIGTERM)  # one is enough to stop all after the same step
    (first, second) = team.finish(running)
    assert first == second
    assert first[0] == 130

    running = team.start("hurt", 2, [photo_folder], "resume")
    wait_for("adversarial", 12, running)
    running[1].send_signal(signal.SIGKILL)
    (code, said), _ = team.finish(running)
    assert code == 2
    assert "Another worker has ended" in said[0]
    assert "--resume" in said[0]
    kept = sorted((team.folder / "hurt/adversarial/checkpoints").glob("*.npz"))
    assert kept[-1].name >= "00000010.npz"

    assert team.finish(team.start("hurt", 1, [photo_folder], "resume"))[0][0] == 0
    np.testing.assert_allclose(team.weights("hurt"), team.weights("alone"), atol=5e-4)


@pytest.mark.long
@pytest.mark.slow
def test_workers_whose_launcher_is_killed_end_with_a_checkpoint(team, photo_folder):
    run = team.folder / "run"
    command = [sys.executable, "-m", "srgan", "train", photo_folder, "-o", run, "--workers", 2]
    command += ["--config", team.file, "--vgg-weights", team.vgg, "--set", "pretrain.steps=100000"]
    launcher = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL)
    kept = run / "pretrain" / "checkpoints"
    while not [*kept.glob("*10.npz")]:
        assert launcher.poll() is None
        time.sleep(0.05)
    workers = psutil.Process(launcher.pid).children()
    before = max(kept.glob("*.npz")).name
    launcher.kill()
    launcher.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert (len(workers), alive) == (2, [])
    assert max(kept.glob("*.npz")).name > before


@pytest.mark.slow
def test_workers_that_differ_are_refused_before_the_first_step(team, photo_folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for file in list(photo_folder.iterdir())[1:]:
        (other / file.name).write_bytes(file.read_bytes())
    ended = team.finish(team.start("data", 2, [photo_folder, other]))
    assert [code for code, _ in ended] == [2, 2]
    seen = r"Worker 1 is not as worker 0: photos is 7 of hash \w{16}, and 8 of hash \w{16} there"
    assert all(re.search(seen, said) for _, (said,) in ended)
    assert not team.steps("data")

    ended = team.finish(team.start("missing", 2, [photo_folder, tmp_path / "nowhere"]))
    assert [code for code, _ in ended] == [2, 2]
    assert "Worker 1 cannot begin: " in ended[0][1][0]


def test_a_signal_that_comes_while_workers_agree_is_not_lost(monkeypatch):
    interruption = callbacks.Interruption()
    interruption.set_model(SimpleNamespace(stop_training=False))

    def agree(*flags):
        agreed = [*flags]
        if not any(flags):
            signal.raise_signal(signal.SIGTERM)
        return agreed

    monkeypatch.setattr(workers, "any_of", agree)
    interruption.on_train_begin()
    interruption.on_train_batch_end(0)
    interruption.on_train_batch_end(1)
    assert interruption.happened
    assert interruption.model.stop_training


def test_a_part_of_a_batch_is_what_the_whole_has_there(made_photos):
    whole = batches.batch(made_photos, 7, 3, 4, 16, candidates=2)
    for count in (2, 4):
        for rank in range(count):
            part = slice(rank, None, count)
            found = batches.batch(made_photos, 7, 3, 4, 16, candidates=2, part=part)
            for mine, all_of_it in zip(found, whole, strict=True):
                np.testing.assert_array_equal(mine, all_of_it[part])


def test_a_worker_gets_its_part_of_mixed_crops(made_photos, tiny, monkeypatch):
    schedule = tiny.pretrain.model_copy(update={"batch_size": 4, "hr_patch": 16, "mixup": 1.0})
    stream = streams.PhotoStream(made_photos, None, schedule, 0, tiny)
    (whole,) = stream.head(1)
    monkeypatch.setattr(workers, "count", lambda: 2)
    monkeypatch.setattr(workers, "rank", lambda: 1)
    (part,) = stream.dataset(0, 1)
    for mine, all_of_it in zip(part, whole, strict=True):
        np.testing.assert_array_equal(mine, all_of_it[1::2])


@pytest.fixture
def made_photos():
    class Photos:
        scale, ends = 4, np.cumsum([400, 900])

        def __getitem__(self, index):
            rng = np.random.default_rng(index)
            side = (20, 30)[index]
            return tuple(rng.integers(0, 256, (k * side, k * side, 3), np.uint8) for k in (1, 4))

    return Photos()


def test_batches_that_cannot_be_shared_are_refused_with_what_can(tiny):
    with pytest.raises(ValueError, match=r"pretrain.batch_size=2 cannot be .* 4 workers; .* as 4"):
        sharing.check_shares(tiny, 4)
    taught = tiny.model_copy(update={"teacher": config.Teacher(model="t", adversarial=0.5)})
    with pytest.raises(ValueError, match=r"The 1 crops .* teacher.adversarial .* 2 workers"):
        sharing.check_shares(taught, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 1)),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}', (0, 1)),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}', (1, 2)),
        (
            '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]},'
            ' "task": {"type": "worker", "index": 0}}',
            (1, 2),
        ),
    ],
)
def test_tf_config_tells_a_worker_its_place(text, expected):
    assert workers._place(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}x',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_wrong_tf_config_is_refused(text):
    with pytest.raises(ValueError, match=r"does not name the workers of a training; expected"):
        workers._place(text)


def test_a_process_alone_is_its_own_mean():
    first, second = tf.constant([1.0, 2.0]), tf.constant(3.0)
    assert [one.numpy().tolist() for one in workers.mean(first, second)] == [[1.0, 2.0], 3.0]
    assert workers.means([None, second])[0] is None
    assert workers.any_of(True, False) == [True, False]
    assert workers.gather("mine") == ["mine"]


def test_facts_that_differ_are_named_with_both_values():
    first = {"configuration": {"pretrain": {"steps": 1}}, "versions": {"keras": "3.15"}}
    other = {"configuration": {"pretrain": {"steps": 2}}, "versions": {"keras": "3.15"}}
    assert [*workers._differences(first, other)] == [
        "configuration pretrain steps is 2, and 1 there"
    ]


def test_statistics_of_parts_make_those_of_the_batch(monkeypatch):
    """With equal parts, as if the other worker had the negative of this one's features."""
    x = np.random.default_rng(0).normal(1, 2, (2, 4, 4, 3)).astype(np.float32)
    whole = np.concatenate([x, -x])
    monkeypatch.setattr(workers, "count", lambda: 2)
    monkeypatch.setattr(
        workers, "mean", lambda mean, square: [0 * mean, square]
    )  # of both: the means cancel
    found = layers.BatchNormalization()(x, training=True)
    np.testing.assert_allclose(found, x / np.sqrt(np.mean(whole**2, (0, 1, 2)) + 1e-3), atol=1e-5)
