"""The means of an evaluation as tables: for the terminal, CSV, Markdown and LaTeX."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Literal

from srgan.quality import reduction, statistics
from srgan.quality.measures import MEASURES, Measure
from srgan.quality.methods import ORIGINAL
from srgan.quality.results import Evaluation
from srgan.quality.summary import MAIN, Difference, Summary

Format = Literal["csv", "markdown", "latex"]

PAPER = ("psnr", "ssim", "lpips", "lr_psnr")
"""The measures of tables for papers; CSV and JSON have all."""

WITHOUT_HR = ("niqe", "brisque", "lr_psnr")
"""Those of photos that have no truth."""

_COLUMNS = (  # of CSV
    *("dataset", "method", "measure", "photos", "capped", "mean"),
    *("reference", "difference", "low", "high", "p", "verdict", "protocol", "scale"),
)
_NAMED = 3  # photos in notes
_ARROWS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}"}
_LATEX_ARROWS = {"higher": r" $\uparrow$", "lower": r" $\downarrow$"}
_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def write(found: Evaluation, form: Format) -> str:
    """Returns the means of an evaluation as a table in a format.

    Markdown and LaTeX have the measures of papers, the best value of each column in bold, and a
    star where a value differs from that of the reference (see `summary.judge`). CSV has a row for
    each dataset, method and measure, with the difference to the reference and its interval.

    Example:
        `tables.write(evaluation, "latex")` is what `srgan evaluate --table latex` prints. It needs
        the LaTeX package booktabs.
    """
    if form == "csv":
        return _csv(found)
    return _markdown(found) if form == "markdown" else _latex(found)


def terminal(found: Evaluation) -> str:
    """Returns all means as columns of text, with how many photos are behind them."""
    rows = [
        ("set", "method", "n", *(measure.label for measure in MEASURES.values())),
        ("", "", "", *(measure.unit for measure in MEASURES.values())),
    ]
    for summary in found.summaries.values():
        n = str(max(summary.photos.values()))
        for method, scores in summary.means.items():
            values = (MEASURES[name].format(value) for name, value in scores._asdict().items())
            scored = n if not all(map(math.isnan, scores)) else "0"
            rows.append((summary.dataset, method, scored, *values))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{text:{'<' if k < 2 else '>'}{widths[k]}}" for k, text in enumerate(row)
        ).rstrip()
        for row in rows
    )


def notes(found: Evaluation) -> list[str]:
    """Returns what one must know to read the means: photos left out, caps, LR images not usual."""
    said = []
    for summary in found.summaries.values():
        said += [f"{summary.dataset}: {text}" for text in _notes(found, summary)]
    for method, made in found.provenance.get("results", {}).items():
        if names := made["left_over"]:
            said.append(f"{method}: of no photo are {_few(names)}.")
        if names := made["transparent"]:
            said.append(f"{method}: transparent pixels were laid on white, in {_few(names)}.")
    return said


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if names[_NAMED:] else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _notes(found: Evaluation, summary: Summary) -> Iterator[str]:
    photos = sum(case.dataset == summary.dataset for case in found.cases)
    most = max(summary.photos.values())
    if summary.left_out:
        some = list(summary.left_out.items())[:_NAMED]
        named = "; ".join(f"{photo} ({', '.join(methods)})" for photo, methods in some)
        more = (
            f" and {len(summary.left_out) - _NAMED} more"
            if summary.left_out.keys() - dict(some)
            else ""
        )
        yield (
            f"means are over {most} of {photos} photos, those that all methods have. Left out for "
            f"want of a result: {named}{more}."
        )
    for measure, count in summary.photos.items():
        without = not summary.photos["psnr"] and measure not in WITHOUT_HR
        reasons = _reasons(found, summary, measure) if count < most and not without else []
        if reasons or 0 < count < most:
            yield " ".join(
                (
                    f"{MEASURES[measure].label} is over {count} of {photos} photos, those that it "
                    "applies to in all methods.",
                    *reasons[:2],
                )
            )
    for method, counts in summary.capped.items():
        for measure, count in counts.items():
            yield (
                f"{MEASURES[measure].label} of {method}: {count} of {summary.photos[measure]} "
                "photos without any error, which count as 100 dB in the mean."
            )
    data = found.provenance.get("data", {}).get(summary.dataset, {})
    if names := data.get("transparent"):
        yield f"transparent pixels of photos were laid on white, in {_few(names)}."
    ways = data.get("lr", {})
    for way, count in ways.items():
        if way != reduction.MATLAB:
            yield (
                f"the LR images of {count} of {photos} photos are not MATLAB's bicubic but {way}: "
                "the figures do not compare with those of papers."
            )


def _reasons(found: Evaluation, summary: Summary, measure: str) -> list[str]:
    """Why a measure does not apply to photos, as far as that was said."""
    said = (
        result.reasons.get(measure, "")
        for result in found.results
        if result.case.dataset == summary.dataset
    )
    return [text for text in dict.fromkeys(said) if text]


def footnote(found: Evaluation) -> str:
    """Returns how the differences of an evaluation were judged."""
    known = [row for row in found.differences if row.p == row.p]  # NaN is not equal to itself
    count = sum(row.measure in MAIN for row in known)
    taken = f"Differences to {found.reference}, photo by photo"
    if not known:
        return f"{taken}. Fewer than {statistics.FEWEST} photos are too few to tell."
    return (
        f"{taken}, with 95 % intervals (Student's t; from {statistics.SKEWNESS_KNOWN} photos on, "
        "the studentised bootstrap, too). Shown means p < 0.05 after Holm's correction for the "
        f"{count} comparisons of PSNR, SSIM and LPIPS, and for the {len(known) - count} of all "
        "other measures."
    )


def _csv(found: Evaluation) -> str:
    differences = {(d.dataset, d.method, d.measure): d for d in found.differences}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for summary in found.summaries.values():
        for method, scores in summary.means.items():
            for measure, value in scores._asdict().items():
                row = differences.get((summary.dataset, method, measure))
                rest = row and (row.other, row.mean, row.low, row.high, row.p, row.verdict)
                photos = summary.photos[measure] if value == value else 0
                capped = summary.capped.get(method, {}).get(measure, 0)
                numbers = (photos, capped, value, *(rest or ("",) * 6))
                cells = ("" if cell != cell else cell for cell in numbers)  # NaN
                rows.writerow(
                    (summary.dataset, method, measure, *cells, found.protocol, found.scale)
                )
    return text.getvalue()


def _markdown(found: Evaluation) -> str:
    head = [f"{m.label} {m.unit} {_ARROWS[m.better]}".replace("  ", " ") for m in _columns(found)]
    lines = [
        f"| set (n) | method | {' | '.join(head)} |",
        "|---|---|" + "---:|" * len(head),
    ]
    for summary, method, cells in _cells(found, "**{}**", r"\*", "n"):
        name = f"{summary.dataset} ({max(summary.photos.values())})"
        texts = [text.replace("|", r"\|") for text in (name, method)]
        lines.append(f"| {' | '.join([*texts, *cells])} |")
    return "\n".join([*lines, "", *(f"{line}  " for line in _legend(found, r"\*"))]) + "\n"


def _latex(found: Evaluation) -> str:
    head = [
        f"{m.label}{f' ({m.unit})' if m.unit else ''}{_LATEX_ARROWS[m.better]}"
        for m in _columns(found)
    ]
    lines = [
        *(f"% {line}" for line in _legend(found, "*")),
        rf"\begin{{tabular}}{{ll{'r' * len(head)}}}",
        r"\toprule",
        rf"Set ($n$) & Method & {' & '.join(head)} \\",
    ]
    before = None
    for summary, method, cells in _cells(found, r"\textbf{{{}}}", "$^{*}$", "$n$"):
        if summary.dataset != before:
            lines.append(r"\midrule")
        name = f"{summary.dataset} ({max(summary.photos.values())})".translate(_LATEX)
        shown = name if summary.dataset != before else ""
        lines.append(rf"{shown} & {method.translate(_LATEX)} & {' & '.join(cells)} \\")
        before = summary.dataset
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _measures(found: Evaluation) -> tuple[str, ...]:
    has_hr = any(summary.photos["psnr"] for summary in found.summaries.values())
    return PAPER if has_hr else WITHOUT_HR


def _columns(found: Evaluation) -> list[Measure]:
    return [MEASURES[measure] for measure in _measures(found)]


def _cells(
    found: Evaluation, bold: str, star: str, n: str
) -> Iterator[tuple[Summary, str, list[str]]]:
    """The texts of each row: the best of each column in bold, a star at what differs.

    A mean over fewer photos than others has their number `n` beside it.
    """
    shown = {
        (row.dataset, row.method, row.measure)
        for row in found.differences
        if row.verdict in ("higher", "lower")
    }
    for summary in found.summaries.values():
        methods = [name for name in summary.means if name != ORIGINAL]
        best = {measure: _best(summary, methods, measure) for measure in _measures(found)}
        for method in methods:
            cells = []
            for measure in _measures(found):
                text = MEASURES[measure].format(getattr(summary.means[method], measure))
                cell = bold.format(text) if text == best[measure] else text
                cell += star if (summary.dataset, method, measure) in shown else ""
                count = summary.photos[measure]
                fewer = 0 < count < max(summary.photos.values())
                cells.append(f"{cell} ({n} = {count})" if fewer else cell)
            yield summary, method, cells


def _best(summary: Summary, methods: Sequence[str], measure: str) -> str | None:
    values = [getattr(summary.means[method], measure) for method in methods]
    known = [value for value in values if value == value]
    if len(known) < 2:
        return None
    return MEASURES[measure].format(min(known, key=MEASURES[measure].lack))


def _legend(found: Evaluation, star: str) -> list[str]:
    return [
        f"Protocol {found.protocol}, x{found.scale}; n photos. {star} differs from "
        f"{found.reference}. {footnote(found)}",
        *notes(found),
    ]


def differences(found: Evaluation) -> list[str]:
    """Returns lines on how every method differs from the reference, for the terminal."""
    measures = MAIN if _measures(found) == PAPER else WITHOUT_HR
    return [_line(row) for row in found.differences if row.measure in measures]


def _line(row: Difference) -> str:
    measure = MEASURES[row.measure]
    mean, low, high = (measure.format(x, "+") for x in (row.mean, row.low, row.high))
    interval = f" [{low}, {high}]" if row.low == row.low else ""
    verdict = f"  ({row.verdict})" if row.verdict not in ("higher", "lower") else ""
    return f"{row.dataset}  {row.method}  {measure.label} {mean}{interval}{verdict}"
