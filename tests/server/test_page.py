"""The service's page, in a real browser."""

import base64
import http.client
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image, PngImagePlugin

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.util import resources

access = pytest.importorskip("srgan.server.access", reason="needs fastapi", exc_type=ImportError)

ROOT = Path(__file__).parents[2]
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
    page.get_by_role("button", name=name, exact=True).click()
    done(page)


def until(page, condition):
    """Waits; the page allows no code from elsewhere, so that it cannot wait by itself."""
    end = time.monotonic() + ENOUGH
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        page.wait_for_timeout(50)


def done(page):
    """Waits until all that was asked for is there, and what is chosen is shown."""
    page.locator("#facts", has_text="pixels, ").wait_for()
    until(page, lambda: page.is_disabled("#cancel") and page.text_content("#status") == "")


def names(page):
    return page.locator("#list .pick > span:nth-last-child(2)").all_inner_texts()


def zoomed_photo(width, height):
    """A photo of this size, enlarged from a part of the cat."""
    photo = pyvips.Image.new_from_file(str(PHOTOS / "cat.webp"))
    return photo.thumbnail_image(width, height=height, size="force")


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
    assert [page.inner_text(f"#{side}-side") for side in ("left", "right")] == ["Before", "After"]
    assert "448x288 pixels" in page.inner_text("#facts")
    assert page.get_attribute("#download", "download") == "cat-srgan-x4.png"
    page.select_option("#left", "hr")
    until(page, lambda: shown(page, "before").shape == (288, 448, 3))
    until(page, lambda: page.inner_text("#left-side") == "The true picture")
    assert page.wrong == []
    assert all(url.startswith((address, f"blob:{address}", "data:")) for url in page.asked)


def test_settings_make_another_result_and_any_two_are_compared(page, lr):
    example(page)
    page.locator("#realism").fill("0.5")
    until(page, lambda: "realism=0.5" in page.text_content("#curl"))
    done(page)
    half = loading.load("srgan-x4", realism=0.5).upscale(lr, dtype=np.uint8)
    assert np.array_equal(shown(page), half)
    page.select_option("#left", label="Clean picture")
    whole = loading.load("srgan-x4").upscale(lr, dtype=np.uint8)
    until(page, lambda: np.array_equal(shown(page, "before"), whole))
    assert page.inner_text("#left-side") == "Clean picture"
    assert page.inner_text("#right-side") == "Clean picture, detail 0.5"
    page.select_option("#scale", "2")
    page.locator("#facts", has_text="224x144").wait_for()
    assert page.inner_text("#promise") == "Scaled down again, the result gives the picture back."
    page.select_option("#model", "tiny")
    until(page, lambda: "tiny" in page.text_content("#curl"))
    assert "not the picture when scaled down" in page.inner_text("#promise")
    assert not page.is_visible("#realism-choice")
    assert not page.is_visible("#map")
    page.click("summary")
    assert "CC0" in page.inner_text("#licence")
    assert page.wrong == []


def test_keys_on_a_slider_send_one_request(page):
    example(page)
    page.focus("#realism")
    before = sum("upscale" in url for url in page.asked)
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    until(page, lambda: "realism=0.7" in page.text_content("#curl"))
    done(page)
    assert sum("upscale" in url for url in page.asked) == before + 1


def test_the_error_map_is_compared_and_saved_as_what_it_is(page):
    example(page)
    result = shown(page)
    page.focus("#map")
    page.keyboard.press("Enter")
    page.locator("#legend").wait_for()
    page.locator("#told", has_text="What is guessed is shown").wait_for(state="attached")
    assert page.evaluate("document.activeElement.id") == "frame"  # the button is gone
    assert page.inner_text("#right-side") == "What is guessed"
    guessed = shown(page)
    assert guessed.shape[1] == result.shape[1]
    assert not np.array_equal(guessed[: len(result)], result)
    until(page, lambda: np.array_equal(shown(page, "before"), result))
    with page.expect_download() as saved:
        page.click("#download")
    assert saved.value.suggested_filename == "cat-srgan-x4-guessed.png"
    assert np.array_equal(images.read_uint8(saved.value.path())[..., :3], guessed)
    page.select_option("#right", label="Clean picture")
    page.locator("#legend").wait_for(state="hidden")
    with page.expect_download() as saved:
        page.click("#download")
    assert np.array_equal(images.read_uint8(saved.value.path()), result)
    assert page.wrong == []


