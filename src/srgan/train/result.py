"""What a run leaves: an ONNX file that says what it is, how it was trained and what it scored."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import keras
import numpy as np

from srgan.export import onnx_file
from srgan.models import catalogue, loading
from srgan.models.metadata import Calibration, Metadata
from srgan.networks import graph
from srgan.quality import uncertainty
from srgan.train import config, csv_log, own, record
from srgan.train.pairs import Pair

_OWN = "a data set"


def write_model(
    generator: keras.Model,
    path: Path,
    settings: config.Config,
    training_data: str,
    halvings: Mapping[str, int],
    scores: str = "",
    psnr_model: str = "",
    own_data: Collection[str] = (),
) -> None:
    """Writes a generator as `model.onnx` and `.keras` of a run or of one of its stages.

    Args:
        generator: With the weights to keep.
        path: `RUN/STAGE/model.onnx`, after which the model is named.
        settings: Those of the run.
        training_data: What it was trained on.
        halvings: How often each stage diverged, and went on with half the learning rate.
        scores: What the weights scored; see `validation_scores`.
        psnr_model: Name of the file beside RUN's models that stage two started from; "" after
            stage one.
        own_data: The stages whose batches a caller has made.
    """
    stages: list[tuple[str, config.Schedule]] = [("pretrain", settings.pretrain)]
    if psnr_model:
        stages.append(("adversarial", settings.adversarial))
    training = "; ".join(
        f"{name}, {stage.steps:,} steps of "
        + (_OWN if name in own_data else f"{stage.batch_size} crops of {stage.hr_patch} pixels")
        + (f", learning rate halved {halvings[name]} times" if halvings.get(name) else "")
        for name, stage in stages
        if stage.steps
    )
    degraded = settings.degradation
    if degraded.versions and not all(name in own_data for name, _ in stages):
        limits = (degraded.blur, degraded.noise, degraded.quality)
        ranges = [f"{low:g} to {high:g}" for low, high in limits]
        training += "; photos degraded by blur of {}, noise of {}, JPEG of {}".format(*ranges)
        training += ", in two passes" if degraded.order == 2 else ""
    licence = "that of the training data and its user's choice"
    if (teacher := settings.teacher).model:
        shares = (teacher.pixel, teacher.perceptual, teacher.adversarial)
        learned = "; learned from {}: {:g} of pixels, {:g} of features, {:g} of what is real"
        training += learned.format(Path(teacher.model).stem, *shares)
        licence = "that of the training data, of its teacher, and its user's choice"
    metadata = describe(
        generator,
        settings,
        f"{path.parent.parent.name}-{path.parent.name}",
        training_data,
        licence,
        scores,
        psnr_model,
        f"{training}." if training else "",
    )
    try:
        onnx_file.write_onnx(generator, path, metadata)
    except RuntimeError:  # rounding its weights to half precision changes too much
        onnx_file.write_onnx(generator, path, metadata, half=False)
    own.save(generator, path.with_suffix(".keras"))


def describe(
    generator: keras.Model,
    settings: config.Config,
    name: str,
    training_data: str,
    licence: str,
    scores: str = "",
    psnr_model: str = "",
    training: str = "",
) -> Metadata:
    """Returns what the model of a run says about itself."""
    return Metadata(
        name=name,
        scale=settings.scale,
        receptive_field=graph.receptive_field(generator),
        consistency_rounds=settings.projection,
        training_data=training_data,
        licence=licence,
        scores=scores,
        config_hash=hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16],
        psnr_model=psnr_model,
        training=training,
    )


def describe_data(known: record.Data) -> str:
    """Returns what a model says of its training data."""
    what = f"{known.photos} photos" if known.photos else _OWN
    return f"{what}, fingerprint {known.fingerprint[:16]}"


def calibrate(file: Path, pairs: Iterable[Pair]) -> Calibration:
    """Fits the error map of a GAN model to its errors, and writes the calibration into its file.

    Args:
        file: An ONNX file of this package that names its PSNR model.
        pairs: lr and hr images, uint8.

    Raises:
        ValueError: If it names none.
    """
    gan = loading.load(file)
    psnr = loading.load(catalogue.psnr_path(file, gan.metadata))
    calibration = uncertainty.calibrate(
        (hr, gan.upscale(lr, dtype=np.uint8), psnr.upscale(lr, dtype=np.uint8)) for lr, hr in pairs
    )
    onnx_file.write_metadata(file, gan.metadata.model_copy(update={"calibration": calibration}))
    return calibration


def validation_scores(file: Path, step: int) -> str:
    """What the weights of a step of a stage scored, in words."""
    for row in csv_log.read_rows(file):
        if int(row["step"]) == step:
            scores = ", ".join(f"{name} {value}" for name, value in row.items() if name != "rank")
            return f"Of the best weights in training, on photos held back: {scores}."
    return ""
