"""The artefact: an ONNX file that says what it is, opened by name or path.

Its graph maps "lr", `(batch, height, width, 3)` float32 RGB in [0, 1], to "sr",
`(batch, scale * height, scale * width, 3)`. Its metadata are texts with keys "srgan.name" etc.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from srgan import dial, engines, foreign, images, resize, tiling

_WEIGHTS = Path(__file__).parent / "weights"
_PREFIX = "srgan."
_NAME = r"^[^/\\\x00-\x1f]*[^/\\\x00-\x1f.][^/\\\x00-\x1f]*$"  # it becomes part of paths


class Metadata(BaseModel):
    """What an artefact says about itself."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=_NAME)
    scale: int = Field(ge=1, le=16)
    receptive_field: int = Field(ge=0, le=1024)  # lr pixels to the farthest one it depends on
    consistency_rounds: int = Field(ge=0, le=64)  # of `resize.project`; 0: not applied
    training_data: str
    licence: str
    scores: str  # with their protocol
    config_hash: str
    # File name, without suffix, of the model that it was trained from: the dial's other end.
    psnr_model: str = Field(default="", pattern=r"^[^/\\\x00-\x1f]*$")

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
        return {_PREFIX + key: str(value) for key, value in self.model_dump().items()}


class Model:
    """A super-resolution model, ready to run.

    Args:
        engine: Runs its graph.
        metadata: What it says about itself.
        facts: What was found out about a model of another project.
    """

    def __init__(
        self, engine: engines.Engine, metadata: Metadata, facts: foreign.Facts | None = None
    ):
        self._engine = engine
        self.metadata = metadata
        self.facts = facts

    def upscale(
        self,
        lr: np.ndarray,
        tile: int = 256,
        progress: Callable[[int, int], None] | None = None,
        dtype: type[np.float32] | type[np.uint8] = np.float32,
    ) -> np.ndarray:
        """Upscales an image of any size, without seams between the tiles.

        Args:
            lr: `(height, width, 3)` RGB, float in [0, 1] or uint8.
            tile: Side of the tiles, in lr pixels. Larger ones are faster and need more memory.
            progress: Called as `progress(done, total)` after each tile.
            dtype: `np.uint8` for a result rounded as `images.to_uint8` does, in a quarter of the
                memory.

        Returns:
            `(scale * height, scale * width, 3)`, float32 in [0, 1] or uint8.

        Raises:
            ValueError: If `lr` is not such an image, or the model returns values that are not
                finite.
        """
        _check(lr)
        scale, rounds = self.metadata.scale, self.metadata.consistency_rounds
        halo = self.metadata.receptive_field + projection_reach(rounds)
        finish = images.to_uint8 if dtype == np.uint8 else np.asarray
        height, width = lr.shape[:2]
        cut: int | tuple[int, int] = tile
        if self.facts:
            lr, halo, cut = _fit(lr, self.facts, halo, tile)
        sr = tiling.upscale_tiled(
            lambda part: finish(self._upscale(part)), lr, scale, halo, cut, progress, dtype
        )
        return sr[: scale * height, : scale * width]

    def _upscale(self, lr: np.ndarray) -> np.ndarray:
        lr = lr / np.float32(255) if lr.dtype == np.uint8 else lr.astype(np.float32)
        sr = self._engine.run(lr[None])[0]
        scale = self.metadata.scale
        expected = (lr.shape[0] * scale, lr.shape[1] * scale, 3)
        if sr.shape != expected or not np.isfinite(sr).all():
            found = f"shape {sr.shape}" if sr.shape != expected else "values that are not finite"
            raise ValueError(
                f"The model {self.metadata.name} returned {found} for a {lr.shape} image; expected "
                f"finite values of shape {expected}. Its file is damaged: export it again."
            )
        sr = resize.project(sr, lr, self.metadata.consistency_rounds)
        return np.clip(sr, 0, 1)