def test_several_pictures_are_enlarged_one_after_another_and_saved_together(page, tmp_path, lr):
    for name in ("one.png", "two.png", "three.tif"):
        images.write(tmp_path / name, lr)
    files = [tmp_path / "one.png", tmp_path / "two.png", tmp_path / "three.tif"]
    page.set_input_files("#file", files)
    done(page)
    assert names(page) == ["one.png", "two.png", "three.tif"]
    page.click("#start")
    until(page, lambda: page.locator("#list .note", has_text="done").count() == 3)
    with page.expect_download() as saved:
        page.click("#zip")
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{name}-srgan-x4.png" for name in ("one", "two", "three")]
        archive.extractall(tmp_path)
    sr = loading.load("srgan-x4").upscale(lr, dtype=np.uint8)
    for name in ("one", "two", "three"):
        assert np.array_equal(images.read_uint8(tmp_path / f"{name}-srgan-x4.png"), sr)
    page.get_by_role("button", name="three.tif", exact=False).first.click()
    until(page, lambda: np.array_equal(shown(page, "before"), lr))  # it shows no TIFF itself
    page.get_by_role("button", name="Remove two.png").click()
    assert names(page) == ["one.png", "three.tif"]
    assert page.wrong == []


def test_each_of_several_pictures_is_told_its_size_before_it_is_enlarged(page, tmp_path):
    for name, width in (("one.png", 300), ("two.jpg", 200)):
        zoomed_photo(width, 100).write_to_file(str(tmp_path / name))
    page.set_input_files("#file", [tmp_path / "one.png", tmp_path / "two.jpg"])
    page.locator("#list .note", has_text="300x100 → 1200x400 pixels").wait_for()
    page.locator("#list .note", has_text="200x100 → 800x400 pixels").wait_for()
    page.select_option("#scale", "2")
    page.locator("#list .note", has_text="300x100 → 600x200 pixels").wait_for()
    page.locator("#list .note", has_text="200x100 → 400x200 pixels").wait_for()


def test_pictures_that_the_browser_does_not_show_are_told_their_size_before_they_are_picked(
    page, tmp_path
):
    zoomed_photo(200, 100).pngsave(str(tmp_path / "first.png"))
    files = [tmp_path / "first.png"]
    for name, width in (("one.tif", 300), ("two.jp2", 310), ("three.ppm", 320)):
        files.append(tmp_path / name)
        Image.fromarray(zoomed_photo(width, 100).numpy()).save(files[-1])
    files.append(tmp_path / "four.tif")
    files[-1].write_bytes(b"II*\0 and no picture")
    page.set_input_files("#file", files)
    for width in (300, 310, 320):
        told = f"{width}x100 → {4 * width}x400 pixels"
        page.locator("#list .note", has_text=told).wait_for()
    page.locator("#list li", has_text="four.tif").locator(".note.bad").wait_for()
    page.locator("#facts", has_text="200x100 → 800x400 pixels").wait_for()
    assert page.locator("#list [aria-pressed=true]").inner_text().startswith("first.png")


def test_who_uses_keys_stays_in_the_list_and_is_told_what_is_done(page, tmp_path):
    for name in ("one.png", "two.png", "three.png"):
        zoomed_photo(40, 20).pngsave(str(tmp_path / name))
    page.set_input_files("#file", [tmp_path / f"{name}.png" for name in ("one", "two", "three")])
    done(page)
    page.click("#start")
    page.locator("#told", has_text="three.png: done").wait_for(state="attached")
    focus = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
    page.get_by_role("button", name="Remove one.png").focus()
    for left in ("Remove two.png", "Remove three.png", "file"):
        page.keyboard.press("Enter")
        until(page, lambda left=left: page.evaluate(focus) == left)
    example(page)
    page.focus("#clear")
    page.keyboard.press("Enter")
    assert page.evaluate(focus) == "file"


def test_of_several_files_one_that_is_too_large_says_so(page, tmp_path):
    zoomed_photo(300, 100).pngsave(str(tmp_path / "one.png"))
    (tmp_path / "two.png").write_bytes(bytes(1_100_000))
    page.set_input_files("#file", [tmp_path / "one.png", tmp_path / "two.png"])
    told = "The file has 1.1 megabytes; expected at most 1."
    page.locator("#list .note.bad", has_text=told).wait_for()
    page.locator("#facts", has_text="middle").wait_for()
    assert page.locator("#list .note.bad").all_inner_texts() == [told]


