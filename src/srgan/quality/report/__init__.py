"""An evaluation as one HTML file that needs nothing else: scores, and pictures to compare."""

import base64
import hashlib
import html
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from srgan.numeric import resize
from srgan.quality import artifacts, headline, metrics, published, tables
from srgan.quality.measures import MEASURES
from srgan.quality.report import crops, pictures
from srgan.quality.results import Evaluation
from srgan.util import files, jsonable, parallel, resources
from srgan.web import modules

_PAGE = Path(__file__).parent / "web"
_STYLES = (
    *(resources.WEB / name for name in ("palette.css", "base.css", "compare.css")),
    _PAGE / "page.css",
)


def write(
    found: Evaluation,
    destination: str | os.PathLike[str],
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    paper: published.Paper | None = None,
) -> None:
    """Writes the report of an evaluation, whole or not at all.

    Pictures are without loss as long as the file stays below 60 MB; see `pictures.encode`.

    Args:
        found: What to report.
        destination: The HTML file.
        overwrite: Replace an existing file.
        progress: Called as `progress(done, total)` after each image.
        paper: Published figures to show, apart from the measured ones.

    Raises:
        OSError: As `files.check_destination` says, or if the disk is full.
    """
    destination = Path(destination)
    files.check_destination(destination, overwrite)
    store = _Store()
    data = _summary(found) | _published(found, paper) | _images(found, store, progress)
    files.write_bytes(destination, _page(data, store.addresses))


class _Store:
    """The pictures of a page, as data addresses."""

    def __init__(self):
        self.addresses: list[str] = []
        self.size = 0  # bytes, before base64

    def add(self, webp: bytes) -> int:
        """Returns the number by which the page finds the picture."""
        self.addresses.append("data:image/webp;base64," + base64.b64encode(webp).decode())
        self.size += len(webp)
        return len(self.addresses) - 1


def _summary(found: Evaluation) -> dict[str, Any]:
    """All that is said about the evaluation as a whole."""
    return {
        "protocol": found.protocol,
        "scale": found.scale,
        "measures": [{"key": key, **measure._asdict()} for key, measure in MEASURES.items()],
        "methods": [method._asdict() for method in found.methods],
        "datasets": [
            {
                "name": summary.dataset,
                "photos": max(summary.photos.values()),
                "means": {name: _numbers(scores) for name, scores in summary.means.items()},
                "headline": headline.sentences(
                    [one for one in found.headlines if one.dataset == summary.dataset]
                ),
            }
            for summary in found.summaries.values()
        ],
        "differences": [
            row._asdict()
            | {key: _number(getattr(row, key)) for key in ("mean", "low", "high", "p")}
            for row in found.differences
        ],
        "notes": tables.notes(found),
        "judged": tables.footnote(found),
        "provenance": _texts(found.provenance),
    }


def _published(found: Evaluation, paper: published.Paper | None) -> dict[str, Any]:
    figures = paper and {"title": paper.title, "figures": published.to_json(found, paper)}
    return {"published": figures}


