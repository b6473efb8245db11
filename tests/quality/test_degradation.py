"""What JPEG, noise and blur did to a photo is measured, and nothing is found in clean ones."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from skimage import data

from srgan.numeric import resize
from srgan.quality import degradation, softness

PHOTOS = {"astronaut": data.astronaut, "cat": data.chelsea, "coffee": data.coffee}


@pytest.fixture(scope="module", params=PHOTOS)
def photo(request):
    hr = resize.crop_to_multiple(PHOTOS[request.param](), 2)
    return resize.downscale(hr, 2)


def jpeg(rgb, quality):
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def screenshot():
    page = Image.new("RGB", (320, 200), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    draw.rectangle([0, 0, 320, 24], fill=(40, 90, 160))
    draw.text((8, 5), "Settings   Help", "white", font)
    for line in range(8):
        draw.text((8, 32 + 20 * line), f"Invoice {4711 + line}: a page of text", "black", font)
    return np.asarray(page)


def test_a_clean_photo_shows_no_degradation(photo):
    found = degradation.measure(photo)
    assert (found.jpeg, found.webp, found.ringing) == (0, 0, 0)
    assert found.noise < 1.2
    assert 0.38 < found.detail < 0.6


@pytest.mark.parametrize(("quality", "step"), [(92, 2), (90, 3), (75, 7), (40, 18)])
def test_the_step_of_jpeg_is_that_of_its_table(photo, quality, step):
    # The median of the first 14 entries of the standard table, times (200 - 2 quality) / 100.
    assert degradation.measure(jpeg(photo, quality)).jpeg == pytest.approx(step, abs=0.5)


def test_jpeg_is_found_where_the_picture_was_cut_off_its_grid(photo):
    assert degradation.measure(jpeg(photo, 75)[3:, 5:]).jpeg == 7


@pytest.mark.parametrize(("quality", "least", "most"), [(80, 12, 19), (50, 20, 35)])
def test_the_step_of_webp_grows_as_its_quality_falls(photo, quality, least, most):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "WEBP", quality=quality)
    assert least <= degradation.measure(np.asarray(Image.open(file).convert("RGB"))).webp <= most


def test_jpeg_of_the_highest_qualities_leaves_no_steps(photo):
    assert degradation.measure(jpeg(photo, 97)).jpeg == 0


@pytest.mark.parametrize("deviation", [3, 5, 10])
def test_noise_is_measured_within_a_quarter(photo, deviation):
    noise = np.random.default_rng(0).normal(0, deviation, photo.shape)
    noisy = np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)
    assert degradation.measure(noisy).noise == pytest.approx(deviation, rel=0.25)


def test_grey_noise_is_measured_though_colours_do_not_differ(photo):
    noise = np.random.default_rng(0).normal(0, 8, photo.shape[:2])[..., None]
    noisy = np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)
    assert degradation.measure(noisy).noise == pytest.approx(8, rel=0.25)


def test_blur_leaves_little_fine_detail(photo):
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(1)))
    assert degradation.measure(blurred).detail < 0.25


@pytest.mark.parametrize("sigma", [2, 3, 5, 10])
def test_what_rounding_leaves_after_strong_blur_is_no_fine_detail(photo, sigma):
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(sigma)))
    assert degradation.measure(blurred).detail < 0.1


def test_a_photo_blurred_more_is_to_be_scaled_down_more(photo):
    stated = []
    for sigma in (0.8, 2, 5):
        blurred = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(sigma))
        stated.append(softness.sharp_at(np.asarray(blurred.convert("L")), 0.25))
    assert stated[0] <= 2 < stated[1] < stated[2]


def test_a_clean_screenshot_has_no_ringing():
    assert degradation.measure(screenshot()).ringing < 1


@pytest.mark.parametrize("quality", [45, 75])
def test_jpeg_rings_round_the_letters_of_a_screenshot(quality):
    assert degradation.measure(jpeg(screenshot(), quality)).ringing > 2


def test_one_colour_shows_no_degradation():
    plain = np.full((64, 64, 3), 90, np.uint8)
    found = degradation.measure(plain)
    assert found[:-1] == (0, 0, 0, 0)
    assert np.isnan(found.detail)
