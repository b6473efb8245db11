"""The page of `examples/browser`, in a real browser, does what Python does, without a server."""

import base64
from pathlib import Path

import numpy as np
import pytest
import pyvips

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.util import resources

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

ROOT = Path(__file__).parents[1]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
FAST = "srgan-fast-x4"  # which is chosen first


@pytest.fixture
def new_page(browser, browser_page):
    """Opens the page, and closes it at the end.

    Args of the returned function:
        query: Of its address.
        script: That runs before those of the page.
        missing: Files that the server does not have.
        browser: Another one.
        options: Of `new_page`.
    """
    opened = []

    def new(query="", script="", missing="", browser=browser, **options):
        page = browser.new_page(**options)
        opened.append(page)
        page.set_default_timeout(240_000)  # enough beside other work
        page.wrong, page.asked = [], []
        page.on("console", lambda message: page.wrong.append(message.text))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        if script:
            page.add_init_script(script)
        if missing:
            page.route(f"**/{missing}", lambda route: route.fulfill(status=404))
        page.goto(browser_page + query)
        return page

    yield new
    for page in opened:
        page.close()  # a second time, where its browser is closed


def ready(page):
    page.locator("#file:not([disabled])").wait_for()
    return page


def choose(page, folder, lr, name="photo.png"):
    images.write(folder / name, lr, overwrite=True)
    page.set_input_files("#file", folder / name)


def done(page):
    page.locator("#status", has_text="Done").wait_for()


def said(page):
    page.locator("#status.bad").wait_for()
    return page.inner_text("#status")


def photo(height, width):
    path = sorted(resources.PHOTOS.glob("*.webp"))[0]
    return resize.downscale(images.read_uint8(path), 4)[:height, :width]


def large_photo():
    """Two of the photos as they are, one beside the other, 640x288."""
    paths = sorted(resources.PHOTOS.glob("*.webp"))[:2]
    return np.concatenate([images.read_uint8(path)[:288, :320] for path in paths], axis=1)


def shown(page):
    url = page.evaluate('document.getElementById("after").toDataURL()')
    png = pyvips.Image.new_from_buffer(base64.b64decode(url.partition(",")[2]), "")
    return png.numpy()


def saved(page, folder):
    with page.expect_download() as download:
        page.click("#download")
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "query"),
    [(FAST, ""), (FAST, "?area=9000"), ("srgan-x2", ""), ("srgan-photo-x4", "")],
)
def test_the_result_is_within_a_grey_level_of_python(
    model, query, new_page, browser_page, tmp_path
):
    page, lr = ready(new_page(query)), photo(70, 110)
    page.select_option("#model", model)
    choose(page, tmp_path, lr)
    done(page)
    expected = loading.load(model).upscale(lr, dtype=np.uint8)
    sr = images.read_uint8(saved(page, tmp_path))
    assert sr.shape == expected.shape
    assert np.abs(sr.astype(int) - expected).max() <= 1
    assert np.array_equal(shown(page)[..., :3], sr)
    assert page.evaluate("crossOriginIsolated")
    assert all(url.startswith((browser_page, f"blob:{browser_page[:-5]}")) for url in page.asked)
    assert page.wrong == []