def test_a_picture_in_work_is_removed_by_the_button_beside_it(page, tmp_path):
    zoomed_photo(900, 600).jpegsave(str(tmp_path / "large.jpg"))
    page.set_input_files("#file", [tmp_path / "large.jpg"])
    page.locator("#facts", has_text="middle").wait_for()
    page.click("#start")
    page.locator("#list progress").wait_for()
    page.locator("#list .note", has_text="is being enlarged, for 1 s so far").wait_for()
    name, button, bar = (
        page.locator(f"#list {part}").bounding_box()
        for part in (".pick", ".pick ~ button", "progress")
    )
    assert name["x"] + name["width"] < button["x"]
    assert name["y"] < button["y"] + button["height"] / 2 < name["y"] + name["height"]
    assert bar["y"] > name["y"] + name["height"]
    page.locator("#list .pick ~ button").click()
    assert page.locator("#list li").count() == 0


def test_what_runs_and_waits_is_cancelled(page, tmp_path):
    for name in ("one.png", "two.png"):
        zoomed_photo(500, 400).pngsave(str(tmp_path / name))
    page.set_input_files("#file", [tmp_path / "one.png", tmp_path / "two.png"])
    page.locator("#facts", has_text="This is the middle").wait_for()
    page.click("#start")
    page.locator("#list .note", has_text="is being enlarged").wait_for()
    page.click("#cancel")
    until(page, lambda: page.locator("#list .note", has_text="cancelled").count() == 2)
    assert page.is_disabled("#cancel")


def test_a_large_picture_shows_its_middle_first_and_how_large_it_will_be(page, tmp_path):
    photo = zoomed_photo(400, 300)
    photo.pngsave(str(tmp_path / "large.png"))
    page.set_input_files("#file", tmp_path / "large.png")
    page.locator("#facts", has_text="400x300 → 1600x1200 pixels").wait_for()
    middle = photo.crop(136, 86, 128, 128).numpy()
    sr = loading.load("srgan-x4").upscale(middle, dtype=np.uint8)
    assert np.array_equal(shown(page), sr)
    assert np.array_equal(shown(page, "before"), middle)
    assert not any("v1/upscale" in url for url in page.asked)
    assert not page.is_visible("#download")


def test_a_picture_that_is_too_large_is_told_which_size_would_do(browser, serving, tmp_path):
    zoomed_photo(400, 300).jpegsave(str(tmp_path / "phone.jpg"))
    with serving(megapixels=0.6) as port:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#examples button").first.wait_for()
        page.set_input_files("#file", tmp_path / "phone.jpg")
        page.locator("#status.bad", has_text="Too large: 2 megapixels, of at most 0.6").wait_for()
        advice = "choose “Clean picture, 2 times”, which makes 800x600"
        assert advice in page.inner_text("#status")
        page.select_option("#model", "srgan-x2")
        page.locator("#facts", has_text="400x300 → 800x600").wait_for()
        assert page.locator("#status.bad").count() == 0
        page.close()


def test_a_transparent_result_hides_what_lies_below(page, tmp_path, lr):
    alpha = np.zeros((*lr.shape[:2], 1), np.uint8)
    images.write(tmp_path / "hole.png", np.concatenate([lr, alpha], axis=2))
    page.set_input_files("#file", tmp_path / "hole.png")
    done(page)
    box = page.locator("#frame").bounding_box()
    right = {"x": box["x"] + 0.6 * box["width"], "y": box["y"] + 60, "width": 100, "height": 60}
    seen = page.screenshot(clip=right)
    page.evaluate("document.getElementById('before').style.visibility = 'hidden'")
    assert page.screenshot(clip=right) == seen


def test_a_picture_that_only_the_service_turns_upright_stands_so_on_both_sides(page, tmp_path, lr):
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    about = PngImagePlugin.PngInfo()
    about.add_itxt("XML:com.adobe.xmp", xmp)
    Image.fromarray(lr).save(tmp_path / "turned.png", pnginfo=about)
    page.set_input_files("#file", tmp_path / "turned.png")
    done(page)
    until(page, lambda: np.array_equal(shown(page, "before"), np.rot90(lr, -1)))
    assert shown(page).shape == (4 * lr.shape[1], 4 * lr.shape[0], 3)


