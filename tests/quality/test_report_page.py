"""The report's page does what it says in a real browser, and stays silent."""

import re
import time

import numpy as np
import pytest

from srgan.io import images
from srgan.quality import artifacts, measures, published, report

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

HOSTILE = "</script><img src=x onerror=pwned=1>$style.png"
DESKTOP = {"width": 1280, "height": 900}
ENOUGH = 60  # seconds, beside other work


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def usual(make_evaluation, folder):
    """A report with two data sets, a failure, a model with settings, and hostile names."""
    found = make_evaluation(
        cases=[("Made", "one"), ("Made", HOSTILE), ("Other", "three"), ("Other", "ten")],
        offsets={"bicubic": 20, "other": 12, "blend @ 0.00": 5, "blend @ 1.00": 10, "\u00d7<b>": 2},
        curve="blend",
        failed=[("ten", "other")],
    )
    report.write(found, folder / "usual.html")
    return folder / "usual.html"


@pytest.fixture(scope="module")
def without_originals(make_evaluation, folder):
    report.write(make_evaluation(referenced=False), folder / "lr.html")
    return folder / "lr.html"


@pytest.fixture
def show(browser):
    """Opens a report as some device would; the test fails if it then says or loads anything."""
    contexts, complaints = [], []

    def shown(path, viewport=DESKTOP, **options):
        contexts.append(browser.new_context(viewport=viewport, reduced_motion="reduce", **options))
        page = contexts[-1].new_page()
        watch(page, complaints)
        load(page, path)
        return page

    yield shown
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(scope="module")
def desktop(browser):
    """A page that tests share, since opening one takes longer than most of them."""
    page = browser.new_page(viewport=DESKTOP, reduced_motion="reduce")
    page.complaints = []
    watch(page, page.complaints)
    yield page
    page.close()


@pytest.fixture
def page(desktop, usual):
    """The usual report, freshly loaded; the test fails if it says or loads anything."""
    desktop.complaints.clear()
    load(desktop, usual)
    yield desktop
    assert not desktop.complaints


def watch(page, complaints):
    def request(asked):
        if not asked.url.startswith(("file:", "data:", "blob:")):
            complaints.append(asked.url)

    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", request)


def load(page, path):
    page.set_default_timeout(1000 * ENOUGH)
    page.goto(path.as_uri())
    until(page, "[...document.images].every((image) => image.complete)")


def until(page, condition):
    """Waits for what a script says; Playwright's own way needs an eval, which the page forbids."""
    end = time.monotonic() + ENOUGH
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"{condition} did not become true"
        page.wait_for_timeout(25)


def stages(page, selector="#panes"):
    """How each picture below `selector` is moved and enlarged."""
    return page.eval_on_selector_all(
        f"{selector} .stage", "(all) => all.map((one) => getComputedStyle(one).transform)"
    )


def middle(page, selector):
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, selector, dx, dy):
    x, y = middle(page, selector)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up()


def seen(page, selector, folder):
    """The pixels of an element as the screen has them."""
    path = folder / "seen.png"
    page.locator(selector).screenshot(path=path)
    return images.read_uint8(path)


def split(page):
    return page.locator("#over").evaluate("(one) => getComputedStyle(one).clipPath")


def column(page, number):
    return page.locator(f"#scores tbody tr > :nth-child({number})").all_inner_texts()


def test_the_slider_follows_the_mouse(page):
    width = page.locator("#compare").bounding_box()["width"]
    assert page.get_attribute("#divider", "aria-valuenow") == "50"
    drag(page, "#divider", -0.25 * width, 0)
    assert page.get_attribute("#divider", "aria-valuenow") == "25"
    assert split(page) == "inset(0px 0px 0px 25%)"


def test_the_slider_follows_the_keyboard(page):
    page.focus("#divider")
    for key, value in [
        ("ArrowRight", "52"),
        ("Shift+ArrowLeft", "42"),
        ("Home", "0"),
        ("PageUp", "10"),
        ("End", "100"),
    ]:
        page.keyboard.press(key)
        assert page.get_attribute("#divider", "aria-valuenow") == value
    assert split(page) == "inset(0px 0px 0px 100%)"
    assert "bicubic" in page.get_attribute("#divider", "aria-valuetext")


