"""A run that goes on is the same run: what it depends on is restored, or compared and named."""

import shutil

import numpy as np
import onnx
import pytest

from srgan.io import images
from srgan.train import config, config_file, record, run
from srgan.util import files, locks


def small(tiny, **changes):
    changes = {"steps": 2, "learning_rate": 1e-3} | changes
    return tiny.model_copy(
        update={
            "pretrain": tiny.pretrain.model_copy(update=changes),
            "adversarial": tiny.adversarial.model_copy(update={"steps": 0}),
        }
    )


@pytest.fixture(scope="module")
def finished(photo_folder, tmp_path_factory):
    """A short run with a validation set and initial weights of its own, and what it was made of."""
    root = tmp_path_factory.mktemp("finished")
    held_out = root / "validation"
    held_out.mkdir()
    shutil.copy(photo_folder / "00.png", held_out)
    tiny = config.Config(
        validate_every=2,
        precision="float32",
        generator=config.Residual(filters=16, blocks=1),
        pretrain=config.Pretrain(batch_size=2, hr_patch=32, warmup=1),
    )
    first = run.train(photo_folder, root / "first", small(tiny))
    shutil.copy(first, root / "init.onnx")
    settings = small(tiny, steps=3)
    run.train(
        photo_folder, root / "run", settings, validation=held_out, init=str(root / "init.onnx")
    )
    return root


@pytest.fixture
def again(finished, tmp_path):
    """A copy of the run, and how it goes on."""
    shutil.copytree(finished / "run", tmp_path / "run")
    settings = config_file.read(tmp_path / "run" / "config.toml")

    def resume(photos=None, wanted=settings, **named):
        return run.train(photos, tmp_path / "run", wanted, resume=True, **named)

    resume.folder, resume.settings = tmp_path / "run", settings
    return resume


def test_a_run_goes_on_with_all_that_it_began_with(again, finished, photo_folder):
    known = record.read(again.folder)
    assert known.inputs.photos == photo_folder
    assert known.inputs.validation == finished / "validation"
    assert known.init == record.Source(
        file=str(finished / "init.onnx"), sha256=files.sha256(finished / "init.onnx")
    )
    assert known.precision == "float32"
    stage = again.folder / "pretrain"
    table = (stage / "validation.csv").read_text()
    shutil.rmtree(stage / "checkpoints")  # as if it had been killed before the first
    (again.folder / "model.onnx").unlink()
    for place in (again.folder, stage):  # what kills leave, half-written
        (place / ".export-abcdefgh").mkdir()
        (place / f".{'0' * 16}.partial").touch()
    assert again() == again.folder / "model.onnx"
    assert (again.folder / "model.onnx").read_bytes() == (finished / "run/model.onnx").read_bytes()
    assert (stage / "validation.csv").read_text() == table
    assert record.read(again.folder) == known
    assert not [*again.folder.rglob(".export-*"), *again.folder.rglob("*.partial")]


def test_the_first_checkpoint_holds_the_initial_weights(finished):
    with np.load(finished / "run" / "pretrain" / "checkpoints" / "00000000.npz") as state:
        assert state["step"] == 0
        begun = [state[name] for name in state.files if name.startswith("generator/")]
    with np.load(finished / "first" / "pretrain" / "best.npz") as state:
        for expected, got in zip((state[name] for name in state.files), begun, strict=True):
            np.testing.assert_allclose(got, expected, atol=2e-4)  # ONNX: half precision


def test_initial_weights_that_moved_are_missed_only_without_a_checkpoint(again, tmp_path, caplog):
    gone = tmp_path / "gone.onnx"
    again(init=gone)
    assert "gone.onnx is not there; the run goes on from its own weights" in caplog.text
    shutil.rmtree(again.folder / "pretrain" / "checkpoints")
    with pytest.raises(FileNotFoundError, match=r"There is no model .*gone\.onnx"):
        again(init=gone)


def test_other_initial_weights_are_refused(again):
    with pytest.raises(ValueError, match=r"srgan-x4 is not the initial weights that .*init\.onnx"):
        again(init="srgan-x4")