@pytest.mark.parametrize("suffix", ["gif", "webp", "avif"])
def test_what_moves_still_moves(page, tmp_path, lr, suffix):
    one, two = (Image.fromarray(frame) for frame in (lr, lr[::-1]))
    one.save(tmp_path / f"film.{suffix}", save_all=True, append_images=[two])
    page.set_input_files("#file", tmp_path / f"film.{suffix}")
    done(page)
    with page.expect_download() as saved:
        page.click("#download")
    assert saved.value.suggested_filename == "film-srgan-x4.webp"
    assert pyvips.Image.new_from_file(str(saved.value.path())).get("n-pages") == 2


def test_a_format_that_the_browser_does_not_show_is_shown_by_the_service(page, lr):
    page.select_option("#format", "tiff")
    page.get_by_role("button", name="cat", exact=True).click()
    page.locator("#facts", has_text="448x288 pixels, ").wait_for()
    sr = loading.load("srgan-x4").upscale(lr, dtype=np.uint8)
    until(page, lambda: np.array_equal(shown(page), sr))
    assert page.text_content("#notes") == ""
    with page.expect_download() as saved:
        page.click("#download")
    assert saved.value.suggested_filename == "cat-srgan-x4.tif"
    assert Path(saved.value.path()).read_bytes()[:3] == b"II*"


def test_a_format_that_nobody_shows_is_saved_all_the_same(page):
    page.route("**/v1/preview?side=16384*", lambda route: route.abort())
    page.select_option("#format", "tiff")
    page.get_by_role("button", name="cat", exact=True).click()
    page.locator("#notes", has_text="does not show files of this format").wait_for()
    assert page.get_attribute("#download", "download") == "cat-srgan-x4.tif"


def test_a_model_that_is_found_and_chosen_makes_one_result(browser, serving):
    with serving() as port:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        example(page)
        page.select_option("#model", "srgan-x4")
        until(page, lambda: page.input_value("#right") == '{"model":"srgan-x4","format":"png"}')
        done(page)
        assert names_of(page, "#right") == ["Clean picture"]
        page.close()


def names_of(page, select):
    return page.locator(f"{select} option").all_inner_texts()


def test_a_picture_that_comes_just_after_a_setting_is_looked_at(page, tmp_path):
    example(page)
    zoomed_photo(400, 300).pngsave(str(tmp_path / "large.png"))
    page.select_option("#format", "webp")
    page.set_input_files("#file", tmp_path / "large.png")
    page.locator("#facts", has_text="400x300 → 1600x1200 pixels").wait_for()
    page.wait_for_timeout(600)  # until the setting counts
    page.locator("#facts", has_text="This is the middle of it, by srgan-x4.").wait_for()
    until(page, lambda: page.text_content("#status") == "")
    assert not any("format=webp" in url for url in page.asked)  # of the picture before


def test_a_tall_picture_fits_in_the_window(page, tmp_path, lr):
    images.write(tmp_path / "tall.png", np.ascontiguousarray(lr[:, :24]))
    page.set_input_files("#file", tmp_path / "tall.png")
    done(page)
    assert page.locator("#frame").bounding_box()["height"] <= 0.77 * 1000


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
    link = """(() => {
        const data = new DataTransfer();
        data.setData("text/uri-list", "https://example.com/cat.jpg");
        dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
    })()"""
    page.evaluate(link)
    page.locator("#status.bad", has_text="a link or a text, not a picture").wait_for()
    example(page)  # and it goes on
    assert page.locator("#status.bad").count() == 0


def test_the_page_says_so_when_the_service_is_gone(browser, serving, tiny_model):
    with serving(str(tiny_model)) as port:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#examples button").first.wait_for()
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.reload()  # which the worker keeps
        page.locator("#examples button").first.wait_for()
    page.get_by_role("button", name="cat", exact=True).click()
    page.locator("#status.bad", has_text="The service does not answer.").wait_for()
    page.reload()
    page.locator("#status.bad", has_text="The service does not answer.").wait_for()
    page.close()


