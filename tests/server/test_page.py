"""The service's page, in a real browser."""

import base64
import http.client
import time

import numpy as np
import pytest
import pyvips

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.util import resources

PHOTOS = resources.PHOTOS
ENOUGH = 60  # seconds, beside other work


@pytest.fixture(scope="module")
def address(serving, tiny_model):
    with serving("srgan-x4", str(tiny_model), megabytes=1) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(1000 * ENOUGH)
    page.wrong = []
    page.asked = []
    page.on("console", lambda message: page.wrong.append(message.text))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    page.locator("#examples button").first.wait_for()
    yield page
    page.close()


def example(page, name="cat"):
    page.get_by_role("button", name=name).click()
    done(page)


def until(page, condition):
    """Waits; the page allows no code from elsewhere, so that it cannot wait by itself."""
    end = time.monotonic() + ENOUGH
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        page.wait_for_timeout(50)


def done(page):
    page.locator("#facts", has_text="pixels").wait_for()
    until(page, lambda: page.text_content("#status") == "")


def shown(page, which="after"):
    """The pixels of a picture on the page."""
    url = page.evaluate(
        """async (which) => {
            const image = document.getElementById(which);
            await image.decode();
            const canvas = document.createElement("canvas");
            canvas.width = image.naturalWidth;
            canvas.height = image.naturalHeight;
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL();
        }""",
        which,
    )
    png = pyvips.Image.new_from_buffer(base64.b64decode(url.partition(",")[2]), "")
    return png.numpy()[..., :3]


@pytest.fixture(scope="module")
def lr():
    return resize.downscale(images.read_uint8(PHOTOS / "cat.webp"), 4)


def test_an_example_is_enlarged_beside_what_it_came_of(page, address, lr):
    example(page)
    assert np.array_equal(shown(page), loading.load("srgan-x4").upscale(lr, dtype=np.uint8))
    assert np.array_equal(shown(page, "before"), lr)
    assert "448x288 pixels" in page.inner_text("#facts")
    assert page.get_attribute("#download", "download") == "cat-srgan-x4.png"
    page.select_option("#left", "hr")
    until(page, lambda: shown(page, "before").shape == (288, 448, 3))
    assert page.wrong == []
    assert all(url.startswith((address, f"blob:{address}", "data:")) for url in page.asked)


def test_realism_is_set_and_the_size_chosen(page, lr):
    example(page)
    page.locator("#realism").fill("0.5")
    until(page, lambda: "realism=0.5" in page.text_content("#curl"))
    done(page)
    half = loading.load("srgan-x4", realism=0.5).upscale(lr, dtype=np.uint8)
    assert np.array_equal(shown(page), half)
    page.select_option("#scale", "2")
    page.locator("#facts", has_text="224x144").wait_for()
    assert page.inner_text("#promise") == "Scaled down again, the result gives the picture back."
    page.select_option("#model", "tiny")
    until(page, lambda: "tiny" in page.text_content("#curl"))
    assert "need not give the picture back" in page.inner_text("#promise")
    assert not page.is_visible("#realism-choice")
    assert page.is_disabled("#show-map")
    assert "CC0" in page.inner_text("#licence")
    assert page.wrong == []


def test_the_error_map_is_shown_and_hidden_again(page):
    example(page)
    result = shown(page)
    page.click("#show-map")
    page.locator("#legend").wait_for()
    assert shown(page).shape[1] == result.shape[1]
    assert not np.array_equal(shown(page)[: len(result)], result)
    with page.expect_download() as saved:  # the result still, not the map
        page.click("#download")
    assert np.array_equal(images.read_uint8(saved.value.path()), result)
    page.click("#show-result")
    page.locator("#legend").wait_for(state="hidden")
    assert np.array_equal(shown(page), result)
    assert page.wrong == []


