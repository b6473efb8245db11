"""The model for degraded pictures is chosen for these, and for no others."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from srgan.io import images
from srgan.numeric import resize
from srgan.upscaling import batch, choice, pipeline
from srgan.upscaling.options import DEFAULTS, UpscaleOptions

SMALL = resize.downscale(data.astronaut(), 4)


def jpeg(rgb, quality):
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return file.getvalue()


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("options", "model"), [(DEFAULTS, "srgan-x4"), (UpscaleOptions(scale=2), "srgan-x2")]
)
def test_a_clean_picture_gets_the_model_for_its_size(options, model):
    assert choice.choose(png(SMALL), options) == (model, "it is clean")


@pytest.mark.parametrize("quality", [40, 60, 75, 90])
def test_a_compressed_picture_gets_the_model_for_degraded_ones(quality):
    chosen = choice.choose(jpeg(SMALL, quality), DEFAULTS)
    assert chosen.model == "srgan-photo-x4"
    assert "compressed as JPEG" in chosen.reason


def test_a_picture_of_the_highest_quality_counts_as_clean():
    assert choice.choose(jpeg(SMALL, 97), DEFAULTS).model == "srgan-x4"


def test_a_noisy_picture_gets_the_model_for_degraded_ones():
    noise = np.random.default_rng(0).normal(0, 5, SMALL.shape)
    noisy = np.clip(SMALL + noise, 0, 255).astype(np.uint8)
    chosen = choice.choose(png(noisy), DEFAULTS)
    assert chosen == ("srgan-photo-x4", "it has noise of 4 grey levels")


def test_a_soft_picture_gets_the_model_for_degraded_ones():
    soft = np.asarray(Image.fromarray(SMALL).filter(ImageFilter.GaussianBlur(1)))
    chosen = choice.choose(png(soft), DEFAULTS)
    assert chosen == ("srgan-photo-x4", "it is soft: little of its detail is fine")


def test_the_middle_of_a_large_picture_decides():
    large = np.full((1400, 1300, 3), 128, np.uint8)
    degraded = np.asarray(Image.open(io.BytesIO(jpeg(data.astronaut(), 50))))
    large[444:956, 394:906] = degraded
    assert choice.choose(png(large), DEFAULTS).model == "srgan-photo-x4"


@pytest.mark.parametrize("shape", [(20, 300, 3), (2, 2, 3), (60, 60, 1), (60, 60, 4)])
def test_tiny_grey_and_transparent_pictures_get_a_model_too(shape):
    picture = np.full(shape, 77, np.uint8)
    assert choice.choose(png(picture), DEFAULTS).model == "srgan-x4"


def test_each_photo_of_a_folder_gets_its_model(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(SMALL, 60))
    (tmp_path / "b.png").write_bytes(png(SMALL))
    models = choice.Models()
    plan = batch.plan(
        [tmp_path], tmp_path / "large", name="{stem}-{model}", model_of=models.label_for
    )
    (tmp_path / "large").mkdir()
    made = {r.destination.name: r for r in batch.run(plan, models, DEFAULTS, {})}
    assert set(made) == {"a-srgan-photo-x4.png", "b-srgan-x4.png"}
    assert "compressed as JPEG" in made["a-srgan-photo-x4.png"].notes[0]
    assert made["b-srgan-x4.png"].notes == ()
    for name, model in {"a.jpg": "srgan-photo-x4", "b.png": "srgan-x4"}.items():
        pipeline.upscale_file(tmp_path / name, tmp_path / "alone.png", model, overwrite=True)
        together = tmp_path / "large" / f"{name[0]}-{model}.png"
        np.testing.assert_array_equal(images.read(tmp_path / "alone.png"), images.read(together))


def test_what_no_result_can_hold_is_said(tmp_path):
    y, x = np.mgrid[:64, :64]
    board = np.where((y + x) % 2, 255, 190).astype(np.uint8)
    job = pipeline.prepare(png(board), tmp_path / "large.png")
    assert job.notes == ()
    job.run()
    assert "detail of single pixels near black or white" in job.notes[0]
