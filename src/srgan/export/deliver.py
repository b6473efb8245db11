"""Exports a model: written in a format, compared with Keras, and with its card, or not at all."""

import importlib.util
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from srgan.export import exporters, onnx_file
from srgan.export.exporters import FORMATS
from srgan.io import formats
from srgan.io.find import find_images
from srgan.models import catalogue, loading
from srgan.models.metadata import Metadata
from srgan.networks.consistency import Projection
from srgan.util import files, versions
from srgan.verification import card, certificate, probes
from srgan.verification.certificate import Certificate

_SIDES = range(16, 513)  # of a fixed size, in lr pixels
_CROP = 64  # side of the calibration crops
_MAX_PHOTOS = 32  # to calibrate with; each gives two crops


def export(
    source: str | os.PathLike[str],
    kind: str,
    folder: Path,
    size: tuple[int, int] | None = None,
    calibration: Path | None = None,
) -> Certificate:
    """Exports a model into a new folder, with certificate and model card.

    Args:
        source: The folder of a run, a shipped model's name, or the path of an srgan ONNX file. A
            network of one's own is read from the `.keras` file that a run leaves beside it.
        kind: One of `FORMATS`.
        folder: Made; written whole or not at all.
        size: Height and width of lr, for TFLite; None takes any.
        calibration: Folder of photos, for int8; None takes those that come with this package.

    Returns:
        The certificate, as it is in the folder.

    Raises:
        FileExistsError: If `folder` exists.
        FileNotFoundError: If there is no such model, or nowhere to write.
        ModuleNotFoundError: If a package that the format needs is missing.
        RuntimeError: If the result is too far from the Keras model; nothing is written.
        ValueError: If an argument does not fit, or the model cannot be expressed in the format.
    """
    certificate.check_format(kind)
    _check_options(kind, size, calibration)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already. Name a folder that does not.")
    files.check_destination(folder)
    for package in FORMATS[kind].packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(
                f"The format {kind} needs {package}, which is missing. "
                'Run: pip install "srgan[export]"',
                name=package,
            )
    file = find(source)
    metadata = _metadata(file)
    crops = _calibration(calibration, metadata.scale, size) if kind.endswith("int8") else []
    generator = _generator(file)
    if generator.compute_output_shape((1, 8, 8, 3))[1] != 8 * metadata.scale:
        raise ValueError(
            f"{file} says that its scale is {metadata.scale}, and holds {generator.name!r}. "
            "Its metadata were changed; train or download it again."
        )
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as parent:
        part = Path(parent) / "model"
        part.mkdir()
        job = exporters.ExportTask(generator, metadata, size, crops)
        written = FORMATS[kind].write(job, part)
        batches = probes.make(metadata.scale, size)
        results = _results(generator, metadata, batches, FORMATS[kind].projects)
        probes.write_reference(part, batches, results)
        made_by = versions.installed("srgan", "tensorflow", "keras", *FORMATS[kind].distributions)
        issued = certificate.certify(part, written, kind, certificate.MIN_PSNR[kind], made_by)
        facts = _facts(generator, metadata, kind, size)
        files.write_bytes(part / "README.md", card.markdown(metadata, issued, facts).encode())
        files.write_bytes(part / "LICENSE.md", card.licence_markdown(metadata).encode())
        part.rename(folder)
    return issued


def find(source: str | os.PathLike[str]) -> Path:
    """Returns the ONNX file of a run, of a shipped model, or at a path.

    Raises:
        FileNotFoundError: If there is none; of a run, it may not be finished.
    """
    folder = Path(source)
    if str(source) in catalogue.shipped() or not folder.is_dir():
        return catalogue.path(source)
    file = folder / "model.onnx"
    if file.is_file():
        return file
    if (folder / "config.toml").is_file() or (folder.parent / "config.toml").is_file():
        raise FileNotFoundError(
            f"The run {folder} has no finished weights: {file.name} is written at the end. "
            "Finish it with srgan train --resume, or name the model.onnx of a stage."
        )
    return catalogue.path(source)


