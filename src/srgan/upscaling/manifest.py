"""What was done of a folder, and with which options: the journal that a resumed run reads."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srgan.upscaling.options import UpscaleOptions
from srgan.util.journal import Journal

MANIFEST = ".srgan-upscale.jsonl"  # in the folder of the results; hidden, since it is no picture


def settings_of(fingerprint: str, precision: str, options: UpscaleOptions) -> dict[str, object]:
    """Returns what the pixels of a result depend on.

    Args:
        fingerprint: Of the model's file; see `catalogue.fingerprint`.
        precision: Of the arithmetic.
        options: What was asked for.
    """
    return {"model": fingerprint, "precision": precision, "options": options.changed()}


class Manifest:
    """A line of JSON for every photo that was begun, and one for every file that was made."""

    def __init__(self, folder: Path, settings: Mapping[str, object]):
        self._folder, self._journal = folder, Journal(folder / MANIFEST)
        self._settings = json.loads(json.dumps(settings))
        entries = map(_as_now, self._journal.entries())
        self._last = {e["destination"]: e for e in entries if "destination" in e}

    def note(self, source: Path, destination: Path, done: bool) -> None:
        self._journal.append(self._entry(source, destination) | {"done": done})

    def knows(self, destination: Path) -> bool:
        return self._relative(destination) in self._last

    def is_done(self, source: Path, destination: Path) -> bool:
        entry = self._entry(source, destination) | {"done": True}
        return self._last.get(self._relative(destination)) == entry

    def _entry(self, source: Path, destination: Path) -> dict:
        state = source.stat()
        return {
            "destination": self._relative(destination),
            "source": str(source.resolve()),
            "bytes": state.st_size,
            "changed": state.st_mtime_ns,
            "settings": self._settings,
        }

    def _relative(self, destination: Path) -> str:
        return destination.relative_to(self._folder).as_posix()


def _as_now(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a manifest; version 0.1 wrote settings in another form."""
    old = entry.get("settings")
    if not isinstance(old, dict) or "size" not in old:
        return entry
    try:
        scale, width, height, megapixels = old["size"]
        options = UpscaleOptions(
            scale=scale,
            width=width,
            height=height,
            megapixels=megapixels,
            realism=old["realism"],
            self_ensemble=old["self_ensemble"],
            strip_metadata=not old["metadata"],
            srgb=old["srgb"],
        )
        settings = settings_of(old["model"], old["precision"], options)
    except (KeyError, TypeError, ValueError):  # not one that was written by it
        return entry
    return entry | {"settings": settings}
