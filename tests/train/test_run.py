"""Whole runs on real photos: what a folder holds at the end."""

import csv
import json

import numpy as np
import pytest

import srgan
from srgan.io import images
from srgan.models import catalogue, engines
from srgan.networks import generators
from srgan.quality import metrics
from srgan.train import build, config, config_file, run
from srgan.upscaling import error_map


def arrays(file):
    with np.load(file, allow_pickle=False) as opened:
        return {name: opened[name] for name in opened.files}


def test_a_refused_training_leaves_nothing_behind(photo_folder, tiny, tmp_path):
    refused = tiny.model_copy(update={"teacher": config.Teacher(model="nowhere.onnx")})
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "note.txt").touch()
    for folder in (tmp_path / "run", mine):
        with pytest.raises(FileNotFoundError, match="no model 'nowhere"):
            run.train(photo_folder, folder, refused)
    assert not (tmp_path / "run").exists()
    assert [path.name for path in mine.iterdir()] == ["note.txt"]


def test_settings_that_are_no_config_are_refused_with_the_way_to_one(photo_folder, tmp_path):
    settings = {"seed": 7, "pretrain": {"steps": 900}}
    with pytest.raises(
        TypeError, match=r"is a dict; expected a .*Config\.model_validate\(settings"
    ):
        run.train(photo_folder, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
    made = config.Config.model_validate(settings)
    assert made == config.Config(seed=7, pretrain=config.Pretrain(steps=900))


@pytest.mark.slow
def test_a_run_leaves_a_model_that_upscales_and_all_that_explains_it(
    photo_folder, vgg_file, tiny, tmp_path
):
    folder = tmp_path / "run"
    seen = []
    model = run.train(photo_folder, folder, tiny, vgg_weights=vgg_file, progress=seen.append)

    assert model == folder / "model.onnx"
    sr = srgan.load(model).upscale(images.read(photo_folder / "00.png"))
    assert sr.shape == (384, 384, 3)
    # At realism 0 it has the weights that stage two began with.
    lr = images.read(photo_folder / "00.png")[:20, :30]
    psnr = srgan.load(folder / "pretrain" / "model.onnx").upscale(lr)
    np.testing.assert_array_equal(srgan.load(model, realism=0).upscale(lr), psnr)
    assert config_file.read(folder / "config.toml") == tiny
    record = json.loads((folder / "run.json").read_text())
    assert record["data"]["photos"] == 8  # of nine, one is held back
    assert set(record["versions"]) >= {"srgan", "tensorflow", "keras", "numpy", "python"}
    for stage, steps in (("pretrain", 4), ("adversarial", 4)):
        assert (folder / stage / "model.onnx").exists()
        assert list((folder / stage / "tensorboard").iterdir())
        with open(folder / stage / "validation.csv", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [int(row["step"]) for row in rows] == [2, 4]
        best = max(rows, key=lambda row: float(row["rank"]))
        scores = srgan.load(folder / stage / "model.onnx").metadata.scores
        assert f"step {best['step']}, psnr {best['psnr']}, " in scores
        assert set(metrics.Scores._fields) <= set(rows[0])
        with open(folder / stage / "log.csv", newline="") as stream:
            assert not any(None in row for row in csv.DictReader(stream))  # no row is longer
        assert images.read(folder / stage / "samples" / "000004.png").shape[1] == 768
        reported = [entry for entry in seen if entry.stage == stage]
        assert [entry.step for entry in reported] == list(range(1, steps + 1))
        assert "validation_psnr" in reported[1].logs
    with open(folder / "adversarial" / "gradient_norms.csv", newline="") as stream:
        norms = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in norms] == [2, 4]
    assert float(norms[-1]["perceptual"]) > 0
    first, second = (srgan.load(folder / name) for name in ("model-psnr.onnx", "model.onnx"))
    assert first.metadata.training == "pretrain, 4 steps of 2 crops of 32 pixels."
    assert second.metadata.training == (
        "pretrain, 4 steps of 2 crops of 32 pixels; adversarial, 3 steps of 2 crops of 64 pixels."
    )
    # Its map of what it invented is fitted to its own errors.
    assert first.metadata.calibration is None
    assert second.metadata.calibration[0] != 0
    error_map.map_file(photo_folder / "00.png", tmp_path / "map.png", model)
    terms = {"pixel", "chroma", "perceptual", "adversarial", "grid", "discriminator"}
    assert terms <= set(seen[-1].logs)


@pytest.mark.slow
def test_the_second_stage_starts_from_the_best_averages_of_the_first(
    photo_folder, vgg_file, tiny, tmp_path
):
    still = tiny.adversarial.model_copy(update={"steps": 1, "learning_rate": 1e-12})
    folder = tmp_path / "run"
    settings = tiny.model_copy(update={"adversarial": still})
    run.train(photo_folder, folder, settings, vgg_weights=vgg_file)
    first, second = (arrays(folder / name / "best.npz") for name in ("pretrain", "adversarial"))
    for name, expected in first.items():
        np.testing.assert_allclose(second[name], expected, atol=1e-6)


def test_a_run_on_degraded_photos_says_so_and_leaves_a_model_that_does_not_reproduce_them(
    photo_folder, tiny, tmp_path
):
    changes = {
        "projection": 0,
        "degradation": config.Degradation(versions=3),
        "adversarial": tiny.adversarial.model_copy(update={"steps": 0}),
    }
    model = run.train(photo_folder, tmp_path / "run", tiny.model_copy(update=changes))
    metadata = srgan.load(model).metadata
    assert metadata.consistency_rounds == 0
    assert metadata.training_data.startswith("8 photos, ")  # not versions of them
    assert "degraded by blur of 0 to 0.7, noise of 0 to 8, JPEG of 30 to 95" in metadata.training


@pytest.mark.slow
def test_a_run_can_start_from_the_weights_of_another(photo_folder, tiny, tmp_path):
    short = tiny.adversarial.model_copy(update={"steps": 0})
    first = tiny.model_copy(update={"adversarial": short})
    run.train(photo_folder, tmp_path / "first", first)
    still = tiny.pretrain.model_copy(update={"steps": 2, "learning_rate": 1e-12})
    second = first.model_copy(update={"pretrain": still, "seed": 1})
    weights = arrays(tmp_path / "first" / "pretrain" / "best.npz")
    for file in ("best.npz", "model.onnx"):
        folder = tmp_path / f"from-{file}"
        run.train(photo_folder, folder, second, init=tmp_path / "first" / "pretrain" / file)
        got = arrays(folder / "pretrain" / "best.npz")
        for name, expected in weights.items():
            np.testing.assert_allclose(got[name], expected, atol=2e-4)  # ONNX: half precision


@pytest.mark.parametrize("hr_filters", [0, 16])
def test_a_generator_can_start_from_a_shipped_model_by_its_name(hr_filters):
    generator = generators.residual(4, filters=32, blocks=8, hr_filters=hr_filters)
    build.load_weights("srgan-fast-psnr-x4", generator)
    lr = np.random.default_rng(0).random((1, 12, 9, 3), np.float32)
    engine = engines.open_engine(catalogue.path("srgan-fast-psnr-x4"), "onnxruntime")
    np.testing.assert_allclose(generator(lr), engine.run(lr), atol=1e-4)
    with pytest.raises(FileNotFoundError, match="one of the shipped models: srgan-fast-psnr-x4"):
        build.load_weights("srgan-slow-x4", generator)


def test_validation_photos_too_small_to_be_scored_are_left_out(
    photo_folder, tiny, tmp_path, caplog
):
    validating = tmp_path / "validating"
    validating.mkdir()
    photo = images.read_uint8(photo_folder / "00.png")
    images.write(validating / "flat.png", photo[:30])
    images.write(validating / "square.png", photo[:64, :64])
    schedule = tiny.pretrain.model_copy(update={"steps": 2})
    none = tiny.adversarial.model_copy(update={"steps": 0})
    settings = tiny.model_copy(update={"pretrain": schedule, "adversarial": none})
    run.train(photo_folder, tmp_path / "run", settings, validation=validating)
    size = f"{photo.shape[1]}x28"  # a multiple of the scale
    assert f"validation: flat.png: {size} usable pixels are fewer than 32x32" in caplog.text
    assert images.read(tmp_path / "run/pretrain/samples/000002.png").any()


def test_a_folder_that_holds_a_run_is_not_overwritten(photo_folder, tiny, tmp_path):
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(FileExistsError, match=r"already holds a run\. Continue it with --resume"):
        run.train(photo_folder, tmp_path, tiny)
    assert (tmp_path / "config.toml").read_text() == ""


def test_a_mistake_in_the_photos_does_not_claim_the_folder(vgg_file, tiny, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="There are no images in"):
        run.train(empty, tmp_path / "run", tiny, vgg_weights=vgg_file)
    assert not (tmp_path / "run" / "config.toml").exists()


@pytest.fixture(scope="module")
def large_photos(tmp_path_factory):
    """Photos that hold the crops which a teacher looks at."""
    from skimage import data as photos

    root = tmp_path_factory.mktemp("large")
    images.write(root / "a.png", photos.astronaut()[:140, :160])
    images.write(root / "b.png", photos.coffee()[:160, :140])
    return root


def taught(tiny, **changes):
    teacher = config.Teacher(
        **{"model": "srgan-fast-x4", "crops": 6, "side": 32, "crop_candidates": 1} | changes
    )
    alone = tiny.adversarial.model_copy(update={"steps": 0})
    return tiny.model_copy(update={"teacher": teacher, "adversarial": alone})


@pytest.mark.slow
def test_a_run_stopped_while_its_teacher_looks_goes_on_and_ends_with_the_same_weights(
    large_photos, tiny, tmp_path
):
    settings, told = taught(tiny), []

    def report(progress):
        if progress.stage == "teacher":
            told.append(progress.step)

    def stop(progress):
        if progress.stage == "teacher" and progress.step == 2:
            raise KeyboardInterrupt

    run.train(large_photos, tmp_path / "straight", settings, progress=report)
    assert told == [0, 1, 2, 3, 4, 5, 6]
    stopped = tmp_path / "stopped"
    with pytest.raises(run.Interrupted, match="before the teacher had made all its pictures"):
        run.train(large_photos, stopped, settings, progress=stop)
    made = {path: path.stat().st_mtime_ns for path in stopped.rglob("*.npy")}
    assert len(made) >= 2
    model = run.train(None, stopped, settings, resume=True, progress=report)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert told[7] == len(made)

    runs = (tmp_path / name for name in ("straight", "stopped"))
    before, after = (arrays(folder / "pretrain" / "best.npz") for folder in runs)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
    metadata = srgan.load(model).metadata
    assert "learned from srgan-fast-x4: 1 of pixels" in metadata.training
    assert "its teacher" in metadata.licence
    record = json.loads((stopped / "run.json").read_text())
    assert record["teacher"]["file"] == "srgan-fast-x4"


def test_photos_without_room_for_a_crop_of_the_teacher_leave_no_run(large_photos, tiny, tmp_path):
    with pytest.raises(ValueError, match="No photo has the 256x256 pixels of a crop for the teach"):
        run.train(large_photos, tmp_path / "run", taught(tiny, side=64))
    assert not (tmp_path / "run" / "config.toml").exists()


@pytest.mark.parametrize(
    ("model", "match"),
    [("srgan-x2", r"srgan-x2 enlarges 2 times, .*scale=4"), ("x5.onnx", r"no model 'x5\.onnx'")],
)
def test_a_teacher_that_cannot_teach_fails_before_photos_are_read(tiny, tmp_path, model, match):
    with pytest.raises((ValueError, FileNotFoundError), match=match):
        run.train(tmp_path, tmp_path / "run", taught(tiny, model=model))
