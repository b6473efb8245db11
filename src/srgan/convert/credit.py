"""Whose a model is: its licence, author and tags, from a card of OpenModelDB or the file itself.

See https://github.com/OpenModelDB/open-model-database for the cards.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

UNKNOWN = "unknown"
_MAX_CARD = 2**20  # bytes


class Credit(BaseModel):
    """What is known of a model's origin; "unknown" is what nobody said.

    Attributes:
        licence: As its author calls it.
        author: Or several.
        tags: What it is for.
        training_data: What it was trained on.
    """

    model_config = ConfigDict(frozen=True)

    licence: str = UNKNOWN
    author: str = UNKNOWN
    tags: str = ""
    training_data: str = UNKNOWN


class _Resource(BaseModel):
    sha256: str | None = None


class _Card(BaseModel):
    """The parts of a card that are used; others are let be."""

    scale: int
    architecture: str
    license: str | None = None
    author: list[str] = Field(default=[])
    tags: list[str] = []
    dataset: str | None = None
    resources: list[_Resource] = []

    @field_validator("author", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value or []


class Card(BaseModel):
    """A card, and which model it is about.

    Attributes:
        credit: What it says of the model's origin.
        scale: The model's.
        hashes: Of the files that it is about.
    """

    credit: Credit
    scale: int
    hashes: list[str]


def read_card(path: Path) -> Card:
    """Reads a card of OpenModelDB.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the file is no such card.
    """
    if path.stat().st_size > _MAX_CARD:
        raise ValueError(f"{path} is too large for a card of OpenModelDB.")
    try:
        card = _Card.model_validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "it"
        raise ValueError(
            f"{path} is no card of OpenModelDB ({where}: {fault['msg']}); expected a file of its "
            "folder data/models."
        ) from None
    credit = Credit(
        licence=_line(card.license) or UNKNOWN,
        author=_line(", ".join(card.author)) or UNKNOWN,
        tags=_line(", ".join(card.tags)),
        training_data=_line(card.dataset) or UNKNOWN,
    )
    hashes = [one.sha256.lower() for one in card.resources if one.sha256]
    return Card(credit=credit, scale=card.scale, hashes=hashes)


def beside(source: Path) -> Path | None:
    """Returns the card beside a model, of the same name, if there is one."""
    path = source.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        read_card(path)
    except ValueError:
        return None  # a file of another kind
    return path


def from_texts(texts: Mapping[str, str]) -> Credit:
    """Returns what the header of a safetensors file says."""

    def text(*names: str) -> str:
        found = (texts.get(f"{prefix}{name}") for name in names for prefix in ("", "modelspec."))
        return next((_line(one) for one in found if one), "") or UNKNOWN

    return Credit(licence=text("license", "licence"), author=text("author"))


def _line(text: str | None) -> str:
    """A text of strangers, as one line that can be shown."""
    return "".join(c for c in " ".join((text or "").split()) if c.isprintable())[:500]
