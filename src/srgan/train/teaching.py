"""A teacher: any super-resolution model, whose pictures of degraded crops a small network learns.

A large network takes seconds for what a training step sees of it, so it looks once at some large
crops of the photos. What it makes of them is kept as files beside the decoded photos.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyvips

from srgan.models import engines, loading
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.train import batches, config, data
from srgan.util import counting, files, parallel

_HELD = 4.0  # lr pixels, sigma: colours are held at this size and above
_LAYOUT = 1  # raise when the files of a cache change their meaning
_TRIAL = 16  # lr pixels along the side of what a teacher is tried on


class Lesson(NamedTuple):
    """A crop: `lr` `(height, width, 3)`, the others `scale` times as large; uint8."""

    lr: np.ndarray
    hr: np.ndarray
    taught: np.ndarray  # what the teacher makes of lr


class Lessons(Sequence[Lesson]):
    """The crops that a teacher has seen, memory-mapped; made by `prepare`.

    Attributes:
        scale: Factor from lr to hr.
        ends: Cumulated areas in lr pixels.
    """

    def __init__(self, lessons: Sequence[Lesson], scale: int) -> None:
        self.scale = scale
        self.ends = np.cumsum([lesson.lr.shape[0] * lesson.lr.shape[1] for lesson in lessons])
        self._lessons = lessons

    def __len__(self) -> int:
        return len(self._lessons)

    def __getitem__(self, index: int) -> Lesson:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._lessons[index]


def load(
    model: str | os.PathLike[str], scale: int, precision: engines.Precision = "float32"
) -> Model:
    """Opens a teacher, and tries it on a small picture.

    Args:
        model: As `loading.load` takes it.
        scale: That it must have.
        precision: Of its arithmetic; bfloat16 needs OpenVINO, and a processor that has it.

    Raises:
        FileNotFoundError: If there is no such model.
        ModuleNotFoundError: If OpenVINO is needed, and not installed.
        ValueError: If it has another scale, or makes no picture, or the processor does not have
            the precision.
    """
    engine = "openvino" if precision == "bfloat16" else "onnxruntime"
    teacher = loading.load(model, engine, precision=precision)
    if teacher.scale != scale:
        raise ValueError(
            f"The teacher {model} enlarges {teacher.scale} times, and the training has "
            f"scale={scale}. Take another teacher, or set scale to {teacher.scale}."
        )
    trial = np.random.default_rng(0).integers(0, 256, (_TRIAL, _TRIAL, 3), dtype=np.uint8)
    _see(teacher, trial)
    return teacher


def usable(photos: data.Photos, settings: config.Teacher) -> data.Photos:
    """Returns the photos that have room for a crop of the teacher.

    Raises:
        ValueError: If none has.
    """
    large = photos.at_least(settings.side)
    if not len(large):
        side = settings.side * photos.scale
        raise ValueError(
            f"No photo has the {side}x{side} pixels of a crop for the teacher; take larger photos, "
            f"or a lower teacher.side than {settings.side}."
        )
    return large


def prepare(
    photos: data.Photos,
    teacher: Model,
    identity: str,
    settings: config.Teacher,
    cache: Path,
    progress: counting.Progress | None = None,
) -> Lessons:
    """Has a teacher look at crops of photos, where that was not done before.

    Crop i is a function of the photos and i alone: trainings of other seeds share it, and more
    crops go on from those that there are.

    Args:
        photos: Where the crops are cut from, those of at least `settings.side` lr pixels a side.
        teacher: Enlarges as much as `photos` need.
        identity: The hash of its file.
        settings: Number and size of the crops.
        cache: Folder of the decoded photos; it gets a folder for each choice of all these.
        progress: Called with (crops done, crops in all), at first with those found.

    Raises:
        ValueError: If no photo is large enough, or the teacher makes no picture of a crop.
    """
    photos = usable(photos, settings)
    choice = {
        "layout": _LAYOUT,
        "teacher": identity,
        "photos": photos.fingerprint,
        "names": photos.names,
        "areas": photos.ends.tolist(),
        "side": settings.side,
        "candidates": settings.crop_candidates,
    }
    if settings.precision != "float32":
        choice["precision"] = settings.precision
    place = cache / f"taught-{hashlib.sha256(json.dumps(choice).encode()).hexdigest()[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    paths = [place / f"{number:06d}.npy" for number in range(settings.crops)]
    shape = (photos.scale * settings.side, photos.scale * settings.side, 3)
    missing = [number for number, path in enumerate(paths) if _read(path, shape) is None]

    def crop(number: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(number)
        return batches.crop(photos, rng, settings.side, settings.crop_candidates)

    def teach(number: int) -> None:
        lr = np.ascontiguousarray(crop(number)[0])
        with files.replacing(paths[number]) as partial, partial.open("wb") as file:
            np.save(file, hold_color(_see(teacher, lr), lr, photos.scale))

    tell = progress or (lambda done, total: None)
    done = len(paths) - len(missing)
    tell(done, len(paths))
    for _ in parallel.in_order(teach, ((number,) for number in missing)):
        done += 1
        tell(done, len(paths))
    return Lessons(
        [_lesson(crop(number), path, shape, photos.scale) for number, path in enumerate(paths)],
        photos.scale,
    )


def hold_color(taught: np.ndarray, lr: np.ndarray, scale: int) -> np.ndarray:
    """Returns what a teacher made of `lr` with the colours of `lr`, but not with its noise.

    taught + up(G * (lr - down(taught))), with a Gaussian G of four lr pixels and bicubic resizing,
    rounded: teachers drift in colour, by some grey levels over whole areas.

    Args:
        taught: `(scale * height, scale * width, 3)`, uint8.
        lr: `(height, width, 3)`, uint8.
        scale: Factor between them.

    Returns:
        As `taught`.
    """
    large = taught.astype(np.float32)
    difference = lr.astype(np.float32) - resize.downscale(large, scale)
    drift = pyvips.Image.new_from_array(difference).gaussblur(
        _HELD, min_ampl=0.01, precision="float"
    )
    held = large + resize.upscale(drift.numpy().astype(np.float32), scale)
    return np.rint(held).clip(0, 255).astype(np.uint8)


def _see(teacher: Model, lr: np.ndarray) -> np.ndarray:
    try:
        return teacher.upscale(lr, dtype=np.uint8)
    except ValueError as error:
        raise ValueError(f"The teacher cannot be learned from. {error}") from error


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """A picture as it was kept, or None if it is not there or damaged."""
    try:
        image = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return image if image.shape == shape and image.dtype == np.uint8 else None


def _lesson(crop: tuple[np.ndarray, ...], path: Path, shape: tuple[int, ...], scale: int) -> Lesson:
    lr, hr = crop
    taught = _read(path, shape)
    if taught is None:
        raise FileNotFoundError(f"{path} is gone: something else cleared the cache. Try again.")

    def inner(image: np.ndarray, scale: int) -> np.ndarray:
        inside = slice(scale * config.TEACHER_MARGIN, -scale * config.TEACHER_MARGIN)
        return image[inside, inside]

    return Lesson(inner(lr, 1), inner(hr, scale), inner(taught, scale))
