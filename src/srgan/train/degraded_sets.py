"""Degraded photos to look at and to measure on, as a training with `[degradation]` makes them."""

from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.train import config, degradations
from srgan.util import counting, files

_SIDE = 64  # lr pixels that a sheet shows of each version
_ROWS, _COLUMNS = 4, 4


def write(
    photos: Path,
    output: Path,
    settings: config.Config,
    overwrite: bool = False,
    progress: counting.Progress | None = None,
) -> int:
    """Writes a test set of one version of each photo; returns how many there are.

    A version depends on the name of its photo and the configuration alone.

    Args:
        photos: Folder of HR images, or one of them.
        output: Gets folders HR and LR of PNG files of the same names.
        settings: Scale and degradation.
        overwrite: Replace files that exist.
        progress: Called with (photos done, photos in all).

    Raises:
        FileExistsError: If a file exists, unless `overwrite`.
        ValueError: If there are no photos, or one cannot be read.
    """
    paths = [photos] if photos.is_file() else find_images(photos)
    if not paths:
        raise ValueError(f"There are no images in {photos}; expected the folder of HR images.")
    targets = {
        path: [output / part / f"{path.stem}.png" for part in ("HR", "LR")] for path in paths
    }
    doubled = len(targets) - len({target for pair in targets.values() for target in pair}) // 2
    if doubled:
        raise ValueError(f"{doubled} photos in {photos} have the name of another; rename them.")
    for folder in ("HR", "LR"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    for pair in targets.values():
        for target in pair:
            files.check_destination(target, overwrite)
    report = counting.counter(progress, len(paths))
    for path, pair in targets.items():
        hr = resize.crop_to_multiple(images.read_uint8(path), settings.scale)
        lr = degradations.degrade(hr, settings.scale, settings.degradation, path.name)
        for target, image in zip(pair, (hr, lr), strict=True):
            images.write(target, image, overwrite=True)
        report()
    return len(paths)


def sheet(photo: Path, settings: config.Config) -> np.ndarray:
    """Returns the middle of a photo in sixteen versions, each pixel of lr a square of pixels.

    The first is the clean one.

    Args:
        photo: An HR image.
        settings: Scale and degradation, of which `clean` is not used.

    Returns:
        `(height, width, 3)`, uint8.
    """
    scale = settings.scale
    hr = resize.crop_to_multiple(images.read_uint8(photo), scale)
    height, width = (min(side, scale * _SIDE) for side in hr.shape[:2])
    top, left = ((hr.shape[i] - (height, width)[i]) // 2 for i in (0, 1))
    crop = hr[top : top + height, left : left + width]
    degraded = settings.degradation.model_copy(update={"clean": 0.0})
    versions = [resize.downscale(crop, scale)]
    for number in range(_ROWS * _COLUMNS - 1):
        versions.append(degradations.degrade(crop, scale, degraded, f"{photo.name} {number}"))
    cells = np.stack(versions).repeat(scale, axis=1).repeat(scale, axis=2)
    cells = cells.reshape(_ROWS, _COLUMNS, *cells.shape[1:])
    return cells.swapaxes(1, 2).reshape(_ROWS * height, _COLUMNS * width, 3)
