"""Both pages do in Firefox and WebKit what they do in Chromium."""

import numpy as np
import pytest

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.util import resources

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lr():
    return resize.downscale(images.read_uint8(resources.PHOTOS / "cat.webp"), 4)


def pixels(page, selector):
    height, width, samples = page.rgb(selector)
    return np.array(samples, np.uint8).reshape(height, width, 3)


def slides(page):
    """Moves the divider by a key, and returns where it is before and after."""
    divider = "document.getElementById('divider')"
    places = f"return {divider}.ariaValueNow ?? {divider}.getAttribute('aria-valuenow')"
    before = int(page.evaluate(places))
    page.type("#divider", "\ue014")  # the right arrow
    return before, int(page.evaluate(places))


def test_the_page_of_the_service_enlarges_and_compares(page, serving, lr, tmp_path):
    pytest.importorskip("srgan.server.access", reason="needs fastapi", exc_type=ImportError)
    images.write(tmp_path / "cat.png", lr)
    with serving("srgan-fast-x4") as port:
        page.open(f"http://127.0.0.1:{port}/")
        page.wait("document.querySelectorAll('#examples button').length")
        page.type("#file", tmp_path / "cat.png")
        page.wait("document.getElementById('facts').textContent.includes('pixels, ')")
        page.wait("document.getElementById('after').complete")
        expected = loading.load("srgan-fast-x4").upscale(lr, dtype=np.uint8)
        assert np.array_equal(pixels(page, "#after"), expected)
        assert np.array_equal(pixels(page, "#before"), lr)
        before, after = slides(page)
        assert after > before
        page.click("#map")
        page.wait("document.getElementById('right-side').textContent === 'What is guessed'")
        assert page.text("#status") == ""


def test_the_page_without_a_server_is_within_a_grey_level_of_python(
    page, browser_page, lr, tmp_path
):
    images.write(tmp_path / "cat.png", lr)
    page.open(browser_page)
    page.wait("document.getElementById('file')?.disabled === false")
    page.type("#file", tmp_path / "cat.png")
    page.wait("document.getElementById('status').textContent.startsWith('Done')")
    expected = loading.load("srgan-fast-x4").upscale(lr, dtype=np.uint8)
    assert np.abs(pixels(page, "#after").astype(int) - expected).max() <= 1
    assert page.evaluate("return crossOriginIsolated")
    before, after = slides(page)
    assert after > before
