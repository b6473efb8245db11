"""Which shipped model fits a picture: one for clean pictures, or one for degraded ones."""

import contextlib
import importlib.util
import os
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from srgan.io import images, looking, stream
from srgan.io.formats import UnsupportedImage
from srgan.models import catalogue, engines, loading
from srgan.models.adapted import FOUND_BY_TRYING, Values
from srgan.models.model import Model
from srgan.quality import degradation
from srgan.upscaling.options import DEFAULTS, UpscaleOptions

if TYPE_CHECKING:
    from srgan.io.geotiff import Bands

AUTO = "auto"  # in place of a model's name
DEGRADED = "srgan-photo-x4"

# Where srgan-photo-x4 begins to have the better LPIPS on Kodak24: benchmarks/choice.py.
_WEBP = 13.0  # grey levels
_NOISE = 1.5  # grey levels
_RINGING = 1.4  # grey levels
_SOFT = 0.3  # of `softness.detail`

_LOOKED_AT = 1024  # pixels a side, in the middle


class Choice(NamedTuple):
    """A model and why.

    Attributes:
        model: Its name.
        reason: What was found, as in "it is clean"; "" if nobody looked.
    """

    model: str
    reason: str

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.model} was taken, since {self.reason}"

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentence, if the choice may surprise: of `DEGRADED`, by the picture."""
        return (self.sentence,) if self.reason and self.model == DEGRADED else ()


class Models:
    """Opens the model for each picture, and keeps it open; for many threads.

    Args:
        name: Of a shipped model, the path of an ONNX file, or `AUTO`.
        options: What is asked for.
        engine: As `loading.load` takes it.
        precision: Likewise.
        values: Likewise.
    """

    def __init__(
        self,
        name: str | os.PathLike[str] = AUTO,
        options: UpscaleOptions = DEFAULTS,
        engine: engines.Kind = "onnxruntime",
        precision: engines.Precision = "float32",
        values: Values = FOUND_BY_TRYING,
    ) -> None:
        self.name = str(name)
        self._options, self._lock = options, threading.Lock()
        realism, ensemble = options.realism, options.self_ensemble
        self._values = values
        self._load = cache(
            lambda name: loading.load(name, engine, realism, ensemble, precision, values)
        )

    @property
    def label(self) -> str:
        """The name, without a folder."""
        return Path(self.name).stem

    def label_for(self, source: Path) -> str:
        """The name of a picture's model, for names of files."""
        try:
            return choose(source, self._options).model if self.name == AUTO else self.label
        except (ValueError, OSError):  # which upscaling it will say
            return self.label

    @property
    def default(self) -> Model:
        """The only model, or the one for clean pictures."""
        return self._open(self._names[0])

    @property
    def fingerprint(self) -> str:
        """What tells the files of all that may be opened from others, and how they are opened."""
        said = [str(value) for value in self._values if value]
        return "+".join([*map(catalogue.fingerprint, self._names), *said])

    def open_for(self, source: str | os.PathLike[str] | bytes) -> tuple[Model, Choice]:
        """Returns the model for a picture, and why it was taken.

        Raises:
            UnsupportedImage, OSError, ValueError: As `choose` and `loading.load` do.
        """
        if self.name != AUTO:
            return self.default, Choice(self.label, "")
        chosen = choose(source, self._options)
        return self._open(chosen.model), chosen

    def open_chosen(self, choice: Choice) -> Model:
        """Returns the model that `open_for` chose for a picture, here or in another process."""
        return self._open(choice.model) if self.name == AUTO else self.default

    @property
    def _names(self) -> tuple[str, ...]:
        if self.name == AUTO:
            return self._options.default_model, DEGRADED
        return (self.name,)

    def _open(self, name: str) -> Model:
        with self._lock:  # so that two threads do not open the same one
            return self._load(name)


def choose(source: str | os.PathLike[str] | bytes, options: UpscaleOptions) -> Choice:
    """Looks at the middle of a picture, and returns the model that fits it.

    Args:
        source: As `pipeline.prepare` takes it.
        options: What is asked for: up to x2, a clean picture has a model of its own.

    Raises:
        UnsupportedImage, OSError: As `stream.Picture` does.
    """
    picture = _opened(source, options)
    if not isinstance(picture, stream.Picture) and picture.file.dtype != np.uint8:
        return Choice(options.default_model, "its samples are measurements, which have to be kept")
    found = describe(_middle(picture))
    return Choice(DEGRADED, found) if found else Choice(options.default_model, "it is clean")


def describe(rgb: np.ndarray) -> str:
    """Returns what makes a picture one for `DEGRADED`, for people, or "".

    Args:
        rgb: `(height, width, 3)`, uint8.
    """
    if min(rgb.shape[:2]) < degradation.SMALLEST:
        return ""
    found = degradation.measure(rgb)
    if found.jpeg:
        return f"it was compressed as JPEG, in steps of {found.jpeg:.0f} grey levels"
    if found.webp > _WEBP:
        return (
            f"it was compressed as WebP or AVIF are, in steps of about {found.webp:.0f} grey levels"
        )
    if found.ringing > _RINGING:
        return f"its letters have ringing of {found.ringing:.0f} grey levels, as JPEG leaves it"
    if found.noise > _NOISE:
        return f"it has noise of {found.noise:.0f} grey levels"
    if found.detail < _SOFT:
        return "it is soft: little of its detail is fine"
    return ""


def middle(
    source: str | os.PathLike[str] | bytes, options: UpscaleOptions, side: int = _LOOKED_AT
) -> np.ndarray:
    """Returns the middle of a picture's first frame, `(height, width, 3)` uint8, without alpha.

    Args:
        source: As `pipeline.prepare` takes it.
        options: What is asked for.
        side: Of the square that is returned, in pixels; less, where the picture has less.

    Raises:
        UnsupportedImage, OSError: As `stream.Picture` does.
    """
    return _middle(_opened(source, options), side)


def _middle(picture: "stream.Picture | Bands", side: int = _LOOKED_AT) -> np.ndarray:
    top, left = (max(full - side, 0) // 2 for full in (picture.height, picture.width))
    bottom = min(top + side, picture.height)
    rows = np.concatenate(list(_between(picture.rows(), top, bottom)))
    rows = images.from_float(images.to_float(rows[:, left : left + side]), np.uint8)
    return rows[..., :3] if rows.shape[2] > 2 else rows[..., :1].repeat(3, axis=2)


def _opened(
    source: str | os.PathLike[str] | bytes, options: UpscaleOptions
) -> "stream.Picture | Bands":
    if looking.is_geotiff(source) and importlib.util.find_spec("rasterio"):
        from srgan.io.geotiff import GeoTiff

        # What GDAL does not take may be a picture nevertheless.
        with contextlib.suppress(UnsupportedImage):
            return GeoTiff(source, options.max_pixels).pictures[0]
    return stream.Picture(source, options.max_pixels, ".png", srgb=True)


def _between(bands: Iterator[np.ndarray], top: int, bottom: int) -> Iterator[np.ndarray]:
    done = 0
    for band in bands:
        yield band[max(top - done, 0) : max(bottom - done, 0)]
        done += len(band)
        if done >= bottom:
            return
