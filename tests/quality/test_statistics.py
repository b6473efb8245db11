"""Intervals hold what they promise, in simulation, for as few photos as they are given for."""

import numpy as np
import pytest
from scipy import stats

from srgan.quality import statistics, summary

TRIALS = 300
SPREADS = {  # of differences, with mean 0
    "normal": lambda rng, size: rng.normal(size=size),
    "uniform": lambda rng, size: rng.uniform(-1, 1, size),
    "some far from the rest": lambda rng, size: rng.standard_t(3, size=size),
    "skewed": lambda rng, size: rng.gamma(4, size=size) - 4,
    "very skewed": lambda rng, size: rng.exponential(size=size) - 1,
}
FIVE_CANNOT_TELL = {"skewed": 0.935, "very skewed": 0.885}  # what benchmarks/intervals.py finds


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("photos", [5, 14, 24, 100])
@pytest.mark.parametrize("spread", SPREADS)
def test_intervals_hold_the_true_mean_19_times_of_20(spread, photos, rng):
    found = statistics.intervals(SPREADS[spread](rng, (photos, TRIALS)))
    held = np.mean((found.low <= 0) & (found.high >= 0))
    share = FIVE_CANNOT_TELL.get(spread, 0.95) if photos == 5 else 0.95
    assert held >= share - 3 * np.sqrt(0.95 * 0.05 / TRIALS)  # standard errors of the trials


@pytest.mark.parametrize("photos", [5, 14, 100])
def test_intervals_are_little_wider_than_the_best_there_are(photos, rng):
    differences = rng.normal(size=(photos, TRIALS))
    found = statistics.intervals(differences)
    error = differences.std(axis=0, ddof=1) / np.sqrt(photos)
    exact = 2 * stats.t.ppf(0.975, photos - 1) * error
    assert np.median((found.high - found.low) / exact) < {5: 1.001, 14: 1.1, 100: 1.05}[photos]


@pytest.mark.parametrize("photos", [5, 14, 100])
def test_twenty_comparisons_without_a_difference_show_one_in_at_most_a_twentieth(photos, rng):
    evaluations, comparisons = 40, 20
    found = statistics.intervals(rng.normal(size=(photos, evaluations * comparisons)))
    corrected = [statistics.holm(p) for p in found.p.reshape(evaluations, comparisons)]
    wrong = sum(min(row) < 0.05 for row in corrected)
    assert wrong <= stats.binom.ppf(0.999, evaluations, 0.05)
    assert any(p < 0.05 for p in found.p)  # uncorrected, they do


def test_students_distribution_matches_scipy():
    t = np.array([0.0, 0.3, -1.0, 2.5, 7.0, 30.0])
    for freedom in (1, 2, 3, 4, 13, 24, 99):
        expected = 2 * stats.t.sf(np.abs(t), freedom)
        np.testing.assert_allclose(statistics.t_tails(t, freedom), expected, atol=1e-13)
        assert statistics.t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom))


def test_p_values_match_scipy(rng):
    differences = rng.normal(0.2, 1, (14, 3))
    expected = stats.ttest_1samp(differences, 0).pvalue
    np.testing.assert_allclose(statistics.intervals(differences).p, expected)


def test_holms_correction_by_hand():
    # Sorted: 0.01 x 4, 0.015 x 3, 0.03 x 2 and 0.04 x 1, none below the one before.
    corrected = statistics.holm([0.04, 0.01, float("nan"), 0.03, 0.015])
    np.testing.assert_allclose(corrected, [0.06, 0.04, np.nan, 0.06, 0.045])
    assert statistics.holm([0.9, 0.8]) == [1, 1]


def test_a_constant_difference_is_certain():
    found = statistics.intervals(np.full((5, 1), 0.1))
    np.testing.assert_allclose([found.low, found.high], 0.1)
    assert found.p == 0


def test_no_difference_at_all_is_no_difference():
    found = statistics.intervals(np.zeros((5, 1)))
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_equal_photos_but_one_leave_a_finite_interval():
    differences = np.zeros((10, 1))
    differences[0] = 1
    found = statistics.intervals(differences)
    reach = stats.t.ppf(0.975, 9) * differences.std(ddof=1) / np.sqrt(10)
    assert found.low == pytest.approx(0.1 - reach)
    assert np.isfinite(found.high)


def test_fewer_than_five_photos_are_too_few_to_tell(rng):
    few = statistics.intervals(rng.normal(10, 0.1, (statistics.FEWEST - 1, 2)))
    assert np.isnan([few.low, few.high, few.p]).all()
    np.testing.assert_allclose(few.mean, 10, atol=0.5)
    assert np.isfinite(statistics.intervals(rng.normal(10, 0.1, (statistics.FEWEST, 2))).low).all()


def test_the_main_measures_are_corrected_by_themselves():
    rows = [
        summary.Difference("Set5", "a", "b", measure, 9, 1.0, 0.5, 1.5, 0.02, summary.TOO_FEW)
        for measure in ("psnr", "lpips", *["grid"] * 8)
    ]
    judged = summary.judge(rows)
    assert [row.p for row in judged[:2]] == [0.04, 0.04]
    assert {row.verdict for row in judged[:2]} == {"higher"}
    assert [row.p for row in judged[2:]] == [0.16] * 8
    assert {row.verdict for row in judged[2:]} == {summary.NOT_SHOWN}
