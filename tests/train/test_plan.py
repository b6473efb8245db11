"""A plan measures what a run will take, and shortens its schedule to a time."""

import json

import numpy as np
import pytest
import tomli_w

from srgan import cli
from srgan.io import images
from srgan.train import config, data, measuring, pairs, plan


def planned(settings):
    def stage(name, steps, seconds):
        return measuring.StageCost(name, steps, 0.1, 0.01, 0.05, 0.01, 0.01, 1.0, seconds, 1000)

    return plan.Plan(
        settings=settings,
        changes=[],
        computed_in="float32",
        photos=3,
        megapixels=1.0,
        unreadable=[],
        decode_seconds=100.0,
        teacher_seconds=0.0,
        memory_bytes=0,
        cache_bytes=0,
        disk_bytes=0,
        stages=[stage("pretrain", 33_000, 6000.0), stage("adversarial", 5_120, 3900.0)],
    )


def test_a_schedule_is_shortened_in_proportion():
    settings = config.Config()
    assert plan.fit(planned(settings), 10_000.0).settings == settings
    found = plan.fit(planned(settings), 1090.0)  # a tenth of what learns
    assert found.seconds == pytest.approx(1090)
    assert found.settings.pretrain.steps == 3300
    assert found.settings.pretrain.warmup == 20
    assert found.settings.adversarial.steps == 500
    assert found.settings.adversarial.discriminator_steps == 12
    assert found.settings.validate_every == 500
    assert "pretrain.steps=3300" in found.changes


def test_a_time_that_does_not_even_decode_the_photos_is_refused():
    with pytest.raises(ValueError, match="hours are not enough: pretrain needs at least one step"):
        plan.fit(planned(config.Config()), 90.0)


@pytest.mark.parametrize("paired", [False, True])
def test_a_plan_validates_the_photos_that_the_run_will_validate(paired, tmp_path):
    settings = config.Config(pretrain=config.Pretrain(hr_patch=16))
    settings = settings.model_copy(update={"adversarial": config.Adversarial(steps=0)})
    photos, small = tmp_path / "photos", tmp_path / "small" if paired else None
    for folder, side in ((photos, 16), (tmp_path / "small", 4)):
        for i in range(40):
            (folder / f"{i % 2}").mkdir(parents=True, exist_ok=True)
            images.write(folder / f"{i % 2}/{i:02d}.png", np.full((side, side, 3), 5 * i, np.uint8))
    files, _ = pairs.find(photos, small, 4)
    learning, validating = plan.choose(photos, small, files, tmp_path / "plan", settings)
    _, expected = data.prepare(photos, tmp_path / "cache", 4, small, 4).hold_back(8)
    assert len(validating) == 4
    assert validating.names == expected.names
    assert all((a.hr == b.hr).all() for a, b in zip(validating, expected, strict=True))
    assert {*learning.names}.isdisjoint(validating.names)
    assert len(learning) >= 6


def test_a_plan_does_without_photos_that_are_too_small(tmp_path):
    settings = config.Config(pretrain=config.Pretrain(hr_patch=16))
    settings = settings.model_copy(update={"adversarial": config.Adversarial(steps=0)})
    (tmp_path / "photos").mkdir()
    names = [f"{i:02d}.png" for i in range(12)]
    (held,) = data.held_back(names, 8)
    for name in names:
        side = 12 if name == held else 16
        images.write(tmp_path / "photos" / name, np.zeros((side, side, 3), np.uint8))
    files, _ = pairs.find(tmp_path / "photos", None, 4)
    learning, validating = plan.choose(tmp_path / "photos", None, files, tmp_path, settings)
    assert (len(learning), len(validating)) == (10, 1)


@pytest.mark.slow
def test_a_plan_tells_what_a_run_takes_and_leaves_nothing(
    photo_folder, vgg_file, tiny, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "run.toml").write_text(tomli_w.dumps(tiny.model_dump(mode="json")))
    command = ["plan", photo_folder, "--config", tmp_path / "run.toml", "--json"]
    command += ["--vgg-weights", vgg_file, "--set", "pretrain.steps=2000000"]
    command += ["--set", "adversarial.steps=1000000", "--set", "validate_every=100000"]
    command += ["--max-hours", "1"]
    assert cli.main([str(word) for word in command]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["photos"] == 9
    assert found["megapixels"] == pytest.approx(3 * 96 * (96 + 104 + 112) / 1e6)
    first, second = found["stages"]
    assert (first["name"], second["name"]) == ("pretrain", "adversarial")
    assert 0.45 < second["steps"] / first["steps"] < 0.55
    for stage in (first, second):
        assert stage["generator_seconds"] > 0
        assert stage["step_seconds"] > 0
        assert stage["checkpoint_bytes"] > 10_000
    assert found["memory_bytes"] > 1e8
    assert found["seconds"] <= 3601
    assert found["settings"]["pretrain"]["steps"] == first["steps"] < 2_000_000
    assert not list((tmp_path / "temporary").glob("srgan-plan-*"))


def test_a_plan_of_photos_that_are_not_there_is_refused(tmp_path, tiny):
    alone = tiny.model_copy(
        update={"adversarial": tiny.adversarial.model_copy(update={"steps": 0})}
    )
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="There are no images in"):
        plan.make(tmp_path / "photos", alone)
