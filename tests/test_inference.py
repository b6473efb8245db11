"""From file to file: the picture is the model's, and every fault leaves the folder as it was."""

import numpy as np
import pytest

from srgan import images, inference, models


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    images.write(path, np.random.default_rng(0).random((30, 20, 3)))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_holds_what_the_model_returns(photo, tiny_model, tmp_path):
    inference.upscale_file(photo, tmp_path / "large.png", tiny_model)
    expected = models.load(tiny_model).upscale(images.read(photo), dtype=np.uint8)
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "large.png"), expected)
    assert names(tmp_path) == ["large.png", "photo.png"]


def test_a_model_may_be_loaded_once_for_many_files(photo, tiny_model, tmp_path):
    model, seen = models.load(tiny_model), []
    for name in ("a.jpg", "b.webp"):
        inference.upscale_file(
            photo, tmp_path / name, model, tile=64, progress=lambda *now: seen.append(now)
        )
        assert images.read(tmp_path / name).shape == (60, 40, 3)
    assert seen == [(1, 1), (1, 1)]


def test_an_existing_file_stays_unless_overwritten(photo, tiny_model, tmp_path):
    images.write(tmp_path / "large.png", np.zeros((1, 1, 3)))
    with pytest.raises(FileExistsError, match=r"large\.png exists already"):
        inference.upscale_file(photo, tmp_path / "large.png", tiny_model)
    inference.upscale_file(photo, tmp_path / "large.png", tiny_model, overwrite=True)
    assert images.read(tmp_path / "large.png").shape == (60, 40, 3)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("photo.png", FileExistsError),
        ("large.bmp", images.UnsupportedImage),
        ("gone/large.png", FileNotFoundError),
    ],
)
def test_a_wrong_destination_is_found_before_anything_is_read(tmp_path, photo, name, error):
    # Neither the source nor the model exists: had one been looked for first, it would be named.
    with pytest.raises(error, match=name):
        inference.upscale_file("gone.jpg", tmp_path / name, "gone.onnx")


def test_a_result_too_large_for_its_format_is_found_before_the_work(tmp_path, tiny_model):
    images.write(tmp_path / "wide.png", np.zeros((1, 9000, 3), np.uint8))
    seen = []
    with pytest.raises(images.UnsupportedImage, match=r"large\.webp.*2x18000"):
        inference.upscale_file(
            tmp_path / "wide.png",
            tmp_path / "large.webp",
            tiny_model,
            progress=lambda *now: seen.append(now),
        )
    assert not seen


def test_a_missing_source_is_named(tmp_path, tiny_model):
    with pytest.raises(FileNotFoundError, match=r"gone\.png does not exist"):
        inference.upscale_file(tmp_path / "gone.png", tmp_path / "large.png", tiny_model)


def test_a_broken_model_writes_nothing(photo, make_model, tmp_path):
    with pytest.raises(ValueError, match="model tiny returned values that are not finite"):
        inference.upscale_file(photo, tmp_path / "large.png", make_model(gain=np.nan))
    assert names(tmp_path) == ["photo.png"]


def test_an_interrupted_run_writes_nothing(photo, tiny_model, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inference.upscale_file(photo, tmp_path / "large.png", tiny_model, progress=interrupt)
    assert names(tmp_path) == ["photo.png"]


def test_photos_are_upscaled_from_any_format(shared_data, tiny_model, tmp_path):
    for suffix in ("benchmarks/Set5/**/*.png", "train/research/*.jpg", "benchmarks/**/*.webp"):
        path = next(shared_data.glob(suffix))
        inference.upscale_file(path, tmp_path / "large.png", tiny_model, overwrite=True)
        height, width, _ = images.read(path).shape
        assert images.read(tmp_path / "large.png").shape == (2 * height, 2 * width, 3)
