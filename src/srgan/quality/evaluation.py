"""Models x folders -> scores, kept as they come in, with how sure their differences are."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from srgan.io import images, pairing
from srgan.models import catalogue, loading
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.quality import checks, methods, metrics, protocols, provenance
from srgan.quality.datasets import Case, Dataset, Photo, distinct_names, read_photo
from srgan.quality.datasets import list_photos as photos_of
from srgan.quality.methods import BICUBIC, LR, ORIGINAL, Bicubic, Folder, Network, Source
from srgan.quality.protocols import Protocol
from srgan.quality.results import Evaluation, kept_file, to_json
from srgan.quality.summary import ImageResult
from srgan.util import files, jsonable, parallel
from srgan.util.journal import Journal

_MEASURES = 5  # raise when a measure or the projection changes: old scores are not taken up then


@dataclass(frozen=True)
class Options:
    """How to score.

    Attributes:
        protocol: See `protocols.protocol`; by default the luma without `scale` pixels at the edges.
        scale: Factor from lr to hr; by default that of the models, or 4.
        crop: Compare only what is common, from the top left, where a result is larger than hr
            because its program had not cropped the photo to a multiple of the scale.
        realism: Network interpolations of every model that has a PSNR model, also to be scored.
        reference: Name of the method that differences are taken to; by default the first that is
            scored beside bicubic if there are several, or else bicubic.
        pairs: Files of each photo, where names do not tell; see `pairing.read_pairs`.
        command: What was asked for, to be kept with the scores.
    """

    protocol: str | None = None
    scale: int | None = None
    crop: bool = False
    realism: Sequence[float] = ()
    reference: str | None = None
    pairs: pairing.Pairs = field(default_factory=dict)
    command: str = ""


def evaluate(
    datasets: Sequence[Dataset],
    upscalers: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    options: Options = Options(),
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Scores models on datasets, beside bicubic.

    Every score goes into `folder` when it is known, and is taken up from there if the photo, the
    model and the protocol are still the same: an evaluation that was stopped goes on.

    Args:
        datasets: See `datasets.find_datasets`.
        upscalers: Names of shipped models, ONNX files, "bicubic", and folders of results of other
            programs, which have the names of the photos (see `pairing.match`).
        folder: Made; gets `scores.jsonl`, `evaluation.json`, the enlarged photos, and the LR
            images if they were made, in `DATASET/lr`, for other programs to enlarge.
        options: How to score.
        progress: Called as `progress(done, total)` after each result.

    Raises:
        OSError: If a folder or model is missing, or `folder` cannot be written.
        ValueError: If a dataset has no photos, the models have different scales, there is no such
            reference, or it is not clear which files belong to which photos. What is wrong with a
            single photo becomes the error of its result instead.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    photos = {case: p for dataset in datasets for case, p in photos_of(dataset, options.pairs)}
    upscalers = _once(upscalers)
    loaded = {
        upscaler: loading.load(upscaler)
        for upscaler in upscalers
        if upscaler != BICUBIC and _is_model(upscaler)
    }
    scales = {model.metadata.scale for model in loaded.values()}
    scales |= {options.scale} if options.scale else set()
    if len(scales) > 1:
        raise ValueError(
            f"All models must have one scale; got {sorted(scales)}. Evaluate them one by one."
        )
    scale = scales.pop() if scales else 4
    by = protocols.protocol(options.protocol) if options.protocol else Protocol("y", scale)
    checks.check_realism(options.realism, loaded.values())
    sources = _sources(upscalers, loaded, photos, scale, options)
    checks.check_pairs(options.pairs, photos, sources.values())
    checks.check_sizes(datasets, photos, sources.values(), scale)
    reference = _reference(upscalers, list(sources), options.reference)

    kept = _Scores(folder / "scores.jsonl", (_MEASURES, by.name, scale, options.crop))
    finished = _score(_Scorer(sources, folder, kept, by, scale), photos, progress)
    results = [result for case in photos for result in finished[case]]
    evaluation = Evaluation(
        protocol=by.name,
        scale=scale,
        reference=reference,
        methods=[source.method for source in sources.values()],
        cases=list(photos),
        results=[result for result in results if result.method != ORIGINAL],
        originals={r.case: r.scores for r in results if r.method == ORIGINAL and r.scores},
        provenance=provenance.collect(datasets, photos, sources, scale, options.command),
        _photos=photos,
        _sources=sources,
        _folder=folder,
    )
    files.write_bytes(
        folder / "evaluation.json", json.dumps(evaluation.to_json(), indent=1).encode()
    )
    return evaluation


def _is_model(upscaler: str | os.PathLike[str]) -> bool:
    """Whether it is no folder of results: a folder with one ONNX file stands for that."""
    folder = Path(upscaler)
    return upscaler in catalogue.shipped() or not folder.is_dir() or catalogue.holds_model(folder)


def _once(upscalers: Sequence[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """What was given, each in its first spelling."""
    found: dict[str | Path, str | os.PathLike[str]] = {}
    for one in upscalers:
        place = catalogue.path(one) if one != BICUBIC and _is_model(one) else Path(one)
        found.setdefault(BICUBIC if one == BICUBIC else place.resolve(), one)
    return list(found.values())


def _reference(
    upscalers: Sequence[str | os.PathLike[str]], names: Sequence[str], wanted: str | None
) -> str:
    if wanted is None:
        first = BICUBIC in upscalers[:1] or len(names) < 3
        return BICUBIC if first else names[1]
    if wanted not in names and Path(wanted).name in names:
        return Path(wanted).name  # as it was named to --model
    if wanted not in names:
        raise ValueError(
            f"There is no method {wanted!r} to take differences to; expected one of "
            f"{', '.join(names)}."
        )
    return wanted


def _score(
    scorer: "_Scorer", photos: Mapping[Case, Photo], progress: Callable[[int, int], None] | None
) -> dict[Case, list[ImageResult]]:
    """All results, several photos at once."""
    finished: dict[Case, list[ImageResult]] = {}
    count = len(scorer.sources)
    with ThreadPoolExecutor(parallel.available_cores()) as pool:
        running = {pool.submit(scorer.results, *item): item[0] for item in photos.items()}
        try:
            for future in as_completed(running):
                finished[running[future]] = future.result()
                if progress:
                    progress(len(finished) * count, len(photos) * count)
        except BaseException:  # Ctrl-C too: end what is running, and begin nothing more
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return finished


def _sources(
    upscalers: Sequence[str | os.PathLike[str]],
    loaded: Mapping[str | os.PathLike[str], Model],
    photos: Mapping[Case, Photo],
    scale: int,
    options: Options,
) -> dict[str, Source]:
    """Where results come from, by the names of their methods, bicubic first."""
    made: list[Source] = [Bicubic(scale)]
    places = {
        one: catalogue.path(one) if one in loaded else Path(one)
        for one in upscalers
        if one != BICUBIC
    }
    called = distinct_names(
        [
            (place, loaded[one].metadata.name if one in loaded else place.resolve().name)
            for one, place in places.items()
        ],
        methods.TAKEN,
    )
    for name, (upscaler, place) in zip(called, places.items(), strict=True):
        if upscaler not in loaded:
            made.append(Folder(place, name, photos, scale, options.crop, options.pairs))
            continue
        model, digest = loaded[upscaler], catalogue.sha256(place)
        for value in options.realism if model.metadata.psnr_model else ():
            point = loading.load(upscaler, realism=value)
            other = catalogue.sha256(catalogue.psnr_path(place, model.metadata))
            ends = f"{other} {digest} @ {value!r}"
            between = point.metadata.name.replace(model.metadata.name, name, 1)
            made.append(Network(point, between, ends, name))
        made.append(Network(model, name, digest))
    return {source.method.name: source for source in made}


@dataclass(frozen=True)
class _Scorer:
    """What all photos are scored with."""

    sources: dict[str, Source]
    folder: Path
    kept: "_Scores"
    by: Protocol
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
            known = self.kept.get(case, ORIGINAL, key)
            if known is None:
                hr, lr, bicubic = loaded()
                assert hr is not None
                known = metrics.assess(None, lr, hr, self.scale, bicubic=bicubic)
                self.kept.put(case, ORIGINAL, key, known)
            results.append(ImageResult(case, ORIGINAL, known.scores, "", known.reasons))
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
            known = self.kept.get(case, name, key)
            if known is None or (source.kept and not path.exists()):
                hr, lr, bicubic = loaded()
                sr = bicubic if name == BICUBIC else source.enlarge(case, lr)
                if source.kept:
                    _keep(path, sr)
                known = metrics.assess(hr, lr, sr, self.scale, self.by, bicubic)
                self.kept.put(case, name, key, known)
            return ImageResult(case, name, known.scores, "", known.reasons)
        except (ValueError, FileNotFoundError) as error:
            return ImageResult(case, name, None, str(error), {})


class _Scores:
    """Scores in a file, a line each: what an earlier evaluation found, and what this one finds."""

    def __init__(self, file: Path, conditions: tuple):
        self._journal, self._conditions = Journal(file), conditions
        self._known = {e["key"]: e for e in self._journal.entries() if "key" in e}

    def get(self, case: Case, method: str, digests: tuple[str, str]) -> metrics.Assessment | None:
        found = self._known.get(self._key(case, method, digests))
        if found is None:
            return None
        try:
            numbers = {name: jsonable.number(value) for name, value in found["scores"].items()}
            return metrics.Assessment(metrics.Scores(**numbers), dict(found["reasons"]))
        except (KeyError, TypeError, ValueError, AttributeError):  # damaged: score it again
            return None

    def put(
        self, case: Case, method: str, digests: tuple[str, str], known: metrics.Assessment
    ) -> None:
        record = case._asdict() | {"method": method, "key": self._key(case, method, digests)}
        found = {"scores": to_json(known.scores), "reasons": known.reasons}
        self._journal.append(record | found)

    def _key(self, case: Case, method: str, digests: tuple[str, str]) -> str:
        text = json.dumps([self._conditions, case, method, digests])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _keep(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, image, overwrite=True)
