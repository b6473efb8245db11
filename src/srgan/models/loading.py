"""From a name or path to a model that is ready to run."""

import contextlib
import os
from pathlib import Path

from srgan.models import catalogue, engines, external, fuse, interpolation
from srgan.models.metadata import PREFIX, Metadata
from srgan.models.model import PIXEL_BYTES, Model
from srgan.util import parallel

_MAX_PIXEL_BYTES = 2**20  # what enlarges pictures needs a tenth of it, or less


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
    file = catalogue.path(model)
    calls = parallel.available_cores()
    data, pixel_bytes = _lighten(file, engines.read(file))
    opened = engines.open_engine(file, engine, calls, precision, data)
    if not any(key.startswith(PREFIX) for key in opened.metadata):
        if realism is not None:
            raise ValueError(f"{file} has no realism dial: it is a model of another project.")
        opened, facts = external.adapt(file, opened)
        metadata = _unknown(file, facts)
    else:
        metadata, facts = _metadata(file, opened), None
    if realism is not None:
        other = catalogue.psnr_path(file, metadata)
        data = interpolation.interpolate(other.read_bytes(), file.read_bytes(), realism)
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
        fuse.fuse(network)
        needed = fuse.memory(network)
        data = network.SerializeToString()
    if needed is not None and needed > _MAX_PIXEL_BYTES:
        raise ValueError(
            f"{file} needs {needed / 2**20:,.0f} MiB for each pixel of a picture; expected at most "
            f"{_MAX_PIXEL_BYTES // 2**20}. Is it a super-resolution model?"
        )
    # Measured: engines keep some more.
    return data, PIXEL_BYTES if needed is None else 1.2 * needed


def _unknown(file: Path, facts: external.Facts) -> Metadata:
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


def _metadata(file: Path, opened: engines.Engine) -> Metadata:
    try:
        return Metadata.from_props(opened.metadata)
    except ValueError as error:
        raise ValueError(
            f"{file} is an ONNX file without valid srgan metadata ({error}); "
            "expected one that `srgan export` wrote."
        ) from error
