"""Models x folders -> scores, kept as they come in, with how sure their differences are."""

import hashlib
import json
import os
import platform
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from srgan import files, images, metrics, models, parallel, resize, versions
from srgan.datasets import Case, Dataset, Photo, load, sha256
from srgan.datasets import photos as photos_of
from srgan.sources import BICUBIC, LR, ORIGINAL, Bicubic, Folder, Method, Network, Source

_MEASURES = 2  # raise when a measure or the projection changes: old scores are not taken up then
_RESAMPLES = 10_000  # of the bootstrap


class Result(NamedTuple):
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
        originals: What the originals themselves score in the measures that need none.
        provenance: Versions, and the sha256 of models and data.
    """

    protocol: str
    scale: int
    methods: list[Method]
    cases: list[Case]
    results: list[Result]
    originals: dict[Case, metrics.Scores]
    provenance: dict[str, Any]
    _photos: dict[Case, Photo]
    _sources: dict[str, Source]
    _folder: Path

    def lr(self, case: Case) -> np.ndarray:
        """Returns the small version of a photo, uint8."""
        return load(self._photos[case], self.scale)[1]

    def hr(self, case: Case) -> np.ndarray | None:
        """Returns the original of a photo, uint8, cropped to a multiple of the scale."""
        return load(self._photos[case], self.scale)[0]

    def sr(self, case: Case, method: str) -> np.ndarray | None:
        """Returns a photo enlarged by a method, uint8, or None if that failed."""
        if self._by_case[case, method].scores is None:
            return None
        source = self._sources[method]
        if source.kept:
            return images.read_uint8(_kept(self._folder, case, method))
        return source.enlarge(case, self.lr(case))

    def means(self, dataset: str) -> dict[str, metrics.Scores]:
        """Returns the mean scores of each method over the photos that it enlarged.

        After the methods come the originals, as "HR", if they are known. Where some photos score
        `inf`, because two images are equal, the mean is over the others.
        """
        rows: dict[str, list[metrics.Scores]] = {method.name: [] for method in self.methods}
        for result in self.results:
            if result.scores and result.case.dataset == dataset:
                rows[result.method].append(result.scores)
        originals = [s for case, s in self.originals.items() if case.dataset == dataset]
        if originals:
            rows[ORIGINAL] = originals
        tables = {
            name: np.array(scores).reshape(-1, len(metrics.Scores._fields))
            for name, scores in rows.items()
        }
        return {name: metrics.Scores(*map(_mean, table.T)) for name, table in tables.items()}

    @property
    def datasets(self) -> list[str]:
        """The names of the datasets."""
        return list(dict.fromkeys(case.dataset for case in self.cases))

    @cached_property
    def differences(self) -> list[Interval]:
        """Every method against every other before it, with a paired bootstrap.

        The photos are drawn anew, with replacement, 10,000 times, the same for both methods; the
        interval is from the 2.5th to the 97.5th percentile of the means (Efron 1979). If it holds
        0, the photos do not show a difference. Of fewer than 3 photos, there is none.
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
                dataset: {name: _jsonable(scores) for name, scores in self.means(dataset).items()}
                for dataset in self.datasets
            },
            "differences": [
                {k: _plain(v) for k, v in interval._asdict().items()}
                for interval in self.differences
            ],
            "images": [
                result.case._asdict()
                | {"method": result.method, "error": result.error}
                | {"scores": result.scores and _jsonable(result.scores)}
                for result in self.results
            ],
            "originals": [
                case._asdict() | {"scores": _jsonable(scores)}
                for case, scores in self.originals.items()
            ],
            "provenance": self.provenance,
        }

    @cached_property
    def _by_case(self) -> dict[tuple[Case, str], Result]:
        return {(result.case, result.method): result for result in self.results}

    def _differences(self, dataset: str, method: str, other: str) -> list[Interval]:
        pairs = []
        for case in self.cases:
            one, two = (self._by_case[case, name].scores for name in (method, other))
            if case.dataset == dataset and one and two:
                pairs.append((one, two))
        if len(pairs) < 3:
            return []
        with np.errstate(invalid="ignore"):  # the difference of two infinities
            difference = np.subtract(*np.moveaxis(np.array(pairs), 1, 0))  # (photos, measures)
        rng = np.random.default_rng(0)
        drawn = rng.integers(len(pairs), size=(_RESAMPLES, len(pairs)))
        counts = np.stack([np.bincount(row, minlength=len(pairs)) for row in drawn])
        found = []
        for measure, values in zip(metrics.Scores._fields, difference.T, strict=True):
            if np.isfinite(values).all():
                low, high = np.percentile(counts @ values / len(pairs), [2.5, 97.5])
                mean = float(values.mean())
                found.append(
                    Interval(dataset, method, other, measure, mean, float(low), float(high))
                )
        return found