def test_a_page_waits_for_a_service_that_comes_back(browser, serving, tiny_model, tmp_path):
    zoomed_photo(300, 200).pngsave(str(tmp_path / "photo.png"))
    with serving(str(tiny_model)) as port:
        page = browser.new_page()
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#examples button").first.wait_for()
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.reload()
        page.locator("#examples button").first.wait_for()
        status = "fetch('health').then(({ status }) => status, () => 0)"
        assert page.evaluate(status) == 200
    page.reload()
    page.locator("#status.bad", has_text="The service does not answer.").wait_for()
    assert page.evaluate(status) == 0  # what the service is now is never kept
    page.set_input_files("#file", tmp_path / "photo.png")
    page.locator("#list .note.bad", has_text="The service does not answer.").wait_for()
    with serving(str(tiny_model), port=port):
        page.locator("#facts", has_text="300x200 → 600x400 pixels").wait_for()
        assert page.text_content("#status") == ""
        assert page.locator("#model option").count() == 1
        page.close()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (413, "larger than what is in front of the service lets through"),
        (502, "The service does not answer."),
        (418, "The service answers with the code 418."),
    ],
)
def test_what_a_proxy_answers_is_said_in_words(page, status, words):
    page.route("**/v1/preview*", lambda route: route.fulfill(status=status, body="<html>"))
    page.get_by_role("button", name="cat", exact=True).click()
    page.locator("#status.bad", has_text=words).wait_for()


def test_a_page_that_was_opened_once_opens_without_the_service(browser, serving, tiny_model):
    with serving(str(tiny_model)) as port:
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#examples button").first.wait_for()
        kept = "async () => (await (await caches.open('page')).keys()).map(({ url }) => url)"
        parts = "() => performance.getEntriesByType('resource').map(({ name }) => name)"
        wanted = {
            name for name in page.evaluate(parts) if "/v1/" not in name and "worker" not in name
        }
        assert any(name.endswith("page.js") for name in wanted)
        until(page, lambda: wanted <= set(page.evaluate(kept)))
    page.reload()
    page.locator("#status.bad", has_text="The service does not answer.").wait_for()
    context.close()


