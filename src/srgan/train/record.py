"""What a run depends on: written when it begins, restored and compared when it goes on.

RUN/run.json     photos, initial weights, VGG's weights, teacher, each with a hash; versions,
                 precision
RUN/config.toml  the configuration
"""

import hashlib
import logging
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from srgan.models import catalogue
from srgan.train import config, data, streams
from srgan.util import files, versions

_logger = logging.getLogger(__name__)

_CHANGEABLE = (
    "steps",
    "learning_rate",
    "discriminator_learning_rate",
    "warmup",
    "clip_norm",
)
"""Keys of a stage that do not change what it has done so far."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """A file that a run reads."""

    file: str  # or the name of a shipped model
    sha256: str


class Data(_Part):
    """The photos of a run, or its validation set."""

    fingerprint: str  # of all pixels
    photos: int
    skipped: list[data.Skipped] = []


class Inputs(_Part):
    """What the command named, to be named no more when the run goes on."""

    photos: Path | None  # None has a data set of the caller's
    lr_photos: Path | None
    validation: Path | None  # None holds back some of `photos`
    cache: Path


class Record(_Part):
    """RUN/run.json."""

    versions: dict[str, str]
    platform: str
    precision: str
    inputs: Inputs
    init: Source | None  # None began with random weights
    vgg: Source | None  # None needs none
    teacher: Source | None = None
    own: dict[str, str] = {}  # networks and losses of the caller
    data: Data
    validation: Data


def source(file: Path, weights: Path | None = None) -> Source:
    """Returns a file as a record names it.

    Args:
        file: The file.
        weights: The one with its weights, if that is another.
    """
    return Source(file=str(file.resolve()), sha256=files.sha256(weights or file))


def model(name: str | os.PathLike[str]) -> Source:
    """Returns the source of a model: a shipped one by its name, or a file.

    Raises:
        FileNotFoundError: If there is no such model.
    """
    file = name if name in catalogue.shipped() else catalogue.path(name).resolve()
    return Source(file=str(file), sha256=catalogue.sha256(name))


def fingerprint(pairs: Iterable[Sequence[np.ndarray]]) -> str:
    """Returns a hash over the pixels of some pairs."""
    digest = hashlib.sha256()
    for pair in pairs:
        for image in pair:
            digest.update(repr(image.shape).encode())
            digest.update(image.tobytes())
    return digest.hexdigest()


def data_of(photos: data.Photos | None, own: Mapping[str, streams.OwnStream]) -> Data:
    """Returns what batches are made of: photos, or the first batches of a caller's data sets."""
    if not own:
        assert photos
        names, skipped = photos.names, photos.skipped
        return Data(fingerprint=photos.fingerprint, photos=len(names), skipped=skipped)
    found = fingerprint(stream.head(1)[0] for stream in own.values())
    if photos:
        found = hashlib.sha256((found + photos.fingerprint).encode()).hexdigest()
    return Data(fingerprint=found, photos=0)


def installed() -> dict[str, str]:
    """Returns the versions that the weights of a run depend on."""
    return versions.installed("srgan", "tensorflow", "keras", "numpy", "pyvips")


def exists(folder: Path) -> bool:
    """Whether a folder holds a run."""
    return (folder / "config.toml").exists()


def make(
    computed_in: str,
    inputs: Inputs,
    init: Source | None,
    vgg: Source | None,
    teacher: Source | None,
    own: dict[str, str],
    training: Data,
    validating: Sequence[data.Pair],
) -> Record:
    """Returns what a new run depends on."""
    return Record(
        versions=installed(),
        platform=platform.platform(),
        precision=computed_in,
        inputs=inputs,
        init=init,
        vgg=vgg,
        teacher=teacher,
        own=own,
        data=training,
        validation=Data(fingerprint=fingerprint(validating), photos=len(validating)),
    )


def write(folder: Path, settings: config.Config, record: Record) -> None:
    """Writes both files, which make a folder that of a run."""
    files.write_bytes(folder / "run.json", record.model_dump_json(indent=2).encode())
    text = tomli_w.dumps(settings.model_dump(mode="json"))
    files.write_bytes(folder / "config.toml", text.encode())  # last: its folder is a run


