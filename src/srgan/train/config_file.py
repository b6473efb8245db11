"""Reads a configuration from a TOML file; what is wrong is said in the words of the file."""

import logging
import tomllib
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


def read(path: Path) -> Config:
    """Reads a TOML configuration; what it leaves out is as in the defaults.

    Raises:
        ValueError: One line a mistake, each with the key, what was found and what was expected.
    """
    try:
        return Config.model_validate(_as_now(tomllib.loads(path.read_text(encoding="utf-8"))))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from None
    except ValidationError as error:
        lines = []
        for mistake in error.errors():
            # The tag of the generator is no part of the file.
            key = ".".join(str(part) for part in mistake["loc"] if part not in _ARCHITECTURES)
            lines.append(f"{path}: {key + ': ' if key else ''}{_explain(mistake)}")
        raise ValueError("\n".join(lines)) from None


def _explain(mistake: "ErrorDetails") -> str:
    """What is wrong, in the words of the file rather than those of its validation."""
    if mistake["type"] == "union_tag_invalid":
        tag = mistake["input"].get("architecture")
        return f"there is no architecture {tag!r}; expected {', '.join(_ARCHITECTURES)}."
    if mistake["type"] != "extra_forbidden":
        return mistake["msg"]
    known: type[BaseModel] = Config
    for part in mistake["loc"][:-1]:
        known = (_ARCHITECTURES | _TABLES).get(str(part), known)
    of = known.model_fields.get("architecture")
    owner = f" of {of.default}" if of else ""
    return f"there is no such field{owner}; expected one of {', '.join(known.model_fields)}."


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
