"""From a name or path to a model that is ready to run."""

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from srgan.models import catalogue, engines, external, fuse, interpolation, split
from srgan.models.adapted import FOUND_BY_TRYING, Values
from srgan.models.metadata import PREFIX, Metadata
from srgan.models.model import PIXEL_BYTES, Model
from srgan.models.requirements import NO_REQUIREMENTS, SizeRequirements
from srgan.util import parallel

_FAR = 64  # lr pixels to each side
_MAX_PIXEL_BYTES = 2**20  # what enlarges pictures needs a tenth of it, or less


def load(
    model: str | os.PathLike[str],
    engine: engines.Kind = "onnxruntime",
    realism: float | None = None,
    self_ensemble: bool = False,
    precision: engines.Precision = "float32",
    values: Values = FOUND_BY_TRYING,
) -> Model:
    """Opens a model.

    Files of other projects are taken too: see `external.adapt`.

    Args:
        model: The name of a shipped one, or the path of an ONNX file.
        engine: What runs it; see `engines.open_engine`.
        realism: For a GAN model that knows its PSNR model, how much of the former, from 0 to 1;
            see `interpolation.interpolate`. None is the file as it is.
        self_ensemble: Average what becomes of the eight orientations of a picture, for the last
            tenths of a decibel in eight times the time (Timofte et al. 2016).
        precision: Of the arithmetic; see `engines.open_engine`.
        values: Of a model of another project, ranges and order of channels, where they cannot be
            found by trying; else a TOML file beside it may say them.

    Raises:
        FileNotFoundError: If there is neither such a name nor such a file.
        ValueError: If the file is not such a model, `realism` has no PSNR model to start from, or
            `values` are given for a model of srgan.
    """
    file = catalogue.path(model)
    read = engines.read(file)
    sight = external.sight(read)
    # What looks far has few large tiles: one at a time, on all cores, needs the least memory.
    is_deep = sight.halo > _FAR and not sight.whole
    calls = 1 if sight.whole or is_deep else parallel.available_cores()
    opens = partial(engines.open_engine, file, engine, calls, precision)
    data, weight = _fuse(file, read)
    opened, pixel_bytes = _open(data, opens, is_deep)
    requirements, specification = NO_REQUIREMENTS, ""
    if any(key.startswith(PREFIX) for key in opened.metadata):
        if any(values):
            raise ValueError(
                f"{file} takes no --model-range and no --model-channels: it says itself what its "
                "values are."
            )
        metadata = _metadata(file, opened)
        requirements, specification = _said(metadata)
        size = requirements.fixed
        if size and 2 * metadata.receptive_field >= min(size):
            opened, how = external.in_windows(opened, size, metadata.scale)
            requirements, specification = SizeRequirements(opened.step), f"{specification}; {how}"
            metadata = metadata.model_copy(update={"receptive_field": opened.reach})
    else:
        if realism is not None:
            raise ValueError(f"{file} takes no --realism: it is a model of another project.")
        opened, found = external.adapt(file, opened, read, sight, values)
        metadata, requirements = _unknown(file, found), found.requirements
        specification = found.described
    if realism is not None:
        other = catalogue.psnr_path(file, metadata)
        data = interpolation.interpolate(engines.read(other), read, realism)
        data, _ = _fuse(file, data)
        opened, _ = _open(data, opens, is_deep)
        metadata = metadata.model_copy(update={"name": f"{metadata.name} @ {realism:g}"})
    if self_ensemble:
        if requirements.fixed and requirements.fixed[0] != requirements.fixed[1]:
            height, width = requirements.fixed
            raise ValueError(f"{file} takes {width}x{height} pixels alone, which cannot be turned.")
        opened = engines.SelfEnsemble(opened)
        metadata = metadata.model_copy(update={"name": f"{metadata.name} x8"})
    return Model(
        opened,
        metadata,
        pixel_bytes or metadata.pixel_bytes or weight.pixel_bytes,
        requirements,
        specification,
        weight.parameters,
        realism,
        self_ensemble,
        calls,
    )


class _Weight(NamedTuple):
    """How heavy a network is: bytes that an engine needs for a pixel of lr, about, and weights."""

    pixel_bytes: float
    parameters: int


def _fuse(file: Path, data: bytes) -> tuple[bytes, _Weight]:
    """A network that needs less memory, where there is one, and how heavy it is.

    What onnx cannot parse or check is left as it is: the engine will say what is wrong with it.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        network = onnx.load_model_from_string(data)
    except DecodeError:
        return data, _Weight(PIXEL_BYTES, 0)
    parameters = sum(math.prod(tensor.dims) for tensor in network.graph.initializer)
    try:
        onnx.checker.check_model(network)
        fuse.fuse(network)
        data = network.SerializeToString()
    except onnx.checker.ValidationError:  # engines may run it all the same
        pass
    needed = fuse.memory(network)
    if needed is not None and needed > _MAX_PIXEL_BYTES:
        raise ValueError(
            f"{file} needs {needed / 2**20:,.0f} MiB for each pixel of a picture; expected at most "
            f"{_MAX_PIXEL_BYTES // 2**20}. Is it a super-resolution model?"
        )
    # Measured: engines keep some more.
    pixel_bytes = PIXEL_BYTES if needed is None else 1.2 * needed
    return data, _Weight(pixel_bytes, parameters)


def _open(
    data: bytes, opens: Callable[[bytes], engines.Engine], is_deep: bool
) -> tuple[engines.Engine, float]:
    """The engine of a network, in two parts where that saves much, and what a pixel takes then."""
    found = split.parts(data) if is_deep else None
    return (split.Split(found, opens), found.pixel_bytes) if found else (opens(data), 0.0)


def _unknown(file: Path, found: external.Specification) -> Metadata:
    unknown = "unknown: a model of another project"
    return Metadata(
        name=file.stem,
        scale=found.scale,
        receptive_field=found.halo,
        consistency_rounds=0,
        training_data=unknown,
        licence=unknown,
        scores="",
        config_hash="",
    )


def _said(metadata: Metadata) -> tuple[SizeRequirements, str]:
    """What a converted model says that it takes, and what it is in words."""
    if not metadata.architecture:
        return NO_REQUIREMENTS, ""
    side = metadata.size_fixed
    requirements = SizeRequirements(
        multiple=metadata.size_multiple,
        fixed=(side, side) if side else None,
        minimum=metadata.size_minimum,
    )
    owner = f"author: {metadata.author}; licence: {metadata.licence}"
    return requirements, f"x{metadata.scale}, {metadata.architecture}; {owner}"


def _metadata(file: Path, opened: engines.Engine) -> Metadata:
    try:
        return Metadata.from_props(opened.metadata)
    except ValueError as error:
        raise ValueError(
            f"{file} is an ONNX file without valid srgan metadata ({error}); "
            "expected one that `srgan export` wrote."
        ) from error