def read(folder: Path) -> Record:
    """Reads what the run in a folder depends on.

    Raises:
        ValueError: If the folder holds no run, or one that cannot be continued.
    """
    if not exists(folder):
        raise ValueError(
            f"{folder} holds no run to resume: config.toml is missing. Name the folder "
            "that the run was begun with, as -o RUN."
        )
    file = folder / "run.json"
    try:
        return Record.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else _first(error)
        raise ValueError(
            f"{file} does not say all that the run depends on ({reason}): it is damaged, or from "
            "version 0.2 or before, whose runs cannot be continued. Finish it with that version, "
            f"or begin a new run with --init {folder / 'pretrain' / 'best.npz'}."
        ) from None


def check_source(what: str, option: str, known: Source | None, found: Source | None) -> None:
    """Raises if a file that was named for a resumed run is not the one that it began with.

    Args:
        what: What the file is.
        option: Of the command, that names it.
        known: What the run began with.
        found: What was named now; None if nothing was.

    Raises:
        ValueError: If they differ.
    """
    if found is None or (known and known.sha256 == found.sha256):
        return
    if known is None:
        raise ValueError(f"The run began without {what}; leave out {option} {found.file}.")
    raise ValueError(
        f"{found.file} is not {what} that the run began with, {known.file} "
        f"(sha256 {found.sha256[:16]}, then {known.sha256[:16]}). Leave out {option}, or name "
        "that file; or begin a new run."
    )


def check_data(what: str, known: Data, found: str) -> None:
    """Raises if photos are not those that a run began with.

    Raises:
        ValueError: If they differ.
    """
    if known.fingerprint != found:
        raise ValueError(
            f"{what} have changed since the run began (fingerprint {found[:16]}, then "
            f"{known.fingerprint[:16]}); restore them, or begin a new run with --init."
        )


def check_own(known: dict[str, str], found: dict[str, str]) -> None:
    """Raises if a caller's networks or losses are not those that a run began with.

    Raises:
        ValueError: If they differ, or are not given again.
    """
    for name in {**known, **found}:
        if known.get(name) != found.get(name):
            raise ValueError(
                f"The run began with {known.get(name) or 'none of its own'} as {name}, and now "
                f"there is {found.get(name) or 'none'}. Give train() the same ones again."
            )


def warn_of_versions(known: Record) -> None:
    """Says which versions differ from those that a run began with."""
    now = installed()
    changed = [
        f"{name} {now.get(name)} (then {then})"
        for name, then in known.versions.items()
        if now.get(name) != then
    ]
    if changed:
        _logger.warning(
            "The versions are not those that the run began with, so that weights may differ in "
            "their last digits: %s.",
            ", ".join(changed),
        )


def check_settings(known: config.Config, wanted: config.Config, over: Sequence[str]) -> None:
    """Raises if a changed configuration would change what a run has done so far.

    Args:
        known: What the run has.
        wanted: What it should go on with.
        over: The stages that are over.

    Raises:
        ValueError: If it would, naming each key.
    """
    changes = dict(_changes(known.model_dump(mode="json"), wanted.model_dump(mode="json")))
    refused = []
    for key, (then, now) in changes.items():
        stage, _, name = key.partition(".")
        fixed = stage in over if name in _CHANGEABLE else key != "validate_every"
        if fixed:
            refused.append(f"{key} is {now!r}, and was {then!r}")
    if refused:
        allowed = ", ".join(("validate_every", *_CHANGEABLE))
        raise ValueError(
            f"The run cannot go on with another configuration: {'; '.join(refused)}. Only what "
            f"does not change the past may differ: {allowed}, of a stage that is not over."
        )
    for key, (then, now) in changes.items():
        _logger.warning("From here on, %s is %r, and no longer %r.", key, now, then)


def _changes(then: dict[str, Any], now: dict[str, Any], prefix: str = "") -> Iterable[tuple]:
    """The keys that differ, dotted, each with both values."""
    for key in dict.fromkeys([*then, *now]):
        before, after = then.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changes(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}", (before, after)


def _first(error: ValidationError) -> str:
    mistake = error.errors()[0]
    return f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}".lstrip(": ")
