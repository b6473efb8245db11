"""Image quality by a stated protocol: RGB arrays `(height, width, 3)` in, a float out.

Images are uint8, or float in [0, 1], which is rounded to 8 bits first, as papers score files. Where
both images of a comparison are uint16, their 16 bits count, in units of 8-bit grey levels.


psnr, ssim and lpips compare sr with the hr image it should be, lr_psnr compares it with the lr
image it was made from; `score` adds what `artifacts` sees.
"""

import math
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from srgan.models import engines
from srgan.numeric import resize
from srgan.numeric.color import (
    Colour,
    TooSmallError,
    as_image,
    as_pair,
    blur,
    gaussian,
    levels,
    of_one_depth,
    planes,
    size,
)
from srgan.quality import artifacts, brisque, ciede2000, niqe
from srgan.quality.protocols import Protocol
from srgan.util import resources

PSNR_CAP = 100.0
"""dB that `score` gives at most, as equal images have: so that means and differences are finite."""

LPIPS_MINIMUM = 31  # pixels; of fewer, AlexNet's two poolings leave nothing


class Scores(NamedTuple):
    """How good one sr image is; `nan` where that is not defined, as without an hr image."""

    psnr: float  # dB, at most PSNR_CAP
    ssim: float  # 1 is best
    lpips: float  # 0 is best
    delta_e: float  # CIEDE2000; 0 is best
    niqe: float  # lower is better; sharp photos have 2 to 5
    brisque: float  # lower is better, from about 0 to 100
    lr_psnr: float  # dB, at most PSNR_CAP
    grid: float  # photos have about 0.04
    checkerboard: float  # grey levels; photos have about 0.1
    sharpness: float  # 1 is hr's
    sharpening: float  # 1 is bicubic's sharpness
    ringing: float  # grey levels; 0 is best
    echo: float  # grey levels; 0 is best
    aliasing: float  # 0 is best
    colour_drift: float  # grey levels; 0 is best


class Assessment(NamedTuple):
    """The scores of one image, and why it has none in some measures."""

    scores: Scores
    reasons: dict[str, str]  # by the names of the measures that are `nan`


def assess(
    hr: np.ndarray | None,
    lr: np.ndarray,
    sr: np.ndarray,
    scale: int,
    by: Protocol | None = None,
    bicubic: np.ndarray | None = None,
) -> Assessment:
    """Returns all measures of one sr image that apply to it, and why the others do not.

    Args:
        hr: What it should be, `(scale * height, scale * width, 3)`, RGB of 8 or 16 bits; None if
            nobody knows.
        lr: What it was made from, `(height, width, 3)`.
        sr: Image to score, of the size of hr.
        scale: Factor between them.
        by: The protocol; by default the luma without `scale` pixels at each edge.
        bicubic: lr enlarged by `resize.upscale`, if that is at hand.

    Raises:
        ValueError: If the images are not RGB of such sizes.
    """
    by = by or Protocol("y", scale)
    lr, sr = as_image(lr), as_image(sr)
    bicubic = resize.upscale(lr, scale) if bicubic is None else bicubic
    similarity = ssim_paper if by.paper else partial(ssim, colour=by.colour)
    compared: dict[str, Callable[[np.ndarray], float]] = {
        "psnr": lambda hr: min(psnr(hr, sr, by.border, by.colour), PSNR_CAP),
        "ssim": lambda hr: similarity(hr, sr, by.border),
        "lpips": lambda hr: lpips(hr, sr),
        "delta_e": lambda hr: ciede2000.delta_e(hr, sr),
        "sharpness": lambda hr: artifacts.sharpness(hr, sr),
        "ringing": lambda hr: artifacts.ringing(hr, sr, scale),
        "echo": lambda hr: artifacts.echo(hr, sr, scale),
        "aliasing": lambda hr: artifacts.aliasing(hr, sr, scale),
    }
    alone: dict[str, Callable[[], float]] = {
        "niqe": lambda: niqe.niqe(sr, by.border),
        "brisque": lambda: brisque.brisque(sr, by.border),
        "lr_psnr": lambda: min(lr_psnr(lr, sr), PSNR_CAP),
        "grid": lambda: artifacts.grid(sr, scale),
        "checkerboard": lambda: artifacts.checkerboard(sr, scale),
        "sharpening": lambda: artifacts.sharpness(bicubic, sr),
        "colour_drift": lambda: artifacts.colour_drift(lr, sr),
    }
    values, reasons = dict.fromkeys(Scores._fields, float("nan")), {}
    if hr is None:
        reasons = dict.fromkeys(compared, "There is no HR image.")
    else:
        alone |= {name: partial(measure, hr) for name, measure in compared.items()}
    for name, measure in alone.items():
        try:
            values[name] = measure()
        except TooSmallError as error:
            reasons[name] = str(error)
        else:
            if math.isnan(values[name]):
                reasons[name] = "The picture is flat: it has none of the detail that is measured."
    return Assessment(Scores(**values), reasons)


