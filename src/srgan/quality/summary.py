"""What the scores of a dataset come to: means over the same photos, and differences of them."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from srgan.quality import statistics
from srgan.quality.datasets import Case
from srgan.quality.methods import ORIGINAL
from srgan.quality.metrics import PSNR_CAP, Scores

TOO_FEW = "too few photos to tell"
NOT_SHOWN = "no difference shown"
Verdict = Literal["higher", "lower", "no difference shown", "too few photos to tell"]

MAIN = ("psnr", "ssim", "lpips")
"""Measures that evaluations are about; the others tell why."""

_CAPPED = ("psnr", "lr_psnr")
_CERTAIN = 0.05  # corrected p value below which a difference is shown


class ImageResult(NamedTuple):
    """What one method made of one photo."""

    case: Case
    method: str
    scores: Scores | None  # None if it failed; NaN in measures that do not apply
    error: str  # why it failed, or ""
    reasons: Mapping[str, str]  # why measures do not apply, by their names


class Summary(NamedTuple):
    """Means of one dataset, each over the photos that all methods have.

    A method that failed on every photo has no means, and leaves those of the others alone.
    """

    dataset: str
    means: dict[str, Scores]  # of each method, then of the HR images if they are known
    photos: dict[str, int]  # behind the means, of each measure
    capped: dict[str, dict[str, int]]  # of these, equal to HR and counted as 100 dB; by method
    left_out: dict[str, list[str]]  # photos that some methods, which follow, have no result of

    @property
    def methods(self) -> list[str]:
        """Those that have means, without the HR images."""
        return [name for name in self.means if name != ORIGINAL]


class Difference(NamedTuple):
    """How much one method scores above another: the mean over photos that all methods have."""

    dataset: str
    method: str
    other: str
    measure: str
    photos: int
    mean: float
    low: float  # of the 95 % interval of this comparison alone; see `statistics.intervals`
    high: float
    p: float  # corrected for the number of comparisons; see `judge`
    verdict: Verdict


class Table:
    """The scores of one dataset: photos x methods x measures.

    Args:
        dataset: Its name.
        methods: Names, in the order of the summary.
        results: Of any datasets.
        originals: What the HR images themselves score, likewise.
    """

    def __init__(
        self,
        dataset: str,
        methods: Sequence[str],
        results: Sequence[ImageResult],
        originals: Mapping[Case, Scores],
    ):
        own = [result for result in results if result.case.dataset == dataset]
        self.dataset = dataset
        self._cases = list(dict.fromkeys(result.case for result in own))
        self._methods = list(methods)
        known = {(result.case, result.method): result.scores for result in own}
        known |= {(case, ORIGINAL): s for case, s in originals.items() if case.dataset == dataset}
        names = [*methods, ORIGINAL]
        blank = [math.nan] * len(Scores._fields)
        self._values = np.array(
            [[known.get((case, name)) or blank for name in names] for case in self._cases]
        )
        found: np.ndarray = np.array(
            [[bool(known.get((c, m))) for m in methods] for c in self._cases], bool
        )
        self._missing = ~found & np.any(found, axis=0)  # of methods that made something
        # Of each measure, the photos on which all have it that have it at all.
        has = ~np.isnan(self._values)
        used = (has | ~has.any(axis=0)).all(axis=1) & has.any(axis=(0, 1))
        self._used = np.asarray(used)  # (photos, measures)

    def summary(self) -> Summary:
        """Returns the means."""
        columns = {
            measure: self._values[self._used[:, k], :, k]
            for k, measure in enumerate(Scores._fields)
        }
        means = np.array(
            [
                column.mean(axis=0) if len(column) else self._values[0, :, 0] * math.nan
                for column in columns.values()
            ]
        ).T
        names = [*self._methods, ORIGINAL]
        rows = {name: Scores(*map(float, row)) for name, row in zip(names, means, strict=True)}
        if np.isnan(self._values[:, -1]).all():
            del rows[ORIGINAL]
        capped = {
            name: counts
            for m, name in enumerate(self._methods)
            if (
                counts := {
                    measure: count
                    for measure in _CAPPED
                    if (count := int(np.sum(columns[measure][:, m] >= PSNR_CAP)))
                }
            )
        }
        left_out = {
            case.name: [name for name, lacks in zip(self._methods, row, strict=True) if lacks]
            for case, row in zip(self._cases, self._missing, strict=True)
            if row.any()
        }
        photos = {measure: len(column) for measure, column in columns.items()}
        return Summary(self.dataset, rows, photos, capped, left_out)

    def differences(
        self, reference: str, measures: Sequence[str] = Scores._fields
    ) -> list[Difference]:
        """Returns those of every other method to a reference, with p values not yet corrected."""
        place = self._methods.index(reference)
        others = [m for m in range(len(self._methods)) if m != place]
        found: dict[tuple[int, str], Difference] = {}
        for measure in measures:
            k = Scores._fields.index(measure)
            values = self._values[self._used[:, k], :, k]
            columns = values[:, others] - values[:, [place]]
            if not len(columns):
                continue
            known = ~np.isnan(columns).any(axis=0)
            numbers = np.full((4, len(others)), math.nan)
            numbers[:, known] = statistics.intervals(columns[:, known])
            for m, (mean, low, high, p) in zip(others, numbers.T.tolist(), strict=True):
                photos = len(columns) if not math.isnan(mean) else 0
                found[m, measure] = Difference(
                    *(self.dataset, self._methods[m], reference, measure, photos),
                    *(mean, low, high, p, TOO_FEW),
                )
        return [found[m, k] for m in others for k in measures if (m, k) in found]


def judge(differences: Sequence[Difference]) -> list[Difference]:
    """Returns all differences that are offered together with corrected p values, and verdicts.

    A difference is shown if its corrected p is below 0.05 and its interval leaves out 0. The
    correction is for the number of comparisons in `MAIN`, and for those in all other measures.
    """
    p = np.array([row.p for row in differences])
    main = np.array([row.measure in MAIN for row in differences], bool)
    for family in (main, ~main):
        p[family] = statistics.holm(p[family].tolist())
    return [
        row._replace(p=corrected, verdict=_verdict(row, corrected))
        for row, corrected in zip(differences, p.tolist(), strict=True)
    ]


def _verdict(row: Difference, p: float) -> Verdict:
    if math.isnan(p):
        return TOO_FEW
    if p >= _CERTAIN or row.low <= 0 <= row.high:
        return NOT_SHOWN
    return "higher" if row.mean > 0 else "lower"