@pytest.mark.slow
def test_a_large_photo_is_enlarged_by_tiles_without_seams(new_page, tmp_path):
    page, lr = ready(new_page("?area=40000")), large_photo()
    page.evaluate("""() => {
        window.shares = new Set();
        const bar = document.getElementById("bar");
        new MutationObserver(() => shares.add(bar.value)).observe(bar, { attributes: true });
    }""")
    choose(page, tmp_path, lr)
    done(page)
    expected = loading.load(FAST).upscale(lr, dtype=np.uint8)
    difference = np.abs(shown(page)[..., :3].astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    assert page.evaluate("shares.size") >= 5


@pytest.mark.slow
def test_values_beyond_white_and_black_are_clipped_as_in_python(new_page, tmp_path):
    page = ready(new_page())
    lr = np.zeros((40, 60, 3), np.uint8)
    lr[:, :30:2], lr[:, 40:] = 255, (250, 10, 128)
    lr[::3, 45:] = 255
    choose(page, tmp_path, lr)
    done(page)
    expected = loading.load(FAST).upscale(lr, dtype=np.uint8)
    assert np.abs(shown(page)[..., :3].astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_cancelling_ends_it_and_the_next_picture_is_enlarged(new_page, tmp_path):
    page = ready(new_page("?area=9000"))
    choose(page, tmp_path, large_photo())
    page.locator("#left-time", has_text="left").wait_for()
    page.click("#cancel")
    page.locator("#status", has_text="Cancelled.").wait_for(timeout=2000)
    assert not page.is_visible("#busy")
    assert not page.is_visible("#download")
    choose(page, tmp_path, photo(20, 30))
    done(page)
    assert shown(page).shape == (80, 120, 4)
    assert page.wrong == []


@pytest.mark.slow
def test_on_a_gpu_the_result_is_the_same(browser_of, new_page, tmp_path):
    """One in software, which is only ever taken if it is asked for."""
    software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    with browser_of(*software) as browser:
        page, lr = ready(new_page("?runtime=webgpu", browser=browser)), photo(24, 32)
        choose(page, tmp_path, lr)
        done(page)
        assert "(WebGPU)" in page.inner_text("#facts")
        expected = loading.load(FAST).upscale(lr, dtype=np.uint8)
        assert np.abs(shown(page)[..., :3].astype(int) - expected).max() <= 1
        page = ready(new_page(browser=browser))
        choose(page, tmp_path, lr)
        done(page)
        assert "(WebAssembly, " in page.inner_text("#facts")


@pytest.mark.slow
def test_where_no_service_worker_starts_one_thread_does_it(new_page, tmp_path):
    page = ready(new_page(service_workers="block"))
    choose(page, tmp_path, photo(20, 30))
    done(page)
    assert "1 thread)" in page.inner_text("#facts")


@pytest.mark.slow
def test_nothing_is_found_by_axe(new_page, tmp_path):
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm ci")
    for options in ({"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}):
        page = ready(new_page(**options))
        choose(page, tmp_path, photo(20, 30))
        done(page)
        page.click("summary")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert page.evaluate("axe.run().then(({ violations }) => violations)") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_no_picture_is_said(new_page, tmp_path):
    page = ready(new_page())
    (tmp_path / "text.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "text.png")
    assert "text.png is not a picture that this browser opens, or is damaged." in said(page)
    assert not page.is_visible("#result")


@pytest.mark.slow
def test_a_damaged_picture_leaves_nothing_of_the_one_before(new_page, tmp_path):
    page = ready(new_page())
    choose(page, tmp_path, photo(20, 30))
    done(page)
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:100])
    page.set_input_files("#file", tmp_path / "cut.png")
    assert "or is damaged" in said(page)
    assert not page.is_visible("#result")
    assert not page.is_visible("#busy")
    choose(page, tmp_path, photo(20, 30))
    done(page)
    assert page.is_visible("#result")


def test_a_picture_that_is_too_large_learns_which_size_would_do(new_page, tmp_path):
    page = ready(new_page())
    choose(page, tmp_path, np.zeros((3000, 4000, 3), np.uint8))
    assert said(page) == (
        "The picture has 4000x3000 pixels; 4 times as wide and high, it would have 192 megapixels, "
        "of at most 64 in this browser. Scale it down to 2309x1732 pixels first, or choose “Clean "
        "picture, 2 times”, which makes 8000x6000."
    )


def test_a_browser_without_webassembly_is_told(new_page):
    page = new_page(script="delete globalThis.WebAssembly")
    assert "no WebAssembly" in said(page)
    assert page.is_disabled("#file")


def test_what_is_dropped_and_is_no_file_is_said(new_page):
    page = ready(new_page())
    page.evaluate("""() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.setData("text/uri-list", "https://example.org/photo.jpg");
        dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
    }""")
    assert "a link or a text, not a picture" in said(page)


@pytest.mark.parametrize(
    ("missing", "words"), [("models.json", "list of models"), ("models/*", "srgan-fast-x4.onnx")]
)
def test_what_the_server_lacks_is_said(missing, words, new_page, tmp_path):
    page = new_page(script="delete Navigator.prototype.serviceWorker", missing=missing)
    if missing != "models.json":
        choose(ready(page), tmp_path, photo(20, 30))
    assert f"{words} cannot be loaded: the server says 404." in said(page)


@pytest.mark.slow
def test_without_a_network_it_enlarges_with_what_it_had_loaded(browser, browser_page, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(240_000)
    page.goto(browser_page)
    choose(ready(page), tmp_path, photo(20, 30))
    done(page)
    context.set_offline(True)
    page.reload()
    choose(ready(page), tmp_path, photo(24, 32))
    done(page)
    expected = loading.load(FAST).upscale(photo(24, 32), dtype=np.uint8)
    assert np.abs(shown(page)[..., :3].astype(int) - expected).max() <= 1
    page.select_option("#model", "srgan-x2")  # which was never asked for
    assert "cannot be loaded: is this device online?" in said(page)
    context.close()
