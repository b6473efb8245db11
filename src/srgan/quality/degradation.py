"""What happened to a photo before it came here, measured from its pixels: JPEG, noise, blur."""

import math
from typing import NamedTuple

import numpy as np

from srgan.quality import softness

SMALLEST = 48  # pixels a side, of what can be measured

_BLOCK = 8  # side of a JPEG block
_SAMPLE = 400  # blocks, for each of the 64 places where a grid may begin
_MAX_BLOCKS = 4000  # blocks, for the steps
_AT_A_TIME = 60  # blocks
_ZERO = 0.8  # of a coefficient, in grey levels: what is left of zero after rounding to 8 bits
_STEPS = np.arange(2, 41)  # of quantisation, in grey levels
_STANDS_OUT = 0.05  # of the coefficients, that are zero in blocks of a grid and not beside it
_ENOUGH = 20  # coefficients, to see steps

_CALM = 0.8  # of white noise's deviation: what the calmest tenth of its blocks has
_WHITE = 0.7  # the finest detail of noise, in parts of the middle one; texture has less


def _frequencies(side: int) -> np.ndarray:
    """Of the coefficients of a block."""
    return np.add.outer(np.arange(side), np.arange(side)).ravel()


def _dct(side: int) -> np.ndarray:
    """The DCT of a block as one row."""
    order = np.arange(side)
    cosines = np.cos(np.outer(order, 2 * order + 1) * np.pi / (2 * side))
    cosines *= np.where(order == 0, np.sqrt(1 / side), np.sqrt(2 / side))[:, None]
    return np.kron(cosines, cosines)


_FREQUENCY, _DCT = _frequencies(_BLOCK), _dct(_BLOCK)


class Degradation(NamedTuple):
    """What was found.

    Attributes:
        jpeg: The step to which JPEG rounded the coarser detail of a block, in grey levels: 2 at a
            quality of about 93, 3 at 90, 7 at 75, 18 at 40; 0 if no such steps are found.
        webp: Likewise for lossy WebP, about: 15 at a quality of 80, 27 at 50; 0 if none.
        ringing: What JPEG left round the letters of a screenshot, in grey levels: 1 at a quality of
            95, 2 at 90, 3 to 4 at 75; 0 if the picture is none.
        noise: Standard deviation, in grey levels.
        detail: How much of the detail is fine: 0.4 to 0.6 in sharp photos; `nan` in plain ones; see
            `softness.detail`.
    """

    jpeg: float
    webp: float
    ringing: float
    noise: float
    detail: float


def measure(rgb: np.ndarray) -> Degradation:
    """Returns what is found in a photo.

    Args:
        rgb: `(height, width, 3)` uint8, at least `SMALLEST` a side.
    """
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    grid = _grid(luma, _BLOCK)
    found = _jpeg(luma, grid), _webp(luma, grid)
    return Degradation(*found, ringing(luma), noise(rgb), softness.detail(luma))


class _Grid(NamedTuple):
    """Where blocks begin with the most zeros, and by how much they have more than elsewhere."""

    place: tuple[int, int]
    excess: float


def _jpeg(luma: np.ndarray, grid: _Grid) -> float:
    """Returns the step to which JPEG rounded a picture, or 0: see `Degradation`.

    JPEG rounds the DCT of each 8x8 block to multiples of steps, which leaves many coefficients of
    fine detail at zero, but only in blocks that begin where JPEG's did (Fan and de Queiroz 2003,
    "Identification of bitmap compression history"). So the place is searched where the most are
    zero, and, if one stands out, the step of each coarse coefficient there: that q for which the
    mean of cos(2 pi c / q) is the largest.

    Args:
        luma: `(height, width)`, 0 to 255.
        grid: That of its 8x8 blocks.
    """
    if grid.excess < _STANDS_OUT:
        return 0.0
    step, certainty = _typical_step(luma, _BLOCK, grid.place, 4)
    return step if certainty > 0.35 else 0.0


