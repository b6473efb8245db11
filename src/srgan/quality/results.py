"""What an evaluation found: scores, how sure their differences are, and the images."""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from srgan.io import images
from srgan.quality import metrics
from srgan.quality.datasets import Case, Photo, read_photo
from srgan.quality.methods import ORIGINAL, Method, Source
from srgan.util import jsonable

_RESAMPLES = 10_000  # of the bootstrap
_FEWEST = 3  # photos for an interval


class ImageResult(NamedTuple):
    """What one method made of one photo."""

    case: Case
    method: str
    scores: metrics.Scores | None  # None if it failed
    error: str  # why it failed, or ""


class Interval(NamedTuple):
    """How much one method scores above another: the mean over photos that both enlarged."""

    dataset: str
    method: str
    other: str
    measure: str
    mean: float
    low: float  # of the 95 % interval
    high: float


@dataclass(frozen=True)
class Evaluation:
    """Scores, and the images that they are of.

    Attributes:
        protocol: Name of the protocol of PSNR and SSIM.
        scale: Factor from lr to hr.
        methods: Bicubic first.
        cases: All photos, dataset by dataset.
        results: Of each case, one a method, in their order.
        originals: What the HR images themselves score in the measures that need none.
        provenance: Versions, and the sha256 of models and data.
    """

    protocol: str
    scale: int
    methods: list[Method]
    cases: list[Case]
    results: list[ImageResult]
    originals: dict[Case, metrics.Scores]
    provenance: dict[str, Any]
    _photos: dict[Case, Photo]
    _sources: dict[str, Source]
    _folder: Path

    def result(self, case: Case, method: str) -> ImageResult:
        """Returns what a method made of a photo."""
        return self._by_case[case, method]

    def lr(self, case: Case) -> np.ndarray:
        """Returns the LR image of a photo, uint8."""
        return read_photo(self._photos[case], self.scale)[1]

    def hr(self, case: Case) -> np.ndarray | None:
        """Returns the original of a photo, uint8, cropped to a multiple of the scale."""
        return read_photo(self._photos[case], self.scale)[0]

    def sr(self, case: Case, method: str) -> np.ndarray | None:
        """Returns a photo enlarged by a method, uint8, or None if that failed."""
        if self.result(case, method).scores is None:
            return None
        source = self._sources[method]
        if source.kept:
            return images.read_uint8(kept_file(self._folder, case, method))
        return source.enlarge(case, self.lr(case))

    def means(self, dataset: str) -> dict[str, metrics.Scores]:
        """Returns the mean scores of each method over the photos that it enlarged.

        After the methods come the HR images, as "HR", if they are known. A photo that has no score
        in a measure, as a flat one in sharpness, is left out of its mean.
        """
        rows: dict[str, list[metrics.Scores]] = {method.name: [] for method in self.methods}
        for result in self.results:
            if result.scores and result.case.dataset == dataset:
                rows[result.method].append(result.scores)
        originals = [s for case, s in self.originals.items() if case.dataset == dataset]
        if originals:
            rows[ORIGINAL] = originals
        return {name: metrics.mean(scores) for name, scores in rows.items()}

    @property
    def datasets(self) -> list[str]:
        """The names of the datasets."""
        return list(dict.fromkeys(case.dataset for case in self.cases))

    @cached_property
    def differences(self) -> list[Interval]:
        """Every method against every other before it, with a paired bootstrap.

        The photos are drawn anew, with replacement, 10,000 times, the same for both methods; the
        interval is from the 2.5th to the 97.5th percentile of the means (Efron 1979). If it holds
        0, the photos do not show a difference. Of fewer than 3 photos that have the measure, there
        is none.
        """
        return [
            interval
            for dataset in self.datasets
            for other, method in combinations([m.name for m in self.methods], 2)
            for interval in self._differences(dataset, method, other)
        ]

    def to_json(self) -> dict[str, Any]:
        """Returns everything but the images, fit for JSON: NaN is None, and infinity "inf"."""
        return {
            "protocol": self.protocol,
            "scale": self.scale,
            "methods": [method._asdict() for method in self.methods],
            "means": {
                dataset: {name: to_json(scores) for name, scores in self.means(dataset).items()}
                for dataset in self.datasets
            },
            "differences": [
                {k: jsonable.plain(v) for k, v in interval._asdict().items()}
                for interval in self.differences
            ],
            "images": [
                result.case._asdict()
                | {"method": result.method, "error": result.error}
                | {"scores": result.scores and to_json(result.scores)}
                for result in self.results
            ],
            "originals": [
                case._asdict() | {"scores": to_json(scores)}
                for case, scores in self.originals.items()
            ],
            "provenance": self.provenance,
        }

    @cached_property
    def _by_case(self) -> dict[tuple[Case, str], ImageResult]:
        return {(result.case, result.method): result for result in self.results}

    def _differences(self, dataset: str, method: str, other: str) -> list[Interval]:
        differences = [
            np.subtract(one, two)
            for case in self.cases
            if case.dataset == dataset
            and (one := self.result(case, method).scores)
            and (two := self.result(case, other).scores)
        ]
        found = []
        columns = np.array(differences).reshape(-1, len(metrics.Scores._fields)).T
        for measure, column in zip(metrics.Scores._fields, columns, strict=True):
            values = column[~np.isnan(column)]
            if len(values) >= _FEWEST:
                low, high = np.percentile(_counts(len(values)) @ values / len(values), [2.5, 97.5])
                mean = float(values.mean())
                found.append(
                    Interval(dataset, method, other, measure, mean, float(low), float(high))
                )
        return found


@cache
def _counts(photos: int) -> np.ndarray:
    """How often each photo is drawn in each of the bootstrap's samples."""
    drawn = np.random.default_rng(0).integers(photos, size=(_RESAMPLES, photos))
    return np.stack([np.bincount(row, minlength=photos) for row in drawn])


def kept_file(folder: Path, case: Case, method: str) -> Path:
    """Returns where an evaluation in `folder` keeps a result."""
    return folder / case.dataset / method / f"{case.name}.png"


def to_json(scores: metrics.Scores) -> dict[str, float | str | None]:
    """Returns scores as JSON can hold them."""
    return {name: jsonable.plain(value) for name, value in scores._asdict().items()}