def score(
    hr: np.ndarray | None,
    lr: np.ndarray,
    sr: np.ndarray,
    scale: int,
    by: Protocol | None = None,
    bicubic: np.ndarray | None = None,
) -> Scores:
    """Returns the scores of `assess`, which says what they are of."""
    return assess(hr, lr, sr, scale, by, bicubic).scores


def mean(scores: Iterable[Scores]) -> Scores:
    """Returns the mean of each measure over the images that have it; `nan` if none has."""
    columns = np.array([*scores], np.float64).reshape(-1, len(Scores._fields)).T
    known = [column[~np.isnan(column)] for column in columns]
    return Scores(*(float(column.mean()) if column.size else float("nan") for column in known))


def psnr(hr: np.ndarray, sr: np.ndarray, border: int = 0, colour: Colour = "y") -> float:
    """Peak signal-to-noise ratio, 10 log10(255^2 / MSE).

    Args:
        hr: Reference, `(height, width, 3)`, RGB.
        sr: Image to score, likewise.
        border: Pixels to leave out at each edge; papers leave out the scale.
        colour: "y" for the error of the luma, "rgb" for that of the three channels.

    Returns:
        Decibels; `inf` if the pixels are equal.

    Raises:
        ValueError: If the images are not RGB, differ in shape, or `border` leaves nothing.

    Example:
        >>> black, grey = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 51, np.uint8)
        >>> round(psnr(black, grey), 2)  # 20 log10(255 / 43.8): luma has 219 steps for 255
        15.3
        >>> round(psnr(black, grey, colour="rgb"), 2)  # 20 log10(255 / 51)
        13.98
    """
    return _decibels(np.subtract(*_inside(hr, sr, border, colour, minimum=1)))


def ssim(hr: np.ndarray, sr: np.ndarray, border: int = 0, colour: Colour = "y") -> float:
    """Structural similarity (Wang et al. 2004, eq. 13).

    With local means m, variances v and the covariance c, weighted by an 11x11 Gaussian (sigma
    1.5) wherever that fits into the image, the mean of

    (2 m_hr m_sr + C1) (2 c + C2) / ((m_hr^2 + m_sr^2 + C1) (v_hr + v_sr + C2)).

    Args:
        hr: Reference, `(height, width, 3)`, RGB.
        sr: Image to score, likewise.
        border: Pixels to leave out at each edge; papers leave out the scale.
        colour: "y" for that of the luma, "rgb" for the mean of those of the three channels.

    Returns:
        At most 1, which equal images have.

    Raises:
        ValueError: If the images are not RGB, differ in shape, or `border` leaves fewer
            than 11x11 pixels.
    """
    window = gaussian(radius=5, sigma=1.5)
    pairs = zip(*_inside(hr, sr, border, colour, minimum=11), strict=True)
    return float(np.mean([_similarity(*pair, lambda plane: blur(plane, window)) for pair in pairs]))


def ssim_paper(hr: np.ndarray, sr: np.ndarray, border: int = 4) -> float:
    """Structural similarity as the SRGAN paper took it, by the `dump_ssim` of the daala project.

    As `ssim` of the luma rounded to 8 bits, but with a Gaussian of sigma 1.5 height / 256 in
    units of 1/256, cut off at the edges of the image, where its mean counts by what is left of it.

    Args:
        hr: Reference, `(height, width, 3)`, RGB.
        sr: Image to score, likewise.
        border: Pixels to leave out at each edge.

    Returns:
        At most 1; higher than `ssim`, with which it must not be compared.

    Raises:
        ValueError: If the images are not RGB, differ in shape, or `border` leaves fewer
            than 11x11 pixels.
    """
    (y_hr,), (y_sr,) = _inside(hr, sr, border, "y", minimum=11)
    y_hr, y_sr = np.floor(y_hr + 0.5), np.floor(y_sr + 0.5)
    height, width = y_hr.shape
    sigma = 1.5 * height / 256
    # Where its weight is less than half a unit, the window ends.
    reach = int(sigma * np.sqrt(max(-2 * np.log(np.sqrt(np.pi / 2) * sigma / 256), 0)))
    reach = min(reach, min(height, width) - 1)
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    window = np.floor(256 / (np.sqrt(2 * np.pi) * sigma) * window + 0.5)
    window[reach] += 256 - window.sum()
    window /= 256

    def mean(plane: np.ndarray) -> np.ndarray:
        return blur(np.pad(plane, reach), window)

    weights = mean(np.ones_like(y_hr))
    similarity = _similarity(y_hr, y_sr, lambda plane: mean(plane) / weights)
    return float(np.average(similarity, weights=weights))