def test_the_divider_follows_keys_and_pointer(page):
    example(page)
    page.focus("#divider")
    page.keyboard.press("ArrowRight")
    split = "getComputedStyle(document.getElementById('stage')).getPropertyValue('--split')"
    assert page.evaluate(split) == "52%"
    box = page.locator("#stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 20)
    assert float(page.evaluate(split).rstrip("%")) == pytest.approx(25, abs=0.5)
    assert page.get_attribute("#divider", "aria-valuenow") == "25"


def test_zoom_is_in_pixels_of_the_screen(page):
    example(page)
    for zoom, width in (("1:1", 448), ("3:1", 3 * 448)):
        page.get_by_role("button", name=zoom).click()
        assert page.locator("#stage").bounding_box()["width"] == pytest.approx(width, abs=1)


def test_what_is_enlarged_moves_with_the_mouse_and_zooms_with_the_wheel(page):
    example(page)
    page.get_by_role("button", name="3:1").click()
    frame, before = (page.locator(one).bounding_box() for one in ("#frame", "#stage"))
    x, y = frame["x"] + frame["width"] / 4, frame["y"] + frame["height"] / 4
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20)
    page.mouse.up()
    after = page.locator("#stage").bounding_box()
    assert after["x"] - before["x"] == pytest.approx(30, abs=1)
    assert after["y"] - before["y"] == pytest.approx(20, abs=1)
    page.mouse.wheel(0, -150)
    until(page, lambda: page.locator("#stage").bounding_box()["width"] > 1.2 * before["width"])
    assert page.locator("#zoom [aria-pressed=true]").count() == 0
    page.focus("#frame")
    page.keyboard.press("0")
    assert page.locator("#stage").bounding_box() == frame
    assert page.locator("#zoom [aria-pressed=true]").inner_text() == "Fit"


def test_the_page_says_what_is_wrong(page, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "text.png")
    page.locator("#status.bad", has_text="not an image in a known format").wait_for()
    (tmp_path / "large.png").write_bytes(bytes(1_200_000))
    page.set_input_files("#file", tmp_path / "large.png")
    page.locator("#status.bad", has_text="1.2 megabytes; expected at most 1").wait_for()
    assert not page.is_visible("#result")
    example(page)  # and it goes on
    assert page.locator("#status.bad").count() == 0


def test_a_name_is_never_taken_for_code(page, tmp_path, lr):
    name = "<img src=x onerror=alert(1)>';$(id).png"
    images.write(tmp_path / name, lr)
    page.set_input_files("#file", tmp_path / name)
    done(page)
    page.click("summary")
    assert "--data-binary @photo.jpg" in page.inner_text("#curl")
    assert page.locator("main img").count() == 6  # four examples, before and after
    assert page.wrong == []


def test_only_the_files_of_the_page_are_served(address):
    def status(path):
        port = int(address.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        answer = connection.getresponse()
        connection.close()
        return answer.status, answer.headers.get_content_type()

    assert status("/server/web/page.js") == (200, "text/javascript")
    assert status("/web/view.js") == (200, "text/javascript")
    assert status("/web/palette.css") == (200, "text/css")
    for path in (
        *("/web/modules.py", "/web/", "/server/web/page.html", "/quality/report/web/page.js"),
        *("/web/../server/page.py", "/web/%2e%2e/server/page.py", "/web/..%2f..%2fetc/passwd"),
    ):
        assert status(path)[0] == 404


def test_the_picture_chooses_the_model(browser, serving, lr, tmp_path):
    degraded = tmp_path / "phone.jpg"
    pyvips.Image.new_from_array(lr).jpegsave(str(degraded), Q=50)
    with serving() as port:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#examples button").first.wait_for()
        assert "gets the model that takes them away" in page.inner_text("#promise")
        example(page)
        assert page.inner_text("#facts").endswith("by srgan-x4")
        page.set_input_files("#file", degraded)
        page.locator("#facts", has_text="by srgan-photo-x4").wait_for()
        assert "it was compressed as JPEG" in page.inner_text("#status")
        assert page.get_attribute("#download", "download").endswith("-srgan-photo-x4.png")
        assert page.is_disabled("#show-map")
        page.close()


def test_the_reference_has_each_path_and_runs_it(browser, address, tmp_path, lr):
    images.write(tmp_path / "lr.png", lr)
    page = browser.new_page()
    page.set_default_timeout(1000 * ENOUGH)
    wrong = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{address}docs")
    entry = page.locator("details", has=page.locator("code", has_text="/v1/upscale")).first
    entry.locator("summary").click()
    assert f"curl -F picture=@photo.jpg -F scale=2 -o large.png {address}v1" in entry.inner_text()
    entry.get_by_label("model").select_option("tiny")
    entry.get_by_label("Picture").set_input_files(tmp_path / "lr.png")
    entry.get_by_role("button", name="Run").click()
    entry.locator("img").wait_for()
    assert "Srgan-Model: tiny" in entry.inner_text()
    listed = page.locator("summary").all_inner_texts()
    assert any("DELETE" in text and "/v1/jobs/{job}" in text for text in listed)
    health = page.locator("details", has=page.locator("code", has_text="/health")).first
    health.locator("summary").click()
    health.get_by_role("button", name="Run").click()
    health.locator(".answer", has_text='"status": "ok"').wait_for()
    assert wrong == []
    page.close()