def _webp(luma: np.ndarray, grid: _Grid) -> float:
    """Returns the step to which lossy WebP rounded a picture, about, or 0: see `Degradation`.

    As `_jpeg`, but of blocks of 4x4, which begin at the corner, and are smoothed along their edges
    afterwards, so that steps are found less surely.

    Args:
        luma: `(height, width)`, 0 to 255.
        grid: That of its 8x8 blocks.
    """
    place, excess = _grid(luma, 4)
    # JPEG's blocks leave zeros in a quarter of a block too, but more in the whole.
    if place != (0, 0) or excess < max(_STANDS_OUT, grid.excess):
        return 0.0
    step, certainty = _typical_step(luma, 4, place, 2)
    return step if certainty > 0.16 else 0.0


def ringing(luma: np.ndarray) -> float:
    """Returns what JPEG left round the letters of a screenshot, or 0: see `Degradation`.

    White is clipped there, which hides the steps that `_jpeg` looks for. But letters lie on a plain
    colour, and what differs from it a little is not a letter's. A picture is taken for a screenshot
    if its 8x8 blocks are plain, or have sharp edges on a plain colour; a photo with a white sky has
    some of these, too, but not as many.

    Args:
        luma: `(height, width)`, 0 to 255.
    """
    chance = np.random.default_rng(0)
    rows, columns = (side // _BLOCK * _BLOCK for side in luma.shape)
    blocks = np.round(luma[:rows, :columns]).reshape(rows // _BLOCK, _BLOCK, -1, _BLOCK)
    blocks = blocks.swapaxes(1, 2).reshape(-1, _BLOCK * _BLOCK)
    blocks = chance.permutation(blocks)[:_MAX_BLOCKS]
    rough = blocks[np.ptp(blocks, axis=1) > 2]
    left = []
    for block in rough:
        levels, counts = np.unique(block, return_counts=True)
        distance = np.abs(block - levels[counts.argmax()])
        near = distance[distance <= 16]
        if len(near) >= 16 and np.sum(distance >= 64) >= 4:
            left.append(near.mean())
    plain = 1 - len(rough) / len(blocks)
    if plain < 0.25 or len(left) < 4 or plain + len(left) / len(rough) < 0.75:
        return 0.0
    return float(np.median(left))


def noise(rgb: np.ndarray, evenness: float = 0.0) -> float:
    """Returns the standard deviation of a photo's noise, in grey levels of one channel.

    It is what the calmest tenth of all 8x8 blocks has of the finest detail: of red minus green,
    where the texture of things is nearly nothing, or of luma, if that is as strong at all
    frequencies, as noise is and texture is not.

    Args:
        rgb: `(height, width, 3)`, 0 to 255.
        evenness: At least so alike have to be calm and other places, from 0 to 1: the amplitude
            that 5 % of the blocks stay below, over that of 25 %. Noise has 0.78 to 0.87, fur that
            is all over a picture 0.7.
    """
    clipped = ((rgb == 0) | (rgb == 255)).any(axis=2)  # where noise is cut off
    _, coloured, coloured_evenness = _calmest(
        np.where(clipped, np.inf, rgb[..., 0] - 1.0 * rgb[..., 1])
    )
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    middle, finest, grey_evenness = _calmest(np.where(clipped, np.inf, luma))
    return max(
        coloured / math.sqrt(2) if coloured_evenness >= evenness else 0.0,
        finest if finest > _WHITE * middle and grey_evenness >= evenness else 0.0,
    )


def luma_noise(luma: np.ndarray) -> float:
    """Returns the standard deviation of what may be noise of a luma, in grey levels.

    It is never less than that of noise, but more where texture is all over the picture.

    Args:
        luma: `(height, width)`, 0 to 255.
    """
    return _calmest(luma.astype(float)).finest / _CALM


def _grid(luma: np.ndarray, side: int) -> _Grid:
    """Looks at each place where blocks of this side may begin."""
    chance, fine = np.random.default_rng(0), _dct(side)[_frequencies(side) >= 3 + (side > 4)]
    places = [(y, x) for y in range(side) for x in range(side)]
    zeros = np.zeros(len(places))
    for index, place in enumerate(places):
        blocks = _blocks(luma, *place, _SAMPLE * (_BLOCK // side) ** 2, chance, side)
        if len(blocks) >= _ENOUGH:
            zeros[index] = np.mean(np.abs(_product(blocks, fine)) < _ZERO)
    return _Grid(places[zeros.argmax()], float(zeros.max() - np.median(zeros)))


def _product(blocks: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Returns `blocks @ basis.T`, a few blocks at a time.

    All at once, BLAS would share them among threads, which wait for each other longer than they
    compute where the cores are busy.
    """
    parts = np.array_split(blocks, -(-len(blocks) // _AT_A_TIME))
    return np.concatenate([part @ basis.T for part in parts])


def _typical_step(
    luma: np.ndarray, side: int, place: tuple[int, int], highest: int
) -> tuple[float, float]:
    """The median step of coarse detail up to a frequency, and how well it fits: at most 1."""
    frequency = _frequencies(side)
    coarse = _dct(side)[(frequency >= 1) & (frequency <= highest)]
    blocks = _blocks(luma, *place, _MAX_BLOCKS, np.random.default_rng(0), side)
    found = [_step(values[np.abs(values) > 1]) for values in (blocks @ coarse.T).T]
    steps = [step for step, certainty in found if certainty > 0]
    certain = float(np.median([certainty for _, certainty in found]))
    return (float(np.median(steps)), certain) if steps else (0.0, 0.0)


def _blocks(
    luma: np.ndarray,
    top: int,
    left: int,
    most: int,
    chance: np.random.Generator,
    side: int = _BLOCK,
) -> np.ndarray:
    """Blocks that are not plain, each as one row; of many, some at random."""
    rows, columns = (luma.shape[0] - top) // side, (luma.shape[1] - left) // side
    cut = luma[top : top + side * rows, left : left + side * columns]
    blocks = cut.reshape(rows, side, columns, side).swapaxes(1, 2)
    if rows * columns > 4 * most:  # only these are copied
        blocks = blocks[divmod(chance.choice(rows * columns, 4 * most, replace=False), columns)]
    blocks = blocks.reshape(-1, side * side)
    blocks = blocks[blocks.max(axis=1) > blocks.min(axis=1) + 1]
    return blocks[:most] if len(blocks) <= most else chance.permutation(blocks)[:most]


def _step(values: np.ndarray) -> tuple[float, float]:
    """The step of which the values are multiples, and how well they are: at most 1."""
    best = (0.0, 0.0)
    for step in _STEPS:
        used = values[np.abs(values) > 0.6 * step]
        if len(used) >= _ENOUGH:
            certainty = float(np.mean(np.cos(2 * np.pi * used / step)))
            best = max(best, (certainty, float(step)))
    return best[1], best[0]


class _Calmest(NamedTuple):
    """Amplitudes of detail in the calmest tenth of all blocks."""

    middle: float  # of middle frequency
    finest: float
    evenness: float  # of the finest: what 5 % of the blocks stay below, over that of 25 %


def _calmest(plane: np.ndarray) -> _Calmest:
    blocks = _blocks(plane, 0, 0, _MAX_BLOCKS, np.random.default_rng(0))
    blocks = blocks[np.isfinite(blocks).all(axis=1)]
    if len(blocks) < _ENOUGH:
        return _Calmest(0.0, 0.0, 0.0)
    squares = (blocks @ _DCT.T) ** 2
    middle = squares[:, (_FREQUENCY >= 3) & (_FREQUENCY <= 5)].mean(axis=1)
    finest = squares[:, _FREQUENCY >= 8].mean(axis=1)
    calm = np.argsort(middle + finest)[: max(len(blocks) // 10, _ENOUGH // 2)]
    low, high = np.sqrt(np.quantile(finest, (0.05, 0.25)))
    calmest = (float(np.sqrt(np.median(values[calm]))) for values in (middle, finest))
    return _Calmest(next(calmest), next(calmest), float(low / max(high, 1e-9)))