def lpips(hr: np.ndarray, sr: np.ndarray) -> float:
    """Perceptual distance LPIPS v0.1 with AlexNet (Zhang et al. 2018, eq. 1).

    The squared difference of the unit-length features of five layers, weighted as people judged
    pairs of images, and averaged over the image. Run from float16 weights: within 3e-5 of float32.

    Args:
        hr: Reference, `(height, width, 3)`, RGB, at least 31x31.
        sr: Image to score, likewise.

    Returns:
        0 for equal images; x4, bicubic has 0.3 to 0.5 and RealSR 0.08 to 0.17.

    Raises:
        ValueError: If the images are not RGB, differ in shape, or are too small.
    """
    hr, sr = as_pair(hr, sr)
    if min(hr.shape[:2]) < LPIPS_MINIMUM:
        raise TooSmallError(
            f"LPIPS needs {LPIPS_MINIMUM}x{LPIPS_MINIMUM} pixels; got {size(hr)}. "
            "Score a larger image."
        )
    return float(_alexnet().run(np.stack([levels(hr), levels(sr)]).astype(np.float32) / 255))


def lr_psnr(lr: np.ndarray, sr: np.ndarray) -> float:
    """Consistency: the PSNR over RGB between `lr` and the bicubic downscale of `sr`.

    Args:
        lr: The input, `(height, width, 3)`, RGB.
        sr: What was made of it, `(scale * height, scale * width, 3)`, uint8 RGB.

    Returns:
        Decibels; `inf` if scaling down gives `lr` back exactly.

    Raises:
        ValueError: If the images are not RGB, or the size of `sr` is no multiple of `lr`'s.
    """
    lr, sr = of_one_depth(as_image(lr), as_image(sr))
    scale = sr.shape[0] // lr.shape[0]
    if sr.shape[:2] != (scale * lr.shape[0], scale * lr.shape[1]):
        raise ValueError(
            f"The sides of sr must be one integer multiple of those of lr; got {size(sr)} "
            f"and {size(lr)}."
        )
    return _decibels(levels(lr).astype(np.float64) - levels(resize.downscale(sr, scale)))


@cache
def _alexnet() -> engines.Engine:
    return engines.open_engine(resources.WEIGHTS / "lpips-alex.onnx")


def _inside(
    hr: np.ndarray, sr: np.ndarray, border: int, colour: Colour, minimum: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The planes of both images without the border, which must leave `minimum` pixels a side."""
    hr, sr = as_pair(hr, sr)
    height, width = hr.shape[:2]
    if border < 0 or min(height, width) - 2 * border < minimum:
        raise TooSmallError(
            f"border={border} must leave at least {minimum}x{minimum} pixels; got {size(hr)}."
        )
    inside = slice(border, height - border), slice(border, width - border)
    return planes(hr[inside], colour), planes(sr[inside], colour)


def _similarity(
    y_hr: np.ndarray, y_sr: np.ndarray, mean: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Equation 13 of Wang et al. with a local `mean`."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_hr, mean_sr = mean(y_hr), mean(y_sr)
    product, squares = mean_hr * mean_sr, mean_hr**2 + mean_sr**2
    covariance = mean(y_hr * y_sr) - product
    variances = mean(y_hr**2 + y_sr**2) - squares
    similarity = (2 * product + c1) * (2 * covariance + c2)
    return similarity / ((squares + c1) * (variances + c2))


def _decibels(difference: np.ndarray) -> float:
    mean_square = np.mean(difference**2)
    return float(10 * np.log10(255**2 / mean_square)) if mean_square else float("inf")
