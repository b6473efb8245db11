"""The audit of training data: files that teach nothing, or what must not be taught."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from srgan.audit import alignment, duplicates, faults, features
from srgan.audit.findings import ADVICE, Finding, Report
from srgan.io import formats, images, kinds, pairing
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.util import parallel

# Pixels of the lr photo. Aligned pairs had at most 0.06, even with an lr photo that was blurred,
# noisy or compressed; a shift of 0.1 was measured to 0.01.
_SHIFT = 0.075
_SAME = 0.7  # correlation: pairs had at least 0.86, photos of different things at most 0.51


class _Photo(NamedTuple):
    path: Path
    digest: bytes  # of the pixels
    features: list[features.Features]  # of test images, also when squeezed
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
    findings = list(faults.faults(path, image)) if judge else []
    squeezed = [] if judge else features.describe_squeezed(image)
    return _Photo(path, digest, [features.describe(image), *squeezed], findings)


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
    pictures = [*pool, *tests]
    described = [photo.features[0] for photo in pool], [photo.features for photo in tests]
    for match in duplicates.find_repeats(*described, progress):
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
    if match.inverted:
        changes.append("inverted")
    if abs(match.angle) > 2:
        changes.append(f"turned by {match.angle:.0f} degrees")
    if match.aspect < 0.97:
        changes.append(f"squeezed to {match.aspect:.0%} on one side")
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
    if min(small.std(), made.std()) < faults.BLANK:
        return None
    down, right, correlation = alignment.shift(small, made)
    if correlation < _SAME:
        return Finding("mismatched", partner, "does not show the same", path, correlation)
    distance = math.hypot(down, right)
    if distance < _SHIFT:
        return None
    detail = f"fits when moved by {down:+.2f} pixels down and {right:+.2f} right"
    return Finding("misaligned", partner, detail, path, distance)
