"""The same picture in two files: mirrored, turned, scaled, cropped or compressed.

SIFT features (Lowe 2004) propose pairs of pictures, their positions give the transformation, and
the pixels decide: the pictures are laid upon each other and correlated.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from srgan.util import parallel

_DESCRIBED = 640  # longest side of what is described: finer detail is of no use here
_KEPT = 320  # longest side of the pictures that are laid upon each other
_FEATURES = 500  # of each picture, the strongest
_QUANTISED = 400  # root descriptors are below 0.64, but for a few: 8 bits hold them

# Cosine of two features that count as equal. Over BSD100: of the features of a half-size copy 34 %
# find a partner above it, and of 250,000 pairs from two unrelated photos less than one.
_EQUAL = 0.96
_CELL = 300  # features in each cell of the index, on average
_PROBED = 3  # cells in which each feature's partners are looked for

# A feature that fits k pictures gives each 1/k of a vote. True pairs got 9 or more.
_VOTES = 3.0
# Matches that obey one transformation, and the correlation of the pixels under it. True pairs of
# eight kinds of copies of BSD100 have at least 6 and 0.93, and 0.98 where they have less than 20.
# Of 7,900 proposed wrong pairs in 1,000 photos, those with 20 or more have at most 0.66: similar
# scenes, or the coats of two tigers; one with 8 has 0.89: two tables with the same keyboard.
_INLIERS = 6
_MANY_INLIERS = 20
_SIMILAR = 0.8  # with many inliers
_VERY_SIMILAR = 0.95  # with few
_ALIKE = 0.85  # cosine of features within one proposed pair
_TOLERANCE = 2.0  # pixels of the kept picture, between a feature and where it should be
_SCALES = 0.1, 10.0


class Features(NamedTuple):
    """What is kept of a picture: about 130 kB.

    Attributes:
        points: `(n, 2)` float32, x and y of its features, in pixels of `grey`.
        descriptors: `(n, 128)` uint8, the root of each SIFT histogram that sums to one
            (RootSIFT, Arandjelovic and Zisserman 2012), times a constant.
        grey: `(height, width)` uint8, at most 320 pixels a side.
    """

    points: np.ndarray
    descriptors: np.ndarray
    grey: np.ndarray


class Match(NamedTuple):
    """Picture `first` is in picture `second` when changed as follows, in this order.

    Attributes:
        first, second: Positions in the sequence given to `find`.
        mirrored: Left and right exchanged.
        angle: Degrees it is turned clockwise, in (-180, 180].
        scale: Factor between the two as they are stored, in `grey`.
        shown: Share of the first that is within the second, in [0, 1].
        similarity: Correlation of the pixels, in [0.8, 1].
    """

    first: int
    second: int
    mirrored: bool
    angle: float
    scale: float
    shown: float
    similarity: float


def describe(image: np.ndarray) -> Features:
    """Returns the features of a picture `(height, width, 3)`, uint8."""
    grey = _shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), _DESCRIBED)
    # Without the precise upscale, positions are off by a quarter pixel, and a mirrored picture
    # would not lie upon the original.
    sift = cv2.SIFT.create(nfeatures=_FEATURES, enable_precise_upscale=True)
    keypoints, histograms = sift.detectAndCompute(grey, None)  # pyright: ignore[reportArgumentType]
    kept = _shrink(grey, _KEPT)
    if not keypoints:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8), kept)
    shrunk = np.divide(kept.shape[::-1], grey.shape[::-1])
    points = (np.array([keypoint.pt for keypoint in keypoints]) + 0.5) * shrunk - 0.5
    roots = np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1))
    descriptors = np.minimum(_QUANTISED * roots + 0.5, 255).astype(np.uint8)
    return Features(points.astype(np.float32), descriptors, kept)


def find_repeats(
    pool: Sequence[Features],
    tests: Sequence[Features] = (),
    progress: Callable[[float], None] | None = None,
) -> list[Match]:
    """Finds the pictures of the pool that are in it twice, or among the tests.

    Args:
        pool: Pictures, each compared with each.
        tests: Pictures to compare with those of the pool, not with each other.
        progress: Called with the share that is done.

    Returns:
        Matches in `[*pool, *tests]`: `second` is in the pool, and before `first`. A picture that
        is its own mirror image is matched once.
    """
    report = progress or (lambda _: None)
    pictures = [*pool, *tests]
    proposals: list[tuple[int, int, bool]] = []
    for mirrored in (False, True):
        proposals += _propose(pictures, len(pool), mirrored)
        report(0.25 + 0.25 * mirrored)
    best: dict[tuple[int, int], Match] = {}
    jobs = ((pictures[first], pictures[second], mirrored) for first, second, mirrored in proposals)
    for done, (proposal, verified) in enumerate(
        zip(proposals, parallel.in_order(_verify, jobs), strict=True), start=1
    ):
        report(0.5 + 0.5 * done / len(proposals))
        first, second, mirrored = proposal
        if verified and (
            (first, second) not in best or verified.similarity > best[first, second].similarity
        ):
            best[first, second] = Match(first, second, mirrored, *verified)
    return sorted(best.values())


def _shrink(grey: np.ndarray, longest: int) -> np.ndarray:
    factor = longest / max(grey.shape)
    if factor >= 1:
        return grey
    height, width = (max(1, round(factor * side)) for side in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def _propose(
    pictures: Sequence[Features], pooled: int, mirrored: bool
) -> list[tuple[int, int, bool]]:
    """Pairs of pictures that share features: (first, second, mirrored)."""
    query_owner, query = _gather(pictures)
    owner, descriptors = _gather(pictures[:pooled])
    if not len(descriptors):
        return []
    if mirrored:
        query = _mirror(query)
    hits = np.concatenate(
        [
            queries * pooled + owner[members]
            for queries, members in _equal_features(query, descriptors)
            if len(queries)
        ]
        or [np.zeros(0, np.int64)]
    )
    queries, seconds = np.divmod(np.unique(hits), pooled)  # one vote a feature and picture
    firsts = query_owner[queries]
    # A picture of the pool is compared with those before it only.
    other = seconds < firsts
    queries, firsts, seconds = queries[other], firsts[other], seconds[other]
    shares = np.bincount(queries, minlength=len(query))
    pairs, inverse = np.unique(firsts * pooled + seconds, return_inverse=True)
    votes = np.bincount(inverse, 1 / shares[queries], minlength=len(pairs))
    return [(int(pair // pooled), int(pair % pooled), mirrored) for pair in pairs[votes >= _VOTES]]


def _equal_features(
    queries: np.ndarray, descriptors: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields positions of features that are equal, most of such pairs in all.

    An inverted file (Sivic and Zisserman 2003): every feature is filed under the nearest of many
    centres, here features drawn at random, and compared only with those filed alike.
    """
    drawn = np.random.default_rng(0).choice(
        len(descriptors), max(1, len(descriptors) // _CELL), replace=False
    )
    centres = _normalise(descriptors[drawn])
    probed = min(_PROBED, len(centres))
    members = _by_cell(_nearest(descriptors, centres, 1), len(centres))
    probes = _by_cell(_nearest(queries, centres, probed), len(centres))
    for cell_members, cell_queries in zip(members, probes, strict=True):
        filed = _normalise(descriptors[cell_members])
        for start in range(0, len(cell_queries) if len(filed) else 0, 4096):
            block = cell_queries[start : start + 4096]
            equal = np.flatnonzero(_normalise(queries[block]) @ filed.T > _EQUAL)
            yield block[equal // len(filed)], cell_members[equal % len(filed)]


def _nearest(descriptors: np.ndarray, centres: np.ndarray, count: int) -> np.ndarray:
    """The `count` nearest centres of each feature, `(n, count)`."""
    nearest = np.empty((len(descriptors), count), np.int32)
    for start in range(0, len(descriptors), 8192):
        cosines = _normalise(descriptors[start : start + 8192]) @ centres.T
        rows = np.arange(len(cosines))
        for rank in range(count):
            chosen = cosines.argmax(axis=1)
            nearest[start : start + 8192, rank] = chosen
            cosines[rows, chosen] = -1
    return nearest


def _by_cell(nearest: np.ndarray, cells: int) -> list[np.ndarray]:
    """The features of each cell."""
    order = np.argsort(nearest, axis=None, kind="stable")
    ends = np.searchsorted(nearest.ravel()[order], np.arange(1, cells))
    return np.split(order // nearest.shape[1], ends)


def _gather(pictures: Sequence[Features]) -> tuple[np.ndarray, np.ndarray]:
    """All features, and the position of the picture of each."""
    counts = [len(picture.descriptors) for picture in pictures]
    descriptors = [picture.descriptors for picture in pictures]
    return (
        np.repeat(np.arange(len(pictures)), counts),
        np.concatenate(descriptors) if descriptors else np.zeros((0, 128), np.uint8),
    )


def _normalise(descriptors: np.ndarray) -> np.ndarray:
    rows = descriptors.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)


def _mirror(descriptors: np.ndarray) -> np.ndarray:
    """The features of the mirrored picture, without describing it.

    A SIFT feature is 4x4 histograms of 8 orientations, in a frame turned by the feature's own
    orientation. A mirror image has the rows of that frame, and the sense of rotation, reversed.
    """
    histograms = descriptors.reshape(-1, 4, 4, 8)
    return histograms[:, ::-1][..., [0, 7, 6, 5, 4, 3, 2, 1]].reshape(-1, 128)


class _Verified(NamedTuple):
    angle: float
    scale: float
    shown: float
    similarity: float


def _verify(first: Features, second: Features, mirrored: bool) -> _Verified | None:
    """Lays one picture upon the other, if there is a way to do so."""
    points, descriptors, grey = first
    if mirrored:
        points = np.stack([grey.shape[1] - 1 - points[:, 0], points[:, 1]], axis=1)
        descriptors, grey = _mirror(descriptors), np.ascontiguousarray(grey[:, ::-1])
    cosines = _normalise(descriptors) @ _normalise(second.descriptors).T
    partner = cosines.argmax(axis=1)
    rows = np.arange(len(partner))
    mutual = (cosines.argmax(axis=0)[partner] == rows) & (cosines[rows, partner] > _ALIKE)
    if mutual.sum() < _INLIERS:
        return None
    transform, inliers = cv2.estimateAffinePartial2D(
        points[mutual], second.points[partner[mutual]], ransacReprojThreshold=_TOLERANCE
    )
    if transform is None or inliers.sum() < _INLIERS:
        return None
    scale = float(np.hypot(*transform[:, 0]))
    if not _SCALES[0] < scale < _SCALES[1]:
        return None
    if scale < 1:
        fine, coarse, forth = grey, second.grey, transform
    else:
        fine, coarse, forth = second.grey, grey, cv2.invertAffineTransform(transform)
    # The finer one is blurred as shrinking it does.
    blurred = cv2.GaussianBlur(fine, (0, 0), 0.5 * max(scale, 1 / scale))
    size = coarse.shape[1], coarse.shape[0]
    laid = cv2.warpAffine(blurred, forth, size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones_like(fine), forth, size, flags=cv2.INTER_NEAREST) > 0
    similarity = _correlation(laid[inside], cv2.GaussianBlur(coarse, (0, 0), 0.5)[inside])
    if similarity < (_SIMILAR if inliers.sum() >= _MANY_INLIERS else _VERY_SIMILAR):
        return None
    area = grey.size * min(1.0, scale**2)  # of the first, in pixels of the coarse one
    angle = float(np.degrees(np.arctan2(transform[1, 0], transform[0, 0])))
    return _Verified(angle, scale, min(1.0, float(inside.sum()) / area), similarity)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation; 0 if there is little to correlate."""
    if a.size < 256 or min(a.std(), b.std()) < 1:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
