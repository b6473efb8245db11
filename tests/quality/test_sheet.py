"""Contact sheets show the pixels that they say, and keep them in the file."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from srgan.quality import sheet


@pytest.fixture
def found(make_evaluation):
    return make_evaluation([("Made", "one"), ("Made", "two"), ("Other", "two")], noise=10)


def test_a_window_is_read():
    assert sheet.window("a:b/c:1,20,8x16") == ("a:b/c", 1, 20, 8, 16)


@pytest.mark.parametrize("text", ["baby", "baby:1,2", "baby:1,2,3", "baby:-1,2,3x4", "b:1,2,0x4"])
def test_what_is_no_window_is_refused(text):
    with pytest.raises(ValueError, match=r"is no window; expected PHOTO:LEFT,TOP,WIDTHxHEIGHT"):
        sheet.window(text)


def holds(picture, part):
    """Whether a part is somewhere in a picture, to the pixel."""
    height, width = part.shape[:2]
    rows, columns = np.nonzero((picture[: -height + 1, : -width + 1] == part[0, 0]).all(axis=2))
    return any(
        np.array_equal(picture[y : y + height, x : x + width], part)
        for y, x in zip(rows, columns, strict=True)
    )


def test_a_row_has_the_window_of_lr_of_each_method_and_of_hr(found):
    drawn = sheet.draw(found, [sheet.window("Made/two:16,8,40x24")])
    case = found.cases[1]
    enlarged = found.lr(case).repeat(4, axis=0).repeat(4, axis=1)
    shown = [enlarged, found.sr(case, "bicubic"), found.sr(case, "model"), found.hr(case)]
    for image in shown:
        part = image[8:32, 16:56].repeat(5, axis=0).repeat(5, axis=1)
        assert holds(drawn, part)
    assert (drawn == (220, 30, 30)).all(axis=2).sum() > 50  # the box in the whole photo


def test_a_narrow_window_makes_no_larger_sheet_than_a_wide_one(make_evaluation):
    found = make_evaluation([("Made", "one")], noise=10)
    height, width = (4 * side for side in found.lr(found.cases[0]).shape[:2])
    narrow = sheet.draw(found, [sheet.window(f"one:0,0,1x{height}")])
    wide = sheet.draw(found, [sheet.window(f"one:0,0,{width}x{height}")])
    assert narrow.size < 3 * wide.size


def test_each_window_is_a_row(found):
    one = sheet.draw(found, [sheet.window("one:0,0,40x24")])
    two = sheet.draw(found, [sheet.window("one:0,0,40x24"), sheet.window("Other/two:0,0,40x24")])
    assert two.shape[1] == one.shape[1]
    assert two.shape[0] > 1.6 * one.shape[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobody:0,0,8x8", r"no photo nobody; expected one such as Made/one, Made/two"),
        ("two:0,0,8x8", r"are 2 photos two; expected one such as Made/two, Other/two"),
        ("one:0,0,999x8", r"window 999x8 at 0,0 is not within Made/one, which is 144x96"),
    ],
)
def test_windows_that_are_not_there_are_named(found, text, message):
    with pytest.raises(ValueError, match=message):
        sheet.draw(found, [sheet.window(text)])


def test_without_hr_and_with_a_failure_the_rest_is_shown(make_evaluation):
    found = make_evaluation([("Made", "one")], failed=[("one", "model")], referenced=False)
    drawn = sheet.draw(found, [sheet.window("one:0,0,40x24")])
    part = found.sr(found.cases[0], "bicubic")[:24, :40].repeat(5, axis=0).repeat(5, axis=1)
    assert holds(drawn, part)


def test_a_method_without_a_result_leaves_a_gap_that_is_crossed_out(make_evaluation):
    cases, window = [("Made", "one")], sheet.window("one:16,8,40x24")
    whole = sheet.draw(make_evaluation(cases, noise=10), [window])
    drawn = sheet.draw(make_evaluation(cases, noise=10, failed=[("one", "model")]), [window])
    assert drawn.shape == whole.shape  # the other crops are where they were
    gap = np.full((24, 40, 3), 232, np.uint8)
    gap[[0, 0, -1, -1], [0, -1, 0, -1]] = 150  # the ends of a cross
    corner = gap[:2, :2].repeat(5, axis=0).repeat(5, axis=1)
    assert not holds(whole, corner)
    grey = (drawn == 232).all(axis=2) | (drawn == 150).all(axis=2)
    assert 0.9 * 24 * 40 * 25 < grey.sum() <= 1.1 * 24 * 40 * 25


def test_png_and_pdf_keep_every_pixel(tmp_path):
    drawn = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    sheet.save(drawn, tmp_path / "sheet.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), drawn)
    sheet.save(drawn, tmp_path / "sheet.pdf")
    pdf = (tmp_path / "sheet.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    (stream,) = re.findall(rb"/JPXDecode.*?stream\n(.*?)\nendstream", pdf, re.DOTALL)
    held = Image.open(io.BytesIO(stream)).convert("RGB")
    np.testing.assert_array_equal(np.asarray(held), drawn)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"sheet\.jpg is no sheet; expected \.png or \.pdf"):
        sheet.save(np.zeros((4, 4, 3), np.uint8), tmp_path / "sheet.jpg")