def test_a_finger_slides_the_divider_again_and_again(browser, address):
    context = browser.new_context(
        viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.set_default_timeout(1000 * ENOUGH)
    page.goto(address)
    page.get_by_role("button", name="cat", exact=True).tap()
    page.locator("#facts", has_text="pixels, ").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("#frame").scroll_into_view_if_needed()
    box = page.locator("#frame").bounding_box()
    touch = context.new_cdp_session(page)

    def slide(start, end):
        y = box["y"] + box["height"] / 3
        for step in range(9):
            x = box["x"] + box["width"] * (start + (end - start) * step / 8)
            kind = "touchMove" if step else "touchStart"
            points = [{"x": x, "y": y + 2 * step}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    for start, end in ((0.5, 0.8), (0.3, 0.6), (0.7, 0.2), (0.2, 0.9)):
        slide(start, end)
        now = f"{100 * end:.0f}"
        until(page, lambda now=now: page.get_attribute("#divider", "aria-valuenow") == now)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme, tmp_path):
    page.emulate_media(color_scheme=scheme)
    assert faults(page) == []
    example(page)
    page.click("summary")
    assert faults(page) == []
    page.click("#map")
    page.locator("#legend").wait_for()
    assert faults(page) == []
    (tmp_path / "text.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "text.png")
    page.locator("#status.bad").wait_for()
    assert faults(page) == []


def faults(page):
    """What axe finds, with the elements where it does."""
    axe = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("needs axe-core: npm ci")
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def test_a_name_is_never_taken_for_code(page, tmp_path, lr):
    name = "<img src=x onerror=alert(1)>';$(id).png"
    images.write(tmp_path / name, lr)
    page.set_input_files("#file", tmp_path / name)
    done(page)
    page.click("summary")
    assert "--data-binary @photo.jpg" in page.inner_text("#curl")
    assert page.locator("main img").count() == 7  # four examples, one of the list, and two of it
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
    assert status("/worker.js") == (200, "text/javascript")
    assert status("/manifest.webmanifest") == (200, "application/manifest+json")
    assert status("/icon.svg") == (200, "image/svg+xml")
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
        zoomed_photo(400, 300).pngsave(str(tmp_path / "large.png"))
        page.set_input_files("#file", tmp_path / "large.png")
        page.locator("#facts", has_text="middle of it, by srgan-x4").wait_for()
        page.select_option("#scale", "2")
        page.locator("#facts", has_text="middle of it, by srgan-x2").wait_for()
        page.select_option("#scale", "")
        page.set_input_files("#file", degraded)
        page.locator("#facts", has_text="by srgan-photo-x4").wait_for()
        assert "it was compressed as JPEG" in page.inner_text("#notes")
        assert page.get_attribute("#download", "download").endswith("-srgan-photo-x4.png")
        assert not page.is_visible("#map")
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
    answer = page.locator("details", has=page.locator("code", has_text="/v1/jobs/{job}/result"))
    answer.locator("summary").click()
    answer.get_by_role("button", name="Run").click()  # which asks for the job first
    assert answer.get_by_label("job").evaluate("(input) => input.matches(':invalid:focus')")
    assert answer.locator(".answer").inner_text() == ""
    listed = page.locator("summary").all_inner_texts()
    assert any("DELETE" in text and "/v1/jobs/{job}" in text for text in listed)
    health = page.locator("details", has=page.locator("code", has_text="/health")).first
    health.locator("summary").click()
    health.get_by_role("button", name="Run").click()
    health.locator(".answer", has_text='"status": "ok"').wait_for()
    assert wrong == []
    page.close()


def test_the_reference_fits_a_phone_and_axe_finds_nothing(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_default_timeout(1000 * ENOUGH)
    page.goto(f"{address}docs")
    page.locator("summary").first.wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert faults(page) == []
    page.close()


def test_axe_finds_nothing_where_a_token_is_asked_for(browser, serving, tiny_model):
    with serving(str(tiny_model), tokens={"me": access.new_token()[1]}) as port:
        page = browser.new_page()
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#access").wait_for()
        assert faults(page) == []
        page.close()


def test_a_service_with_tokens_asks_for_one(browser, serving, tiny_model):
    token, hashed = access.new_token()
    with serving(str(tiny_model), tokens={"me": hashed}) as port:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(1000 * ENOUGH)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#status.bad", has_text="asks for a token").wait_for()
        for tried in ("wrong", "wröng…", token):
            page.fill("#token", tried)
            page.get_by_role("button", name="Use it").click()
            if tried != token:
                page.locator("#status.bad", has_text="does not know this token").wait_for()
                page.reload()
                page.locator("#access").wait_for()
        page.locator("#access").wait_for(state="hidden")
        page.get_by_role("button", name="cat", exact=True).click()
        page.locator("#facts", has_text="by tiny").wait_for()
        models, examples = (page.locator(what).count() for what in ("#model option", "#examples *"))

        page.evaluate("sessionStorage.setItem('token', 'changed')")  # that of the service did
        page.locator("#examples button").nth(1).click()
        page.get_by_text("does not know this token").first.wait_for()
        page.fill("#token", token)
        page.get_by_role("button", name="Use it").click()
        page.locator("#access").wait_for(state="hidden")
        assert page.locator("#model option").count() == models
        assert page.locator("#examples *").count() == examples

        page.goto(f"http://127.0.0.1:{port}/docs")  # which knows the token
        entry = page.locator("details", has=page.locator("code", has_text="/v1/models/{name}"))
        entry.first.locator("summary").click()
        told = 'curl -H "Authorization: Bearer TOKEN" -d @- '
        assert f"{told}http://127.0.0.1:{port}/v1/models/tiny:predict" in entry.first.inner_text()
        entry.nth(1).locator("summary").click()
        entry.nth(1).get_by_role("button", name="Run").click()
        entry.nth(1).locator(".answer", has_text="AVAILABLE").wait_for()
        page.close()


def test_a_preview_is_the_middle_and_tells_how_large_the_picture_is(address):
    photo = zoomed_photo(300, 200)
    square = photo.crop(100, 50, 100, 100).numpy()

    def ask(query):
        port = int(address.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", f"/v1/preview?{query}", photo.pngsave_buffer())
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    answer, body = ask("side=100&model=tiny")
    assert (answer.headers["Srgan-Model"], answer.headers["Srgan-Size"]) == ("tiny", "300x200")
    assert pyvips.Image.new_from_buffer(body, "").width == 200
    answer, body = ask("side=100&enlarge=false")
    assert np.array_equal(pyvips.Image.new_from_buffer(body, "").numpy(), square)
    answer, body = ask("side=0")
    assert answer.status == 422
