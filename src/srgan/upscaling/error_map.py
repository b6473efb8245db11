"""The error map: the expected error of a GAN model, drawn."""

import contextlib
import itertools
import os
from functools import cache
from pathlib import Path

import numpy as np

from srgan.io import formats, stream
from srgan.io.text import LETTER_WIDTH, draw_text
from srgan.models import catalogue, engines, loading, tiling
from srgan.models.model import Model
from srgan.quality import uncertainty
from srgan.util import parallel
from srgan.util.counting import Progress, counter

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


class ErrorMapJob:
    """A picture that was opened, and the error map that will be drawn of it.

    Attributes:
        pixels: How many pixels the two models make.
    """

    def __init__(
        self, picture: stream.Picture, destination: Path, gan: Model, psnr: Model, overwrite: bool
    ) -> None:
        self._picture, self._destination, self._overwrite = picture, destination, overwrite
        self._gan, self._psnr = gan, psnr
        self.pixels = 2 * gan.metadata.scale**2 * picture.height * picture.width

    def run(self, tile: int | None = None, progress: Progress | None = None) -> None:
        """Draws the map, and writes it whole or not at all.

        Args:
            tile: Side of the tiles, in pixels of the picture; by default as memory allows.
            progress: Called as `progress(done, total)` after each tile.
        """
        calibration = self._gan.metadata.calibration
        assert calibration
        scale = self._gan.metadata.scale
        height, width = self._picture.height, self._picture.width
        cut = self._gan.plan(height, width, self._picture.channels, tile)
        tell = counter(progress, 2 * cut.tiles)

        def draw_pair(pair: np.ndarray) -> np.ndarray:
            sr, psnr_sr = np.split(pair, 2, axis=2)
            return draw(uncertainty.expected_error(sr, psnr_sr, calibration))

        with contextlib.ExitStack() as stack:
            # Closed here, as `tiling.upscale` says why.
            enlarged = [
                stack.enter_context(
                    contextlib.closing(model.upscale_rows(rows, height, width, cut, progress=tell))
                )
                for model, rows in zip(
                    (self._gan, self._psnr), itertools.tee(self._picture.rows()), strict=True
                )
            ]
            pairs = (np.concatenate(pair, axis=2) for pair in zip(*enlarged, strict=True))
            tall, wide = scale * height, scale * width
            strips = tiling.TileLayout(tall, wide, uncertainty.REACH, (_MAP_ROWS, wide))
            bands = tiling.upscale(draw_pair, pairs, strips, scale=1, pool=parallel.SharedPool())
            stack.enter_context(contextlib.closing(bands))
            explained = legend(wide)
            stream.write_rows(
                self._destination,
                itertools.chain(bands, [explained]),
                tall + len(explained),
                wide,
                overwrite=self._overwrite,
            )


def prepare(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = "srgan-x4",
    overwrite: bool = False,
    max_pixels: int = formats.MAX_PIXELS,
    engine: engines.Kind = "onnxruntime",
    precision: engines.Precision = "float32",
) -> ErrorMapJob:
    """Opens a picture and two models, for the map of a GAN model's expected error.

    Args:
        source: As `pipeline.upscale_file` takes it.
        destination: Where the map goes: its suffix chooses the format. It is as large as what the
            model makes of the picture, and has a legend below.
        model: Name or path of a GAN model that names its PSNR model.
        overwrite: Replace an existing `destination`.
        max_pixels: Refuse pictures that claim more.
        engine: What runs the models; see `engines.open_engine`.
        precision: Of the arithmetic.

    Raises:
        ValueError: If the model names no PSNR model, or has no calibration.
        UnsupportedImage, OSError: As `pipeline.upscale_file` does.
    """
    destination = Path(destination)
    formats.check_destination(destination, overwrite)
    # Transparent pixels are judged by what they show on white.
    picture = stream.Picture(source, max_pixels, into=".jpg")
    gan = loading.load(model, engine, precision=precision)
    psnr_model = catalogue.psnr_path(catalogue.path(model), gan.metadata)
    if gan.metadata.calibration is None:
        reason = "it does not say how far it errs, as models of `srgan train` do"
        if not gan.metadata.consistency_rounds:
            reason = "its results do not give lr back, as those of models for degraded photos"
        raise ValueError(f"{gan.metadata.name} has no error map: {reason}.")
    psnr = loading.load(psnr_model, engine, precision=precision)
    return ErrorMapJob(picture, destination, gan, psnr, overwrite)


def map_file(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = "srgan-x4",
    overwrite: bool = False,
    tile: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Draws where a GAN model hallucinates detail that a picture does not determine.

    Args:
        source: As `pipeline.upscale_file` takes it.
        destination: As `prepare` takes it.
        model: Likewise.
        overwrite: Replace an existing `destination`.
        tile: As `ErrorMapJob.run` takes it.
        progress: Likewise.

    Raises:
        ValueError, OSError: As `prepare` says.
    """
    prepare(source, destination, model, overwrite).run(tile, progress)
