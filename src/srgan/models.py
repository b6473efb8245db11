"""The artefact: an ONNX file that says what it is, opened by name or path.

Its graph maps "lr", `(batch, height, width, 3)` float32 RGB in [0, 1], to "sr",
`(batch, scale * height, scale * width, 3)`. Its metadata are texts with keys "srgan.name" etc.
"""

import contextlib
import hashlib
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from srgan import (
    channels,
    dial,
    engines,
    foreign,
    graphs,
    images,
    invention,
    parallel,
    projection,
    tiling,
)

_WEIGHTS = Path(__file__).parent / "weights"
_PREFIX = "srgan."
_PIXEL_BYTES = 8192.0  # for a model of which nothing is known
_LARGEST = 1e6  # of the values that are taken for colours
_MOST_PIXEL_BYTES = 2**20  # what enlarges pictures needs a tenth of it, or less
_NAME = r"^[^/\\\x00-\x1f]*[^/\\\x00-\x1f.][^/\\\x00-\x1f]*$"  # it becomes part of paths


class Metadata(BaseModel):
    """What an artefact says about itself."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str = Field(pattern=_NAME)
    scale: int = Field(ge=1, le=16)
    receptive_field: int = Field(ge=0, le=1024)  # lr pixels to the farthest one it depends on
    consistency_rounds: int = Field(ge=0, le=projection.MOST_ROUNDS)  # `project`'s; 0: not applied
    training_data: str
    licence: str
    scores: str  # with their protocol
    config_hash: str
    # File name, without suffix, of the model that it was trained from: the dial's other end.
    psnr_model: str = Field(default="", pattern=r"^[^/\\\x00-\x1f]*$")
    training: str = ""  # how much of it, in words
    calibration: invention.Calibration | None = None  # of the map of what it invents

    @field_validator("calibration", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (value.split() or None) if isinstance(value, str) else value

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> "Metadata":
        """Reads an ONNX file's `metadata_props`, leaving out those of others.

        Raises:
            ValueError: If one is missing or out of range.
        """
        own = {k.removeprefix(_PREFIX): v for k, v in props.items() if k.startswith(_PREFIX)}
        try:
            return cls.model_validate(own)
        except ValidationError as error:
            faults = (f"{_PREFIX}{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
            raise ValueError("; ".join(faults)) from error

    def to_props(self) -> dict[str, str]:
        """Returns what `from_props` reads."""
        props = {key: str(value) for key, value in self.model_dump(exclude_none=True).items()}
        if self.calibration:
            props["calibration"] = " ".join(f"{value:.3f}" for value in self.calibration)
        return {_PREFIX + key: value for key, value in props.items()}


class Model:
    """A super-resolution model, ready to run.

    Args:
        engine: Runs its graph, for as many calls at once as there are processor cores.
        metadata: What it says about itself.
        pixel_bytes: What the engine needs for a pixel of a tile; less than that needs what
            follows.
        facts: What was found out about a model of another project.
    """

    def __init__(
        self,
        engine: engines.Engine,
        metadata: Metadata,
        pixel_bytes: float = _PIXEL_BYTES,
        facts: foreign.Facts | None = None,
    ):
        self._engine = engine
        self.metadata = metadata
        self.facts = facts
        self.pixel_bytes = max(pixel_bytes, 5 * 3 * 4 * metadata.scale**2)  # copies of the result
        self._most = sys.maxsize  # pixels of a tile; less once memory was short

    def upscale(
        self,
        lr: np.ndarray,
        tile: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        dtype: images.Sample = np.float32,
    ) -> np.ndarray:
        """Upscales an image of any size, without seams between the tiles.

        Args:
            lr: `(height, width, channels)`, float in [0, 1], uint8 or uint16. The channels are RGB,
                or one for grey, and one more for alpha, as `channels.upscale` takes them.
            tile: Side of the tiles, in lr pixels; by default as memory allows. Larger ones are
                faster, and need more memory.
            progress: Called as `progress(done, total)` after each tile.
            dtype: `np.uint8` or `np.uint16` for a rounded result, in less memory.

        Returns:
            `(scale * height, scale * width, channels)`, float32 in [0, 1] or of `dtype`.

        Raises:
            ValueError: If `lr` is not such an image, or the model returns values that are not
                finite.
            MemoryError: If there is not even enough for the smallest tiles.
        """
        _check(lr)
        height, width, count = lr.shape
        cut = self.plan(height, width, count, tile)
        done = itertools.count(1)

        def tell() -> None:
            if progress:
                progress(next(done), cut.tiles)

        scale = self.metadata.scale
        sr = np.empty((scale * height, scale * width, count), dtype)
        top = 0
        for band in self.upscale_rows([lr], height, width, cut, dtype, tell):
            sr[top : top + len(band)] = band
            top += len(band)
        return sr

    def plan(
        self,
        height: int,
        width: int,
        count: int = 3,
        tile: int | None = None,
        memory: float | None = None,
        workers: int | None = None,
    ) -> tiling.Plan:
        """Returns how an image will be cut.

        Args:
            height: Of the image, in lr pixels.
            width: Likewise.
            count: Of channels; see `upscale`.
            tile: Side of what a tile keeps, in lr pixels.
            memory: If there is no `tile`: bytes that the tiles that run at once may need; by
                default as `parallel.tile_memory` says.
            workers: How many cores there are for this image; by default all. With fewer, it is cut
                into fewer tiles, with less overlap.
        """
        halo = self.metadata.receptive_field + projection.reach(self.metadata.consistency_rounds)
        halo += channels.REACH if count in (2, 4) else 0  # with alpha
        step = 1
        if self.facts:
            step = self.facts.multiple
            least = self.facts.size or (1, 1)
            height, width = (
                max(-(-side // step) * step, minimum)
                for side, minimum in zip((height, width), least, strict=True)
            )
            halo = -(-halo // step) * step  # tiles begin where the network's own, coarser grids do
            if self.facts.size:
                return tiling.Plan(height, width, halo, self.facts.size)
            if self.facts.whole:
                return tiling.Plan(height, width, 0, (height, width))
        if tile is not None:
            if tile < 1:
                raise ValueError(f"A tile keeps at least 1 pixel; got {tile=}.")
            side = -(-tile // step) * step + 2 * halo
            return tiling.Plan(height, width, halo, (side, side))
        cores = parallel.available_cores()
        memory = parallel.tile_memory() if memory is None else memory
        area = int(memory / cores / self.pixel_bytes)
        return tiling.plan(height, width, halo, min(area, self._most), workers or cores, step)

    def upscale_rows(
        self,
        bands: Iterable[np.ndarray],
        height: int,
        width: int,
        cut: tiling.Plan,
        dtype: images.Sample = np.uint8,
        progress: Callable[[], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Upscales an image that comes as rows, to rows: see `tiling.upscale`.

        Args:
            bands: All rows of an image as `upscale` takes it, some at a time.
            height: Of the image.
            width: Likewise.
            cut: What `plan` returned for it.
            dtype: Of the result.
            progress: Called after each tile.
        """
        scale = self.metadata.scale

        run = partial(self._upscale, halo=cut.halo, dtype=dtype)
        padded = _padded(bands, cut.height - height, cut.width - width)
        left = scale * height
        for band in tiling.upscale(run, padded, cut, scale, parallel.shared_pool(), progress):
            if left > 0:
                yield band[:left, : scale * width]
            left -= len(band)

    def _upscale(self, lr: np.ndarray, halo: int, dtype: images.Sample) -> np.ndarray:
        """Upscales a tile; in parts, which become ever smaller, while memory is short."""
        height, width = lr.shape[:2]
        fixed = self.facts and (self.facts.size or self.facts.whole)
        step = self.facts.multiple if self.facts else 1
        run = partial(self._whole, dtype=dtype)
        while True:
            area, most = height * width, self._most
            try:
                if fixed or area <= most:
                    return run(lr)
                # Always cut from the tile, not from its parts, whose halos would be cut as well.
                cut = tiling.plan(height, width, halo, most, step=step)
                if (area := cut.area) <= most:
                    return np.concatenate(list(tiling.upscale(run, [lr], cut, self.metadata.scale)))
            except MemoryError:
                if fixed:
                    raise
                self._most = min(self._most, area // 2)
                parallel.return_memory()
            else:
                raise MemoryError(
                    f"There is not enough memory for {area} pixels at a time, which is the least "
                    "possible; close other programs, or take a smaller model"
                )

    def _whole(self, lr: np.ndarray, dtype: images.Sample) -> np.ndarray:
        return images.from_float(channels.upscale(self._rgb, images.to_float(lr)), dtype)

    def _rgb(self, lr: np.ndarray) -> np.ndarray:
        batch = self._engine.run(lr[None])
        sr = batch[0] if batch.ndim == 4 and len(batch) == 1 else batch
        scale = self.metadata.scale
        expected = (lr.shape[0] * scale, lr.shape[1] * scale, 3)
        # What is larger would become infinite in the arithmetic to come. NaN compares as false.
        if sr.shape != expected or not (sr.min() > -_LARGEST and sr.max() < _LARGEST):
            found = f"shape {sr.shape}"
            if sr.shape == expected:
                found = "values that are not finite, or beyond all colours,"
            raise ValueError(
                f"The model {self.metadata.name} returned {found} for a {lr.shape} image; expected "
                f"finite values of shape {expected}. Its file is damaged: export it again."
            )
        return projection.project(sr, lr, self.metadata.consistency_rounds)


def _padded(bands: Iterable[np.ndarray], below: int, right: int) -> Iterator[np.ndarray]:
    """Rows, enlarged by repeated edges."""
    band = np.empty(0)
    for band in bands:
        yield np.pad(band, [(0, 0), (0, right), (0, 0)], mode="edge") if right else band
    if below:
        last = np.pad(band[-1:], [(0, 0), (0, right), (0, 0)], mode="edge")
        yield last.repeat(below, axis=0)


def shipped() -> list[str]:
    """Returns the names of the models that come with this package."""
    return sorted(path.stem for path in _WEIGHTS.glob("srgan-*.onnx"))


def path(model: str | os.PathLike[str]) -> Path:
    """Returns the file of a model, given by the name of a shipped one or by its path.

    Raises:
        FileNotFoundError: If there is neither such a name nor such a file.
    """
    file = _WEIGHTS / f"{model}.onnx" if model in shipped() else Path(model)
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no model {str(model)!r}: expected the path of an ONNX file, or one of the "
            f"shipped models: {', '.join(shipped()) or 'none in this installation'}."
        )
    return file