def _generator(file: Path) -> keras.Model:
    """The network of an ONNX file: one of srgan's, or that of the `.keras` file beside it.

    Raises:
        ValueError: If it is another one, without such a file, or with one that cannot be read.
    """
    try:
        return onnx_file.read_generator(file)
    except ValueError:
        beside = file.with_suffix(".keras")
        if not beside.is_file():
            raise
    try:
        found: Any = keras.saving.load_model(beside, compile=False)
    except (OSError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{beside}, which has the network of {file.name}, cannot be read: {reason}. A class of "
            "one's own has to be imported first: export it from Python, with "
            "srgan.export.deliver.export."
        ) from error
    return found


def _check_options(kind: str, size: tuple[int, int] | None, calibration: Path | None) -> None:
    if size and not kind.startswith("tflite"):
        raise ValueError(f"A fixed size is for tflite; the format {kind} takes any size.")
    if size and not all(side in _SIDES for side in size):
        raise ValueError(
            f"The sides of a fixed size are from {_SIDES[0]} to {_SIDES[-1]} pixels; "
            f"got {size[1]}x{size[0]}."
        )
    if calibration and not kind.endswith("int8"):
        raise ValueError(f"Calibration photos are for int8; the format {kind} needs none.")


def _metadata(file: Path) -> Metadata:
    model = loading.load(file)
    if model.specification:
        raise ValueError(
            f"{file} is a model of another project; only those of srgan can be exported, since "
            "they are compared with Keras."
        )
    return model.metadata


def _calibration(
    folder: Path | None, scale: int, size: tuple[int, int] | None
) -> Sequence[np.ndarray]:
    """Crops of lr photos, in [0, 1], from all over the folder; and a black and a white one."""
    paths = find_images(folder) if folder else probes.photo_files()
    height, width = size or (_CROP, _CROP)
    crops: list[np.ndarray] = []
    for path in paths[:: max(-(-len(paths) // _MAX_PHOTOS), 1)]:
        for factor in (scale, 1):  # small pictures are sharp, large ones smooth
            try:
                photo = probes.lr_photo(path, factor)
            except formats.UnsupportedImage:
                continue
            crops.append(probes.crop(photo, height, width))
    if not crops:
        raise ValueError(f"{folder} has no images to calibrate with; expected photos.")
    flat = [np.full_like(crops[0], value) for value in (0, 255)]
    return [image / np.float32(255) for image in (*crops, *flat)]


def _results(
    generator: keras.Model, metadata: Metadata, batches: dict[str, np.ndarray], projects: bool
) -> dict[str, np.ndarray]:
    """What Keras makes of the lr images, in a graph, as in training; not of the timed one."""
    projection = Projection(metadata.scale, metadata.consistency_rounds)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def upscale(lr: tf.Tensor) -> tf.Tensor:
        sr = generator(lr, training=False)
        return projection([sr, lr]) if projects else sr

    return {
        name: upscale(tf.constant(lr)).numpy()
        for name, lr in batches.items()
        if name != probes.TIMED
    }


def _facts(
    generator: keras.Model, metadata: Metadata, kind: str, size: tuple[int, int] | None
) -> card.NetworkFacts:
    if kind == "savedmodel":
        interface = (
            "Signature `serving_default`: `lr`, float32 RGB in [0, 1], `(batch, height, width, "
            "3)`, to `sr`, likewise. `serve_images`: `images_bytes`, contents of PNG or JPEG "
            "files, to `images_bytes`, of PNG files, 8 bits, without transparency or EXIF "
            "orientation."
        )
    else:
        shape = f"(1, {size[0]}, {size[1]}, 3)" if size else "(batch, height, width, 3)"
        shape = shape.replace("batch", "1") if kind.startswith("tflite") else shape
        numbers = "int8, quantised RGB" if kind == "tflite-int8" else "float32 RGB"
        interface = (
            f"Input `lr`: {numbers} in [0, 1], `{shape}`. Output `sr`: likewise, "
            f"{metadata.scale} times as large, to be clipped to [0, 1]."
        )
    network = f"The network is {generator.name}, of {generator.count_params():,} parameters."
    return card.NetworkFacts(network, interface)
