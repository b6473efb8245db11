"""One training run: photos and a configuration in, a folder with a trained model out.

RUN/config.toml      the configuration
RUN/run.json         versions, precision, data fingerprint, skipped files
RUN/pretrain/        stage one: log.csv, validation.csv, samples/, tensorboard/,
RUN/adversarial/     stage two: latest.npz (to resume), best.npz and model.onnx (of the best);
                     also gradient_norms.csv
RUN/model.onnx       the model of the last stage
"""

import json
import logging
import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tomli_w

from srgan.networks.features import vgg
from srgan.quality import metrics
from srgan.train import build, callbacks, checkpoints, config, data, precision, result
from srgan.train.callbacks import Progress
from srgan.train.training import Adversarial, Pretraining, Stage
from srgan.util import files, versions

_logger = logging.getLogger(__name__)

_PSNR_LOSS = 2.0  # dB that stage two may lose against stage one and still be the best
_PSNR_MODEL = "model-psnr"  # what stage two starts from: what realism 0 of its model gives
_GRID_CEILING = 0.06  # of the metric GRID: the grid artifact cannot be seen below
_VALIDATION_PHOTOS = 8

_Rank = Callable[[metrics.Scores], float]


class Interrupted(Exception):  # noqa: N818 - it says what happened
    """Ctrl-C: the run ended after a whole step, with a checkpoint to resume from."""


