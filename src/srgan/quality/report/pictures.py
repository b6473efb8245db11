"""The pictures that a report carries, as good as its size allows."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from srgan.io import images
from srgan.numeric import resize

BUDGET = 42_000_000  # bytes of all pictures; base64 makes 56 MB of them
OVERSHOOT_PEAK = 32  # grey levels at which the map of overshoot is full

_THUMBNAIL = 160  # pixels, longest side
_THUMBNAIL_QUALITY = 75
_MAP_QUALITY = 70
_WEBP_SIDE = 16_383  # pixels, the most that the format has room for
_WHOLE = (None, 98, 95, 92, 88)  # qualities, the first without loss
_CROPS = (  # side in hr pixels and quality, where whole pictures would look worse than that
    *((side, 95) for side in (2048, 1536, 1024, 768, 512, 384, 256)),
    *((256, 85), (192, 80), (128, 75), (96, 70), (96, 50)),
)


class Region(NamedTuple):
    """A rectangle, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: np.ndarray) -> np.ndarray:
        """Returns this part of an image or map."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def shrunk(self, scale: int) -> "Region":
        """Returns the rectangle in the pixels of an image `scale` times smaller."""
        return Region(*(length // scale for length in self))


class _Way(NamedTuple):
    """How the large images of one case are shown."""

    region: Region
    quality: int | None


class Encoded(NamedTuple):
    """WebP files of one case; the large ones show the same region with the same quality."""

    region: Region  # of the hr image
    quality: int | None  # None: without loss
    lr: bytes  # always without loss
    large: list[bytes]
    maps: list[bytes]


def encode(
    lr: np.ndarray,
    large: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    scale: int,
    share: float,
    pool: Executor,
) -> Encoded:
    """Encodes the pictures of one case in the best way that needs at most `share` bytes.

    Without loss; else with loss, to a quality at which that is hard to see; else a part of
    them, where they differ most.

    Args:
        lr: `(height, width, 3)`, uint8.
        large: Images `(scale * height, scale * width, 3)`, uint8: results and original.
        maps: Maps of overshoot, `(scale * height, scale * width)`, in grey levels.
        scale: See above.
        share: If even the smallest way needs more, that is what is returned.
        pool: Where the pictures are encoded.
    """
    ways = list(_ways(large, scale))
    fitting: dict[_Way, list[bytes]] = {}

    def fits(way: _Way) -> bool:
        files = _within(share, _files(lr, large, maps, scale, way, pool))
        if files is not None:
            fitting[way] = files
        return files is not None

    # One of the first two is right for most photos; for large ones, halving the rest of the list
    # saves most of the encoding.
    first = 0 if fits(ways[0]) else 1 if fits(ways[1]) else bisect_left(ways, True, 2, key=fits)
    way = ways[min(first, len(ways) - 1)]
    files = fitting.get(way) or list(_files(lr, large, maps, scale, way, pool))
    return Encoded(*way, files[-1], files[: len(large)], files[len(large) : -1])


def thumbnail(image: np.ndarray) -> bytes:
    """Returns the WebP file of a LR image of an image."""
    shrink = min(1.0, _THUMBNAIL / max(image.shape[:2]))
    height, width = (max(1, round(side * shrink)) for side in image.shape[:2])
    return images.encode_webp(resize.bicubic(image, height, width), _THUMBNAIL_QUALITY)


def _ways(large: Sequence[np.ndarray], scale: int) -> Iterator[_Way]:
    """All ways to show the images, the best first; the later ones need fewer bytes."""
    height, width = large[0].shape[:2]
    if max(height, width) <= _WEBP_SIDE:
        for quality in _WHOLE:
            yield _Way(Region(0, 0, height, width), quality)
    difference = _block_differences(large, scale)
    for side, quality in _CROPS:
        if side < max(height, width):
            yield _Way(_liveliest(difference, side // scale, scale), quality)
    if max(height, width) <= _CROPS[-1][0]:
        yield _Way(Region(0, 0, height, width), _CROPS[-1][1])


def _block_differences(large: Sequence[np.ndarray], scale: int) -> np.ndarray:
    """How far the images are apart, for each lr pixel."""
    highest, lowest = large[0], large[0]
    for image in large[1:]:
        highest, lowest = np.maximum(highest, image), np.minimum(lowest, image)
    spread = (highest - lowest).sum(axis=2, dtype=np.float64)
    rows = np.add.reduceat(spread, range(0, spread.shape[0], scale), axis=0)
    return np.add.reduceat(rows, range(0, spread.shape[1], scale), axis=1)


def _liveliest(difference: np.ndarray, side: int, scale: int) -> Region:
    """The region of `side` lr pixels with the largest sum of `difference`, in hr pixels."""
    height, width = (min(side, length) for length in difference.shape)
    sums = np.pad(difference, [(1, 0), (1, 0)]).cumsum(axis=0).cumsum(axis=1)
    windows = sums[height:, width:] - sums[:-height, width:]
    windows = windows - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(np.argmax(windows), windows.shape)
    return Region(*(int(length) * scale for length in (top, left, height, width)))


def _files(
    lr: np.ndarray,
    large: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    scale: int,
    way: _Way,
    pool: Executor,
) -> Iterator[bytes]:
    """The files of the large images, of the maps and of lr, in this order."""
    jobs = [
        *((way.region.of(image), way.quality) for image in large),
        *((_map_pixels(way.region.of(overshoot)), _MAP_QUALITY) for overshoot in maps),
        (way.region.shrunk(scale).of(lr), None),
    ]
    return pool.map(lambda job: images.encode_webp(*job), jobs)


def _within(share: float, files: Iterator[bytes]) -> list[bytes] | None:
    """All the files, or None as soon as they need more than `share` bytes."""
    taken = []
    for file in files:
        taken.append(file)
        share -= len(file)
        if share < 0:
            return None  # which ends the generator, and with it the work that has not begun
    return taken


def _map_pixels(overshoot: np.ndarray) -> np.ndarray:
    """A map at half the size, each pixel the highest of four, as uint8."""
    rows = np.maximum.reduceat(overshoot, range(0, overshoot.shape[0], 2), axis=0)
    half = np.maximum.reduceat(rows, range(0, overshoot.shape[1], 2), axis=1)
    return images.to_uint8(half / OVERSHOOT_PEAK)
