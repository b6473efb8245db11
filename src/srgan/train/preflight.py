"""What a run needs besides photos, made and tried before they are read: networks, weights, room.

What must fail should fail in the first seconds, and not after the whole first stage.
"""

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from srgan.models.model import Model
from srgan.networks import features, graph
from srgan.train import (
    build,
    checkpoints,
    community,
    config,
    fitting,
    own,
    record,
    rehearsal,
    result,
    teaching,
)
from srgan.train.adversarial import Adversarial
from srgan.train.pretraining import Pretraining
from srgan.train.stage import Stage, UnusableTerm

_logger = logging.getLogger(__name__)


class Networks(NamedTuple):
    """The stages of a run that have steps, untrained, by name; what they are made from."""

    generator: keras.Model
    stages: dict[str, Stage]
    vgg: record.Source | None


class Teacher(NamedTuple):
    """What teaches beside the photos, and its file."""

    model: Model
    source: record.Source


def make(
    settings: config.Config,
    vgg_weights: Path | None,
    known: record.Record | None,
    brought: own.Parts = own.NOTHING,
) -> Networks:
    """Makes the stages. Their random weights depend on the seed alone, in a resumed run too.

    Args:
        settings: Those of the run.
        brought: What takes the place of the configuration's networks, and further losses.
        vgg_weights: File of VGG's weights; None for those of `known`, or `features.vgg`'s own.
        known: What a resumed run began with.

    Raises:
        FileNotFoundError: If there is no file of VGG's weights.
        ValueError: If the file, or a name of a layer, does not fit the network, or is another one
            than when the run began.
    """
    keras.utils.set_random_seed(settings.seed)
    generator = brought.generator or build.generator(settings.generator, settings.scale)
    stages: dict[str, Stage] = {}
    vgg = None
    if settings.pretrain.steps:
        stages["pretrain"] = Pretraining(
            generator,
            settings.pretrain,
            settings.teacher,
            own.losses_of(brought.losses, "pretrain"),
        )
    if settings.adversarial.steps:
        network = None
        needs_vgg = settings.adversarial.looks_through_vgg
        if brought.discriminator:
            needs_vgg = bool(settings.adversarial.perceptual_weight)
        if needs_vgg:
            network, vgg = _vgg(settings.adversarial, vgg_weights, known)
        stages["adversarial"] = Adversarial(
            generator,
            brought.discriminator or build.discriminator(settings.adversarial, network),
            network,
            settings.adversarial,
            settings.scale,
            settings.projection,
            settings.seed,
            settings.teacher,
            own.losses_of(brought.losses, "adversarial"),
        )
    return Networks(generator, stages, vgg)


def _vgg(
    settings: config.Adversarial, weights: Path | None, known: record.Record | None
) -> tuple[keras.Model, record.Source]:
    """The network of the perceptual loss, with the weights that the run began with."""
    if weights is None and known and known.vgg and Path(known.vgg.file).exists():
        weights = Path(known.vgg.file)
    taps = list(settings.taps)
    network = features.vgg(settings.vgg, taps, settings.before_activation, weights)
    found = record.source(features.weights_file(settings.vgg, weights))
    if known and known.vgg:
        record.check_source("the VGG weights", "--vgg-weights", known.vgg, found)
    return network, found


def teacher(settings: config.Config, known: record.Record | None) -> Teacher | None:
    """Opens the teacher of a run, if it has one, and tries it.

    Raises:
        FileNotFoundError: If there is no such model.
        ValueError: If it cannot teach this run, or is another one than when the run began.
    """
    if not settings.teacher.model:
        return None
    name = settings.teacher.model
    if known and known.teacher and not Path(name).is_file():
        name = known.teacher.file
    found = record.model(name)
    if known:
        record.check_source("the teacher", "teacher.model", known.teacher, found)
    return Teacher(teaching.load(name, settings.scale, settings.teacher.precision), found)


