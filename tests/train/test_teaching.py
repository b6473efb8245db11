"""A teacher's pictures: of exactly the crops that are learned, made once, in the colours of lr."""

import numpy as np
import pytest
from skimage import data as pictures

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.train import config, data, streams, teaching

SETTINGS = config.Teacher(model="tiny", crops=5, side=32, crop_candidates=2)


class Watched:
    """A teacher that counts what it looks at."""

    def __init__(self, file):
        self._model = loading.load(file)
        self.scale, self.seen = self._model.scale, []

    def upscale(self, lr, dtype):
        self.seen.append(lr)
        return self._model.upscale(lr, dtype=dtype)


@pytest.fixture
def teacher(tiny_model):
    return Watched(tiny_model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two photos that hold a crop of 32 lr pixels at x2, and one that does not."""
    root = tmp_path_factory.mktemp("photos")
    images.write(root / "astronaut.png", pictures.astronaut()[:120, :200])
    images.write(root / "cat.png", pictures.chelsea()[:150, :90])
    images.write(root / "small.png", pictures.coffee()[:60, :90])
    return root


@pytest.fixture
def photos(folder, tmp_path):
    degradation = config.Degradation(versions=2, clean=0.0)
    return data.prepare(folder, tmp_path / "cache", 2, degradation=degradation)


def prepare(photos, teacher, cache, settings=SETTINGS, **options):
    return teaching.prepare(photos, teacher, "hash of tiny", settings, cache, **options)


def places(photos, lr):
    """Where a crop of lr is in the photos: the version, and its first row and column."""
    for index, pair in enumerate(photos):
        windows = np.lib.stride_tricks.sliding_window_view(pair.lr, lr.shape)[..., 0, :, :, :]
        for y, x in np.argwhere((windows == lr).all(axis=(2, 3, 4))):
            yield index, int(y), int(x)


def test_a_lesson_is_a_crop_of_a_photo_and_what_the_teacher_makes_of_it(photos, teacher, tmp_path):
    lessons = prepare(photos, teacher, tmp_path)
    assert len(lessons) == len(teacher.seen) == SETTINGS.crops
    margin = config.TEACHER_MARGIN
    for lesson in lessons:
        seen = next(
            lr for lr in teacher.seen if (lr[margin:-margin, margin:-margin] == lesson.lr).all()
        )
        whole = teaching.hold_color(teacher.upscale(seen, np.uint8), seen, 2)
        np.testing.assert_array_equal(
            lesson.taught, whole[2 * margin : -2 * margin, 2 * margin : -2 * margin]
        )
        ((version, y, x),) = places(photos, lesson.lr)
        height, width = lesson.lr.shape[:2]
        hr = photos[version].hr[2 * y : 2 * (y + height), 2 * x : 2 * (x + width)]
        np.testing.assert_array_equal(lesson.hr, hr)


def test_what_is_made_is_not_made_again(photos, teacher, tmp_path):
    before, told = prepare(photos, teacher, tmp_path), []
    again = prepare(photos, teacher, tmp_path, progress=lambda *done: told.append(done))
    assert len(teacher.seen) == SETTINGS.crops
    assert told == [(SETTINGS.crops, SETTINGS.crops)]
    for lesson, expected in zip(again, before, strict=True):
        for image, other in zip(lesson, expected, strict=True):
            np.testing.assert_array_equal(image, other)


def test_a_kill_loses_no_picture_that_was_made_and_a_damaged_one_is_made_again(
    photos, teacher, tmp_path
):
    straight = prepare(photos, teacher, tmp_path / "straight")

    def kill(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(photos, teacher, tmp_path / "killed", progress=kill)
    made = sorted((tmp_path / "killed").rglob("*.npy"))
    assert 2 <= len(made) <= SETTINGS.crops
    made[0].write_bytes(made[0].read_bytes()[:-1])
    del teacher.seen[:]
    killed = prepare(photos, teacher, tmp_path / "killed")
    assert len(teacher.seen) == SETTINGS.crops - len(made) + 1
    for lesson, expected in zip(killed, straight, strict=True):
        np.testing.assert_array_equal(lesson.taught, expected.taught)


def test_more_crops_go_on_from_those_that_there_are(photos, teacher, tmp_path):
    few = prepare(photos, teacher, tmp_path)
    more = SETTINGS.model_copy(update={"crops": 7})
    lessons = prepare(photos, teacher, tmp_path, more)
    assert len(teacher.seen) == 7
    for lesson, expected in zip(lessons, few, strict=False):
        np.testing.assert_array_equal(lesson.taught, expected.taught)


@pytest.mark.parametrize(
    "change", [{"side": 40}, {"crop_candidates": 1}, {"precision": "bfloat16"}]
)
def test_other_crops_are_other_files(photos, teacher, tmp_path, change):
    prepare(photos, teacher, tmp_path)
    prepare(photos, teacher, tmp_path, SETTINGS.model_copy(update=change))
    assert len(teacher.seen) == 2 * SETTINGS.crops


def test_photos_too_small_for_a_crop_are_named_if_there_are_no_others(photos, teacher, tmp_path):
    large = SETTINGS.model_copy(update={"side": 101})
    with pytest.raises(ValueError, match=r"No photo has the 202x202 pixels .* teacher\.side"):
        prepare(photos, teacher, tmp_path, large)


def test_colours_that_drift_are_held_and_texture_is_left():
    hr = pictures.astronaut()[:256, :256]
    lr = resize.downscale(hr, 4)
    drift = np.linspace(-8, 8, 256)[:, None, None] * [1, 0, -1]
    drifted = (hr + drift).clip(0, 255).round().astype(np.uint8)
    held = teaching.hold_color(drifted, lr, 4)
    assert np.abs(drifted.astype(float) - hr).mean() > 2
    assert np.abs(held.astype(float) - hr).mean() < 0.6
    # What an lr pixel lacks is the teacher's own: here half of a fine pattern.
    pattern = np.where(np.indices((256, 256)).sum(axis=0) % 2, 20, 0)[..., None]
    textured = (hr // 2 + pattern).astype(np.uint8)
    kept = teaching.hold_color(textured, resize.downscale(textured, 4), 4)
    assert np.abs(kept.astype(float) - textured).max() <= 1


def test_the_first_crops_of_a_batch_come_with_what_the_teacher_makes_of_them(photos):
    # What a teacher would never make, to tell it by: each pixel's negative, enlarged.
    crops = [pair.lr[:40, :40] for pair in photos.at_least(40)]
    negatives = [(255 - lr).repeat(2, axis=0).repeat(2, axis=1) for lr in crops]
    lessons = teaching.Lessons(
        [
            teaching.Lesson(lr, np.zeros_like(negative), negative)
            for lr, negative in zip(crops, negatives, strict=True)
        ],
        scale=2,
    )
    schedule = config.Pretrain(batch_size=6, hr_patch=24, crop_candidates=1)

    def batch(taught):
        settings = config.Config(scale=2, seed=7)
        return streams.PhotoStream(photos, lessons, schedule, taught, settings).head(4)[3]

    lr, hr, taught = batch(4)
    assert (lr.shape, hr.shape, taught.shape) == ((6, 12, 12, 3), (6, 24, 24, 3), (4, 24, 24, 3))
    np.testing.assert_allclose(taught, (1 - lr[:4]).repeat(2, axis=1).repeat(2, axis=2), atol=1e-6)
    assert not hr[:4].any()
    assert hr[4:].any(axis=(1, 2, 3)).all()  # of all photos
    for array, expected in zip((lr, hr, taught), batch(4), strict=True):
        np.testing.assert_array_equal(array, expected)
    assert [len(array) for array in batch(6)] == [6, 6, 6]
    assert len(batch(0)) == 2


def test_a_teacher_of_another_scale_is_refused(tiny_model):
    with pytest.raises(ValueError, match=r"enlarges 2 times, and the training has scale=4\. Take"):
        teaching.load(tiny_model, 4)


def test_a_teacher_in_bfloat16_draws_the_same_to_a_few_grey_levels(tiny_model):
    core = pytest.importorskip("openvino").Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor does not compute in bfloat16")
    lr = pictures.astronaut()[:40, :50]
    exact = teaching.load(tiny_model, 2).upscale(lr, dtype=np.uint8).astype(int)
    fast = teaching.load(tiny_model, 2, "bfloat16").upscale(lr, dtype=np.uint8)
    assert 0 < np.abs(fast - exact).max() <= 3


def test_a_teacher_without_numbers_is_refused(make_model):
    with pytest.raises(ValueError, match=r"cannot be learned from\. .* not finite"):
        teaching.load(make_model(gain=np.nan), 2)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"broken\.onnx is not an ONNX model"):
        teaching.load(tmp_path / "broken.onnx", 4)
