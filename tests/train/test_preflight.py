"""What cannot work fails before photos are read, with a message that says what to do."""

import numpy as np
import pytest

from srgan.models import catalogue
from srgan.networks.generators import residual
from srgan.train import config, preflight, record, run
from srgan.train.pretraining import Pretraining


def changed(tiny, **changes):
    return tiny.model_copy(update={"adversarial": tiny.adversarial.model_copy(update=changes)})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"taps": {"conv9_1": 1.0}}, r"must name convolutions of vgg16.*conv9_1"),
        ({"taps": {"conv2_1": 1.0}}, r"has no block2_conv1/kernel, which vgg16 needs"),
        ({"window": 8, "hr_patch": 16}, r"adversarial cannot compute a step.*window=8; take large"),
    ],
)
def test_a_second_stage_that_cannot_work_fails_before_the_first(
    tiny, vgg_file, tmp_path, changes, match
):
    with pytest.raises(ValueError, match=match):
        run.train(tmp_path, tmp_path / "run", changed(tiny, **changes), vgg_weights=vgg_file)


def test_a_missing_file_of_vgg_weights_fails_before_photos_are_read(tiny, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file of VGG weights at .*none\.npz"):
        run.train(tmp_path, tmp_path / "run", tiny, vgg_weights=tmp_path / "none.npz")


def test_folders_that_are_not_there_are_named_before_networks_are_made(tiny, tmp_path):
    for photos, validation in ((tmp_path / "gone", None), (tmp_path, tmp_path / "gone")):
        with pytest.raises(NotADirectoryError, match=r"gone is not a folder"):
            run.train(
                photos,
                tmp_path / "run",
                tiny,
                validation=validation,
                vgg_weights=tmp_path / "none.npz",
            )


def test_a_missing_initial_model_fails_before_photos_are_read(tiny, vgg_file, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no model 'srgan-x5'"):
        run.train(tmp_path, tmp_path / "run", tiny, init="srgan-x5", vgg_weights=vgg_file)


def test_a_disk_without_room_for_the_checkpoints_fails_before_photos_are_read(
    tiny, vgg_file, full_disk
):
    with pytest.raises(OSError, match=r"has 0\.\d MiB left on its disk, and the run needs \d"):
        run.train(full_disk, full_disk / "run", tiny, vgg_weights=vgg_file)


@pytest.mark.parametrize("head", ["features", "pooled", "dense"])
def test_a_trial_step_changes_nothing(tiny, vgg_file, head):
    settings = changed(tiny, discriminator_head=head)
    networks = preflight.make(settings, vgg_file, None)
    before = [
        {name: np.array(value) for name, value in stage.state().items()}
        for stage in networks.stages.values()
    ]
    preflight.rehearse(networks.stages, settings)
    for stage, expected in zip(networks.stages.values(), before, strict=True):
        for name, value in stage.state().items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_state_is_bad_if_it_is_not_finite_or_worse_than_plain_grey():
    stage = Pretraining(residual(4, filters=4, blocks=1, hr_filters=0), config.Pretrain())
    lr, hr = np.zeros((1, 4, 4, 3), np.float32), np.zeros((1, 16, 16, 3), np.float32)
    bias = stage.generator.get_layer("tail").bias
    for value, expected in ((0.0, False), (0.49, False), (0.51, True), (np.nan, True)):
        bias.assign(np.full(bias.shape, value, np.float32))
        assert stage.has_diverged(lr, hr) == expected
    bias.assign(np.zeros(bias.shape, np.float32))
    stage.generator_optimizer.variables[-1].assign(
        np.full(stage.generator_optimizer.variables[-1].shape, np.inf, np.float32)
    )
    assert stage.has_diverged(lr, hr)


def test_the_teacher_of_a_resumed_run_is_the_one_that_it_began_with(tiny, tmp_path, monkeypatch):
    model = tmp_path / "teacher.onnx"
    model.write_bytes(catalogue.path("srgan-fast-x4").read_bytes())
    settings = tiny.model_copy(update={"teacher": config.Teacher(model="teacher.onnx")})
    monkeypatch.chdir(tmp_path)
    begun = preflight.teacher(settings, None)
    known = record.Record.model_construct(teacher=begun.source)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # it is known by its whole path
    assert preflight.teacher(settings, known).source == begun.source
    model.write_bytes(catalogue.path("srgan-fast-psnr-x4").read_bytes())
    with pytest.raises(ValueError, match=r"teacher\.onnx is not the teacher that the run began"):
        preflight.teacher(settings, known)
