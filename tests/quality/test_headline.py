"""The headline names a winner only where the photos show that it is one."""

import numpy as np
import pytest

from srgan.quality import headline
from srgan.quality.datasets import Case
from srgan.quality.metrics import Scores
from srgan.quality.summary import ImageResult, Table, judge


def tables(photos, **psnrs):
    """Of one dataset; each method has a mean PSNR, and a deviation of its own between photos."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 3, photos)
    results = []
    for name, (mean, deviation) in psnrs.items():
        noise = rng.normal(0, 1, photos)
        noise = (noise - noise.mean()) / (noise.std() or 1)
        for k, value in enumerate(mean + base + deviation * noise):
            scores = Scores(*[np.nan] * len(Scores._fields))._replace(psnr=float(value))
            results.append(ImageResult(Case("Made", str(k)), name, scores, "", {}))
    return [Table("Made", list(psnrs), results, {})]


def found(made, reference):
    differences = judge([row for table in made for row in table.differences(reference)])
    return headline.find(made, differences, reference), differences


@pytest.mark.parametrize("reference", ["a", "b", "c"])
def test_a_winner_is_named_where_it_is_shown_to_differ_from_all(reference):
    (one,), _ = found(tables(20, a=(30, 0), b=(31, 0.1), c=(29, 0.1)), reference)
    assert list(one.means) == ["b"]
    said = headline.sentences([one])
    assert said.startswith("b is closest to HR pixel by pixel (PSNR 3")


@pytest.mark.parametrize("reference", ["a", "b", "c"])
def test_no_winner_is_named_where_the_interval_of_one_pair_holds_zero(reference):
    (one,), _ = found(tables(20, a=(31, 0), b=(31.02, 1.0), c=(29, 0.1)), reference)
    assert list(one.means) == ["b", "a"]
    said = headline.sentences([one])
    assert said.startswith("No difference shown between b and a pixel by pixel (PSNR 3")


def test_the_headline_agrees_with_the_verdicts_on_the_reference():
    for gap in np.linspace(0, 1.5, 16):
        (one,), rows = found(tables(8, a=(31, 0), b=(31 + gap, 0.8)), "a")
        (row,) = rows
        assert (list(one.means) == ["b"]) == (row.verdict == "higher")


def test_pairs_without_the_reference_are_corrected_for_their_number():
    made = tables(12, a=(20, 0), b=(31, 0.5), c=(30.4, 0.5))
    alone, _ = found(made, "a")
    many = {f"m{k}": (25, 0.5) for k in range(12)}
    crowded, _ = found(tables(12, a=(20, 0), b=(31, 0.5), c=(30.4, 0.5), **many), "a")
    assert list(alone[0].means) == ["b"]
    assert list(crowded[0].means) == ["b", "c"]


@pytest.mark.parametrize(("photos", "words"), [(1, "1 photo is"), (4, "4 photos are")])
def test_few_photos_name_nobody(photos, words):
    heads, _ = found(tables(photos, a=(30, 0), b=(35, 0.1)), "a")
    assert headline.sentences(heads) == (
        f"{words} too few to tell which method is closest to HR; it takes 5 or more."
    )


def test_one_method_alone_makes_no_headline():
    heads, _ = found(tables(9, a=(30, 0)), "a")
    assert (heads, headline.sentences(heads)) == ([], "")