def _fit(
    lr: np.ndarray, facts: foreign.Facts, halo: int, tile: int
) -> tuple[np.ndarray, int, int | tuple[int, int]]:
    """The picture, enlarged by repeated edges to an allowed size, the halo and the tiles."""
    multiple = facts.multiple
    least = facts.size or (1, 1)
    sides = (
        max(-(-side // multiple) * multiple, minimum)
        for side, minimum in zip(lr.shape, least, strict=False)
    )
    margin = [(0, side - have) for side, have in zip(sides, lr.shape, strict=False)]
    lr = np.pad(lr, [*margin, (0, 0)], mode="edge")
    if facts.size:
        return lr, halo, (facts.size[0] - 2 * halo, facts.size[1] - 2 * halo)
    if facts.whole:
        return lr, 0, max(lr.shape[:2])
    # Tiles begin where the network's own, coarser grids do.
    return lr, -(-halo // multiple) * multiple, max(tile // multiple, 1) * multiple


def projection_reach(rounds: int) -> int:
    """Returns how far `resize.project` carries a difference, in lr pixels.

    A round can carry it by 4, but what arrives shrinks much faster: beyond the distance returned,
    all that is there together is less than 1e-6 of the difference.
    """
    return min(4 * rounds, 6 + rounds)


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


def load(
    model: str | os.PathLike[str],
    engine: engines.Kind = "onnxruntime",
    realism: float | None = None,
) -> Model:
    """Opens a model.

    Files of other projects are taken too: see `foreign.adapt`.

    Args:
        model: The name of a shipped one, or the path of an ONNX file.
        engine: What runs it; see `engines.open_engine`.
        realism: For a GAN model that knows its PSNR model, how much of the former, from 0 to 1;
            see `dial.interpolate`. None is the file as it is.

    Raises:
        FileNotFoundError: If there is neither such a name nor such a file.
        ValueError: If the file is not such a model, or has no dial.
    """
    file = path(model)
    opened = engines.open_engine(file, engine)
    if not any(key.startswith(_PREFIX) for key in opened.metadata):
        if realism is not None:
            raise ValueError(f"{file} has no realism dial: it is a model of another project.")
        return _foreign(file, opened)
    metadata = _metadata(file, opened)
    if realism is None:
        return Model(opened, metadata)
    other = psnr_path(file, metadata)
    data = dial.interpolate(other.read_bytes(), file.read_bytes(), realism)
    between = metadata.model_copy(update={"name": f"{metadata.name} @ {realism:g}"})
    return Model(engines.open_engine(file, engine, data=data), between)


def _foreign(file: Path, opened: engines.Engine) -> Model:
    adapted, facts = foreign.adapt(file, opened)
    unknown = "unknown: a model of another project"
    metadata = Metadata(
        name=file.stem,
        scale=facts.scale,
        receptive_field=facts.halo,
        consistency_rounds=0,
        training_data=unknown,
        licence=unknown,
        scores="",
        config_hash="",
    )
    return Model(adapted, metadata, facts)


def psnr_path(file: Path, metadata: Metadata) -> Path:
    """Returns the file of the PSNR model that a GAN model's dial goes to.

    Raises:
        FileNotFoundError: If it is neither a shipped model nor beside `file`.
        ValueError: If the model has no dial.
    """
    if not metadata.psnr_model:
        raise ValueError(
            f"{file} has no realism dial: it does not name the PSNR model that it came from. "
            "Leave realism out."
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
    if lr.ndim != 3 or lr.shape[2] != 3 or not lr.size:
        raise ValueError(f"lr must be one RGB image (height, width, 3); got shape {lr.shape}.")
    if lr.dtype == np.uint8:
        return
    if not np.issubdtype(lr.dtype, np.floating):
        raise ValueError(f"lr must be float in [0, 1] or uint8; got {lr.dtype}.")
    if not (lr.min() >= 0 and lr.max() <= 1):
        raise ValueError(
            f"lr must be in [0, 1] if it is float; got {lr.min():g} to {lr.max():g}. "
            "Divide 8-bit values by 255, or pass them as uint8."
        )
