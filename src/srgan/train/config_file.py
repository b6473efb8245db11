"""Reads a configuration from a TOML file; what is wrong is said in the words of the file."""

import difflib
import logging
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from srgan.train.config import (
    Adversarial,
    Config,
    Degradation,
    Pretrain,
    Residual,
    RrdbNet,
    Span,
    SrResNet,
    SrVggNet,
    Teacher,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_logger = logging.getLogger(__name__)

_ARCHITECTURES = {
    "residual": Residual,
    "srresnet": SrResNet,
    "rrdbnet": RrdbNet,
    "srvggnet": SrVggNet,
    "span": Span,
}
_TABLES = {
    "degradation": Degradation,
    "teacher": Teacher,
    "pretrain": Pretrain,
    "adversarial": Adversarial,
}


def read(path: str | os.PathLike[str]) -> Config:
    """Reads a TOML configuration; what it leaves out is as in the defaults.

    Raises:
        ValueError: One line a mistake, each with the key, what was found and what was expected.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        said = f"{path} is not a TOML file: {error}"
        if Path(path).suffix.lower() in (".yml", ".yaml"):
            said += (
                ". Configurations of BasicSR, neosr and others are not read; srgan recipes NAME "
                "prints one to begin with."
            )
        raise ValueError(said) from None
    return _validate(_as_now(table), str(path))


def override(settings: Config, changes: Sequence[str], source: str = "--set") -> Config:
    """Returns a configuration with some values changed, validated as a file is.

    Args:
        settings: What is changed.
        changes: As "pretrain.steps=2000": a key of the file and its value in TOML, of which a
            string needs no quotes.
        source: What mistakes are said of, and with the change if there is one alone.

    Raises:
        ValueError: One line a mistake, as of `read`.
    """
    table = settings.model_dump(exclude_unset=True)
    if "generator" in table:
        table["generator"]["architecture"] = settings.generator.architecture
    for change in changes:
        key, equals, text = change.partition("=")
        *path, last = key.strip().split(".")
        if not equals or not last:
            raise ValueError(f"{source} {change}: expected KEY=VALUE, as pretrain.steps=2000.")
        place = table
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ValueError(f"{source} {change}: {part} is a value, and no table.")
        place[last] = _value(text.strip())
    return _validate(table, f"{source} {changes[0]}" if len(changes) == 1 else source)


def sweep(settings: Config, values: str) -> dict[str, Config]:
    """Returns a configuration for each value of a key, by the name of its run.

    Args:
        settings: What is changed.
        values: As "adversarial.adversarial_weight=1,3,9".

    Raises:
        ValueError: If there are no values, one comes twice, or one cannot be used.
    """
    key, _, text = values.partition("=")
    key = key.strip()
    found = [value.strip() for value in text.split(",") if value.strip()]
    if len({*found}) != len(found) or not found or not key:
        raise ValueError(
            f"--sweep {values}: expected KEY=A,B,C, with at least one value and none of them twice."
        )
    return {
        re.sub(r"[^\w.=+-]", "_", f"{key}={value}"): override(
            settings, [f"{key}={value}"], "--sweep"
        )
        for value in found
    }


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _validate(table: dict[str, Any], source: str) -> Config:
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        lines = []
        for mistake in error.errors():
            # The tag of the generator is no part of the file.
            key = ".".join(str(part) for part in mistake["loc"] if part not in _ARCHITECTURES)
            lines.append(f"{source}: {key + ': ' if key else ''}{_explain(mistake)}")
        raise ValueError("\n".join(lines)) from None


def _explain(mistake: "ErrorDetails") -> str:
    """What is wrong, in the words of the file rather than those of its validation."""
    if mistake["type"] == "union_tag_invalid":
        tag = str(mistake["input"].get("architecture"))
        return f"there is no architecture {tag!r}{_meant(tag, _ARCHITECTURES)}"
    if mistake["type"] != "extra_forbidden":
        said = mistake["msg"].removeprefix("Value error, ")
        is_plain = mistake["type"] != "value_error" and isinstance(
            mistake["input"], str | int | float
        )
        return f"{said}; got {mistake['input']!r}" if is_plain else said
    known: type[BaseModel] = Config
    for part in mistake["loc"][:-1]:
        known = (_ARCHITECTURES | _TABLES).get(str(part), known)
    of = known.model_fields.get("architecture")
    owner = f" of {of.default}" if of else ""
    name = str(mistake["loc"][-1])
    # The table may have been forgotten.
    tables = {key: table.model_fields for key, table in _TABLES.items()} if known is Config else {}
    return f"there is no such field{owner}{_meant(name, known.model_fields, tables)}"


def _meant(
    name: str, known: Iterable[str], tables: Mapping[str, Iterable[str]] | None = None
) -> str:
    """What was meant, probably; all that there is, if nothing is near."""
    places = {key: [key] for key in known}
    for table, fields in (tables or {}).items():
        for field in fields:
            places.setdefault(field, []).append(f"{table}.{field}")
    near = difflib.get_close_matches(name.lower(), places, 1)
    if near:
        return f"; did you mean {' or '.join(places[near[0]])}?"
    return f"; expected one of {', '.join(known)}."


# What version 0.1 wrote of each generator, whichever it was.
_EVERY_FIELD = {
    "hr_filters": 16,
    "normalisation": False,
    "activation": "prelu",
    "growth": 32,
}


def _as_now(table: dict[str, Any]) -> dict[str, Any]:
    """A configuration of version 0.1 or 0.2 in today's words; it works until 0.3."""
    table = dict(table)
    for stage in ("pretrain", "adversarial"):
        settings = table.get(stage)
        if isinstance(settings, dict) and "draws" in settings:
            _logger.warning("%s.draws is now called crop_candidates.", stage)
            names = {"draws": "crop_candidates"}
            table[stage] = {names.get(key, key): value for key, value in settings.items()}
    generator = table.get("generator")
    if isinstance(generator, dict) and generator.get("architecture") == "compact":
        _logger.warning("The architecture compact is now called residual.")
        generator = table["generator"] = generator | {"architecture": "residual"}
    if isinstance(generator, dict) and generator.keys() >= _EVERY_FIELD.keys():
        chosen = _ARCHITECTURES.get(str(generator.get("architecture")))
        if chosen:  # one that a run wrote, with the defaults of the other architectures
            table["generator"] = {
                key: value
                for key, value in generator.items()
                if key in chosen.model_fields or value != _EVERY_FIELD.get(key)
            }
    return table
