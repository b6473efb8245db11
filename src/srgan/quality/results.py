"""What an evaluation found: scores, how sure their differences are, and the images."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from srgan.io import images
from srgan.quality import headline, metrics
from srgan.quality.datasets import Case, Photo, read_photo
from srgan.quality.methods import Method, Source
from srgan.quality.summary import Difference, ImageResult, Summary, Table, judge
from srgan.util import jsonable

SCHEMA = 2
"""Of `Evaluation.to_json`; raised when a reader of the last one would misunderstand it."""


@dataclass(frozen=True)
class Evaluation:
    """Scores, and the images that they are of.

    Attributes:
        protocol: Name of the protocol of PSNR and SSIM.
        scale: Factor from lr to hr.
        reference: The method that differences are taken to.
        methods: Bicubic first.
        cases: All photos, dataset by dataset.
        results: Of each case, one a method, in their order.
        originals: What the HR images themselves score in the measures that need none.
        provenance: Command, versions, and the sha256 of models, results and data.
    """

    protocol: str
    scale: int
    reference: str
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
        return images.to_uint8(read_photo(self._photos[case], self.scale)[1])

    def hr(self, case: Case) -> np.ndarray | None:
        """Returns the original of a photo, uint8, cropped to a multiple of the scale."""
        hr, _ = read_photo(self._photos[case], self.scale)
        return None if hr is None else images.to_uint8(hr)

    def sr(self, case: Case, method: str) -> np.ndarray | None:
        """Returns a photo enlarged by a method, uint8, or None if that failed."""
        if self.result(case, method).scores is None:
            return None
        source = self._sources[method]
        if source.kept:
            return images.read_uint8(kept_file(self._folder, case, method))
        return images.to_uint8(source.enlarge(case, self.lr(case)))

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """The means of each dataset, over the photos that all methods have."""
        return {table.dataset: table.summary() for table in self._tables}

    @cached_property
    def differences(self) -> list[Difference]:
        """Those of every method to the reference, in every dataset and measure."""
        return judge([row for table in self._tables for row in table.differences(self.reference)])

    @cached_property
    def headlines(self) -> list[headline.Headline]:
        """The methods closest to HR in every dataset."""
        return headline.find(self._tables, self.differences, self.reference)

    def to_json(self) -> dict[str, Any]:
        """Returns everything but the images, fit for JSON: NaN is None."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "scale": self.scale,
            "reference": self.reference,
            "methods": [method._asdict() for method in self.methods],
            "summaries": {
                name: summary._asdict()
                | {"means": {method: to_json(scores) for method, scores in summary.means.items()}}
                for name, summary in self.summaries.items()
            },
            "differences": [
                {k: jsonable.plain(v) for k, v in row._asdict().items()} for row in self.differences
            ],
            "headlines": [one._asdict() for one in self.headlines],
            "images": [
                result.case._asdict()
                | {"method": result.method, "error": result.error}
                | {"scores": result.scores and to_json(result.scores)}
                | {"reasons": dict(result.reasons)}
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

    @cached_property
    def _tables(self) -> list[Table]:
        names = [method.name for method in self.methods]
        return [
            Table(dataset, names, self.results, self.originals)
            for dataset in dict.fromkeys(case.dataset for case in self.cases)
        ]


def kept_file(folder: Path, case: Case, method: str) -> Path:
    """Returns where an evaluation in `folder` keeps a result."""
    return folder / case.dataset / method / f"{case.name}.png"


def to_json(scores: metrics.Scores) -> dict[str, float | str | None]:
    """Returns scores as JSON can hold them."""
    return {name: jsonable.plain(value) for name, value in scores._asdict().items()}
