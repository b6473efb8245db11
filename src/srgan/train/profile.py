"""What degraded pictures of one's own, as ranges for a training on photos degraded likewise."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srgan.io import images
from srgan.io.find import find_images
from srgan.quality import degradation, softness
from srgan.train.config import Degradation
from srgan.util import counting

KEYS = ("versions", "clean", "blur", "noise", "quality")  # of `[degradation]`, that are estimated
_SIDE = 512  # pixels of what is looked at, in the middle
_STEP = 14.0  # of coarse detail, in grey levels, as libjpeg rounds it at a quality of 50
_BEST = 95.0  # quality, above which no steps are seen
_SEEN = 1.0  # grey levels: less is no noise
_SHARPENING = 2.0  # grey levels of noise, from which it passes for fine detail
# What `degradation.noise` leaves of noise: 0.86 of it; after JPEG, what is beyond 1.2 steps.
_KEPT, _HIDDEN, _KEPT_BY_JPEG = 0.86, 1.2, 0.73
# `softness.detail` of photos that were blurred by a Gaussian of such a sigma, in pixels.
_DETAIL, _SIGMA = (0.05, 0.1, 0.2, 0.4, 0.45), (1.6, 1.2, 0.8, 0.4, 0.0)
_ENDS = (5, 95)  # percentiles that a range goes from and to

_logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """What degraded one picture.

    Attributes:
        blur: Sigma of a Gaussian, in its pixels; `nan` if noise hides it.
        noise: Standard deviation in grey levels; `nan` if JPEG hides what there may be.
        quality: Of JPEG, or of what is like it; 95 if there is no trace.
    """

    blur: float
    noise: float
    quality: float

    @property
    def is_clean(self) -> bool:
        """Whether next to nothing was found."""
        return self.blur < 0.5 and self.noise < 1.5 and self.quality >= _BEST


class Profile(NamedTuple):
    """What degraded many pictures.

    Attributes:
        settings: Ranges of one pass that hold nine of ten values, and the share of clean pictures;
            of what cannot be seen, the default.
        pictures: How many were measured.
        left_out: How many could not be.
        unseen: The keys whose range is the default.
    """

    settings: Degradation
    pictures: int
    left_out: int
    unseen: tuple[str, ...]


def estimate(
    pictures: Path, progress: counting.Progress | None = None, versions: int = 3
) -> Profile:
    """Returns ranges for `[degradation]` under which photos come out like the pictures of a folder.

    They are those of one pass (`order = 1`): blur, noise, JPEG, which lossy WebP counts as. The
    quality is exact to about 2, noise to a grey level without JPEG and to a quarter with it, blur
    to 0.2 pixels. Noise that is weaker than JPEG's steps is not seen, nor blur under noise.

    Args:
        pictures: A folder of pictures to be enlarged one day, or one of them.
        progress: Called with (pictures looked at, pictures in all).
        versions: Of each photo that the training shall have.

    Raises:
        ValueError: If there are no pictures, or none that can be measured.
    """
    paths = [pictures] if pictures.is_file() else find_images(pictures)
    if not paths:
        raise ValueError(f"There are no images in {pictures}; expected pictures to be enlarged.")
    found = list(_measured(paths, counting.counter(progress, len(paths))))
    if not found:
        raise ValueError(
            f"None of the {len(paths)} pictures in {pictures} can be measured; expected some of at "
            f"least {degradation.SMALLEST} pixels a side, not all of one colour."
        )
    degraded = np.array([one for one in found if not one.is_clean] or [Found(0.0, 0.0, _BEST)])
    ranges, unseen = {}, []
    for name, values, digits in zip(Found._fields, degraded.T, (2, 1, 0), strict=True):
        if np.isnan(values).all():
            unseen.append(name)
        else:
            ranges[name] = tuple(np.nanpercentile(values, _ENDS).round(digits).tolist())
    clean = round(sum(one.is_clean for one in found) / len(found), 2)
    settings = Degradation(versions=versions, clean=clean, **ranges)
    return Profile(settings, len(found), len(paths) - len(found), tuple(unseen))


def measure(rgb: np.ndarray) -> Found:
    """Returns what degraded a picture.

    Args:
        rgb: `(height, width, 3)` uint8, at least `degradation.SMALLEST` a side.
    """
    seen = degradation.measure(rgb)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    step = seen.jpeg or seen.webp
    noise = seen.noise / _KEPT
    if step:
        hides = seen.noise < _SEEN
        noise = np.nan if hides else _HIDDEN * step + seen.noise / _KEPT_BY_JPEG
    is_noisy = seen.noise >= _SHARPENING
    blur = np.nan if is_noisy else np.interp(softness.detail(luma), _DETAIL, _SIGMA)
    return Found(float(blur), float(noise), _quality(step))


def _measured(paths: Sequence[Path], report: Callable[[], None]) -> Iterable[Found]:
    for path in paths:
        try:
            rgb = images.read_uint8(path)
            top, left = (max(side - _SIDE, 0) // 2 for side in rgb.shape[:2])
            middle = rgb[top : top + _SIDE, left : left + _SIDE]
            if min(middle.shape[:2]) < degradation.SMALLEST:
                raise ValueError(f"{path} has less than {degradation.SMALLEST} pixels a side.")
            if middle.max() == middle.min():
                raise ValueError(f"{path} is all of one colour.")
            yield measure(middle)
        except (ValueError, OSError) as error:
            _logger.warning("Left out: %s", error)
        report()


def _quality(step: float) -> float:
    """The quality at which libjpeg has such steps."""
    if not step:
        return _BEST
    percent = 100 * step / _STEP  # of the steps at 50
    return min(5000 / percent if percent > 100 else 100 - percent / 2, _BEST)
