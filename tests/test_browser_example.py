"""The page of `examples/browser`, in a real browser, does what Python does."""

import functools
import http.server
import shutil
from pathlib import Path

import numpy as np
import pytest

from srgan.io import images
from srgan.models import catalogue, loading
from srgan.numeric import resize
from srgan.util import resources

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

PAGE = Path(__file__).parents[1] / "examples" / "browser"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def address(answering, tmp_path_factory):
    """Serves the page, with a shipped model beside it."""
    if not (PAGE / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip(f"needs onnxruntime-web: run npm install in {PAGE}")
    folder = tmp_path_factory.mktemp("page")
    for name in ("index.html", "main.js", "projection.js", "node_modules"):
        (folder / name).symlink_to(PAGE / name)
    (folder / "model").mkdir()
    shutil.copy(catalogue.path("srgan-x4"), folder / "model")
    handler = functools.partial(Quiet, directory=folder)
    with answering(handler) as address:
        yield f"http://{address}"


@pytest.fixture
def page(browser, address):
    page = browser.new_page()
    page.set_default_timeout(60_000)  # enough beside other work
    yield page
    page.close()


def photo(height, width):
    path = sorted(resources.PHOTOS.glob("*.webp"))[0]
    return resize.downscale(images.read_uint8(path), 4)[:height, :width]


def enlarge(page, file):
    page.locator("[role=status]", has_text="Ready.").wait_for()
    page.set_input_files("input", file)
    page.locator("[role=status]", has_text="pixels").wait_for()


@pytest.mark.parametrize("size", [(48, 64), (33, 47)])
def test_the_page_is_within_a_grey_level_of_python(size, page, address, tmp_path):
    lr = photo(*size)
    images.write(tmp_path / "lr.png", lr)
    page.goto(address)
    enlarge(page, tmp_path / "lr.png")
    found = page.evaluate(
        """() => {
            const canvas = document.querySelector("canvas"), { height, width } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return [height, width, Array.from(data)];
        }"""
    )
    sr = np.array(found[2], np.uint8).reshape(found[0], found[1], 4)
    expected = loading.load("srgan-x4").upscale(lr, dtype=np.uint8)
    assert sr.shape[:2] == expected.shape[:2]
    assert np.abs(sr[..., :3].astype(int) - expected).max() <= 1
    assert (sr[..., 3] == 255).all()


def test_the_page_says_what_is_wrong(page, address, tmp_path):
    images.write(tmp_path / "large.png", np.zeros((513, 513, 3)))
    (tmp_path / "text.png").write_text("no picture")
    page.goto(address)
    enlarge(page, tmp_path / "large.png")
    assert "expected at most 512x512" in page.inner_text("[role=status]")
    page.set_input_files("input", tmp_path / "text.png")
    page.locator("[role=status]", has_text="could not be decoded").wait_for()
    page.goto(f"{address}?model=none.onnx")
    page.locator("[role=status]", has_text="none.onnx cannot be loaded").wait_for()