def test_the_two_sides_show_what_is_chosen(page, folder):
    page.select_option("#before", label="HR")
    page.select_option("#after", label="bicubic")
    assert page.inner_text("#before-label") == "HR"
    assert page.inner_text("#after-label") == "bicubic"
    pixels = seen(page, "#compare", folder).astype(int)
    height, width = pixels.shape[:2]
    rows = slice(height // 8, height // 5)  # above the disc, below the labels
    left, right = pixels[rows, width // 3], pixels[rows, 2 * width // 3]
    assert left.mean() == pytest.approx(60 + 60 / 3, abs=3)
    assert right.mean() == pytest.approx(60 + 60 * 2 / 3 + 20, abs=3)


def test_every_picture_follows_zoom_and_drag(page):
    assert stages(page) == ["matrix(1, 0, 0, 1, 0, 0)"] * 7  # LR, five methods, HR
    page.click("#zoom-in")
    page.click("#zoom-in")
    zoomed = stages(page)
    assert len(set(zoomed)) == 1
    assert zoomed[0].startswith("matrix(2.25, 0, 0, 2.25, -")
    drag(page, "#panes figure:nth-child(3) .frame", 40, 20)
    dragged = stages(page)
    assert len(set(dragged)) == 1
    before, after = (
        [float(value) for value in re.findall(r"[-\d.]+", text)] for text in (zoomed[0], dragged[0])
    )
    assert after[4] - before[4] == pytest.approx(40, abs=0.5)
    assert after[5] - before[5] == pytest.approx(20, abs=0.5)
    large = set(stages(page, "#compare"))
    ratio = page.evaluate(
        "document.querySelector('#compare').clientWidth /"
        "document.querySelector('#panes .frame').clientWidth"
    )
    (moved,) = [[float(value) for value in re.findall(r"[-\d.]+", text)] for text in large]
    np.testing.assert_allclose(moved[4:], ratio * np.array(after[4:]), atol=0.5)
    page.click("#zoom-fit")
    assert set(stages(page)) == {"matrix(1, 0, 0, 1, 0, 0)"}


def test_a_picture_cannot_be_dragged_out_of_its_frame(page):
    page.click("#zoom-in")
    drag(page, "#panes figure:nth-child(2) .frame", 5000, 5000)
    assert set(stages(page)) == {"matrix(1.5, 0, 0, 1.5, 0, 0)"}


def test_the_wheel_zooms_only_where_someone_has_clicked(page):
    x, y = middle(page, "#panes figure:nth-child(2) .frame")
    page.mouse.move(x, y)
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, -150)
    until(page, f"scrollY < {before}")
    assert set(stages(page)) == {"matrix(1, 0, 0, 1, 0, 0)"}
    page.mouse.click(*middle(page, "#panes figure:nth-child(2) .frame"))
    page.mouse.wheel(0, -150)
    until(page, "document.querySelector('#viewer').classList.contains('zoomed')")
    assert len(set(stages(page))) == 1


def test_the_keyboard_zooms_and_moves(page):
    page.focus("#compare")
    for key in ("+", "+", "ArrowRight"):
        page.keyboard.press(key)
    zoomed = stages(page)[0]
    assert zoomed.startswith("matrix(2.25,")
    page.keyboard.press("ArrowLeft")
    assert stages(page)[0] != zoomed
    page.keyboard.press("0")
    assert stages(page)[0] == "matrix(1, 0, 0, 1, 0, 0)"


def test_two_fingers_zoom(show, usual):
    page = show(usual, {"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    x, y = middle(page, "#panes figure:nth-child(1) .frame")
    touch = page.context.new_cdp_session(page)
    for kind, apart in [("touchStart", 20), ("touchMove", 40), ("touchMove", 60)]:
        points = [{"x": x - apart / 2, "y": y, "id": 0}, {"x": x + apart / 2, "y": y, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    (transform,) = set(stages(page))
    assert float(re.findall(r"[\d.]+", transform)[0]) == pytest.approx(3, abs=0.3)


def test_pixels_are_squares_above_one_to_one_only(show, usual):
    def rendering():
        return page.eval_on_selector_all(
            "#panes img", "(all) => all.map((one) => getComputedStyle(one).imageRendering)"
        )

    page = show(usual, {"width": 390, "height": 740})  # two frames side by side, hardly too large
    assert page.locator("#panes .frame").first.bounding_box()["width"] == 144  # crisp
    assert rendering() == ["pixelated"] + ["auto"] * 6  # the first is LR, always enlarged
    page.click("#zoom-in")
    assert rendering() == ["pixelated"] * 7


def test_the_difference_is_that_to_the_original_amplified(page, folder):
    page.click("[data-mode=difference]")
    page.select_option("#gain", "4")
    for place, difference in [(2, 20), (3, 12), (7, 0)]:  # bicubic, other, HR
        pixels = seen(page, f"#panes figure:nth-child({place}) .frame", folder)
        inner = pixels[10:-10, 10:-10]  # the frame has round corners
        np.testing.assert_allclose(inner, 4 * difference, atol=1)
    page.select_option("#gain", "1")
    inner = seen(page, "#panes figure:nth-child(2) .frame", folder)[10:-10, 10:-10]
    np.testing.assert_allclose(inner, 20, atol=1)


def test_overshoot_is_laid_over_grey_pictures_in_a_warm_colour(
    show, make_evaluation, folder, monkeypatch
):
    def half(hr, sr, scale):
        return np.where(np.arange(hr.shape[1]) < hr.shape[1] // 2, 32.0, 0.0) + np.zeros(
            (hr.shape[0], 1)
        )

    monkeypatch.setattr(artifacts, "overshoot", half)
    report.write(make_evaluation(cases=[("Made", "one")]), folder / "warm.html")
    page = show(folder / "warm.html")
    page.click("[data-mode=overshoot]")
    until(page, "[...document.querySelectorAll('canvas.map')].every((one) => one.dataset.drawn)")
    pixels = seen(page, "#panes figure:nth-child(2) .frame", folder).astype(int)
    width = pixels.shape[1]
    warm, cold = pixels[20:-20, 20 : width // 2 - 20], pixels[20:-20, width // 2 + 20 : -20]
    assert (warm[..., 0] - warm[..., 1]).min() > 150
    assert np.ptp(cold, axis=2).max() <= 2
    assert page.is_visible("#legend")


def test_a_heading_sorts_by_mouse_and_by_keyboard(page):
    heading = page.locator("#scores thead th").nth(2)
    assert heading.get_attribute("aria-sort") == "none"
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    values = [float(text) for text in column(page, 3)[:-1]]
    assert values == sorted(values)
    assert column(page, 3)[-1] == "It ran out of memory."
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(page, 3)[:-1]] == sorted(values, reverse=True)
    assert column(page, 3)[-1] == "It ran out of memory."  # what has no value is always last
    page.locator("#scores thead th button").nth(1).click()
    alphabet = ["\u00d7<b>", "bicubic", "blend @ 0.00", "blend @ 1.00", "other"]
    assert column(page, 2) == [name for name in alphabet for _ in range(4)]
    assert heading.get_attribute("aria-sort") == "none"


def test_the_table_shows_the_images_and_the_methods_asked_for(page):
    assert len(column(page, 1)) == 4 * 5
    page.select_option("#filter-dataset", "Other")
    assert set(column(page, 1)) == {"Other / three", "Other / ten"}
    page.select_option("#filter-method", label="bicubic")
    assert column(page, 2) == ["bicubic"] * 2


def test_a_name_in_the_table_opens_its_image(page):
    page.click("#scores >> text=Other / three")
    assert page.inner_text("#case-name") == "Other / three"
    assert page.get_attribute("#strip [data-index='2']", "aria-current") == "true"


def test_the_arrows_go_through_the_images(page):
    page.focus("#strip [data-index='0']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#case-name") == "Other / three"
    page.click("#previous")
    assert page.inner_text("#case-name") == f"Made / {HOSTILE}"


def test_a_failed_result_says_why_in_the_place_of_its_picture(page):
    page.click("#strip [data-index='3']")
    other = page.locator("#panes figure").nth(2)
    assert other.locator(".error").inner_text() == "It ran out of memory."
    assert other.locator("img").count() == 0
    assert "other" not in page.locator("#before option").all_inner_texts()


def test_only_the_chosen_image_is_loaded(page):
    page.add_init_script(
        "const make = URL.createObjectURL; URL.made = 0;"
        "URL.createObjectURL = (blob) => { URL.made += 1; return make.call(URL, blob); };"
    )
    page.reload()
    shown = page.locator("#viewer img").count()
    assert shown == 2 + 7
    page.click("#next")
    assert page.locator("#viewer img").count() == shown
    assert page.evaluate("URL.made") <= 4 + 2 * 7  # thumbnails, and the images seen so far


def test_the_best_of_each_column_is_marked(page):
    page.select_option("#dataset", label="Other")
    rows = page.locator("#means tbody tr")
    assert "best" in rows.nth(0).locator("td").nth(0).get_attribute("class")  # highest PSNR
    assert "best" in rows.nth(4).locator("td").nth(2).get_attribute("class")  # lowest LPIPS
    assert page.locator("#means td:nth-child(2).best").count() == 1
    assert page.input_value("#plane-dataset") == page.input_value("#dataset")


def test_means_are_over_the_images_that_all_methods_have(show, make_evaluation, folder):
    offsets = {"bicubic": 20, "one": 5, "two": 1}
    cases, failed = [("Made", "first"), ("Made", "second")], [("second", "bicubic")]
    report.write(make_evaluation(cases, offsets, failed=failed), folder / "failed.html")
    page = show(folder / "failed.html")
    values = page.locator("#means tbody td:nth-child(2)")
    assert values.all_inner_texts() == ["30.00", "29.00", "28.00"]
    assert (
        page.locator("#means caption").inner_text().endswith("over 1 photo that all methods have")
    )
    assert "second (bicubic)" in page.inner_text("#notes")


def test_differences_are_judged_by_the_way_that_is_better(show, make_evaluation, folder):
    cases = [("Made", str(number)) for number in range(5)]
    report.write(make_evaluation(cases), folder / "judged.html")
    page = show(folder / "judged.html")
    verdicts = dict(
        zip(
            page.locator("#differences tbody th").all_inner_texts(),
            page.locator("#differences .verdict").all_inner_texts(),
            strict=True,
        )
    )
    found = {name.split()[0]: verdict for name, verdict in verdicts.items()}
    assert (found["PSNR"], found["LPIPS"]) == ("worse", "better")
    assert page.inner_text("#in-short") == (
        "bicubic is closest to HR pixel by pixel (PSNR 28.00 dB). "
        "model looks most like HR (LPIPS 0.3100)."
    )
    assert found["SSIM"] == "no difference shown"
    rest = len(measures.MEASURES) - 3
    judged = page.inner_text("#judged")
    assert f"3 comparisons of PSNR, SSIM and LPIPS, and for the {rest} of all other" in judged


def test_few_images_are_said_to_be_too_few(page):
    assert page.inner_text("#in-short") == (
        "2 photos are too few to tell which method is closest to HR; it takes 5 or more."
    )
    verdicts = page.locator("#differences .verdict").all_inner_texts()
    assert set(verdicts) == {"too few photos to tell"}


def test_the_plane_has_a_point_for_each_method_and_labels_apart(page):
    assert page.locator("#plane circle").count() == 5
    assert page.locator("#plane polyline").count() == 1
    labels = page.locator("#plane .label")
    assert labels.all_text_contents() == ["bicubic", "other", "0.00", "blend @ 1.00", "\u00d7<b>"]
    boxes = [labels.nth(k).bounding_box() for k in range(5)]
    for k, one in enumerate(boxes):
        for two in boxes[k + 1 :]:
            assert (
                one["x"] + one["width"] <= two["x"]
                or two["x"] + two["width"] <= one["x"]
                or one["y"] + one["height"] <= two["y"] + 3  # the empty space of a line of text
                or two["y"] + two["height"] <= one["y"] + 3
            )
    points = page.eval_on_selector_all(
        "#plane circle", "(all) => all.map((one) => [one.cx.baseVal.value, one.cy.baseVal.value])"
    )
    # PSNR and LPIPS both fall from method to method: to the left, and down.
    assert points == sorted(points, key=lambda point: -point[0])
    assert points == sorted(points, key=lambda point: point[1])


def test_a_crop_shows_its_pixels_and_opens_the_viewer_there(page):
    page.select_option("#crop-measure", "psnr")
    page.select_option("#crop-method", label="bicubic")
    first = page.locator("#crop-list button").first
    first.scroll_into_view_if_needed()
    until(page, "document.querySelector('.couple canvas').dataset.drawn")
    made, original = page.eval_on_selector_all(
        "#crop-list button:first-child canvas",
        """(all) => all.slice(0, 2).map((one) =>
            [...one.getContext("2d").getImageData(0, 0, 96, 96).data])""",
    )
    made, original = (np.array(one).reshape(96, 96, 4)[..., :3] for one in (made, original))
    np.testing.assert_array_equal(made, original + 20)
    name = first.locator(".name").inner_text()
    first.click()
    assert page.inner_text("#case-name") == name
    assert page.inner_text("#before-label") == "bicubic"
    assert page.inner_text("#after-label") == "HR"


def test_the_crops_are_of_what_a_method_is_worst_in_until_a_measure_is_chosen(
    show, make_evaluation, folder
):
    found = make_evaluation([("Made", "one")], {"bicubic": 20, "dots": 0, "other": 0})
    plain = found.sr

    def dotted(case, method):
        sr = plain(case, method)
        sr[::4, ::4] += 40 if method == "dots" else 0
        return sr

    found.sr = dotted
    report.write(found, folder / "worst.html")
    page = show(folder / "worst.html")
    page.select_option("#crop-method", label="dots")
    assert page.input_value("#crop-measure") == "echoes"
    assert page.inner_text("#crop-note").startswith("Of all artifacts, dots is worst in this one")
    page.select_option("#crop-method", label="bicubic")  # 20 levels too bright
    assert page.input_value("#crop-measure") == "colour_drift"
    page.select_option("#crop-measure", "lpips")
    assert not page.inner_text("#crop-note").startswith("Of all")
    page.select_option("#crop-method", label="dots")
    assert page.input_value("#crop-measure") == "lpips"
    page.select_option("#crop-measure", "checkerboard")
    assert "(HR 0." in page.locator("#crop-list .value").first.inner_text()


def test_published_figures_stand_apart_with_their_sources(show, make_evaluation, folder):
    found = make_evaluation([("Set5", str(number)) for number in range(5)])
    paper = published.load("x4")
    rows = [row for row in paper.rows if row.method != "bicubic"]  # the made photos are others
    paper = paper.model_copy(update={"rows": tuple(rows)})
    report.write(found, folder / "published.html", paper=paper)
    page = show(folder / "published.html")
    assert "Nothing in this table was measured here" in page.inner_text("#published-title")
    like, unlike = page.locator("#published tbody").all()
    assert like.locator("tr").first.inner_text() == "These compare with the means above"
    assert "SRGAN (1.5 M)" in like.inner_text()
    assert "29.40 dB" in like.inner_text()
    assert "Ledig et al." in like.inner_text()
    assert "0.8472" not in like.inner_text()  # the SSIM of another protocol
    assert "it was taken by srgan-paper, and these by y-crop4" in unlike.inner_text()
    assert "29.40" not in page.inner_text("#means")


def test_a_report_without_papers_says_nothing_of_them(page):
    assert page.is_hidden("#published-part")


def test_hostile_names_are_only_text(page):
    assert page.evaluate("typeof pwned") == "undefined"
    page.click("#strip [data-index='1']")
    assert page.inner_text("#case-name") == f"Made / {HOSTILE}"
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("b").count() == 0


def test_without_originals_there_is_nothing_to_compare_with(show, without_originals):
    page = show(without_originals)
    assert page.is_disabled("[data-mode=difference]")
    assert page.is_disabled("[data-mode=overshoot]")
    assert "no HR (reference)" in page.inner_text("#plane")
    assert page.is_hidden("#crops")
    assert page.locator("#panes figcaption").all_inner_texts() == ["LR", "bicubic", "model"]
    assert "\u2013" in page.inner_text("#means")


def test_light_and_dark_follow_the_system_and_the_button(show, usual):
    def paper(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = (show(usual, color_scheme=scheme) for scheme in ("light", "dark"))
    assert paper(light) == "rgb(251, 250, 247)"
    assert paper(dark) == "rgb(22, 22, 20)"
    light.click("#theme")
    assert paper(light) == paper(dark)
    light.click("#theme")
    assert paper(light) == "rgb(251, 250, 247)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_the_contrast_of_wcag_aa(show, usual, scheme):
    page = show(usual, color_scheme=scheme)

    def luminance(colour):
        values = np.array([int(value) for value in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    page.click("[data-mode=difference]")
    grounds = [page.evaluate("getComputedStyle(document.body).backgroundColor")]
    grounds.append(
        page.evaluate("getComputedStyle(document.querySelector('#dataset')).backgroundColor")
    )
    classes = ["note", "kicker", "unit", "way", "best", "better", "worse", "no", "error"]
    classes += [f"series-{number}" for number in range(7)]
    for name in classes:
        colour = page.evaluate(
            """(name) => {
                const one = document.body.appendChild(document.createElement("td"));
                one.className = name;
                const colour = getComputedStyle(one).color;
                one.remove();
                return colour;
            }""",
            name,
        )
        for ground in grounds:
            dark, light = sorted([luminance(colour), luminance(ground)])
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_a_phone_scrolls_in_one_direction_only(show, usual):
    page = show(usual, {"width": 360, "height": 740})
    for index in range(4):
        page.click(f"#strip [data-index='{index}']")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
