"""What a picture is found again by: SIFT features (Lowe 2004), also of its mirror image."""

from itertools import product
from typing import NamedTuple

import cv2
import numpy as np

_DESCRIBED = 640  # longest side of what is described: finer detail is of no use here
_KEPT = 320  # longest side of the pictures that are laid upon each other
_FEATURES = 500  # of each picture, the strongest
_SQUEEZE = 0.6  # of a side
_QUANTISED = 400  # root descriptors are below 0.64, but for a few: 8 bits hold them


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


class Variant(NamedTuple):
    """What is done to a picture before it is looked for."""

    mirrored: bool
    inverted: bool

    def descriptors(self, descriptors: np.ndarray) -> np.ndarray:
        """The features of the changed picture, without describing it.

        A SIFT feature is 4x4 histograms of 8 orientations, in a frame turned by the feature's own
        orientation. A mirror image has the rows of that frame, and the sense of rotation, reversed.
        In a negative all gradients turn by half a circle, and the frame with them.
        """
        histograms = descriptors.reshape(-1, 4, 4, 8)
        if self.mirrored:
            histograms = histograms[:, ::-1][..., [0, 7, 6, 5, 4, 3, 2, 1]]
        if self.inverted:
            histograms = histograms[:, ::-1, ::-1]
        return histograms.reshape(-1, 128)

    def features(self, features: Features) -> Features:
        """Likewise, with the points and the pixels."""
        points, descriptors, grey = features
        if self.mirrored:
            points = np.stack([grey.shape[1] - 1 - points[:, 0], points[:, 1]], axis=1)
            grey = np.ascontiguousarray(grey[:, ::-1])
        grey = 255 - grey if self.inverted else grey
        return Features(points, self.descriptors(descriptors), grey)


VARIANTS = [Variant(*changes) for changes in product((False, True), repeat=2)]


def describe(image: np.ndarray) -> Features:
    """Returns the features of a picture `(height, width, 3)`, uint8."""
    return _described(_shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), _DESCRIBED), (1.0, 1.0))


def describe_squeezed(image: np.ndarray) -> list[Features]:
    """Returns what `describe` would, of the picture when it is narrower, and when it is lower.

    SIFT bears a change of the aspect ratio down to 0.6 or so. A copy of half the width has one of
    0.83 to the picture that was squeezed before it was described (as ASIFT does, Morel and Yu
    2009). The points are where they are in the picture itself.

    Args:
        image: `(height, width, 3)`, uint8.
    """
    grey = _shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), _DESCRIBED)
    return [_described(grey, squeeze) for squeeze in ((_SQUEEZE, 1.0), (1.0, _SQUEEZE))]


def _described(grey: np.ndarray, squeeze: tuple[float, float]) -> Features:
    """The features of a picture as it is when its width and height are squeezed."""
    size = [max(1, round(side * by)) for side, by in zip(grey.shape[::-1], squeeze, strict=True)]
    seen = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)  # nothing, if not squeezed
    # Without the precise upscale, positions are off by a quarter pixel, and a mirrored picture
    # would not lie upon the original.
    sift = cv2.SIFT.create(nfeatures=_FEATURES, enable_precise_upscale=True)
    keypoints, histograms = sift.detectAndCompute(seen, None)
    kept = _shrink(grey, _KEPT)
    if not keypoints:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8), kept)
    shrunk = np.divide(kept.shape[::-1], seen.shape[::-1])
    points = (np.array([keypoint.pt for keypoint in keypoints]) + 0.5) * shrunk - 0.5
    roots = np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1))
    descriptors = np.minimum(_QUANTISED * roots + 0.5, 255).astype(np.uint8)
    return Features(points.astype(np.float32), descriptors, kept)


def normalise(descriptors: np.ndarray) -> np.ndarray:
    """Returns descriptors as float32 of length 1."""
    rows = descriptors.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)


def _shrink(grey: np.ndarray, longest: int) -> np.ndarray:
    factor = longest / max(grey.shape)
    if factor >= 1:
        return grey
    height, width = (max(1, round(factor * side)) for side in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