def evaluate(
    datasets: Sequence[Dataset],
    upscalers: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    protocol: str | None = None,
    scale: int | None = None,
    crop: bool = False,
    realism: Sequence[float] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Scores models on datasets, beside bicubic.

    Every score goes into `folder` when it is known, and is taken up from there if the photo, the
    model and the protocol are still the same: an evaluation that was stopped goes on.

    Args:
        datasets: See `datasets.find`.
        upscalers: Names of shipped models, ONNX files, and folders of results of other programs,
            which have the names of the photos (see `pairing.match`).
        folder: Made; gets `scores.jsonl`, `evaluation.json`, the enlarged photos, and the small
            versions if they were made, in `DATASET/lr`, for other programs to enlarge.
        protocol: See `metrics.protocol`; by default the luma without `scale` pixels at the edges.
        scale: Factor from lr to hr; by default that of the models, or 4.
        crop: Compare only what is common, from the top left, where a result is larger than hr
            because its program had not cropped the photo to a multiple of the scale.
        realism: Points on the dial of every model that has one, also to be scored.
        progress: Called as `progress(done, total)` after each result.

    Raises:
        OSError: If a folder or model is missing, or `folder` cannot be written.
        ValueError: If a dataset has no photos, or the models have different scales. What is wrong
            with a single photo becomes the error of its result instead.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    photos = {case: photo for dataset in datasets for case, photo in photos_of(dataset)}
    loaded = {
        upscaler: models.load(upscaler)
        for upscaler in upscalers
        if upscaler in models.shipped() or not Path(upscaler).is_dir()
    }
    scales = {model.metadata.scale for model in loaded.values()} | ({scale} if scale else set())
    if len(scales) > 1:
        raise ValueError(
            f"All models must have one scale; got {sorted(scales)}. Evaluate them one by one."
        )
    scale = scales.pop() if scales else 4
    by = metrics.protocol(protocol) if protocol else metrics.Protocol("y", scale)

    sources: dict[str, Source] = {BICUBIC: Bicubic(scale)}
    for upscaler in upscalers:
        if upscaler not in loaded:
            source = Folder(Path(upscaler), photos, list(sources), scale, crop)
            sources[source.method.name] = source
            continue
        model, file = loaded[upscaler], models.path(upscaler)
        digest = sha256(file)
        for value in realism if model.metadata.psnr_model else ():
            point = models.load(upscaler, realism=value)
            ends = f"{sha256(models.psnr_path(file, model.metadata))} {digest} @ {value!r}"
            source = Network(point, ends, list(sources), model.metadata.name)
            sources[source.method.name] = source
        source = Network(model, digest, list(sources))
        sources[source.method.name] = source

    kept = _Scores(folder / "scores.jsonl", (_MEASURES, by.name, scale, crop))
    scorer = _Scorer(sources, folder, kept, by, scale)
    finished: dict[Case, list[Result]] = {}

    with ThreadPoolExecutor(parallel.available_cores()) as pool:
        running = {pool.submit(scorer.results, *item): item[0] for item in photos.items()}
        try:
            for future in as_completed(running):
                finished[running[future]] = future.result()
                if progress:
                    progress(len(finished) * len(sources), len(photos) * len(sources))
        except BaseException:  # Ctrl-C too: end what is running, and begin nothing more
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    results = [result for case in photos for result in finished[case]]
    evaluation = Evaluation(
        protocol=by.name,
        scale=scale,
        methods=[source.method for source in sources.values()],
        cases=list(photos),
        results=[result for result in results if result.method != ORIGINAL],
        originals={r.case: r.scores for r in results if r.method == ORIGINAL and r.scores},
        provenance=_provenance(datasets, photos, sources),
        _photos=photos,
        _sources=sources,
        _folder=folder,
    )
    files.write(folder / "evaluation.json", json.dumps(evaluation.to_json(), indent=1).encode())
    return evaluation


@dataclass(frozen=True)
class _Scorer:
    """What all photos are scored with."""

    sources: dict[str, Source]
    folder: Path
    kept: "_Scores"
    by: metrics.Protocol
    scale: int

    def results(self, case: Case, photo: Photo) -> list[Result]:
        """Returns what each method, and the original as `ORIGINAL`, scores; keeps each at once."""

        @cache
        def loaded() -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
            hr, lr = load(photo, self.scale)
            if photo.lr is None:
                _keep(_kept(self.folder, case, LR), lr)
            return hr, lr, resize.upscale(lr, self.scale)

        results = [self._result(case, photo, source, loaded) for source in self.sources.values()]
        if photo.hr and any(result.scores for result in results):
            key = (photo.digest, ORIGINAL)
            scores = self.kept.get(case, ORIGINAL, key)
            if scores is None:
                hr, lr, bicubic = loaded()
                assert hr is not None
                scores = metrics.score(None, lr, hr, self.scale, bicubic=bicubic)
                self.kept.put(case, ORIGINAL, key, scores)
            results.append(Result(case, ORIGINAL, scores, ""))
        return results

    def _result(
        self,
        case: Case,
        photo: Photo,
        source: Source,
        loaded: Callable[[], tuple[np.ndarray | None, np.ndarray, np.ndarray]],
    ) -> Result:
        name = source.method.name
        path = _kept(self.folder, case, name)
        try:
            key = (photo.digest, source.digest(case))
            scores = self.kept.get(case, name, key)
            if scores is None or (source.kept and not path.exists()):
                hr, lr, bicubic = loaded()
                sr = bicubic if name == BICUBIC else source.enlarge(case, lr)
                if source.kept:
                    _keep(path, sr)
                scores = metrics.score(hr, lr, sr, self.scale, self.by, bicubic)
                self.kept.put(case, name, key, scores)
            return Result(case, name, scores, "")
        except (ValueError, FileNotFoundError) as error:
            return Result(case, name, None, str(error))


class _Scores:
    """Scores in a file, a line each: what an earlier evaluation found, and what this one finds."""

    def __init__(self, file: Path, conditions: tuple):
        self._file, self._conditions = file, conditions
        self._lock = threading.Lock()
        self._known: dict[str, dict] = {}
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        for line in text.splitlines():
            try:
                record = json.loads(line)
                self._known[record["key"]] = record["scores"]
            except (ValueError, TypeError, KeyError):
                continue  # the last line of one that was killed
        if text and not text.endswith("\n"):
            files.write(file, f"{text}\n".encode())

    def get(self, case: Case, method: str, digests: tuple[str, str]) -> metrics.Scores | None:
        found = self._known.get(self._key(case, method, digests))
        if found is None:
            return None
        try:
            return metrics.Scores(**{name: _number(value) for name, value in found.items()})
        except (TypeError, ValueError, AttributeError):  # a damaged line: score it again
            return None

    def put(
        self, case: Case, method: str, digests: tuple[str, str], scores: metrics.Scores
    ) -> None:
        record = case._asdict() | {"method": method, "key": self._key(case, method, digests)}
        line = json.dumps(record | {"scores": _jsonable(scores)})
        with self._lock, open(self._file, "a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")

    def _key(self, case: Case, method: str, digests: tuple[str, str]) -> str:
        text = json.dumps([self._conditions, case, method, digests])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _keep(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, image, overwrite=True)


def _kept(folder: Path, case: Case, method: str) -> Path:
    return folder / case.dataset / method / f"{case.name}.png"


def _provenance(
    datasets: Sequence[Dataset], photos: dict[Case, Photo], sources: dict[str, Source]
) -> dict[str, Any]:
    data = {}
    for dataset in datasets:
        own = {case.name: photo for case, photo in photos.items() if case.dataset == dataset.name}
        digest = hashlib.sha256(json.dumps([[n, p.digest] for n, p in own.items()]).encode())
        data[dataset.name] = {"images": len(own), "sha256": digest.hexdigest()}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions.installed("srgan", "numpy", "onnxruntime", "pyvips"),
        "machine": f"{platform.system()} {platform.machine()}, {parallel.available_cores()} cores",
        "models": {
            name: {"sha256": source.sha256}
            for name, source in sources.items()
            if isinstance(source, Network)
        },
        "data": data,
    }


def _mean(values: np.ndarray) -> float:
    finite = values[~np.isinf(values)]
    if not values.size:
        return float("nan")
    return float(finite.mean()) if finite.size else float("inf")


def _jsonable(scores: metrics.Scores) -> dict[str, float | str | None]:
    return {name: _plain(value) for name, value in scores._asdict().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value


def _number(value: float | str | None) -> float:
    return float("nan") if value is None else float(value)