def _images(
    found: Evaluation, store: _Store, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    """All that is said about single images; their pictures go to `store`."""
    rows: dict[int, dict[str, Any]] = {}
    candidates: list[crops.Crop] = []
    # The small ones first, so that what they leave of the budget goes to those that need it.
    order = sorted(range(len(found.cases)), key=lambda i: found.lr(found.cases[i]).size)
    with ThreadPoolExecutor(parallel.available_cores()) as pool:
        for index in order:
            case = found.cases[index]
            share = (pictures.BUDGET - store.size) / (len(order) - len(rows))
            results = [found.result(case, method.name) for method in found.methods]
            row, squares = _image(found, index, share, store, pool)
            rows[index] = row | {
                "dataset": case.dataset,
                "name": case.name,
                "scores": [_numbers(r.scores) if r.scores else None for r in results],
                "errors": [r.error for r in results],
                "reasons": [dict(r.reasons) for r in results],
            }
            candidates += squares
            if progress:
                progress(len(rows), len(order))
    chosen = crops.choose(candidates)
    return {
        "cases": [rows[index] for index in range(len(rows))],
        "crops": {
            "measures": [
                {"key": key, **measure._asdict()} for key, measure in crops.MEASURES.items()
            ],
            "chosen": [
                crop._asdict()
                | {"value": _number(crop.value), "hr": _number(crop.hr), "kind": kind}
                for kind, crop in chosen
            ],
            "worst": crops.worst_artifacts(chosen),
        },
        "overshoot_peak": pictures.OVERSHOOT_PEAK,
    }


def _image(
    found: Evaluation, index: int, share: float, store: _Store, pool: ThreadPoolExecutor
) -> tuple[dict[str, Any], list[crops.Crop]]:
    """The pictures of one image, as the page knows them, and the squares worth showing."""
    case = found.cases[index]
    lr, hr = found.lr(case), found.hr(case)
    made = {m: found.sr(case, method.name) for m, method in enumerate(found.methods)}
    made = {m: sr for m, sr in made.items() if sr is not None}
    maps: dict[int, np.ndarray] = {}
    if hr is not None:
        maps = {m: artifacts.overshoot(hr, sr, found.scale) for m, sr in made.items()}
    # Where all methods failed there is still something to look at.
    large = [*([] if hr is None else [hr]), *made.values()] or [resize.upscale(lr, found.scale)]
    thumbnail = pictures.thumbnail(large[0])
    encoded = pictures.encode(
        *(lr, large, list(maps.values()), found.scale, share - len(thumbnail), pool)
    )
    region = encoded.region
    squares = []
    if hr is not None:
        for m, sr in made.items():
            scored = crops.score(
                *(region.of(hr), region.of(sr), found.scale, region.of(maps[m]), pool)
            )
            squares += crops.extremes(index, m, scored)
    numbers = [store.add(file) for file in encoded.large]
    sr_numbers = dict(zip(made, numbers if hr is None else numbers[1:], strict=False))
    map_numbers = dict(zip(maps, [store.add(file) for file in encoded.maps], strict=True))
    row = {
        "height": lr.shape[0] * found.scale,
        "width": lr.shape[1] * found.scale,
        "region": region,
        "quality": encoded.quality,
        "thumbnail": store.add(thumbnail),
        "lr": store.add(encoded.lr),
        "hr": None if hr is None else numbers[0],
        "sr": [sr_numbers.get(m) for m in range(len(found.methods))],
        "maps": [map_numbers.get(m) for m in range(len(found.methods))],
    }
    return row, squares


def _numbers(scores: metrics.Scores) -> list[float | str | None]:
    return [_number(value) for value in scores]


def _number(value: float) -> float | str | None:
    return jsonable.plain(round(float(value), 6))


def _texts(value: Any) -> Any:
    """Nested dicts and lists of anything, with texts as leaves."""
    if isinstance(value, dict):
        return {str(key): _texts(item) for key, item in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list | tuple) else str(value)


def _page(data: dict[str, Any], addresses: list[str]) -> bytes:
    style = "".join(path.read_text(encoding="utf-8") for path in _STYLES)
    script = modules.join(_PAGE / "page.js")
    # "<" is all that could end the element that holds the data. ASCII, since a file's name may
    # hold what UTF-8 cannot.
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    datasets = ", ".join(dataset["name"] for dataset in data["datasets"])
    page = Template((_PAGE / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(f"{datasets} \N{MULTIPLICATION SIGN}{data['scale']}"),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=text,
        pictures="\n".join(
            f'<script type="text/plain" id="picture-{number}">{address}</script>'
            for number, address in enumerate(addresses)
        ),
    )
    return page.encode("utf-8", errors="replace")


def _hash(text: str) -> str:
    """What a content security policy calls an element by, so that no other is obeyed."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
