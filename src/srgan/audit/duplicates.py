"""The same picture in two files: mirrored, inverted, turned, scaled, cropped or compressed.

SIFT features (Lowe 2004) propose pairs of pictures, their positions give the transformation, and
the pixels decide: the pictures are laid upon each other and correlated.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from srgan.audit.features import VARIANTS, Features, Variant, normalise
from srgan.util import parallel

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
_NARROWEST = 0.4  # of the other side: a copy may have another aspect ratio, if many features fit


class Match(NamedTuple):
    """Picture `first` is in picture `second` when changed as follows, in this order.

    Attributes:
        first, second: Positions in the sequence given to `find`.
        mirrored: Left and right exchanged.
        inverted: As a negative.
        angle: Degrees it is turned clockwise, in (-180, 180].
        scale: Factor between the two as they are stored, in `grey`.
        aspect: By how much less it is scaled across than along, in [0.4, 1].
        shown: Share of the first that is within the second, in [0, 1].
        similarity: Correlation of the pixels, in [0.8, 1].
    """

    first: int
    second: int
    mirrored: bool
    inverted: bool
    angle: float
    scale: float
    aspect: float
    shown: float
    similarity: float


def find_repeats(
    pool: Sequence[Features],
    tests: Sequence[Sequence[Features]] = (),
    progress: Callable[[float], None] | None = None,
) -> list[Match]:
    """Finds the pictures of the pool that are in it twice, or among the tests.

    Args:
        pool: Pictures, each compared with each.
        tests: Pictures to compare with those of the pool, not with each other; each as it is, and
            in other descriptions of it, as those of `features.describe_squeezed`.
        progress: Called with the share that is done.

    Returns:
        Matches in `[*pool, *tests]`: `second` is in the pool, and before `first`. A picture that
        is its own mirror image is matched once.
    """
    report = progress or (lambda _: None)
    pictures = [*pool, *(described for test in tests for described in test)]
    owners = [*range(len(pool))]
    owners += [len(pool) + k for k, test in enumerate(tests) for _ in test]
    proposals: list[tuple[int, int, Variant]] = []
    for done, variant in enumerate(VARIANTS, start=1):
        pairs = _propose(pictures, len(pool), variant)
        proposals += [(first, second, variant) for first, second in pairs]
        report(0.5 * done / len(VARIANTS))
    best: dict[tuple[int, int], Match] = {}
    jobs = ((pictures[first], pictures[second], variant) for first, second, variant in proposals)
    for done, (proposal, verified) in enumerate(
        zip(proposals, parallel.in_order(_verify, jobs), strict=True), start=1
    ):
        report(0.5 + 0.5 * done / len(proposals))
        first, second, variant = owners[proposal[0]], *proposal[1:]
        if verified and (
            (first, second) not in best or verified.similarity > best[first, second].similarity
        ):
            best[first, second] = Match(first, second, *variant, *verified)
    return sorted(best.values())


def _propose(pictures: Sequence[Features], pooled: int, variant: Variant) -> list[tuple[int, int]]:
    """Pairs of pictures that share features, if the first is changed: (first, second)."""
    query_owner, query = _gather(pictures)
    owner, descriptors = _gather(pictures[:pooled])
    if not len(descriptors):
        return []
    query = variant.descriptors(query)
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
    return [(int(pair // pooled), int(pair % pooled)) for pair in pairs[votes >= _VOTES]]


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
    centres = normalise(descriptors[drawn])
    probed = min(_PROBED, len(centres))
    members = _by_cell(_nearest(descriptors, centres, 1), len(centres))
    probes = _by_cell(_nearest(queries, centres, probed), len(centres))
    for cell_members, cell_queries in zip(members, probes, strict=True):
        filed = normalise(descriptors[cell_members])
        for start in range(0, len(cell_queries) if len(filed) else 0, 4096):
            block = cell_queries[start : start + 4096]
            equal = np.flatnonzero(normalise(queries[block]) @ filed.T > _EQUAL)
            yield block[equal // len(filed)], cell_members[equal % len(filed)]


def _nearest(descriptors: np.ndarray, centres: np.ndarray, count: int) -> np.ndarray:
    """The `count` nearest centres of each feature, `(n, count)`."""
    nearest = np.empty((len(descriptors), count), np.int32)
    for start in range(0, len(descriptors), 8192):
        cosines = normalise(descriptors[start : start + 8192]) @ centres.T
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


class _Verified(NamedTuple):
    angle: float
    scale: float
    aspect: float
    shown: float
    similarity: float


def _verify(first: Features, second: Features, variant: Variant) -> _Verified | None:
    """Lays one picture upon the other, if there is a way to do so."""
    points, descriptors, grey = variant.features(first)
    cosines = normalise(descriptors) @ normalise(second.descriptors).T
    partner = cosines.argmax(axis=1)
    rows = np.arange(len(partner))
    mutual = (cosines.argmax(axis=0)[partner] == rows) & (cosines[rows, partner] > _ALIKE)
    if mutual.sum() < _INLIERS:
        return None
    transform, inliers = _fit(points[mutual], second.points[partner[mutual]])
    if inliers < _INLIERS:
        return None
    turn, (along, across), back = np.linalg.svd(transform[:, :2])
    if not along:  # all points on one
        return None
    scale, aspect = float(np.sqrt(along * across)), float(across / along)
    turned = turn @ back
    upright = np.linalg.det(turned) > 0
    if not (upright and _SCALES[0] < scale < _SCALES[1] and aspect > _NARROWEST):
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
    if similarity < (_SIMILAR if inliers >= _MANY_INLIERS else _VERY_SIMILAR):
        return None
    area = grey.size * min(1.0, scale**2)  # of the first, in pixels of the coarse one
    angle = float(np.degrees(np.arctan2(turned[1, 0], turned[0, 0])))
    return _Verified(angle, scale, aspect, min(1.0, float(inside.sum()) / area), similarity)


def _fit(points: np.ndarray, partners: np.ndarray) -> tuple[np.ndarray, int]:
    """The transform that most points obey, and how many do: affine if many, else a similarity."""
    for estimate, enough in (
        (cv2.estimateAffine2D, _MANY_INLIERS),
        (cv2.estimateAffinePartial2D, _INLIERS),
    ):
        transform, inliers = estimate(points, partners, ransacReprojThreshold=_TOLERANCE)
        if transform is not None and inliers.sum() >= enough:
            return transform, int(inliers.sum())
    return np.eye(2, 3), 0


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation; 0 if there is little to correlate."""
    if a.size < 256 or min(a.std(), b.std()) < 1:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