def fingerprint(model: str | os.PathLike[str]) -> str:
    """Returns what tells a model's file from others, whatever their names.

    Raises:
        FileNotFoundError: If there is no such model.
    """
    with path(model).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def load(
    model: str | os.PathLike[str],
    engine: engines.Kind = "onnxruntime",
    realism: float | None = None,
    self_ensemble: bool = False,
    precision: engines.Precision = "float32",
) -> Model:
    """Opens a model.

    Files of other projects are taken too: see `foreign.adapt`.

    Args:
        model: The name of a shipped one, or the path of an ONNX file.
        engine: What runs it; see `engines.open_engine`.
        realism: For a GAN model that knows its PSNR model, how much of the former, from 0 to 1;
            see `dial.interpolate`. None is the file as it is.
        self_ensemble: Average what becomes of the eight orientations of a picture, for the last
            tenths of a decibel in eight times the time (Timofte et al. 2016).
        precision: Of the arithmetic; see `engines.open_engine`.

    Raises:
        FileNotFoundError: If there is neither such a name nor such a file.
        ValueError: If the file is not such a model, or has no dial.
    """
    file = path(model)
    calls = parallel.available_cores()
    data, pixel_bytes = _lighten(file, engines.read(file))
    opened = engines.open_engine(file, engine, calls, precision, data)
    if not any(key.startswith(_PREFIX) for key in opened.metadata):
        if realism is not None:
            raise ValueError(f"{file} has no realism dial: it is a model of another project.")
        opened, facts = foreign.adapt(file, opened)
        metadata = _unknown(file, facts)
    else:
        metadata, facts = _metadata(file, opened), None
    if realism is not None:
        other = psnr_path(file, metadata)
        data = dial.interpolate(other.read_bytes(), file.read_bytes(), realism)
        data, _ = _lighten(file, data)
        opened = engines.open_engine(file, engine, calls, precision, data)
        metadata = metadata.model_copy(update={"name": f"{metadata.name} @ {realism:g}"})
    if self_ensemble:
        if facts and facts.size and facts.size[0] != facts.size[1]:
            raise ValueError(f"{file} takes {facts.size} pixels alone, which cannot be turned.")
        opened = engines.SelfEnsemble(opened)
        metadata = metadata.model_copy(update={"name": f"{metadata.name} x8"})
    return Model(opened, metadata, pixel_bytes, facts)


