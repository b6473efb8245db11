"""What was opened and planned, and is then done: a picture, or a document of several."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srgan.io import formats, images, stream
from srgan.models import tiling
from srgan.models.model import DEAR, MUCH, Model
from srgan.numeric import clipping, resize
from srgan.upscaling import overlap
from srgan.upscaling.choice import Choice
from srgan.upscaling.options import UpscaleOptions
from srgan.util import parallel
from srgan.util.counting import Progress, counter
from srgan.util.rows import Cutter

if TYPE_CHECKING:
    from srgan.io.geotiff import Bands

_PASSES = 2  # of a model, one on the result of the other
_TWICE = 2.0  # times the picture's pixels, in tiles
_OVERLAPS = (32, 16)  # lr pixels, that are advised in place of what a network sees
_WORTH = 0.8  # of the work, at most, for such advice
_TOLD = 0.01  # of a picture, that loses what no larger one can hold
_BETWEEN = np.uint16  # what is kept of a sample between two steps


class UpscaleJob:
    """A picture that was opened, and how it will be upscaled: known before the first tile.

    Attributes:
        picture: As it was opened; it can be read once.
        destination: The file to be written.
        height: Of the result; of one frame, if there are several.
        width: Of the result.
        frames: How many there are.
        overlap: Of the tiles, if that was measured; else it is exact, or what was asked for.
        cuts: How each pass of the model cuts a frame.
        memory: Bytes that it needs, about, beside the program and its model.
        work: Pixels that the model will see, those of overlaps included.
        model: What upscales.
        choice: Its name, and why it was taken.
        overwrite: Replace the destination if it exists.
        strain: How much of the picture the result cannot keep, once it ran.
    """

    def __init__(
        self,
        picture: "stream.Picture | Bands",
        destination: Path,
        model: Model,
        options: UpscaleOptions,
        overwrite: bool,
        workers: int | None,
        choice: Choice,
        middle: Callable[[], np.ndarray],
    ) -> None:
        self.picture, self.destination, self.options = picture, destination, options
        self.model, self.choice, self.overwrite = model, choice, overwrite
        self._workers = workers
        self.strain = clipping.Strain()
        self.frames = picture.frames
        scale = model.metadata.scale
        self.height, self.width = options.output_size(picture.height, picture.width, scale)
        self.cuts: list[tiling.TileLayout] = []
        passes, tiles, bands = self._passes(), 0.0, 0.0
        self.overlap = self._enough(workers, middle) if passes else None
        for index in range(passes):
            tall, wide = (scale**index * side for side in (picture.height, picture.width))
            cut = self._plan(tall, wide, workers)
            tiles = max(tiles, self._tile_bytes(cut))  # those of all passes share
            # What is read for a row of tiles, and what came of two while the first is written.
            rows = (1 + 2 * scale**2) * min(cut.size[0], cut.height)
            is_last = index + 1 == passes and not options.has_size
            sample = picture.dtype.itemsize if is_last else np.dtype(_BETWEEN).itemsize
            ready = parallel.AHEAD * model.calls if model.calls > 1 else 0
            waiting = min(cut.tiles, ready) * scale**2 * cut.area
            bands += (rows * cut.width + waiting) * picture.channels * sample
            self.cuts.append(cut)
        self.memory = round(tiles + bands)
        self.work = picture.frames * sum(cut.work for cut in self.cuts)

    def _plan(self, height: int, width: int, workers: int | None) -> tiling.TileLayout:
        halo = self.overlap.pixels if self.overlap else self.options.overlap
        channels, tile = self.picture.channels, self.options.tile
        return self.model.plan(height, width, channels, tile, workers=workers, halo=halo)

    def _tile_bytes(self, cut: tiling.TileLayout) -> float:
        """What the tiles need that run at once."""
        return min(cut.tiles, self.model.calls) * cut.area * self.model.pixel_bytes

    def _enough(
        self, workers: int | None, middle: Callable[[], np.ndarray]
    ) -> overlap.Overlap | None:
        """What tiles share, and what that costs, if it is less than the network sees.

        That was asked for, or all would be dear. Models of srgan are exact, unless told otherwise.
        """
        self.overlap = None
        asked, sees = self.options.overlap, self.model.reach(self.picture.channels)
        if not self.model.requirements.divisible:
            return None
        if asked is not None and asked < sees:
            if self._passes() == 1:
                whole = self._plan(self.picture.height, self.picture.width, workers)
                if whole.tiles == 1:  # nothing is cut
                    return None
            return overlap.measure(self.model, middle(), (asked,))[0]
        if not self.model.specification or asked is not None or self.options.tile is not None:
            return None
        for count in (workers, 1):  # a small picture is one tile, if one worker has it alone
            exact = self._plan(self.picture.height, self.picture.width, count)
            if exact.work <= DEAR * exact.height * exact.width and self._tile_bytes(exact) < MUCH:
                return None
        return overlap.enough(self.model, middle())

    def __repr__(self) -> str:
        size = f"{self.picture.width}x{self.picture.height} -> {self.width}x{self.height}"
        return f"<srgan.UpscaleJob {size}, {self.tiles} tiles, {self.memory / 2**20:,.0f} MiB>"

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know of the result, in sentences.

        Why the model for degraded pictures was taken, and what of the picture the result lacks:
        frames, a gain map, transparency, and, once it ran, patterns that no result can hold.
        """
        return (
            *self.choice.notes,
            *self._notes_on_tiles(),
            *self.picture.notes,
            *_strained(self.strain),
        )

    def _notes_on_tiles(self) -> Iterator[str]:
        """How tiles overlap, where that is another amount than people expect."""
        sees, need = self.model.reach(self.picture.channels), self.model.requirements
        if self.options.tile and not need.divisible:
            takes = (
                f"{need.fixed[1]}x{need.fixed[0]} pixels alone" if need.fixed else "whole pictures"
            )
            yield f"--tile {self.options.tile} has no effect: the model takes {takes}"
        elif self.options.tile and self._is_whole(self.options.tile):
            less = self._with_less(self.cuts[0], "makes it smaller, and may show seams")
            yield (
                f"--tile {self.options.tile} has no effect: with the {self.cuts[0].halo} pixels to "
                f"each side that a tile depends on, it is the whole picture{less and f'; {less}'}"
            )
        if self.overlap:
            error = math.ceil(10 * self.overlap.error) / 10
            yield (
                f"tiles overlap by {self.overlap.pixels} pixels, and not by the {sees} that they "
                f"depend on: in the most detailed part of the picture's middle, 99.9% of the "
                f"values near a cut differ by less than {error:g} grey levels; --overlap {sees} is "
                "exact"
            )
        cut = max(self.cuts, key=_share, default=None)
        if cut and _share(cut) > _TWICE and not need.fixed:
            why = "tiles are small" if self.options.tile else "memory is short"
            less = self._with_less(cut, "takes less time, and may show seams")
            if self.options.tile:
                less = f"a larger --tile, or {less}" if less else "a larger --tile takes less time"
            yield (
                f"tiles overlap so much that {_share(cut):.0f} times the picture is computed, "
                f"since they depend on {cut.halo} pixels to each side and {why}"
                f"{less and f'; {less}'}"
            )

    def _with_less(self, cut: tiling.TileLayout, effect: str) -> str:
        """Advice to take less overlap than the network sees, if that is worth it."""
        for pixels in _OVERLAPS:
            if pixels < cut.halo:
                size = cut.height, cut.width, self.picture.channels, self.options.tile
                other = self.model.plan(*size, workers=self._workers, halo=pixels)
                if other.tiles > 1 and (cut.tiles == 1 or other.work < _WORTH * cut.work):
                    return f"--overlap {pixels} {effect}"
        return ""

    def _is_whole(self, tile: int) -> bool:
        """Whether larger pictures than the tiles asked for are one tile all the same."""
        cuts = self.cuts
        return bool(cuts) and all(c.tiles == 1 and max(c.height, c.width) > tile for c in cuts)

    @property
    def tiles(self) -> int:
        """How many tiles there are, in all frames and passes."""
        return self.frames * sum(cut.tiles for cut in self.cuts)

    @property
    def pixels(self) -> int:
        """How many pixels the model makes, in all passes."""
        factors = (self.model.metadata.scale ** (2 * n) for n in range(1, len(self.cuts) + 1))
        return sum(factors) * self.frames * self.picture.height * self.picture.width

    @property
    def source_pixels(self) -> int:
        """How many pixels there are in all that is read."""
        return sum(p.frames * p.picture.height * p.picture.width for p in self.parts)

    def run(self, progress: Progress | None = None) -> None:
        """Upscales the picture, and writes the result whole or not at all.

        Args:
            progress: Called as `progress(done, total)` after each tile. What it raises ends the
                work after the tiles that run.

        Raises:
            UnsupportedImage: If the picture is damaged.
            OSError: If there is no way to write the result, or the disk is full.
            MemoryError: If there is not even enough for the smallest tiles.
        """
        # Closed here, so that nobody else waits for the tiles that run when something fails.
        with closing(self.enlarged(counter(progress, self.tiles))) as bands:
            self.write(bands)

    def write(self, bands: Iterator[np.ndarray]) -> None:
        """Writes the result whole or not at all, from what `enlarged` yields.

        Raises:
            UnsupportedImage, OSError: As `run` does.
        """
        assert isinstance(self.picture, stream.Picture)  # bands of a GeoTIFF are `GeoJob`'s
        stream.write_rows(
            self.destination,
            self.sized(bands),
            self.height,
            self.width,
            self.picture,
            self.overwrite,
            not self.options.strip_metadata,
            self.options.pyramid,
        )

    @property
    def parts(self) -> Sequence["UpscaleJob"]:
        """The jobs that it is made of: those of a document, or itself."""
        return (self,)

    @property
    def dtypes(self) -> Sequence[images.Sample]:
        """Of the samples that each pass of the model makes."""
        last = self._sample if self._is_exact else _BETWEEN
        return [_BETWEEN] * (len(self.cuts) - 1) + [last] * bool(self.cuts)

    def enlarged(self, tell: Callable[[], None]) -> Generator[np.ndarray, None, None]:
        """Yields the rows that the model makes, one frame after the other, as they come.

        Args:
            tell: Called after each tile.
        """
        scale = self.model.metadata.scale
        rows = Cutter(parallel.ahead(self.picture.rows()))
        for _ in range(self.frames):
            height, width = self.picture.height, self.picture.width
            bands = rows.take(height)
            for index, (cut, dtype) in enumerate(zip(self.cuts, self.dtypes, strict=True)):
                bands = self.model.upscale_rows(
                    bands, height, width, cut, dtype, tell, self.strain if index == 0 else None
                )
                height, width = scale * height, scale * width
            yield from bands

    @property
    def enlarged_rows(self) -> int:
        """How many rows `enlarged` yields."""
        return self.frames * self.picture.height * self.model.metadata.scale ** len(self.cuts)

    def sized(self, bands: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields the rows of the result, from what `enlarged` yields."""
        if self._is_exact:
            yield from bands
            return
        whole = self.enlarged_rows // self.frames
        rows = Cutter(bands)
        for _ in range(self.frames):
            floats = map(images.to_float, rows.take(whole))
            for band in resize.bicubic_rows(floats, whole, self.height, self.width):
                yield images.from_float(band, self._sample)

    def _passes(self) -> int:
        """How often the model is run, on the result of the time before."""
        picture, metadata = self.picture, self.model.metadata
        factor = max(self.height / picture.height, self.width / picture.width)
        if metadata.scale == 1:
            return 1
        passes = sum(factor > metadata.scale**done for done in range(_PASSES + 1))
        if passes > _PASSES:
            raise ValueError(
                f"The result would have {factor:.4g} times as many pixels a side as the picture's "
                f"{picture.width}x{picture.height}; {metadata.name} makes at most "
                f"{metadata.scale**_PASSES} times as many, in two passes. Ask for less."
            )
        return passes

    @property
    def _sample(self) -> images.Sample:
        """Of the result."""
        held = formats.FORMATS[self.destination.suffix.lower()].bits
        if self.picture.dtype == np.float32:
            return np.float32
        return np.uint16 if self.picture.dtype == np.uint16 and held == 16 else np.uint8

    @property
    def _is_exact(self) -> bool:
        """Whether the result has the size that the model makes."""
        picture, whole = self.picture, self.model.metadata.scale ** len(self.cuts)
        return (self.height, self.width) == (whole * picture.height, whole * picture.width)


def _share(cut: tiling.TileLayout) -> float:
    """Of the picture, what is computed."""
    return cut.work / (cut.height * cut.width)


def _strained(strain: clipping.Strain) -> tuple[str, ...]:
    if strain.share < _TOLD:
        return ()
    return (
        f"{strain.share:.0%} of it is detail of single pixels near black or white, which loses "
        "contrast, since no larger picture can hold it",
    )
