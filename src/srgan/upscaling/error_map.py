"""The error map: where a GAN model had to invent, drawn."""

import itertools
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from srgan.io import formats, stream
from srgan.io.text import LETTER_WIDTH, draw_text
from srgan.models import catalogue, engines, loading, tiling
from srgan.quality import uncertainty
from srgan.util import parallel

_MAP_ROWS = 128  # of a map, drawn at a time

PEAK = 32.0  # grey levels, drawn in the last colour; 0.1 % of the windows of Kodak24 have more

# Ten colours, at equal steps, of the map "inferno" (Smith and van der Walt, CC0).
_COLOURS = "000004 1b0c42 4b0c6b 781c6d a52c60 cf4446 ed6925 fb9a06 f7d03c fcffa4"
_BAR = 12  # pixels, height of the legend's colours


def draw(error: np.ndarray) -> np.ndarray:
    """Returns a picture of a map: black where lr determines the result, bright where it does not.

    Equal steps of error are about equal steps to the eye, up to `PEAK`, where the colours end.

    Args:
        error: What `expected_error` returned, `(height, width)`, grey levels.

    Returns:
        `(height, width, 3)`, uint8.
    """
    steps = np.clip(error * np.float32(255 / PEAK) + np.float32(0.5), 0, 255)
    return _colour_map()[steps.astype(np.uint8)]


def legend(width: int) -> np.ndarray:
    """Returns a strip that explains the colours of `draw`, to put below a picture of this width.

    Returns:
        `(height, width, 3)`, uint8; the height grows with the width.
    """
    zoom = max(1, width // 800)
    across = -(-width // zoom)
    left, right = "0", f"{PEAK:g} grey levels of expected error"
    text = left + right.rjust(across // LETTER_WIDTH - len(left))
    bar = draw(np.linspace(0, PEAK, across, dtype=np.float32)[None].repeat(_BAR, axis=0))
    strip = np.concatenate([bar, draw_text(text, across)])
    return strip.repeat(zoom, axis=0).repeat(zoom, axis=1)[:, :width]


@cache
def _colour_map() -> np.ndarray:
    """`(256, 3)` uint8, the colours from 0 to `PEAK`."""
    colours = np.array([list(bytes.fromhex(colour)) for colour in _COLOURS.split()])
    at = np.linspace(0, len(colours) - 1, 256)
    channels = [np.interp(at, np.arange(len(colours)), channel) for channel in colours.T]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def map_file(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = "srgan-x4",
    overwrite: bool = False,
    tile: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    most_pixels: int = formats.MOST_PIXELS,
    engine: engines.Kind = "onnxruntime",
    precision: engines.Precision = "float32",
) -> None:
    """Draws where a GAN model invents what a picture does not determine: see `invention`.

    Args:
        source: As `upscale_file` takes it.
        destination: Where the map goes: its suffix chooses the format. It is as large as what the
            model makes of the picture, and has a legend below.
        model: Name or path of a GAN model that names its PSNR model.
        overwrite: Replace an existing `destination`.
        tile: Side of the tiles, in pixels of `source`; by default as memory allows.
        progress: Called as `progress(done, total)` after each tile.
        most_pixels: Refuse pictures that claim more.
        engine: What runs the models; see `engines.open_engine`.
        precision: Of the arithmetic.

    Raises:
        ValueError: If the model names no PSNR model, or has no calibration.
        UnsupportedImage, OSError: As `upscale_file` does.
    """
    destination = Path(destination)
    formats.check_destination(destination, overwrite)
    # Transparent pixels are judged by what they show on white.
    picture = stream.Picture(source, most_pixels, into=".jpg")
    gan = loading.load(model, engine, precision=precision)
    psnr_model = catalogue.psnr_path(catalogue.path(model), gan.metadata)
    scale, calibration = gan.metadata.scale, gan.metadata.calibration
    if calibration is None:
        reason = "it does not say how far it errs, as models of `srgan train` do"
        if not gan.metadata.consistency_rounds:
            reason = "its results do not give lr back, as those of models for degraded photos"
        raise ValueError(f"{gan.metadata.name} has no map of what was invented: {reason}.")
    psnr = loading.load(psnr_model, engine, precision=precision)
    height, width = picture.height, picture.width
    cut = gan.plan(height, width, picture.channels, tile)
    strip_below = legend(scale * width)
    done = itertools.count(1)

    def tell() -> None:
        if progress:
            progress(next(done), 2 * cut.tiles)

    def draw_pair(pair: np.ndarray) -> np.ndarray:
        sr, psnr_sr = np.split(pair, 2, axis=2)
        return draw(uncertainty.expected_error(sr, psnr_sr, calibration))

    enlarged = [
        one.upscale_rows(rows, height, width, cut, progress=tell)
        for one, rows in zip((gan, psnr), itertools.tee(picture.rows()), strict=True)
    ]
    pairs = (np.concatenate(pair, axis=2) for pair in zip(*enlarged, strict=True))
    strip = tiling.Plan(
        scale * height, scale * width, uncertainty.REACH, (_MAP_ROWS, scale * width)
    )
    bands = tiling.upscale(draw_pair, pairs, strip, scale=1, pool=parallel.shared_pool())
    stream.write(
        destination,
        itertools.chain(bands, [strip_below]),
        scale * height + len(strip_below),
        scale * width,
        overwrite=overwrite,
    )