def train(
    photos: Path,
    folder: Path,
    settings: config.Config,
    *,
    validation: Path | None = None,
    lr_photos: Path | None = None,
    init: str | os.PathLike[str] | None = None,
    cache: Path | None = None,
    vgg_weights: Path | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Trains a generator in two stages; returns the path of its ONNX file.

    Args:
        photos: Tree of hr photos.
        folder: The run's folder; created.
        settings: What to train, and how.
        validation: Tree of hr photos that choose the best weights, of which the first eight are
            used; None holds back some of `photos`.
        lr_photos: Tree of lr photos that pair with `photos`; None makes them.
        init: Name of a shipped model, or `model.onnx` or `best.npz` of a run, whose weights the
            generator starts from.
        cache: Where decoded photos are kept; None is `RUN/cache`.
        vgg_weights: File of ImageNet weights for the perceptual loss, see `features.vgg`.
        resume: Go on with the run in `folder`: same configuration, same data.
        progress: Called after every step.

    Raises:
        FileExistsError: If `folder` holds a run and `resume` is false.
        Interrupted: After Ctrl-C, with the state saved.
        ValueError: If the photos, the configuration or a weights file cannot be used.
    """
    report = progress or (lambda _: None)
    _check_claim(folder, settings, resume)
    computed_in = precision.choose(settings.precision)
    keras.utils.set_random_seed(settings.seed)
    generator = build.generator(settings.generator, settings.scale)
    if init:
        build.load_weights(init, generator)

    pairs, validating = _photos(
        photos, validation, lr_photos, cache or folder / "cache", settings, report
    )
    _record(folder, settings, pairs, computed_in, resume)

    def fit(stage: Stage, name: str, schedule: config.Schedule, rank: _Rank) -> float:
        (folder / name).mkdir(exist_ok=True)
        judge = callbacks.Validation(
            folder / name,
            validating,
            settings.validate_every,
            settings.scale,
            settings.projection,
            rank,
        )
        best = _fit(stage, folder / name, schedule, settings, pairs, judge, report)
        psnr_model = _PSNR_MODEL if name == "adversarial" else ""
        scores = result.validation_scores(folder / name / "validation.csv")
        result.write_model(
            generator, folder / name / "model.onnx", settings, pairs, scores, psnr_model
        )
        return best

    floor = float("-inf")
    if settings.pretrain.steps:
        stage = Pretraining(generator, settings.pretrain)
        floor = fit(stage, "pretrain", settings.pretrain, accuracy_rule) - _PSNR_LOSS
    if settings.adversarial.steps:
        result.write_model(generator, folder / f"{_PSNR_MODEL}.onnx", settings, pairs)
        adversarial = settings.adversarial
        features = None
        if adversarial.perceptual_weight or adversarial.discriminator_head == "features":
            taps = list(adversarial.taps)
            features = vgg(adversarial.vgg, taps, adversarial.before_activation, vgg_weights)
        stage = Adversarial(
            generator,
            build.discriminator(adversarial, features),
            features,
            adversarial,
            settings.scale,
            settings.projection,
            settings.seed,
        )
        fit(stage, "adversarial", settings.adversarial, perception_rule(floor))
    last = "adversarial" if settings.adversarial.steps else "pretrain"
    files.write_bytes(folder / "model.onnx", (folder / last / "model.onnx").read_bytes())
    if settings.adversarial.steps and settings.projection:
        result.calibrate(folder / "model.onnx", validating)
    return folder / "model.onnx"


def _photos(
    photos: Path,
    validation: Path | None,
    lr_photos: Path | None,
    cache: Path,
    settings: config.Config,
    report: Callable[[Progress], None],
) -> tuple[data.Photos, list[data.Pair]]:
    """The photos to train on, and the pairs of the validation set."""
    stages = (settings.pretrain, settings.adversarial)
    minimum = max(stage.hr_patch for stage in stages if stage.steps) // settings.scale
    pairs = data.prepare(
        photos,
        cache / "train",
        settings.scale,
        lr_photos,
        minimum,
        settings.degradation,
        lambda done, total: report(Progress("data", done, total, {})),
    )
    if validation:
        validating = data.prepare(
            validation,
            cache / "validation",
            settings.scale,
            minimum=-(-metrics.LPIPS_MINIMUM // settings.scale),
            degradation=_once(settings.degradation),
        )
        for name, reason in validating.skipped:
            _logger.warning("Left out of validation: %s: %s", name, reason)
    else:
        pairs, validating = pairs.hold_back(_VALIDATION_PHOTOS)
    validating = [validating[i] for i in range(min(len(validating), _VALIDATION_PHOTOS))]
    for name, reason in pairs.skipped:
        _logger.warning("Left out %s: %s", name, reason)
    return pairs, validating


def accuracy_rule(scores: metrics.Scores) -> float:
    """What "best" means in stage one: the highest PSNR, and of about equal ones the lowest LPIPS.

    rank = PSNR - LPIPS: towards its end a stage goes on gaining LPIPS, which stage two keeps,
    while PSNR goes up and down by some .01 dB, by chance of the few photos.
    """
    return scores.psnr - scores.lpips


def perception_rule(floor: float) -> _Rank:
    """What "best" means in stage two: the lowest LPIPS of faithful results without grid artifact.

    rank = -LPIPS - max(0, floor - PSNR) - max(0, GRID - 0.06): LPIPS sees neither a drift of
    brightness nor a grid artifact.
    """

    def rank(scores: metrics.Scores) -> float:
        excess = max(0.0, scores.grid - _GRID_CEILING)
        return -scores.lpips - max(0.0, floor - scores.psnr) - excess

    return rank


def _once(degradation: config.Degradation) -> config.Degradation:
    """The same for the validation set, of which there is one version each."""
    return degradation.model_copy(update={"versions": min(degradation.versions, 1)})


def _fit(
    stage: Stage,
    folder: Path,
    schedule: config.Schedule,
    settings: config.Config,
    pairs: data.Photos,
    judge: callbacks.Validation,
    report: Callable[[Progress], None],
) -> float:
    """Runs what is left of a stage; leaves its generator with the best averaged weights."""
    stage.compile()
    latest = folder / "latest.npz"
    if latest.exists():
        checkpoints.restore(latest, stage.state())
    steps, done = stage.total_steps, int(stage.step)
    if done < steps:
        every = settings.validate_every
        interruption = callbacks.Interruption()
        watching = [callbacks.Sentry(), callbacks.Log(folder), judge]
        if isinstance(stage, Adversarial):
            batch = partial(_batch, pairs, schedule, settings.seed)
            watching.append(callbacks.GradientNorms(folder, list(map(batch, range(4))), every))
        try:
            stage.fit(
                _batches(pairs, schedule, settings.seed, done, steps),
                steps_per_epoch=steps - done,
                shuffle=False,
                verbose=0,
                callbacks=[
                    *watching,
                    callbacks.Checkpoint(folder, every),
                    callbacks.Report(folder.name, steps, report),
                    interruption,
                ],
            )
        finally:
            interruption.restore()
        if int(stage.step) < steps:
            raise Interrupted(f"Stopped in {folder.name} at step {int(stage.step)} of {steps}.")
    best = judge.finish(stage)
    checkpoints.restore(folder / "best.npz", checkpoints.named(stage.generator))
    return best


def _batches(
    pairs: data.Photos, schedule: config.Schedule, seed: int, start: int, stop: int
) -> tf.data.Dataset:
    """The batches `start` to `stop`, made while the step before them is computed."""
    hr_patch = schedule.hr_patch
    lr_patch = hr_patch // pairs.scale

    def with_shape(k):
        make = partial(_batch, pairs, schedule, seed)
        lr, hr = tf.numpy_function(make, [k], (tf.float32, tf.float32))
        lr = tf.ensure_shape(lr, (schedule.batch_size, lr_patch, lr_patch, 3))
        return lr, tf.ensure_shape(hr, (schedule.batch_size, hr_patch, hr_patch, 3))

    return tf.data.Dataset.range(start, stop).map(with_shape, 2, deterministic=True).prefetch(4)


def _batch(
    pairs: data.Photos, schedule: config.Schedule, seed: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Batch `k` of a stage."""
    patch, candidates = schedule.hr_patch, schedule.crop_candidates
    return data.batch(pairs, int(k), seed, schedule.batch_size, patch, candidates)


def _check_claim(folder: Path, settings: config.Config, resume: bool) -> None:
    """Raises if the folder holds a run that is not to be resumed, or cannot be."""
    file = folder / "config.toml"
    if file.exists() and not resume:
        raise FileExistsError(
            f"{folder} already holds a run. Continue it with --resume, or choose another folder."
        )
    if resume and not file.exists():
        raise ValueError(f"{folder} holds no run to resume: {file.name} is missing.")
    if resume and config.read(file) != settings:
        raise ValueError(f"{file} differs from the configuration given; resume with its own.")


def _record(
    folder: Path, settings: config.Config, pairs: data.Photos, computed_in: str, resume: bool
) -> None:
    """Writes what a run depends on, or compares the data of one that is resumed."""
    if resume:
        known = json.loads((folder / "run.json").read_text())["data"]["fingerprint"]
        if known != pairs.fingerprint:
            raise ValueError(
                f"The photos have changed since the run began (fingerprint {pairs.fingerprint}, "
                f"then {known}); restore them, or begin a new run with --init."
            )
        return
    record = {
        "versions": versions.installed("srgan", "tensorflow", "keras", "numpy", "pyvips"),
        "platform": platform.platform(),
        "precision": computed_in,
        "data": {
            "fingerprint": pairs.fingerprint,
            "photos": len(pairs.names),
            "skipped": [entry._asdict() for entry in pairs.skipped],
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    files.write_bytes(folder / "run.json", json.dumps(record, indent=2).encode())
    # Last: a folder with this file is a run.
    files.write_bytes(
        folder / "config.toml", tomli_w.dumps(settings.model_dump(mode="json")).encode()
    )
