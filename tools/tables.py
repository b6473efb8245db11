"""Writes the tables of README.md and docs/ from the results in benchmarks/results.

    python tools/tables.py              # writes what is out of date
    python tools/tables.py --check      # exit code 1 if something is

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`, where NAME is a key of
`TABLES`. A figure is therefore written in one place, the JSON file; `record.py` writes these.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from srgan.models.catalogue import PURPOSES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MEASURES = {  # key in the results: heading, digits, decimal point first
    "psnr": ("PSNR", 2, False),
    "ssim": ("SSIM", 4, True),
    "lpips": ("LPIPS", 4, True),
    "lr_psnr": ("LR-PSNR", 1, False),
    "grid": ("GRID", 3, True),
}
SETS = ("Set5", "Set14", "BSD100")
_BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def load(name: str) -> dict[str, Any]:
    """Returns the results of a file of `benchmarks/results`."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def scores(
    name: str,
    methods: Sequence[str],
    measures: Sequence[str] = ("psnr", "ssim", "lpips"),
    sets: Sequence[str] = SETS,
    first: str = "model",
    source: bool = True,
) -> str:
    """Returns a table with a row for each method, and a column for each dataset."""
    found = load(name)
    heading = " / ".join(MEASURES[measure][0] for measure in measures)
    rows = []
    for method in methods:
        of = found["methods"][method]
        cells = [_score(of.get(dataset, {}), measures) for dataset in sets]
        rows.append([_code(method), *cells])
    table = _table([first, *(f"{dataset}: {heading}" for dataset in sets)], rows)
    return table + (_source(found) if source else "")


def records(name: str, code: bool = False) -> str:
    """Returns a table of the rows and columns of a file."""
    found = load(name)
    columns = found["columns"]
    rows = []
    for row in found["rows"]:
        cells = [_cell(row.get(column["key"]), column.get("format", "")) for column in columns]
        rows.append([_code(cells[0]) if code else cells[0], *cells[1:]])
    return _table([column["title"] for column in columns], rows) + _source(found)


def costs(name: str, sets: Sequence[str], heads: Mapping[str, str]) -> str:
    """Returns a table of what formats cost in scores: each against float32 of the same weights."""
    found = load(name)
    titles = {column["key"]: column for column in found.get("columns", [])}
    exact: dict[str, Any] = {}
    rows = []
    for row in found["rows"]:
        exact = row if row["format"] in ("onnx", "float32") else exact
        changes = [_change(exact[dataset], row[dataset]) for dataset in sets]
        cells = [
            _cell(row[key], titles.get(key, {}).get("format", ".1f" if "db" in key else ""))
            for key in heads
        ]
        rows.append([*cells, *changes])
    change = [f"{dataset}: PSNR / LPIPS, change" for dataset in sets]
    return _table([*heads.values(), *change], rows) + _source(found)


def shipped() -> str:
    """Returns the table of the shipped models, from what `srgan models --json` prints."""
    from srgan.models.catalogue import path, shipped
    from srgan.models.loading import load as open_model

    found = {name: open_model(name).metadata for name in shipped()}
    if found.keys() != PURPOSES.keys():
        raise ValueError(f"PURPOSES differs by {sorted(found.keys() ^ PURPOSES.keys())}.")

    rows = [
        [
            f"`{name}`",
            f"x{found[name].scale}",
            "GAN" if found[name].psnr_model else "PSNR",
            f"{path(name).stat().st_size / 1e6:.2f} MB",
            purpose,
        ]
        for name, purpose in PURPOSES.items()
    ]
    return _table(["model", "scale", "kind", "file", "for"], rows)