def _lighten(file: Path, data: bytes) -> tuple[bytes, float]:
    """A network that needs less memory, where there is one, and what an engine needs for a pixel.

    The latter of lr, and about.
    """
    import onnx

    needed = None
    with contextlib.suppress(Exception):  # onnx raises what it likes about graphs it does not know
        network = onnx.load_model_from_string(data)
        graphs.lighten(network)
        needed = graphs.memory(network)
        data = network.SerializeToString()
    if needed is not None and needed > _MOST_PIXEL_BYTES:
        raise ValueError(
            f"{file} needs {needed / 2**20:,.0f} MiB for each pixel of a picture; expected at most "
            f"{_MOST_PIXEL_BYTES // 2**20}. Is it a super-resolution model?"
        )
    # Measured: engines keep some more.
    return data, _PIXEL_BYTES if needed is None else 1.2 * needed


def _unknown(file: Path, facts: foreign.Facts) -> Metadata:
    unknown = "unknown: a model of another project"
    return Metadata(
        name=file.stem,
        scale=facts.scale,
        receptive_field=facts.halo,
        consistency_rounds=0,
        training_data=unknown,
        licence=unknown,
        scores="",
        config_hash="",
    )


def psnr_path(file: Path, metadata: Metadata) -> Path:
    """Returns the file of the PSNR model that a GAN model was trained from.

    Raises:
        FileNotFoundError: If it is neither a shipped model nor beside `file`.
        ValueError: If the model does not name it.
    """
    if not metadata.psnr_model:
        raise ValueError(
            f"{file} does not name the PSNR model that it came from, which the realism dial and "
            "the map of what was invented need. Leave them out, or take a model that does."
        )
    beside = file.with_name(f"{metadata.psnr_model}.onnx")
    return beside if beside.is_file() else path(metadata.psnr_model)


def _metadata(file: Path, opened: engines.Engine) -> Metadata:
    try:
        return Metadata.from_props(opened.metadata)
    except ValueError as error:
        raise ValueError(
            f"{file} is an ONNX file without valid srgan metadata ({error}); "
            "expected one that `srgan export` wrote."
        ) from error


def _check(lr: np.ndarray) -> None:
    if lr.ndim != 3 or lr.shape[2] not in (1, 2, 3, 4) or not lr.size:
        raise ValueError(
            f"lr must be one image (height, width, channels) with 1 to 4 channels; "
            f"got shape {lr.shape}."
        )
    if lr.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(lr.dtype, np.floating):
        raise ValueError(f"lr must be float in [0, 1], uint8 or uint16; got {lr.dtype}.")
    if not (lr.min() >= 0 and lr.max() <= 1):
        raise ValueError(
            f"lr must be in [0, 1] if it is float; got {lr.min():g} to {lr.max():g}. "
            "Divide 8-bit values by 255, or pass them as uint8."
        )