def initialise(
    networks: Networks,
    folder: Path,
    settings: config.Config,
    init: str | os.PathLike[str] | None,
    known: record.Record | None,
) -> record.Source | None:
    """Loads the weights that a run begins with, and compares them in one that goes on.

    Raises:
        FileNotFoundError: If there is no such model, and no checkpoint either.
        ValueError: If it is another network, or not what the run began with.
    """
    begun = any(fitting.checkpoints_of(folder / name, settings).exist() for name in networks.stages)
    if known and not begun and init is None and known.init:
        init = known.init.file
    if init is None:
        return None
    try:
        if weights := community.weights_of(init):
            found = record.source(Path(init), weights)
        else:
            found = record.model(init)
    except FileNotFoundError:
        if not begun or not known or not known.init:
            raise
        _logger.warning("%s is not there; the run goes on from its own weights.", init)
        return None
    if known:
        record.check_source("the initial weights", "--init", known.init, found)
    if not begun:
        build.load_weights(init, networks.generator)
    return found


def rehearse(
    stages: dict[str, Stage],
    settings: config.Config,
    brought: own.Parts = own.NOTHING,
) -> None:
    """Computes a step of each stage and takes it back: of one crop, since only the fit is tried.

    Args:
        stages: By name.
        settings: Of the run.
        brought: Of a caller, whose data sets are tried.

    Raises:
        ValueError: If a stage cannot compute one.
    """
    schedules = {"pretrain": settings.pretrain, "adversarial": settings.adversarial}
    rng = np.random.default_rng(0)
    for name, stage in stages.items():
        patch = schedules[name].hr_patch
        sides = (patch // settings.scale, patch, *([patch] if stage.taught else []))
        batch = [rng.random((1, side, side, 3), np.float32) for side in sides]
        if name in brought.streams:
            batch = [array[:1] for array in brought.streams[name].head(1)[0]]
        try:
            rehearsal.rehearse(stage, batch)
        except UnusableTerm as error:
            raise ValueError(
                f"In the stage {name}, {error}. A function of `losses` maps (hr, sr) to a finite "
                "scalar, as the mean of something, by keras.ops or TensorFlow alone."
            ) from error
        except (tf.errors.OpError, ValueError) as error:
            seen = f"{name}.hr_patch={patch}"
            if name == "adversarial":
                seen += f" and {name}.window={settings.adversarial.window}"
            raise ValueError(
                f"The stage {name} cannot compute a step: {graph.reason(error)}. Its networks do "
                f"not fit {seen}; take larger ones, or shallower layers."
            ) from error


def try_export(generator: keras.Model, settings: config.Config) -> None:
    """Writes a caller's generator as a run does at its end, and throws the files away.

    Raises:
        ValueError: If it cannot be written, or the file computes something else.
    """
    with tempfile.TemporaryDirectory(prefix="srgan-") as folder:
        try:
            result.write_model(generator, Path(folder, "run-model.onnx"), settings, "", {})
        except Exception as error:  # whatever its own code, or Keras, raises
            raise ValueError(
                f"The generator {generator.name!r} cannot be exported: {graph.reason(error)}."
            ) from error


def check_room(folder: Path, stages: dict[str, Stage]) -> None:
    """Compares what a run will write with the room on its disk.

    Raises:
        OSError: If there is no room for the checkpoints of all stages, and their models.
    """
    kept = [path for name in stages for path in (folder / name / "checkpoints").glob("*.npz")]
    room = needed(stages) - sum(path.stat().st_size for path in kept)
    free = shutil.disk_usage(folder).free
    if free < room:
        raise OSError(
            f"{folder} has {free / 2**20:,.1f} MiB left on its disk, and the run needs "
            f"{room / 2**20:,.1f} MiB for checkpoints and models. Free some space, or choose "
            "another folder."
        )


def size_of(stage: Stage) -> int:
    """Returns the bytes of a checkpoint."""
    return sum(np.asarray(variable).nbytes for variable in stage.state().values())


def needed(stages: dict[str, Stage]) -> int:
    """Returns the bytes that checkpoints and models of a run take."""
    total = 0
    for stage in stages.values():
        weights = sum(weight.nbytes for weight in stage.generator.get_weights())
        # One checkpoint more while it is written; models of ONNX and Keras, twice each.
        total += (checkpoints.KEPT + 1) * size_of(stage) + 6 * weights
    return total