_PAIRS = ("bicubic", "srgan-psnr-x4", "srgan-x4", "srgan-fast-psnr-x4", "srgan-fast-x4")
_OTHERS = (
    *_PAIRS,
    "Lanczos (Pillow 13)",
    "esrgan-slim",
    "esrgan-thick",
    "RealESRGAN_x4plus",
    "realesr-animevideov3",
)
TABLES: dict[str, Callable[[], str]] = {
    "models": shipped,
    "scores-short": lambda: scores("scores-x4", _PAIRS, ("psnr", "lpips"), source=False),
    "scores-x4": lambda: scores("scores-x4", _PAIRS[:3]),
    "scores-x4-consistency": lambda: scores("scores-x4", _PAIRS[1:3], ("lr_psnr",), source=False),
    "scores-x4-grid": lambda: scores(
        "scores-x4", ("srgan-x4", "srgan-fast-x4", "HR"), ("grid",), source=False
    ),
    "scores-fast": lambda: scores("scores-x4", _PAIRS[3:]),
    "scores-fast-consistency": lambda: scores("scores-x4", _PAIRS[3:], ("lr_psnr",), source=False),
    "scores-x2": lambda: scores("scores-x2", ("bicubic", "srgan-psnr-x2", "srgan-x2")),
    "scores-x2-consistency": lambda: scores(
        "scores-x2", ("srgan-psnr-x2", "srgan-x2"), ("lr_psnr",), source=False
    ),
    "scores-x2-half": lambda: scores(
        "scores-x2",
        ("srgan-psnr-x4, scaled to half", "srgan-x4, scaled to half"),
        sets=SETS[:2],
        source=False,
    ),
    "scores-degraded": lambda: scores(
        "scores-x4-degraded",
        (*_PAIRS[:3], "srgan-photo-psnr-x4", "srgan-photo-x4", "RealESRGAN_x4plus"),
    ),
    "scores-realism": lambda: scores(
        "scores-realism",
        ("0", "0.25", "0.5", "0.75", "1"),
        ("psnr", "lpips", "lr_psnr"),
        ("Set14", "Kodak24"),
        "`--realism`",
    ),
    "scores-x8": lambda: scores(
        "scores-x8", list(load("scores-x8")["methods"]), ("psnr", "lpips"), ("Set14",), "method"
    ),
    "scores-others": lambda: scores("scores-x4", _OTHERS, list(MEASURES), SETS[:2]),
    "conversion": lambda: records("conversion", code=True),
    "conversion-random": lambda: records("conversion-random"),
    "scores-converted": lambda: scores(
        "scores-converted",
        list(load("scores-converted")["methods"]),
        ("psnr", "ssim", "lpips", "lr_psnr"),
        ("Set5",),
    ),
    "formats": lambda: costs(
        "formats",
        ("Set5", "Set14"),
        {column["key"]: column["title"] for column in load("formats")["columns"]},
    ),
    "int8": lambda: costs(
        "int8",
        ("Set5", "Set14", "Kodak24"),
        {"model": "model", "format": "format", "against_keras_db": "PSNR against Keras, dB"},
    ),
} | {
    name: lambda name=name: records(name)
    for name in (
        "audit-changed",
        "audit-copies",
        "audit-faults",
        "audit-shifts",
        "batches",
        "choice",
        "choice-screenshots",
        "crops",
        "engines",
        "error-map",
        "error-map-calibration",
        "error-map-levels",
        "load",
        "memory",
        "patterns",
        "pipeline",
        "preview",
        "processes",
        "resilience",
        "serving",
        "speed-others",
        "startup",
        "training",
        "training-torch",
        "whole",
    )
}


def realism_curve() -> str:
    """Returns PSNR over LPIPS on Set14, from the PSNR model to the GAN model, as SVG."""
    found = load("scores-realism")["methods"]
    width, height, left, bottom = 560, 320, 70, 60
    (low, high), (least, most) = (0.14, 0.30), (27.4, 28.4)

    def place(lpips: float, psnr: float) -> tuple[float, float]:
        x = left + (width - left - 30) * (high - lpips) / (high - low)
        y = height - bottom - (height - bottom - 30) * (psnr - least) / (most - least)
        return round(x, 1), round(y, 1)

    parts = []
    for step in range(5):
        psnr, lpips = least + step * 0.25, low + step * 0.04
        (_, y), (x, _) = place(low, psnr), place(lpips, least)
        parts += [
            f'<line x1="{left}" x2="{width - 30}" y1="{y}" y2="{y}" stroke="#ddd"/>',
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{psnr:.2f}</text>',
            f'<text x="{x}" y="{height - bottom + 18}" text-anchor="middle">{lpips:.2f}</text>',
        ]
    points = {name: place(of["Set14"]["lpips"], of["Set14"]["psnr"]) for name, of in found.items()}
    line = " ".join(f"{x},{y}" for x, y in points.values())
    parts.append(f'<polyline points="{line}" fill="none" stroke="#4051b5" stroke-width="2"/>')
    for name, (x, y) in points.items():
        parts += [
            f'<circle cx="{x}" cy="{y}" r="4" fill="#4051b5"/>',
            f'<text x="{x + 4}" y="{y - 9}">{name}</text>',
        ]
    parts += [
        f'<text x="{left}" y="18">PSNR, dB (higher: closer to the truth)</text>',
        f'<text x="{width - 30}" y="{height - 12}" text-anchor="end">'
        "LPIPS (lower, to the right: looks more real)</text>",
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">\n'
        "<title>PSNR and LPIPS on Set14 for --realism from 0 to 1</title>\n"
        "<style>text{font:13px sans-serif;fill:#222}</style>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
    )


