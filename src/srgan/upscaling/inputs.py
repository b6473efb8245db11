"""Which photos there are in what was named, and what their results are called."""

import math
import os
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePath

from srgan.io import kinds, opening
from srgan.io.find import find_images
from srgan.upscaling import pipeline
from srgan.upscaling.manifest import MANIFEST, Manifest
from srgan.upscaling.options import UpscaleOptions

_NAMES = ("stem", "ext", "model")  # what a pattern of names may hold, in braces


def check_pattern(name: str) -> None:
    """Raises ValueError unless a pattern of names is one."""
    fields = re.findall(r"{([^{}]*)}", name)
    wrong = next((f"{{{key}}}" for key in fields if key not in _NAMES), "")
    brace = re.search(r"[{}]", re.sub(r"{[^{}]*}", "", name))
    if brace:
        wrong = f"a {brace[0]} without its other half"
    elif "/" in name or os.sep in name:
        wrong = "a folder"
    if wrong:
        raise ValueError(
            f"The names {name!r} hold {wrong}; expected a file name with "
            f"{', '.join(f'{{{key}}}' for key in _NAMES)}."
        )


def has_suffix(name: str) -> bool:
    """Whether a pattern of names says what their suffix is."""
    return bool(re.search(r"\.([a-zA-Z]\w*|{ext})$", name))


def is_readable(path: Path) -> bool:
    """Whether a file can be opened as a picture; what is wrong is said when it is upscaled."""
    try:
        opening.count_pictures(path)
    except (OSError, ValueError):
        return False
    return True


def named(
    place: Path,
    source: Path,
    name: str,
    model_of: Callable[[Path], str],
    options: UpscaleOptions,
) -> Path:
    """Returns what a photo's result is called, by a pattern.

    Args:
        place: Of the photo in its folder.
        source: The photo.
        name: The pattern, or "" for the photo's stem.
        model_of: Tells the name of a photo's model, if the pattern holds it.
        options: What is asked of the result; its format counts where the pattern has no suffix.
    """
    model = model_of(source) if "{model}" in name else ""
    values = {"stem": place.stem, "ext": place.suffix[1:].lower(), "model": model}
    result = re.sub(r"{(.*?)}", lambda match: values[match[1]], name or "{stem}")
    if not has_suffix(name):
        result += pipeline.suffix_for(source, options)
    return place.with_name(result)


class Inputs:
    """What is found in files and folders that were named.

    Args:
        output: Where the results go, if into a file or a folder.
        include: Patterns of photos in folders, one of which has to fit, if there are any.
        exclude: Patterns none of which may fit.

    Attributes:
        unreadable: What is wrong with folders and links.
        others: Files that are no pictures.
        earlier: Results of earlier runs.
    """

    def __init__(self, output: Path | None, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._output, self._include, self._exclude = output, include, exclude
        self._manifests: dict[Path, Manifest | None] = {}
        self.unreadable: list[OSError] = []
        self.others: list[Path] = []
        self.earlier: list[Path] = []

    def photos(self, given: Path) -> list[tuple[Path, Path]]:
        """The photos of one input, each with its path in the output folder."""
        if not given.exists():
            raise FileNotFoundError(f"There is no file or folder {given}. Check the name.")
        if not given.is_dir():
            return [(given, Path(given.name))]
        if not self._output:
            raise ValueError(f"{given} is a folder; name a folder for the results, as -o large/.")
        found = find_images(given, self.unreadable.append, self.others.append)
        if not found and self.unreadable:
            raise self.unreadable[0]
        beside = _photos_by_stem(found)
        earlier = {
            path for path in found if self._is_result(path, given) or _is_beside(path, beside)
        }
        self.earlier += sorted(earlier)
        found = [path for path in found if path not in earlier]
        if not found:
            what = "images but results of earlier runs" if earlier else "images"
            raise ValueError(
                f"There are no {what} in {given}; expected {', '.join(kinds.SUFFIXES)}."
            )
        places = [path.relative_to(given) for path in found]
        places = [place for place in places if not self._include or fits(place, self._include)]
        places = [place for place in places if not fits(place, self._exclude)]
        if not places:
            raise ValueError(f"None of the {len(found)} images in {given} fits the patterns.")
        return [(given / place, place) for place in places]

    def _is_result(self, path: Path, given: Path) -> bool:
        """Whether an earlier run made a file, or it is where this one's results go."""
        results = self._output.resolve() if self._output else None
        if results and given.resolve() in results.parents and results in path.resolve().parents:
            return True
        # Who names a folder of results wants them enlarged, unless they are to go into it, too.
        folders = [folder for folder in path.parents if given in folder.parents]
        if results == given.resolve():
            folders.append(given)
        return any((known := self._manifest(f)) and known.knows(path) for f in folders)

    def _manifest(self, folder: Path) -> Manifest | None:
        if folder not in self._manifests:
            exists = (folder / MANIFEST).is_file()
            self._manifests[folder] = Manifest(folder, {}) if exists else None
        return self._manifests[folder]


def _photos_by_stem(found: Sequence[Path]) -> dict[Path, list[Path]]:
    photos: dict[Path, list[Path]] = {}
    for path in found:
        photos.setdefault(path.with_suffix(""), []).append(path)
    return photos


def _is_beside(path: Path, photos: dict[Path, list[Path]]) -> bool:
    """Whether a file has the name and the size of a photo's result beside it."""
    if not (match := re.fullmatch(r"(.+)_x(\d+(\.\d+)?)", path.stem)):
        return False
    scale = float(match[2])
    for photo in photos.get(path.with_name(match[1]), []):
        try:
            width, height = opening.size(photo)
            expected = {math.floor(scale * width + 0.5), math.floor(scale * height + 0.5)}
            if {*opening.size(path)} == expected:
                return True
        except (OSError, ValueError):
            continue
    return False


def fits(place: PurePath, patterns: Sequence[str]) -> bool:
    """Whether a name, or a path in a folder, fits one of some patterns."""
    return any(fnmatch(text, p) for p in patterns for text in (place.name, place.as_posix()))
