"""Published figures stand beside measured ones only where both were taken in the same way."""

import json
import re
from decimal import Decimal

import pytest

from srgan.quality import published


@pytest.fixture
def found(make_evaluation):
    return make_evaluation([("set5", str(number)) for number in range(5)])


@pytest.fixture
def paper():
    """The shipped figures, with a bicubic that is the made evaluation's."""
    shipped = published.load("x4")
    rows = [
        row.model_copy(update={"scores": row.scores | {"psnr": Decimal(28)}})
        if row.method == "bicubic"
        else row
        for row in shipped.rows
    ]
    return shipped.model_copy(update={"rows": tuple(rows)})


def figures(found, paper):
    return {(one.row.method, one.measure): one for one in published.beside(found, paper)}


def test_shipped_figures_each_have_a_source():
    rows = published.load("x4").rows
    assert {row.method for row in rows} == {
        *("bicubic", "SRResNet", "SRGAN", "ESRGAN", "SPSR"),
        *("EDSR-baseline", "RLFN, the NTIRE 2024 baseline"),
    }
    paper = r"CVPR 20\d\d, pp\. \d+-\d+ .+, table \d(, to three digits)?$"
    where = rf"{paper}|README of .+, (table [\w -]+, where|How to)"
    for row in rows:
        assert re.search(rf" et al\., .+, ({where})", row.source)
    assert {(row.dataset, row.photos) for row in rows} == {
        *(("Set5", 5), ("Set14", 14), ("BSD100", 100), ("LSDIR_DIV2K_valid", 200))
    }


def test_figures_of_the_same_protocol_and_photos_compare(found, paper):
    shown = figures(found, paper)
    assert {one.row.dataset for one in shown.values()} == {"Set5"}
    srgan = shown["SRGAN", "psnr"]
    assert (srgan.text, srgan.objection) == ("29.40", "")


def test_the_ssim_of_the_srgan_paper_compares_with_its_own_alone(found, paper):
    assert figures(found, paper)["SRGAN", "ssim"].objection == (
        "it was taken by srgan-paper, and these by y-crop4"
    )
    found.protocol = "srgan-paper"
    shown = figures(found, paper)
    assert (shown["SRGAN", "ssim"].text, shown["SRGAN", "ssim"].objection) == ("0.8472", "")
    assert shown["SRGAN", "psnr"].objection == ""


def test_photos_of_the_same_names_are_told_by_their_bicubic(found):
    assert figures(found, published.load("x4"))["SRGAN", "psnr"].objection == (
        "bicubic has 28.00 dB on these photos, and 28.43 dB in the file: they are others"
    )


def test_a_row_may_have_another_protocol_than_its_file(found, paper):
    rows = (
        row.model_copy(update={"protocols": {"ssim": "y-crop4"}}) if row.method == "SRGAN" else row
        for row in paper.rows
    )
    shown = figures(found, paper.model_copy(update={"rows": tuple(rows)}))
    assert shown["SRGAN", "ssim"].objection == ""
    assert "taken by srgan-paper" in shown["SRResNet", "ssim"].objection
    assert "does not say in full" in shown["EDSR-baseline", "psnr"].objection


def test_figures_that_do_not_compare_say_why(found):
    paper = published.load("x4")
    assert "does not say in full" in figures(found, paper)["ESRGAN", "lpips"].objection
    found.protocol = "rgb"
    assert figures(found, paper)["ESRGAN", "psnr"].objection == (
        "it was taken by y-crop4, and these by rgb"
    )
    lines = published.lines(found, paper)
    assert lines[1] == "These do not compare:"
    assert all("29.40" not in line for line in lines[:2])


def test_other_photos_and_other_lr_images_do_not_compare(found, make_evaluation):
    paper = published.load("x4")
    fewer = make_evaluation([("Set5", "one")])
    assert figures(fewer, paper)["SRGAN", "psnr"].objection == (
        "it is over 5 photos, and these over 1"
    )
    found.provenance = {"data": {"set5": {"lr": {"a box filter": 5}}}}
    assert "not MATLAB's bicubic" in figures(found, paper)["SRGAN", "psnr"].objection


def test_other_sets_and_scales_have_no_figures(make_evaluation):
    other = make_evaluation([("Mine", "one")])
    assert published.lines(other, published.load("x4")) == [
        "Published figures at x4, of LR images by MATLAB's bicubic: none of these datasets at x4."
    ]


ROW = {"method": "a", "dataset": "b", "photos": 1, "scale": 4, "source": "c", "scores": {"psnr": 1}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": ""}, r"rows\.0\.source: "),
        ({"scores": {"vmaf": 90}}, r"rows\.0\.scores: .*\['vmaf'\] measures; expected some of"),
        ({"page": 3}, r"rows\.0\.page: "),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, change, message):
    file = tmp_path / "paper.json"
    text = {"title": "t", "protocols": {"psnr": "y-crop4"}, "rows": [ROW]}
    file.write_text(json.dumps(text))
    assert published.load(str(file)).rows[0].scores == {"psnr": 1}
    file.write_text(json.dumps(text | {"rows": [ROW | change]}))
    with pytest.raises(ValueError, match=message):
        published.load(str(file))


def test_a_missing_file_is_named_with_those_there_are():
    with pytest.raises(FileNotFoundError, match=r"no figures x3; expected a JSON file, or x4"):
        published.load("x3")


@pytest.mark.parametrize(
    ("measure", "protocol", "other", "same"),
    [
        ("psnr", "y-crop4", "srgan-paper", True),
        ("ssim", "y-crop4", "srgan-paper", False),
        ("psnr", "y-crop4", "rgb-crop4", False),
        ("lpips", "y-crop4", "rgb", True),
    ],
)
def test_the_protocol_of_the_srgan_paper_differs_in_ssim_alone(measure, protocol, other, same):
    assert published._is_same(measure, protocol, other) == same


def test_an_unknown_protocol_in_a_file_is_refused(tmp_path):
    row = {"method": "A", "dataset": "Made", "photos": 1, "scale": 4, "source": "us"}
    text = {"title": "Ours", "protocols": {"psnr": "foo"}, "rows": [row | {"scores": {"psnr": 30}}]}
    (tmp_path / "own.json").write_text(json.dumps(text))
    with pytest.raises(ValueError, match="There is no protocol 'foo'"):
        published.load(str(tmp_path / "own.json"))