FIGURES: dict[str, Callable[[], str]] = {"docs/images/realism.svg": realism_curve}


def refresh(text: str) -> str:
    """Returns a document with its tables made anew.

    Raises:
        ValueError: If a table has no entry in `TABLES`.
    """

    def make(block: re.Match[str]) -> str:
        head, name, end = block.groups()
        if name not in TABLES:
            raise ValueError(f"There is no table {name!r}.")
        return f"{head}\n{TABLES[name]()}\n{end}"

    return _BLOCK.sub(make, text)


def documents() -> Iterator[Path]:
    """Yields the documents that may hold tables."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def write(name: str, found: Mapping[str, Any]) -> None:
    """Writes a file of results, a record a line."""
    text = json.dumps(found, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[^\[\]{}]*\]", _on_one_line, text)
    text = re.sub(r"\{[^{}]*\}", _on_one_line, text)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _on_one_line(part: re.Match[str]) -> str:
    text = re.sub(r"\s*\n\s*", " ", part[0])
    return re.sub(r"([\[{]) | ([\]}])", r"\1\2", text)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _source(found: Mapping[str, Any]) -> str:
    parts = [f"{found['title']}."]
    if "protocol" in found:
        parts.append(f"Protocol: {found['protocol']}.")
    if "lr" in found:
        parts.append(f"LR images: {found['lr']}.")
    if "note" in found:
        parts.append(found["note"])
    parts.append(f"Command: `{found['command']}`.")
    parts.append(f"Machine: {found['machine']}. Commit: {found['commit']}.")
    return f"\n<small>{' '.join(parts)}</small>\n"


def _score(scores: Mapping[str, float], measures: Sequence[str]) -> str:
    if not scores:
        return ""
    return " / ".join(
        number(scores[measure], *MEASURES[measure][1:]) if measure in scores else "-"
        for measure in measures
    )


def number(value: float, digits: int, point_first: bool) -> str:
    """Returns a figure as the tables have it: 31.73, or .1541."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("0") if point_first else text


def _change(exact: Mapping[str, float], other: Mapping[str, float]) -> str:
    if exact is other or exact == other:
        return "0 / 0"
    psnr = round(other["psnr"] - exact["psnr"], 2)
    lpips = round(other["lpips"] - exact["lpips"], 4)
    return f"{psnr:+.2f} dB / {'-' if lpips < 0 else '+'}{number(abs(lpips), 4, True)}"


def _cell(value: Any, style: str) -> str:
    if isinstance(value, list):
        middle, low, high = (_cell(each, style) for each in value)
        return f"{middle} ({low}-{high})"
    return "" if value is None else value if isinstance(value, str) else format(value, style or "g")


def _code(name: str) -> str:
    return f"`{name}`" if re.fullmatch(r"srgan-[\w-]+", name) else name


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    arguments = parser.parse_args()
    fresh = {path: refresh(path.read_text(encoding="utf-8")) for path in documents()}
    fresh |= {ROOT / name: draw() for name, draw in FIGURES.items()}
    stale = [path for path, text in fresh.items() if path.read_text(encoding="utf-8") != text]
    if not arguments.check:
        for path in stale:
            path.write_text(fresh[path], encoding="utf-8")
    for path in stale:
        print(path.relative_to(ROOT), "is out of date" if arguments.check else "written")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
