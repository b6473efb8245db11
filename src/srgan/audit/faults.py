"""What is wrong with a single photo, in words."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from srgan.audit import defects
from srgan.audit.findings import Finding
from srgan.quality import degradation, softness

SMALLEST = 96  # pixels a side: the patch of the shipped recipes' pretraining
BLANK = 1.0  # standard deviation in grey levels
_JUDGED = 128  # shortest side, in pixels, from which the averages over a photo mean something

# Kodak's 24 photos were never compressed: 384 crops of 128 pixels have certainties of at most 1.3.
# Compressed as JPEG of quality 50, 75 and 90, the photos have a median excess of 0.27, 0.13, 0.03.
_BLOCKING = 0.1
_CERTAIN = 4.0
# In sharp photos it is 0.5. For this and what follows, docs/guides/check.md has how many photos
# are found, and how many are wrongly.
_SHARP = 0.25
_SMEARED = 0.31  # of `softness.smear`
_NOISE = 4.0  # grey levels
_TOO_NOISY = 10.0  # to tell what is beneath
_EVEN = 0.75  # of `degradation.noise`
_IMPULSES = 0.003  # share of the samples
_TWO_TONE = 0.97  # share of the pixels


def faults(path: Path, image: np.ndarray) -> Iterator[Finding]:
    """Yields what is wrong with a photo.

    Args:
        path: Its file.
        image: Its pixels, `(height, width, 3)` uint8.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        least = f"{SMALLEST}x{SMALLEST}"
        yield Finding("tiny", path, f"{width}x{height} pixels; expected {least} or more")
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if luma.std() < BLANK:
        yield Finding("blank", path, "(nearly) one colour")
        return
    bars = defects.bars(luma)
    if any(bars):
        sides = zip(("top", "bottom", "left", "right"), bars, strict=True)
        where = ", ".join(f"{count} pixels at the {side}" for side, count in sides if count)
        yield Finding("bars", path, f"of one colour: {where}")
        image = image[bars.top : height - bars.bottom, bars.left : width - bars.right]
        luma = luma[bars.top : height - bars.bottom, bars.left : width - bars.right]
    if min(luma.shape) >= _JUDGED:
        yield from _degradations(path, image, luma, bars)


def _degradations(
    path: Path, image: np.ndarray, luma: np.ndarray, bars: defects.Bars
) -> Iterator[Finding]:
    """What scaling, compression, noise and blur did to a photo within its bars."""
    tones = defects.tones(luma)
    if tones > _TWO_TONE:
        yield Finding("two-tone", path, f"{tones:.0%} of it are two tones", None, tones)
        return
    repeated = defects.repeated(luma)
    if repeated:
        factor, excess = repeated
        yield Finding("enlarged", path, f"{factor} times, by repeated pixels", None, excess)
        return
    blocks = defects.blocking(luma)
    if blocks.excess > _BLOCKING and blocks.certainty > _CERTAIN:
        row = (blocks.down + bars.top) % defects.BLOCK
        column = (blocks.right + bars.left) % defects.BLOCK
        at = f", from row {row} and column {column}" if row or column else ""
        yield Finding(
            "blocking",
            path,
            f"steps between {defects.BLOCK}x{defects.BLOCK} blocks are {blocks.excess:.0%} larger"
            + at,
            None,
            blocks.excess,
        )
    impulses = defects.impulses(image)
    if impulses > _IMPULSES:
        yield Finding("noisy", path, f"salt and pepper, {impulses:.1%} of it", None, impulses)
    noise = degradation.noise(image, _EVEN)
    if noise > _NOISE:
        yield Finding("noisy", path, f"noise of {noise:.0f} grey levels", None, noise)
    if noise <= _TOO_NOISY:
        yield from _softness(path, luma)


def _softness(path: Path, luma: np.ndarray) -> Iterator[Finding]:
    """Whether it lacks fine detail, in all directions or in one, beneath its noise."""
    noise = degradation.luma_noise(luma)
    fine = float(np.nan_to_num(softness.detail(luma, noise)))  # of nothing but rounding, nothing
    if fine < _SHARP:
        factor = softness.sharp_at(luma, _SHARP, noise)
        yield Finding("soft", path, f"its detail would fit into 1/{factor:g} size", None, fine)
        return
    share = softness.smear(luma)
    if share < _SMEARED:
        yield Finding("soft", path, "blurred in one direction, as by motion", None, share)
