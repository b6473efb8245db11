"""Folders to photos: HR images, their LR images, and the files of both."""

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from srgan.io import images, kinds, pairing
from srgan.numeric import resize
from srgan.util import files


class Dataset(NamedTuple):
    """Photos to score with; `hr`, `lr` or both."""

    name: str
    hr: Path | None  # folder of HR images; None: nobody knows them
    lr: Path | None  # folder of LR images; None: made from the HR images


class Case(NamedTuple):
    """One photo of a dataset."""

    dataset: str
    name: str  # its file's path in the folder, without suffix


class Photo(NamedTuple):
    """The files of a case; `digest` is the hash of what is in them."""

    hr: Path | None
    lr: Path | None
    digest: str


def find_datasets(data: Sequence[Path], lr: Sequence[Path] = ()) -> list[Dataset]:
    """Returns the datasets that folders stand for.

    Args:
        data: Folders of HR images. One with a subfolder HR stands for that, with the small
            versions of its subfolder LR..., if there is exactly one such.
        lr: Folders of LR images, as many as `data`; or alone, without HR images.

    Raises:
        NotADirectoryError: If one is not a folder.
        ValueError: If there are not as many, or none at all.
    """
    if not data and not lr:
        raise ValueError("There is nothing to score with; name a folder of photos by --data.")
    if data and lr and len(data) != len(lr):
        raise ValueError(
            f"Got {len(data)} folders of HR images and {len(lr)} of LR images; expected one "
            "--lr for each --data, in the same order, or none."
        )
    folders, places = [], []
    for number in range(max(len(data), len(lr))):
        hr_folder = data[number] if data else None
        lr_folder = lr[number] if lr else None
        if hr_folder and not hr_folder.is_dir():
            raise NotADirectoryError(f"{hr_folder} is not a folder. Name an existing one.")
        if hr_folder and (hr_folder / "HR").is_dir():
            small = [path for path in hr_folder.glob("LR*") if path.is_dir()]
            lr_folder = lr_folder or (small[0] if len(small) == 1 else None)
            hr_folder = hr_folder / "HR"
        folder = (hr_folder or lr_folder or Path()).resolve()
        plain = folder.parent if folder.name == "HR" else folder
        folders.append((hr_folder, lr_folder))
        places.append((plain, plain.name))
    names = distinct_names(places)
    return [Dataset(name, *pair) for name, pair in zip(names, folders, strict=True)]


def list_photos(
    dataset: Dataset, pairs: pairing.Pairs = MappingProxyType({})
) -> list[tuple[Case, Photo]]:
    """Returns the photos of a dataset.

    Args:
        dataset: Its folders.
        pairs: What belongs together, where names do not tell.

    Raises:
        ValueError: If there are none, no HR image has an LR image, or names leave open which.
    """
    named = pairing.names(dataset.hr or dataset.lr or Path())
    if not named:
        raise ValueError(
            f"There are no images in {dataset.hr or dataset.lr}; expected "
            f"{', '.join(kinds.SUFFIXES)}."
        )
    small: dict[str, Path] = {}
    if dataset.hr and dataset.lr:
        matches = pairing.listed(pairs, named, dataset.lr) or pairing.match(named, dataset.lr)
        small = matches.files
        if not small:
            raise ValueError(f"{dataset.lr} has no LR image of any photo. {matches.tried}")
    found = []
    for name, path in named.items():
        if dataset.hr is None:
            photo = Photo(None, path, files.sha256(path))
        elif dataset.lr is None:
            photo = Photo(path, None, files.sha256(path))
        else:  # a missing counterpart is told when the photo is loaded
            lr = small.get(name, dataset.lr / name)
            photo = Photo(path, lr, files.sha256(path) + (files.sha256(lr) if lr.is_file() else ""))
        found.append((Case(dataset.name, name), photo))
    return found


def read_photo(photo: Photo, scale: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Returns the HR image, cropped to a multiple of the scale, and its LR image.

    uint8, or uint16 where the file has more bits.

    Raises:
        FileNotFoundError: If the LR image is missing.
        ValueError: If a file is damaged, or the two do not fit each other.
    """
    if photo.lr and photo.hr and not photo.lr.is_file():
        raise FileNotFoundError(f"{photo.hr} has no LR image in {photo.lr.parent}.")
    hr = photo.hr and images.read_integers(photo.hr)
    if hr is not None and photo.lr is None:
        hr = resize.crop_to_multiple(hr, scale)
        return hr, resize.downscale(hr, scale)
    lr = images.read_integers(photo.lr or Path())
    if hr is None:
        return None, lr
    if (hr.shape[0] // scale, hr.shape[1] // scale) != lr.shape[:2]:
        raise ValueError(
            f"{photo.hr} is {_size(hr)} and {photo.lr} {_size(lr)}; expected "
            f"{hr.shape[1] // scale}x{hr.shape[0] // scale}, 1/{scale} of it. Are these files a "
            f"pair, and is scale={scale} right?"
        )
    return resize.crop_to_multiple(hr, scale), lr


def distinct_names(places: Sequence[tuple[Path, str]], taken: Sequence[str] = ()) -> list[str]:
    """Returns what to call files or folders, so that no two names are equal.

    Equal names get what tells their places apart, in brackets: `results (ours)` and
    `results (theirs)` are of `ours/results` and `theirs/results`.

    Args:
        places: Each with the name that it has.
        taken: Names that none may have.

    Example:
        >>> distinct_names([(Path("/a/x"), "x"), (Path("/b/x"), "x"), (Path("/b/y"), "y")])
        ['x (a)', 'x (b)', 'y']
    """
    found: list[str] = []
    for path, name in places:
        alike = [other for other, its in places if its == name]
        plain = f"{name} ({_place(path, alike)})" if len(alike) > 1 else name
        unused, number = plain, 2
        while unused in (*found, *taken):
            unused, number = f"{plain} ({number})", number + 1
        found.append(unused)
    return found


def _place(path: Path, others: Sequence[Path]) -> str:
    """The last parts of a path that are not the same in all others: as few as tell them apart."""
    parts = [other.resolve().with_suffix("").parts for other in others]
    own = path.resolve().with_suffix("").parts
    least, alike, count = min(map(len, parts)), 0, 1
    while alike < least - 1 and len({one[-1 - alike] for one in parts}) == 1:
        alike += 1
    left = {one[: len(one) - alike] for one in parts}
    while count < least and len({one[-count:] for one in left}) < len(left):
        count += 1
    return " ".join(own[: len(own) - alike][-count:])


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
