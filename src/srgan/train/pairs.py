"""A photo file and its LR image, found, decoded, checked or made."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from srgan.io import formats, images, kinds, pairing
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.train import degradations
from srgan.train.config import Degradation


class Pair(NamedTuple):
    """A version of a photo: `lr` `(height, width, 3)`, `hr` `scale` times as large; uint8."""

    lr: np.ndarray
    hr: np.ndarray


def find(folder: Path, lr_folder: Path | None, scale: int) -> tuple[list[Path], list[Path | None]]:
    """Returns the hr photos of a folder, and the lr photo of each, if there are any.

    Raises:
        ValueError: If there is no image, or a file has no counterpart.
    """
    paths = find_images(folder)
    if not paths:
        raise ValueError(f"There are no images in {folder}; expected {', '.join(kinds.SUFFIXES)}.")
    if not lr_folder:
        return paths, [None] * len(paths)
    partners, left_over = pairing.partners(paths, folder, lr_folder)
    if None in partners:
        path = paths[partners.index(None)]
        name = path.relative_to(folder).with_suffix("").as_posix()
        raise ValueError(
            f"{path} has no lr counterpart in {lr_folder}; expected a file {name} "
            f"or {name}x{scale} there."
        )
    if left_over:
        raise ValueError(
            f"{left_over[0]} has no hr counterpart in {folder} "
            f"({len(left_over)} such files); remove it, or add the hr photo."
        )
    return paths, partners


def load(
    path: Path, name: str, partner: Path | None, scale: int, degradation: Degradation
) -> list[Pair] | str:
    """Decodes one photo and its LR image, or makes that, in as many versions as are asked for.

    Args:
        path: The hr photo.
        name: What the versions' faults are drawn by.
        partner: The lr photo; None makes it from the hr photo.
        scale: Factor between lr and hr.
        degradation: What degrades the lr photos that are made.

    Returns:
        The versions, or why the photo cannot be used.

    Raises:
        ValueError: If the two are no pair.
    """
    try:
        hr = images.read_uint8(path)
        lr = images.read_uint8(partner) if partner else None
    except (formats.UnsupportedImage, OSError) as error:
        return str(error)
    if min(hr.shape[:2]) < scale:
        return f"{hr.shape[1]}x{hr.shape[0]} pixels are fewer than {scale}x{scale}, the least"
    if lr is not None:
        pair = Pair(lr, hr)
        _check_pair(pair, path, partner, scale)
        return [pair]
    hr = resize.crop_to_multiple(hr, scale)
    if not degradation.versions:
        return [Pair(resize.downscale(hr, scale), hr)]
    return [
        Pair(degradations.degrade(hr, scale, degradation, f"{name} {version}"), hr)
        for version in range(degradation.versions)
    ]


def _check_pair(pair: Pair, path: Path, partner: Path | None, scale: int) -> None:
    """Raises if `lr` is not the LR image of `hr`, pixel upon pixel."""
    height, width = pair.lr.shape[:2]
    if pair.hr.shape[:2] != (scale * height, scale * width):
        raise ValueError(
            f"{path} is {pair.hr.shape[1]}x{pair.hr.shape[0]} and {partner} {width}x{height}; "
            f"expected exactly {scale} times as many pixels a side."
        )
    if min(height, width) < 5:
        return
    made = resize.downscale(pair.hr, scale).astype(np.float32)
    lr = pair.lr[1:-1, 1:-1].astype(np.float32)
    shifts = [(y, x) for y in (0, 1, -1) for x in (0, 1, -1)]  # no shift first: it wins ties
    errors = [
        np.mean((lr - made[1 + y : height - 1 + y, 1 + x : width - 1 + x]) ** 2) for y, x in shifts
    ]
    best = int(np.argmin(errors))
    if best and errors[best] < 0.5 * errors[0]:
        raise ValueError(
            f"{partner} is shifted against {path}: it fits better when moved by "
            f"{shifts[best]} pixels (down, right). Align the pair, or leave it out."
        )
