"""The audit of training data: files that teach nothing, or what must not be taught."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from srgan.audit import alignment, defects, duplicates
from srgan.io import formats, images, kinds, pairing
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.quality import degradation
from srgan.util import parallel

ADVICE = {
    "unreadable": "Copy them again from where they came, or remove them.",
    "leak": "Remove these photos: a score on test images that were trained on proves nothing.",
    "duplicate": "Keep one of each: the others only make training prefer it.",
    "near-duplicate": "Keep the best of each.",
    "tiny": "Remove them: there is no room for a training patch.",
    "blank": "Remove them: there is nothing to learn from one colour.",
    "enlarged": "Scale them back by the factor, without interpolation, or remove them.",
    "soft": "Blurred, or enlarged earlier. Scale them down by the factor, or remove them.",
    "blocking": "Scale them down by 2 or more, which hides the blocks, or remove them.",
    "unpaired": "Add the missing photo, or remove the file.",
    "mismatched": "Find the right lr photo, or remove both.",
    "misaligned": "Make the lr photo anew from the hr photo, or remove both.",
}
"""The kinds of findings, gravest first, and what to do."""

SMALLEST = 96  # pixels a side: the patch of the shipped recipes' pretraining
_JUDGED = 128  # shortest side, in pixels, from which the averages over a photo mean something
_BLANK = 1.0  # standard deviation in grey levels

# Kodak's 24 photos were never compressed: 384 crops of 128 pixels have certainties of at most 1.3.
# Compressed as JPEG of quality 50, 75 and 90, the photos have a median excess of 0.27, 0.13, 0.03.
_BLOCKING = 0.1
_CERTAIN = 4.0
# Excess over the period: 0.95 or more for repeated pixels, 0.42 or more after JPEG of quality 90,
# and at most 0.09 in 215 photos.
_REPEATED = 0.3
# In sharp photos it is 0.5; of 270 photos of five collections 2 % were below this. See
# docs/guides/check.md for blurred and enlarged ones.
_SHARP = 0.25
# Pixels of the lr photo. Aligned pairs had at most 0.06, even with an lr photo that was blurred,
# noisy or compressed; a shift of 0.1 was measured to 0.01.
_SHIFT = 0.075
_SAME = 0.7  # correlation: pairs had at least 0.86, photos of different things at most 0.51


class Finding(NamedTuple):
    """One thing that is wrong with one file.

    Attributes:
        kind: One of `ADVICE`.
        file: The file to change or remove.
        detail: What was found, in words.
        other: The file it repeats, shows or does not fit.
        score: What was measured, where something was: the correlation of copies, the excess of
            `defects.grid`, the `degradation.detail`, or the shift in lr pixels.
    """

    kind: str
    file: Path
    detail: str
    other: Path | None = None
    score: float | None = None


class Report(NamedTuple):
    """What was looked at, and what was found, gravest kinds first."""

    photos: int
    tests: int
    findings: list[Finding]


class _Photo(NamedTuple):
    path: Path
    digest: bytes  # of the pixels
    features: duplicates.Features
    findings: list[Finding]


def check(
    photos: Path,
    against: Sequence[Path] = (),
    lr_photos: Path | None = None,
    scale: int = 4,
    progress: Callable[[float, str], None] | None = None,
) -> Report:
    """Looks for what makes the photos of a folder bad training data.

    Args:
        photos: Tree of hr photos.
        against: Trees of test images, which must not be among the photos.
        lr_photos: Tree of lr photos of the same names, to be compared with the hr photos.
        scale: Factor between the sides of lr and hr.
        progress: Called with (share done, what is being done).

    Raises:
        NotADirectoryError: If a folder is none.
        ValueError: If there are no images in a folder.
    """
    cv2.setNumThreads(1)  # the photos are what runs side by side
    report = progress or (lambda done, what: None)
    pool_paths = _images(photos)
    test_paths = [path for folder in against for path in _images(folder)]
    lr_paths = _images(lr_photos) if lr_photos else []
    files = len(pool_paths) + len(test_paths)
    # Comparing and pairing take about as long as reading a third and two thirds of the files.
    total = 1.3 * files + 0.7 * len(lr_paths)

    findings: list[Finding] = []
    pool: list[_Photo] = []
    tests: list[_Photo] = []
    jobs = [(path, True) for path in pool_paths] + [(path, False) for path in test_paths]
    for done, result in enumerate(parallel.in_order(_inspect, jobs), start=1):
        report(done / total, "reading")
        if isinstance(result, Finding):
            findings.append(result)
            continue
        findings += result.findings
        (pool if done <= len(pool_paths) else tests).append(result)

    unique = _first_of_each(pool)
    findings += [
        Finding("duplicate", photo.path, "has the same pixels", unique[photo.digest].path, 1.0)
        for photo in pool
        if photo is not unique[photo.digest]
    ]
    findings += _repeats(
        list(unique.values()),
        list(_first_of_each(tests).values()),
        lambda share: report((files + 0.3 * files * share) / total, "comparing"),
    )
    if lr_photos:
        left = total - 1.3 * files
        for share, pair_findings in _pair_findings(pool_paths, photos, lr_photos, scale):
            findings += pair_findings
            report((total - left + left * share) / total, "pairing")
    kinds = list(ADVICE)
    findings.sort(key=lambda finding: (kinds.index(finding.kind), finding.file))
    return Report(len(pool_paths), len(test_paths), findings)


def _images(folder: Path) -> list[Path]:
    paths = find_images(folder)
    if not paths:
        raise ValueError(f"There are no images in {folder}; expected {', '.join(kinds.SUFFIXES)}.")
    return paths


def _inspect(path: Path, judge: bool) -> _Photo | Finding:
    """Reads a file, and keeps what is needed of it; its quality matters only if `judge`."""
    try:
        image = images.read_uint8(path)
    except (formats.UnsupportedImage, OSError) as error:
        return Finding("unreadable", path, str(error))
    digest = hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).digest()
    findings = list(_faults(path, image)) if judge else []
    return _Photo(path, digest, duplicates.describe(image), findings)


def _faults(path: Path, image: np.ndarray) -> Iterator[Finding]:
    """What is wrong with a single photo."""
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        least = f"{SMALLEST}x{SMALLEST}"
        yield Finding("tiny", path, f"{width}x{height} pixels; expected {least} or more")
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if luma.std() < _BLANK:
        yield Finding("blank", path, "(nearly) one colour")
        return
    if min(height, width) < _JUDGED:
        return
    for factor in (4, 3, 2):
        repeated = defects.grid(luma, factor).excess
        if repeated > _REPEATED * factor:
            yield Finding("enlarged", path, f"{factor} times, by repeated pixels", None, repeated)
            return
    blocks = defects.blocking(luma)
    if blocks.excess > _BLOCKING and blocks.certainty > _CERTAIN:
        at = f", from row {blocks.down} and column {blocks.right}"
        yield Finding(
            "blocking",
            path,
            f"steps between {defects.BLOCK}x{defects.BLOCK} blocks are {blocks.excess:.0%} larger"
            + (at if blocks.down or blocks.right else ""),
            None,
            blocks.excess,
        )
    fine = degradation.detail(luma)
    if fine < _SHARP:
        factor = degradation.sharp_at(luma, _SHARP)
        yield Finding("soft", path, f"its detail would fit into 1/{factor:g} size", None, fine)


def _first_of_each(photos: Sequence[_Photo]) -> dict[bytes, _Photo]:
    first: dict[bytes, _Photo] = {}
    for photo in photos:
        first.setdefault(photo.digest, photo)
    return first


def _repeats(
    pool: Sequence[_Photo], tests: Sequence[_Photo], progress: Callable[[float], None]
) -> Iterator[Finding]:
    """Pictures that are in the pool twice, or in the pool and among the tests."""
    by_digest = {photo.digest: photo for photo in pool}
    for test in tests:
        if test.digest in by_digest:
            photo = by_digest[test.digest]
            yield Finding("leak", photo.path, "has the same pixels", test.path, 1.0)
    features = [[photo.features for photo in photos] for photos in (pool, tests)]
    pictures = [*pool, *tests]
    for match in duplicates.find_repeats(*features, progress=progress):
        first, second = pictures[match.first], pictures[match.second]
        if match.first < len(pool):
            detail = "shows the same"
            yield Finding("near-duplicate", first.path, detail, second.path, match.similarity)
        elif first.digest != second.digest:
            yield Finding("leak", second.path, _words(match), first.path, match.similarity)


def _words(match: duplicates.Match) -> str:
    """How a test image got into the training data."""
    changes = []
    if match.mirrored:
        changes.append("mirrored")
    if abs(match.angle) > 2:
        changes.append(f"turned by {match.angle:.0f} degrees")
    if match.shown < 0.95:
        changes.append(f"cropped to {match.shown:.0%}")
    return "shows the same" + (f", {', '.join(changes)}" if changes else "")


def _pair_findings(
    paths: Sequence[Path], folder: Path, lr_folder: Path, scale: int
) -> Iterator[tuple[float, list[Finding]]]:
    """What is wrong with the pairs of lr and hr photos, each with the share that is done."""
    partners, left_over = pairing.partners(paths, folder, lr_folder)
    matched = [
        (path, partner, scale)
        for path, partner in zip(paths, partners, strict=True)
        if partner is not None
    ]
    yield (
        0.0,
        [
            Finding("unpaired", path, f"has no lr photo in {lr_folder}")
            for path, partner in zip(paths, partners, strict=True)
            if partner is None
        ]
        + [Finding("unpaired", path, f"has no hr photo in {folder}") for path in left_over],
    )
    for done, finding in enumerate(parallel.in_order(_pair_finding, matched), start=1):
        yield done / len(matched), [finding] if finding else []


def _pair_finding(path: Path, partner: Path, scale: int) -> Finding | None:
    try:
        lr = images.read_uint8(partner)
    except (formats.UnsupportedImage, OSError) as error:
        return Finding("unreadable", partner, str(error))
    try:
        hr = images.read_uint8(path)
    except (formats.UnsupportedImage, OSError):
        return None  # reported when it was read as a photo
    height, width = lr.shape[:2]
    if hr.shape[:2] != (scale * height, scale * width):
        detail = (
            f"is {width}x{height} and the hr photo {hr.shape[1]}x{hr.shape[0]}; expected exactly "
            f"{scale} times as many pixels a side"
        )
        return Finding("mismatched", partner, detail, path)
    if min(height, width) < 16:
        return None
    small, large = (
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (lr, hr)
    )
    made = resize.downscale(large[:, :, None], scale)[:, :, 0]
    if min(small.std(), made.std()) < _BLANK:
        return None
    down, right, correlation = alignment.shift(small, made)
    if correlation < _SAME:
        return Finding("mismatched", partner, "does not show the same", path, correlation)
    distance = math.hypot(down, right)
    if distance < _SHIFT:
        return None
    detail = f"fits when moved by {down:+.2f} pixels down and {right:+.2f} right"
    return Finding("misaligned", partner, detail, path, distance)
