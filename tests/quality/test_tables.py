"""Tables say what the evaluation found, in words that their formats allow."""

import csv
import io

import pytest

from srgan.quality import measures, tables


@pytest.fixture
def found(make_evaluation):
    """Five photos, on which each method is 1 dB and 0.03 LPIPS below the one before."""
    cases = [("Set|5_%", str(number)) for number in range(5)]
    return make_evaluation(cases, {"bicubic": 20, "my_model": 12, "a|b": 5})


def test_csv_has_a_row_for_each_set_method_and_measure(found):
    rows = list(csv.DictReader(io.StringIO(tables.write(found, "csv"))))
    assert len(rows) == 3 * len(measures.MEASURES)
    (row,) = (r for r in rows if (r["method"], r["measure"]) == ("my_model", "psnr"))
    assert (row["dataset"], row["photos"], row["mean"]) == ("Set|5_%", "5", "27.0")
    assert (row["reference"], row["difference"], row["verdict"]) == ("bicubic", "-1.0", "lower")
    assert (row["protocol"], row["scale"]) == ("y-crop4", "4")
    (own,) = (r for r in rows if (r["method"], r["measure"]) == ("bicubic", "psnr"))
    assert (own["reference"], own["low"], own["p"]) == ("", "", "")


def test_csv_says_how_many_photos_were_capped(found, monkeypatch):
    (summary,) = found.summaries.values()
    capped = summary._replace(capped={"my_model": {"psnr": 2}})
    monkeypatch.setattr(type(found), "summaries", {summary.dataset: capped})
    rows = list(csv.DictReader(io.StringIO(tables.write(found, "csv"))))
    capped = {(row["method"], row["measure"]): row["capped"] for row in rows}
    assert (capped["my_model", "psnr"], capped["bicubic", "psnr"]) == ("2", "0")


def test_csv_leaves_what_is_not_known_empty(make_evaluation):
    found = make_evaluation(cases=[("Made", "one")], referenced=False)
    rows = csv.DictReader(io.StringIO(tables.write(found, "csv")))
    (row,) = (r for r in rows if (r["method"], r["measure"]) == ("model", "psnr"))
    assert (row["photos"], row["mean"], row["difference"]) == ("0", "", "")


def test_markdown_marks_the_best_and_what_differs(found):
    head, _, *rows = tables.write(found, "markdown").splitlines()
    assert head.startswith("| set (n) | method | PSNR dB \u2191 | SSIM \u2191 | LPIPS \u2193 |")
    assert rows[0].startswith(r"| Set\|5_% (5) | bicubic | **28.00** | **0.5000** | 0.3400 |")
    assert rows[2].startswith(r"| Set\|5_% (5) | a\|b | 26.00\* | **0.5000** | **0.2800**\* |")
    rest = 2 * (len(measures.MEASURES) - 3)
    assert f"6 comparisons of PSNR, SSIM and LPIPS, and for the {rest} of all other" in rows[4]


def test_latex_escapes_names_and_marks_the_best_and_what_differs(found):
    text = tables.write(found, "latex")
    assert r"Set\textbar{}5\_\% (5) & bicubic & \textbf{28.00} & \textbf{0.5000} & 0.3400 &" in text
    assert r" & my\_model & 27.00$^{*}$ & \textbf{0.5000} & 0.3100$^{*}$ &" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in body} == {5}
    assert text.startswith("% Protocol y-crop4, x4")
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("markdown", "| 29.00 | 0.5000 | 0.3550 (n = 2) | 0.5 |"),
        ("latex", r" & 29.00 & 0.5000 & 0.3550 ($n$ = 2) & 0.5 \\"),
    ],
)
def test_means_over_fewer_photos_say_how_many(make_evaluation, form, cells):
    found = make_evaluation([("Made", name) for name in ("one", "two", "three")], {"a": 1})
    scores = found.results[0].scores
    found.results[0] = found.results[0]._replace(scores=scores._replace(lpips=float("nan")))
    assert cells in tables.write(found, form)
    rows = csv.DictReader(io.StringIO(tables.write(found, "csv")))
    assert {row["measure"]: row["photos"] for row in rows if row["photos"] != "3"} == {"lpips": "2"}


def test_notes_name_photos_that_are_left_out(make_evaluation):
    cases = [("Made", str(number)) for number in range(6)]
    failed = [(str(number), "model") for number in range(4)]
    assert tables.notes(make_evaluation(cases, failed=failed)) == [
        "Made: means are over 2 of 6 photos, those that all methods have. Left out for want of a "
        "result: 0 (model); 1 (model); 2 (model) and 1 more."
    ]


def test_notes_count_measures_that_do_not_apply_and_photos_without_error(make_evaluation):
    found = make_evaluation(cases=[("Made", name) for name in ("one", "two", "three")])
    for k in (1, 3):  # the second method, on two of three photos
        scores = found.results[k].scores
        found.results[k] = found.results[k]._replace(
            scores=scores._replace(lpips=float("nan"), psnr=100.0)
        )
    notes = tables.notes(found)
    assert [note for note in notes if "LPIPS is over 1 of" in note]
    assert [note for note in notes if "PSNR of model: " in note and "count as 100 dB" in note]


def test_a_note_says_why_a_measure_applies_to_no_photo(make_evaluation):
    found = make_evaluation(cases=[("Made", "one")])
    found.results = [
        result._replace(
            scores=result.scores._replace(lpips=float("nan")), reasons={"lpips": "It is tiny."}
        )
        for result in found.results
    ]
    assert tables.notes(found) == [
        "Made: LPIPS is over 0 of 1 photos, those that it applies to in all methods. It is tiny."
    ]


def test_notes_name_lr_images_that_papers_do_not_use(make_evaluation):
    found = make_evaluation(cases=[("Made", "one")])
    found.provenance = {"data": {"Made": {"lr": {"a box filter": 1}}}}
    (note,) = tables.notes(found)
    assert "1 of 1 photos are not MATLAB's bicubic but a box filter" in note
    found.provenance = {"data": {"Made": {"lr": {"MATLAB's bicubic": 1}}}}
    assert tables.notes(found) == []


def test_the_terminal_shows_how_many_photos_are_behind_the_means(found):
    head, _, first, *_ = tables.terminal(found).splitlines()
    assert head.split()[:4] == ["set", "method", "n", "PSNR"]
    assert first.split()[:4] == ["Set|5_%", "bicubic", "5", "28.00"]


def test_differences_of_few_photos_are_said_to_tell_nothing(make_evaluation):
    lines = tables.differences(make_evaluation(cases=[("Made", "one")]))
    assert lines[0] == "Made  model  PSNR -1.00  (too few photos to tell)"
