"""Which method is closest to HR, as far as the photos tell."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from srgan.quality import statistics
from srgan.quality.measures import MEASURES
from srgan.quality.summary import NOT_SHOWN, TOO_FEW, Difference, Table, judge

_WON = {"psnr": "is closest to HR pixel by pixel", "lpips": "looks most like HR"}
_WHERE = {"psnr": "pixel by pixel", "lpips": "in looks"}


class Headline(NamedTuple):
    """What one measure says of all methods of a dataset."""

    dataset: str
    measure: str  # psnr or lpips
    photos: int
    means: dict[str, float]  # of the best method, then of those not shown to be worse


def find(
    tables: Sequence[Table], differences: Sequence[Difference], reference: str
) -> list[Headline]:
    """Returns the best methods of every dataset, by PSNR and LPIPS.

    Whether another is worse than the best one is told by `differences` if one of the two is the
    reference. All other pairs of methods are compared here, and corrected for their number.
    """
    verdicts = {_key(row): row.verdict for row in differences}
    verdicts |= {_key(row): row.verdict for row in judge(_other_pairs(tables, reference))}
    found = []
    for summary in (table.summary() for table in tables):
        for measure in _WON:
            means = {
                name: mean
                for name in summary.methods
                if not math.isnan(mean := getattr(summary.means[name], measure))
            }
            if len(means) < 2:
                continue
            best, *others = sorted(means, key=lambda m: MEASURES[measure].lack(means[m]))
            rivals = [
                name
                for name in others
                if verdicts.get((summary.dataset, measure, frozenset((best, name))), TOO_FEW)
                in (NOT_SHOWN, TOO_FEW)
            ]
            photos = summary.photos[measure]
            named = {name: means[name] for name in (best, *rivals)}
            found.append(Headline(summary.dataset, measure, photos, named))
    return found


def sentences(headlines: Sequence[Headline]) -> str:
    """Returns what headlines of one dataset say, "" if nothing.

    Example:
        >>> sentences([Headline("Set14", "psnr", 14, {"a": 28.1, "b": 28.06})])
        'No difference shown between a and b pixel by pixel (PSNR 28.10 dB and 28.06 dB).'
        >>> sentences([Headline("Set14", "lpips", 14, {"a": 0.1})])
        'a looks most like HR (LPIPS 0.1000).'
    """
    if headlines and all(one.photos < statistics.FEWEST for one in headlines):
        return (
            f"{_few(headlines[0])} to tell which method is closest to HR; it takes "
            f"{statistics.FEWEST} or more."
        )
    return " ".join(map(_sentence, headlines))


def _sentence(one: Headline) -> str:
    measure = MEASURES[one.measure]
    if one.photos < statistics.FEWEST:
        return f"{_few(one)} to tell which method is best in {measure.label}."
    scores = [f"{measure.format(mean)} {measure.unit}".rstrip() for mean in one.means.values()]
    said = f"({measure.label} {_listed(scores)})."
    if len(one.means) == 1:
        return f"{next(iter(one.means))} {_WON[one.measure]} {said}"
    return f"No difference shown between {_listed([*one.means])} {_WHERE[one.measure]} {said}"


def _few(one: Headline) -> str:
    return "1 photo is too few" if one.photos == 1 else f"{one.photos} photos are too few"


def _other_pairs(tables: Sequence[Table], reference: str) -> list[Difference]:
    """The differences between all methods but the reference."""
    rows = []
    for table in tables:
        names = [name for name in table.summary().methods if name != reference]
        pairs = [*combinations(names, 2)]
        for other in dict.fromkeys(other for _, other in pairs):
            rows += [
                row for row in table.differences(other, [*_WON]) if (row.method, other) in pairs
            ]
    return rows


def _key(row: Difference) -> tuple[str, str, frozenset[str]]:
    return row.dataset, row.measure, frozenset((row.method, row.other))


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
