"""Models x folders -> scores, kept as they come in, with how sure their differences are."""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from srgan.io import images
from srgan.models import catalogue, loading
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.quality import metrics
from srgan.quality.datasets import Case, Dataset, Photo, read_photo
from srgan.quality.datasets import list_photos as photos_of
from srgan.quality.methods import BICUBIC, LR, ORIGINAL, Bicubic, Folder, Network, Source
from srgan.quality.results import Evaluation, ImageResult, kept_file, to_json
from srgan.util import files, jsonable, parallel, versions
from srgan.util.journal import Journal

_MEASURES = 3  # raise when a measure or the projection changes: old scores are not taken up then


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
        datasets: See `datasets.find_datasets`.
        upscalers: Names of shipped models, ONNX files, and folders of results of other programs,
            which have the names of the photos (see `pairing.match`).
        folder: Made; gets `scores.jsonl`, `evaluation.json`, the enlarged photos, and the LR
            images if they were made, in `DATASET/lr`, for other programs to enlarge.
        protocol: See `metrics.protocol`; by default the luma without `scale` pixels at the edges.
        scale: Factor from lr to hr; by default that of the models, or 4.
        crop: Compare only what is common, from the top left, where a result is larger than hr
            because its program had not cropped the photo to a multiple of the scale.
        realism: Network interpolations of every model that has a PSNR model, also to be scored.
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
        upscaler: loading.load(upscaler)
        for upscaler in upscalers
        if upscaler in catalogue.shipped() or not Path(upscaler).is_dir()
    }
    scales = {model.metadata.scale for model in loaded.values()} | ({scale} if scale else set())
    if len(scales) > 1:
        raise ValueError(
            f"All models must have one scale; got {sorted(scales)}. Evaluate them one by one."
        )
    scale = scales.pop() if scales else 4
    by = metrics.protocol(protocol) if protocol else metrics.Protocol("y", scale)

    sources = _sources(upscalers, loaded, photos, scale, crop, realism)
    kept = _Scores(folder / "scores.jsonl", (_MEASURES, by.name, scale, crop))
    scorer = _Scorer(sources, folder, kept, by, scale)
    finished: dict[Case, list[ImageResult]] = {}

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
    files.write_bytes(
        folder / "evaluation.json", json.dumps(evaluation.to_json(), indent=1).encode()
    )
    return evaluation


def _sources(
    upscalers: Sequence[str | os.PathLike[str]],
    loaded: Mapping[str | os.PathLike[str], Model],
    photos: Mapping[Case, Photo],
    scale: int,
    crop: bool,
    realism: Sequence[float],
) -> dict[str, Source]:
    """Where results come from, by the names of their methods, bicubic first."""
    sources: dict[str, Source] = {BICUBIC: Bicubic(scale)}
    for upscaler in upscalers:
        if upscaler not in loaded:
            source = Folder(Path(upscaler), photos, list(sources), scale, crop)
            sources[source.method.name] = source
            continue
        model, file = loaded[upscaler], catalogue.path(upscaler)
        digest = files.sha256(file)
        for value in realism if model.metadata.psnr_model else ():
            point = loading.load(upscaler, realism=value)
            ends = f"{files.sha256(catalogue.psnr_path(file, model.metadata))} {digest} @ {value!r}"
            source = Network(point, ends, list(sources), model.metadata.name)
            sources[source.method.name] = source
        source = Network(model, digest, list(sources))
        sources[source.method.name] = source
    return sources


@dataclass(frozen=True)
class _Scorer:
    """What all photos are scored with."""

    sources: dict[str, Source]
    folder: Path
    kept: "_Scores"
    by: metrics.Protocol
    scale: int

    def results(self, case: Case, photo: Photo) -> list[ImageResult]:
        """Returns what each method, and the original as `ORIGINAL`, scores; keeps each at once."""

        @cache
        def loaded() -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
            hr, lr = read_photo(photo, self.scale)
            if photo.lr is None:
                _keep(kept_file(self.folder, case, LR), lr)
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
            results.append(ImageResult(case, ORIGINAL, scores, ""))
        return results

    def _result(
        self,
        case: Case,
        photo: Photo,
        source: Source,
        loaded: Callable[[], tuple[np.ndarray | None, np.ndarray, np.ndarray]],
    ) -> ImageResult:
        name = source.method.name
        path = kept_file(self.folder, case, name)
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
            return ImageResult(case, name, scores, "")
        except (ValueError, FileNotFoundError) as error:
            return ImageResult(case, name, None, str(error))


class _Scores:
    """Scores in a file, a line each: what an earlier evaluation found, and what this one finds."""

    def __init__(self, file: Path, conditions: tuple):
        self._journal, self._conditions = Journal(file), conditions
        entries = self._journal.entries()
        self._known = {e["key"]: e["scores"] for e in entries if e.keys() >= {"key", "scores"}}

    def get(self, case: Case, method: str, digests: tuple[str, str]) -> metrics.Scores | None:
        found = self._known.get(self._key(case, method, digests))
        if found is None:
            return None
        try:
            return metrics.Scores(**{name: jsonable.number(value) for name, value in found.items()})
        except (TypeError, ValueError, AttributeError):  # a damaged line: score it again
            return None

    def put(
        self, case: Case, method: str, digests: tuple[str, str], scores: metrics.Scores
    ) -> None:
        record = case._asdict() | {"method": method, "key": self._key(case, method, digests)}
        self._journal.append(record | {"scores": to_json(scores)})

    def _key(self, case: Case, method: str, digests: tuple[str, str]) -> str:
        text = json.dumps([self._conditions, case, method, digests])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _keep(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, image, overwrite=True)


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
