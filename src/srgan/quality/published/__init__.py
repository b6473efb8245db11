"""Figures of papers beside measured ones, where both were taken in the same way."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, NamedTuple

import pydantic

from srgan.quality import protocols, reduction
from srgan.quality.measures import MEASURES
from srgan.quality.results import Evaluation
from srgan.quality.summary import Summary

_HERE = Path(__file__).parent
_SAME = 0.2  # dB; programs cut and round in several ways


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


def _protocols(named: dict[str, str | None]) -> dict[str, str | None]:
    for name in named.values():
        if name is not None:
            protocols.protocol(name)
    return named


_Protocols = Annotated[dict[str, str | None], pydantic.AfterValidator(_protocols)]


class Row(_Record):
    """What a paper says of one method on one dataset.

    Attributes:
        source: Where exactly that is said.
        protocols: Where they are others than those of the file.
    """

    method: str
    parameters: str | None = None
    dataset: str
    photos: int = pydantic.Field(ge=1)
    scale: int = pydantic.Field(ge=1)
    source: str = pydantic.Field(min_length=1)
    scores: dict[str, Decimal]  # as text, they keep the digits of their source
    protocols: _Protocols = {}

    @pydantic.field_validator("scores")
    @classmethod
    def _known(cls, scores: dict[str, Decimal]) -> dict[str, Decimal]:
        unknown = sorted(scores.keys() - MEASURES.keys())
        if unknown or not scores:
            raise ValueError(f"got {unknown or 'no'} measures; expected some of {list(MEASURES)}")
        return scores


class Paper(_Record):
    """A file of published figures; see docs/guides/measure.md.

    Attributes:
        title: What they are.
        protocols: How each measure was taken: the name of a protocol, or None where the sources do
            not say it in full.
        rows: The figures.
    """

    title: str
    protocols: _Protocols
    rows: tuple[Row, ...]


class Beside(NamedTuple):
    """One published figure, and why it does not compare with what was measured, or ""."""

    row: Row
    measure: str
    text: str  # the figure, with the digits of its source
    objection: str


def load(name: str) -> Paper:
    """Returns a file of figures: one that comes with the package, as `x4`, or another.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no such file.
    """
    shipped = sorted(path.stem for path in _HERE.glob("*.json"))
    file = _HERE / f"{name}.json" if name in shipped else Path(name)
    try:
        return Paper.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There are no figures {name}; expected a JSON file, or {', '.join(shipped)}."
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(
            f"{file} cannot be read: {reason}; expected a JSON file of figures."
        ) from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{file} is no file of figures: {place}: {first['msg']}.") from None


def beside(found: Evaluation, paper: Paper) -> Iterator[Beside]:
    """Yields the figures on what was measured, each with what is against comparing it."""
    bicubic = {
        (row.dataset.lower(), row.scale): float(row.scores["psnr"])
        for row in paper.rows
        if row.method == "bicubic" and "psnr" in row.scores
    }
    for row in paper.rows:
        summary = next(
            (s for name, s in found.summaries.items() if name.lower() == row.dataset.lower()), None
        )
        if summary is None or row.scale != found.scale:
            continue
        ways = found.provenance.get("data", {}).get(summary.dataset, {}).get("lr", {})
        for measure, value in row.scores.items():
            protocol = (paper.protocols | row.protocols).get(measure)
            objection = ""
            if not protocol:
                objection = "its source does not say in full how it was taken"
            elif not _is_same(measure, protocol, found.protocol):
                objection = f"it was taken by {protocol}, and these by {found.protocol}"
            elif summary.photos[measure] != row.photos:
                objection = (
                    f"it is over {row.photos} photos, and these over {summary.photos[measure]}"
                )
            elif set(ways) - {reduction.MATLAB}:
                objection = "the LR images here are not MATLAB's bicubic"
            else:
                objection = _others(summary, bicubic.get((row.dataset.lower(), row.scale)))
            yield Beside(row, measure, str(value), objection)


def to_json(found: Evaluation, paper: Paper) -> list[dict[str, object]]:
    """Returns what papers say, each figure with why it does not compare, or ""."""
    return [
        {
            **one.row.model_dump(exclude={"scores", "protocols"}),
            "measure": one.measure,
            "value": float(one.text),
            "text": one.text,
            "objection": one.objection,
        }
        for one in beside(found, paper)
    ]


def lines(found: Evaluation, paper: Paper) -> list[str]:
    """Returns what papers say, for the terminal: what compares, and apart from it what does not."""
    figures = list(beside(found, paper))
    if not figures:
        return [f"{paper.title}: none of these datasets at x{found.scale}."]
    alike = [f"  {_line(one)}" for one in figures if not one.objection]
    said = [f"{paper.title}; they compare with the means above:", *alike]
    if not alike:
        said = [f"{paper.title}: none compares with the means above."]
    apart = [f"  {_line(one)}: {one.objection}" for one in figures if one.objection]
    return [*said, *(["These do not compare:", *apart] if apart else [])]


def _is_same(measure: str, protocol: str, other: str) -> bool:
    """Whether two protocols take a measure alike; the SRGAN paper differs in SSIM alone."""
    one, two = (protocols.protocol(name) for name in (protocol, other))
    if measure == "psnr":
        return (one.colour, one.border) == (two.colour, two.border)
    return measure != "ssim" or one == two


def _line(one: Beside) -> str:
    row = one.row
    size = f", {row.parameters}" if row.parameters else ""
    measure = MEASURES[one.measure].label
    return f"{row.dataset}  {row.method}{size}  {measure} {one.text}  ({row.source})"


def _others(summary: Summary, bicubic: float | None) -> str:
    """Whether bicubic, which is the same everywhere, says that these are other photos."""
    means = summary.means.get("bicubic")
    if bicubic is None or means is None or abs(means.psnr - bicubic) <= _SAME:
        return ""
    return (
        f"bicubic has {means.psnr:.2f} dB on these photos, and {bicubic:.2f} dB in the file: "
        "they are others"
    )