def test_initial_weights_for_a_run_without_are_refused(finished):
    settings = config_file.read(finished / "first" / "config.toml")
    with pytest.raises(ValueError, match="The run began without the initial weights; leave out"):
        run.train(None, finished / "first", settings, init="srgan-x4", resume=True)


def test_other_photos_and_another_validation_set_are_refused(again, photo_folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    images.write(other / "a.png", images.read_uint8(photo_folder / "01.png"))
    with pytest.raises(ValueError, match="The photos have changed since the run began"):
        again(other)
    with pytest.raises(ValueError, match="The validation photos have changed since the run"):
        again(validation=other)


def test_photos_that_moved_are_found_at_their_new_place_from_then_on(again, photo_folder, tmp_path):
    shutil.copytree(photo_folder, tmp_path / "moved")
    again(tmp_path / "moved")
    assert record.read(again.folder).inputs.photos == tmp_path / "moved"


def test_a_run_may_have_more_steps_than_it_began_with(again):
    more = again.settings.pretrain.model_copy(update={"steps": 5})
    again(wanted=again.settings.model_copy(update={"pretrain": more, "validate_every": 1}))
    rows = (again.folder / "pretrain" / "validation.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "2", "3", "4", "5"]
    assert config_file.read(again.folder / "config.toml").pretrain.steps == 5


def test_two_runs_in_one_folder_are_one_too_many(again):
    with (
        locks.exclusive(again.folder / ".lock"),
        pytest.raises(BlockingIOError, match=r"A training is running in .*run\. Wait for its end"),
    ):
        again()


def test_what_would_change_the_past_is_named_key_by_key(tiny, caplog):
    then = tiny.model_dump()
    now = config.Config.model_validate(
        then
        | {"seed": 1, "validate_every": 7, "generator": {"filters": 8}}
        | {"pretrain": then["pretrain"] | {"steps": 9, "batch_size": 5, "clip_norm": 9.0}}
    )
    with pytest.raises(ValueError, match="cannot go on with another configuration") as caught:
        record.check_settings(tiny, now, over=[])
    for key in ("seed is 1, and was 0", "generator.filters is 8", "pretrain.batch_size is 5"):
        assert key in str(caught.value)
    for key in ("validate_every is", "pretrain.steps is", "pretrain.clip_norm is"):
        assert key not in str(caught.value)
    with pytest.raises(ValueError, match=r"pretrain\.steps is 9, and was 4; pretrain\.clip_norm"):
        record.check_settings(
            tiny.model_copy(update={"seed": 1}), now.model_copy(update={"generator": tiny.generator}
            | {"pretrain": now.pretrain.model_copy(update={"batch_size": 2})}), over=["pretrain"]
        )  # fmt: skip
    allowed = tiny.pretrain.model_copy(update={"learning_rate": 1e-5, "warmup": 0})
    record.check_settings(tiny, tiny.model_copy(update={"pretrain": allowed}), over=[])
    assert "pretrain.learning_rate is 1e-05, and no longer 0.0008" in caplog.text


def test_resuming_nothing_is_an_error(tiny, tmp_path):
    with pytest.raises(ValueError, match="holds no run to resume"):
        run.train(None, tmp_path / "nothing", tiny, resume=True)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "text", ['{"versions": {}, "platform": "", "precision": "float32", "data": {}}', '{"versi']
)
def test_a_run_of_an_older_version_is_refused_with_a_way_out(again, text):
    (again.folder / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"version 0\.2 or before.*begin a new run with --init"):
        again()


def test_another_version_of_a_library_is_said(again, caplog):
    known = record.read(again.folder)
    other = known.model_copy(update={"versions": known.versions | {"keras": "3.0"}})
    record.write(again.folder, again.settings, other)
    again()
    assert "not those that the run began with" in caplog.text
    assert "(then 3.0)" in caplog.text


def test_weights_beside_a_model_are_a_part_of_it(tiny_model, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(onnx.load(tiny_model), path, save_as_external_data=True, size_threshold=0)
    before = record.model(path)
    (data,) = (file for file in tmp_path.iterdir() if file != path)
    data.write_bytes(bytes(len(data.read_bytes())))
    with pytest.raises(ValueError, match="is not the teacher that the run began with"):
        record.check_source("the teacher", "teacher.model", before, record.model(path))
