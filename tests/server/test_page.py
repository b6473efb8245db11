"""The service's page, in a real browser."""

import base64
import http.client
import time
import zipfile

import numpy as np
import pytest
import pyvips

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.util import resources

access = pytest.importorskip("srgan.server.access", reason="needs fastapi", exc_type=ImportError)

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
    assert "CC0" in page.text_content("#licence")
    assert page.wrong == []


def test_the_error_map_is_shown_and_hidden_again(page):
    example(page)
    result = shown(page)
    page.click("#show-map")
    page.locator("#legend").wait_for()
    assert shown(page).shape[1] == result.shape[1]
    assert not np.array_equal(shown(page)[: len(result)], result)
    map_shown = shown(page)
    with page.expect_download() as saved:
        page.click("text=Save the error map")
    assert saved.value.suggested_filename == "cat-error-map.png"
    assert np.array_equal(images.read_uint8(saved.value.path()), map_shown)
    page.click("#show-result")
    page.locator("#legend").wait_for(state="hidden")
    assert np.array_equal(shown(page), result)
    with page.expect_download() as saved:
        page.click("text=Save the result")
    assert np.array_equal(images.read_uint8(saved.value.path()), result)
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


@pytest.fixture
def photos(tmp_path, lr):
    """Files to choose: two pictures of one name in different folders, and what is none."""
    paths = []
    for folder, side in (("a", 40), ("b", 24)):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "photo.png")
        images.write(paths[-1], lr[:side, :side])
    (tmp_path / "text.png").write_text("no picture")
    return [*paths, tmp_path / "text.png"]


def test_several_files_are_enlarged_and_saved_together(page, photos):
    page.select_option("#model", "tiny")
    page.set_input_files("#file", photos)
    page.locator("#status", has_text="2 of 3 pictures are enlarged.").wait_for()
    rows = page.locator("#files li").all_inner_texts()
    assert ["Done" in row for row in rows] == [True, True, False]
    assert "not an image in a known format" in rows[2]
    with page.expect_download() as saved:
        page.click("text=Save all as ZIP")
    with zipfile.ZipFile(saved.value.path()) as made:
        assert made.testzip() is None
        assert made.namelist() == ["photo-tiny.png", "photo-tiny-2.png"]
        sizes = [
            pyvips.Image.new_from_buffer(made.read(name), "").width for name in made.namelist()
        ]
    assert sizes == [80, 48]
    page.locator("#files button").nth(1).click()
    page.locator("#facts", has_text="48x48 pixels").wait_for()
    assert len(page.wrong) == 1  # as the browser tells that one was refused
    assert "422" in page.wrong[0]


def test_work_is_cancelled(page, photos, large_photo):
    page.set_input_files("#file", [large_photo, *photos])
    page.click("text=Cancel")
    page.locator("#status", has_text="0 of 4 pictures are enlarged.").wait_for()
    assert page.locator("#files", has_text="Cancelled").count() == 1
    page.set_input_files("#file", large_photo)
    page.click("text=Cancel")
    page.locator("#status", has_text="Cancelled.").wait_for()
    assert not page.is_visible("#working")
    example(page)  # and it goes on


@pytest.fixture(scope="module")
def large_photo(tmp_path_factory):
    """What takes many seconds."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    images.write(path, np.zeros((900, 900, 3)))
    return path


def test_a_link_that_is_dropped_is_told_from_a_file(page):
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.setData("text/uri-list", "https://example.com/photo.jpg");
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }"""
    )
    page.locator("#status.bad", has_text="That is a link or a text, and no file").wait_for()


def test_a_setting_that_changes_quickly_is_asked_for_once(page):
    example(page)
    page.asked.clear()
    page.focus("#realism")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    until(page, lambda: "realism=0.75" in page.text_content("#curl"))
    assert sum("v1/upscale" in url for url in page.asked) == 1


def test_a_service_that_is_gone_is_told(browser, serving, tiny_model, photos):
    with serving(str(tiny_model)) as port:
        page = browser.new_page()
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#examples button").first.wait_for()
    page.set_input_files("#file", photos[0])
    page.locator("#status.bad", has_text="does not answer. Is it still running?").wait_for()
    page.close()


def test_the_page_asks_for_the_token_that_the_service_needs(browser, serving, tiny_model, photos):
    secret, hashed = access.new_token()
    with serving(str(tiny_model), tokens={"alice": hashed}) as port:
        page = browser.new_page()
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        for token in ("wrong", secret):
            page.locator("#status.bad", has_text="needs a token").wait_for()
            page.fill("#token", token)
            page.keyboard.press("Enter")
        page.locator("#examples button").first.wait_for()
        assert not page.is_visible("#token-choice")
        page.set_input_files("#file", photos[0])
        done(page)
        page.close()


def test_what_is_transparent_does_not_show_the_other_picture(page, tmp_path):
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:8] = (255, 0, 0, 255)  # red above, nothing below
    pyvips.Image.new_from_array(rgba, interpretation="srgb").write_to_file(str(tmp_path / "a.png"))
    page.select_option("#model", "tiny")
    page.set_input_files("#file", tmp_path / "a.png")
    done(page)
    page.evaluate("document.getElementById('before').style.background = 'blue'")
    seen = pyvips.Image.new_from_buffer(page.locator("#frame").screenshot(), "").numpy()
    mat = page.evaluate("getComputedStyle(document.getElementById('frame')).backgroundColor")
    pixel = seen[int(0.9 * len(seen)), int(0.9 * len(seen[0])), :3]
    assert f"rgb({', '.join(map(str, pixel))})" == mat


def test_a_picture_that_the_browser_does_not_know_is_shown_all_the_same(page, tmp_path, lr):
    images.write(tmp_path / "a.tif", lr)
    page.select_option("#model", "tiny")
    page.set_input_files("#file", tmp_path / "a.tif")
    done(page)
    until(page, lambda: page.evaluate("document.getElementById('before').naturalWidth") > 0)
    assert np.array_equal(shown(page, "before"), lr)


@pytest.mark.parametrize(("height", "width"), [(160, 16), (16, 160), (40, 40)])
def test_what_fits_is_seen_whole(page, tmp_path, height, width):
    images.write(tmp_path / "a.png", np.zeros((height, width, 3)))
    page.select_option("#model", "tiny")
    page.set_input_files("#file", tmp_path / "a.png")
    done(page)
    box = page.locator("#frame").bounding_box()
    assert box["height"] <= 1000
    assert box["width"] <= 1200
    assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.02)


def test_on_touch_the_divider_follows_wherever_the_finger_goes(browser, address):
    context = browser.new_context(viewport={"width": 400, "height": 600}, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(1000 * ENOUGH)
    page.goto(address)
    example(page)
    page.locator("#frame").scroll_into_view_if_needed()
    box = page.locator("#frame").bounding_box()
    touch = context.new_cdp_session(page)
    x, y = box["x"] + 50, box["y"] + box["height"] / 2
    before = page.evaluate("scrollY")

    def move(kind, *points):
        points = [{"x": x + step, "y": y - step} for step in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    move("touchStart", 0)
    for step in range(10, 110, 10):  # as much up as to the right
        move("touchMove", step)
    move("touchEnd")
    split = "getComputedStyle(document.getElementById('frame')).getPropertyValue('--split')"
    until(page, lambda: page.evaluate("scrollY") != before)
    expected = 100 * 150 / box["width"]
    assert float(page.evaluate(split).rstrip("%")) == pytest.approx(expected, abs=1)
    context.close()


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
