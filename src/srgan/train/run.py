"""One training run: photos and a configuration in, a folder with a trained model out.

RUN/config.toml      the configuration
RUN/run.json         what the run depends on: see `record`
RUN/cache/           decoded photos, and what a teacher makes of them, unless it is elsewhere
RUN/pretrain/        stage one: log.csv, validation.csv, samples/, tensorboard/,
RUN/adversarial/     stage two: checkpoints/ (to resume), best.npz, model.onnx and model.keras (of
                     the best); also gradient_norms.csv
RUN/model.onnx       the model of the last stage; model.keras, likewise
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import keras

from srgan.networks import workers
from srgan.train import (
    config,
    config_file,
    data,
    fitting,
    inputs,
    own,
    precision,
    preflight,
    record,
    result,
    sharing,
    streams,
    teaching,
    validation,
)
from srgan.train.callbacks import Progress
from srgan.train.fitting import Interrupted
from srgan.train.stage import Stage
from srgan.util import files, locks

__all__ = ["Interrupted", "Progress", "train"]

_logger = logging.getLogger(__name__)

_PSNR_MODEL = "model-psnr"  # what stage two starts from: what realism 0 of its model gives


def train(
    photos: str | os.PathLike[str] | None,
    folder: str | os.PathLike[str],
    settings: config.Config,
    *,
    generator: keras.Model | str | os.PathLike[str] | None = None,
    discriminator: keras.Model | str | os.PathLike[str] | None = None,
    losses: own.Losses | None = None,
    dataset: streams.Batches | Mapping[str, streams.Batches] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    validation: Path | None = None,
    lr_photos: Path | None = None,
    init: str | os.PathLike[str] | None = None,
    cache: Path | None = None,
    vgg_weights: Path | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Trains a generator in two stages; returns the path of its ONNX file.

    All that does not need the photos is tried before they are read, a step of each stage included.

    Args:
        photos: Tree of hr photos; None for those of the run that is resumed, or if `dataset` has
            all batches and `validation` is named.
        folder: The run's folder; created.
        settings: What to train, and how.
        generator: Takes the place of `settings.generator`: any model, functional or subclassed, or
            its `.keras` file, from lr `(batch, height, width, 3)` in [0, 1] to sr, `scale` times as
            large. It is trained in place, from the weights that it has.
        discriminator: Takes the place of that of the settings: from images `(batch, window, window,
            3)` to logits of each.
        losses: Further terms of the loss: `{name: (function, weight)}`, where the function maps
            `(hr, sr)` to a scalar. They belong to both stages, or to one, as "adversarial.edges".
        dataset: Takes the place of crops of the photos: batches `(lr, hr)`, float32 in [0, 1], as a
            `tf.data.Dataset`, or as a function of a step that returns an iterator of the batches
            from there on; or a mapping of these from "pretrain" and "adversarial". A run resumes
            exactly if the batches after `dataset.skip(step)` are the same each time.
        callbacks: Called beside the run's own; `self.model` is the stage, whose `step` counts. A
            stage is one epoch.
        validation: Tree of hr photos that choose the best weights, of which the first eight are
            used; None holds back some of `photos`.
        lr_photos: Tree of lr photos that pair with `photos`; None makes them.
        init: Name of a shipped model, or `model.onnx` or `best.npz` of a run, whose weights the
            generator starts from.
        cache: Where decoded photos are kept; None is `RUN/cache`.
        vgg_weights: File of ImageNet weights for the perceptual loss, see `features.vgg`.
        resume: Go on with the run in `folder`. What is not given is as it was; what is given must
            be the same, except for keys of the configuration that do not change the past.
        progress: Called after every step.

    Raises:
        BlockingIOError: If a training is running in `folder`.
        FileExistsError: If `folder` holds a run and `resume` is false.
        FloatingPointError: If the training diverges, also with lower learning rates.
        Interrupted: After Ctrl-C, or if one of `callbacks` stops the training; with the state
            saved.
        NotADirectoryError: If a folder that is named is not there.
        OSError: If there is no space for the checkpoints.
        TypeError: If the settings, a network, a data set or a callback are of none of the kinds
            above.
        ValueError: If the photos, the configuration or a weights file cannot be used, or are not
            those of the run.
    """
    folder = Path(folder)
    if not resume and photos is None and (dataset is None or validation is None):
        raise ValueError(
            "A new run needs photos; expected the folder of those to train on, or a data set and "
            "the folder of a validation set."
        )
    if not isinstance(settings, config.Config):
        raise TypeError(
            f"settings is a {type(settings).__name__}; expected a srgan.train.Config. "
            "Config.model_validate(settings) makes one of a dict, and config_file.read(path) of a "
            "TOML file."
        )
    own.check_callbacks(callbacks)
    workers.join()
    report = progress if progress and workers.leads() else (lambda _: None)
    with ExitStack() as opened:
        with workers.together():
            inputs.check_folders(photos, lr_photos, validation)
            known = record.read(folder) if resume else None
            if known and not known.inputs.photos and photos is None and dataset is None:
                raise ValueError(
                    "The run began with a data set of its own, and now there is none. Give train() "
                    "the same one again."
                )
            if workers.leads():
                opened.enter_context(_alone(folder))
                _clear(folder, resume)
                if known:
                    _change_settings(folder, settings)
            teacher = preflight.teacher(settings, known)
            computed_in = precision.choose(known.precision if known else settings.precision)
            brought = own.bring(settings, generator, discriminator, losses, dataset)
            networks = preflight.make(settings, vgg_weights, known, brought)
            initial = preflight.initialise(networks, folder, settings, init, known)
            if brought.generator:
                preflight.try_export(brought.generator, settings)
            preflight.rehearse(networks.stages, settings, brought)
            if workers.leads():
                preflight.check_room(folder, networks.stages)
            described = own.describe(brought.generator, brought.discriminator, losses)
            sharing.agree_on(settings, computed_in, networks, described)

            chosen = inputs.choose(photos, lr_photos, validation, cache, folder, known)
            with sharing.in_turn():  # what the first worker decodes, others on its disk find
                pairs, validating = inputs.prepare(chosen, settings, report)
            if teacher and pairs:
                teaching.usable(pairs, settings.teacher)
            training = record.data_of(pairs, brought.streams)
            workers.agree(
                photos=f"{training.photos} of hash {training.fingerprint[:16]}",
                validation=f"{len(validating)} of hash {record.fingerprint(validating)[:16]}",
            )
            if known:
                now = training, validating, described
                found = _go_on(known, *now, chosen, networks.vgg or known.vgg)
            else:
                taught_by = teacher and teacher.source
                found = record.make(
                    computed_in,
                    chosen,
                    initial,
                    networks.vgg,
                    taught_by,
                    described,
                    training,
                    validating,
                )
            if workers.leads():
                preflight.check_room(folder, networks.stages)  # beside the decoded photos, too
                record.write(folder, settings, found)
            taught = None
            with sharing.in_turn():
                if teacher and pairs:
                    taught = inputs.lessons(teacher, pairs, settings.teacher, chosen.cache, report)
            sources = {
                name: brought.streams.get(name) or _stream(name, stage, pairs, taught, settings)
                for name, stage in networks.stages.items()
            }
            workers.agree()
        return _run(networks, folder, settings, sources, found, validating, report, callbacks)


def _go_on(
    known: record.Record,
    training: record.Data,
    validating: list[data.Pair],
    described: dict[str, str],
    chosen: record.Inputs,
    vgg: record.Source | None,
) -> record.Record:
    """What a resumed run depends on; raises if that is no longer what it began with."""
    record.check_own(known.own, described)
    record.check_data("The photos", known.data, training.fingerprint)
    pixels = record.fingerprint(validating)
    record.check_data("The validation photos", known.validation, pixels)
    record.warn_of_versions(known)
    return known.model_copy(update={"inputs": chosen, "vgg": vgg})


def _stream(
    name: str,
    stage: Stage,
    pairs: data.Photos | None,
    lessons: teaching.Lessons | None,
    settings: config.Config,
) -> streams.Stream:
    if pairs is None:
        raise ValueError(f"The data set has no batches for {name}, and there are no photos.")
    schedule = getattr(settings, name)
    return streams.PhotoStream(pairs, lessons, schedule, stage.taught, settings)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other trainings out of a folder, which is made, and gone again if no run was begun.

    Raises:
        BlockingIOError: If there is one.
    """
    lock = folder / ".lock"
    with ExitStack() as stack:
        if not lock.exists():
            stack.callback(_remove_unused, folder, lock)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(locks.exclusive(lock))
        except BlockingIOError:
            raise BlockingIOError(
                f"A training is running in {folder}. Wait for its end, or choose another folder."
            ) from None
        yield


def _clear(folder: Path, resume: bool) -> None:
    """Removes what a kill has left in a folder, which must not hold a run unless that goes on."""
    if not resume and record.exists(folder):
        raise FileExistsError(
            f"{folder} already holds a run. Continue it with --resume, or choose another one."
        )
    for place in (folder, *(folder / "cache").glob("*")):
        files.remove_partial(place)
    for left in (*folder.glob(".export-*"), *folder.glob("*/.export-*")):
        shutil.rmtree(left)


def _remove_unused(folder: Path, lock: Path) -> None:
    """Removes what a training leaves that was refused: the lock, and the folder if it is empty."""
    if not record.exists(folder):
        lock.unlink(missing_ok=True)
        with suppress(OSError):  # something else is in it
            folder.rmdir()


def _run(
    networks: preflight.Networks,
    folder: Path,
    settings: config.Config,
    sources: Mapping[str, streams.Stream],
    known: record.Record,
    validating: list[data.Pair],
    report: Callable[[Progress], None],
    further: Sequence[keras.callbacks.Callback],
) -> Path:
    """Trains what is left of each stage, and writes their models."""
    schedules: dict[str, config.Schedule] = {
        "pretrain": settings.pretrain,
        "adversarial": settings.adversarial,
    }
    trained_on = result.describe_data(known.data)
    own_data = [name for name in sources if isinstance(sources[name], streams.OwnStream)]
    rank, psnr_model = validation.accuracy_rule, ""
    halvings: dict[str, int] = {}
    floor = float("-inf")
    for name, stage in networks.stages.items():
        place = folder / name
        if name == "adversarial":
            rank, psnr_model = validation.perception_rule(floor), _PSNR_MODEL
        if workers.leads():
            place.mkdir(exist_ok=True)
        if workers.leads() and psnr_model:
            result.write_model(
                networks.generator,
                folder / f"{psnr_model}.onnx",
                settings,
                trained_on,
                halvings,
                own_data=own_data,
            )
        fitting.fit(
            stage,
            place,
            schedules[name],
            settings,
            sources[name],
            validating,
            rank,
            report,
            further,
        )
        if not workers.leads():
            continue
        floor = float(stage.best_rank) - validation.PSNR_LOSS
        halvings[name] = int(stage.halvings)
        scores = result.validation_scores(place / "validation.csv", int(stage.best_step))
        model = place / "model.onnx"
        result.write_model(
            networks.generator, model, settings, trained_on, halvings, scores, psnr_model, own_data
        )
        for kind in (".onnx", ".keras"):
            copy = model.with_suffix(kind)
            files.write_bytes(folder / copy.name, copy.read_bytes())
    if workers.leads() and psnr_model and settings.projection:
        result.calibrate(folder / "model.onnx", validating)
    workers.agree()  # the first one has written all
    return folder / "model.onnx"


def _change_settings(folder: Path, settings: config.Config) -> None:
    """Raises if the configuration differs in what a run has done already."""
    second = fitting.checkpoints_of(folder / "adversarial", settings)
    over = ["pretrain"] if second.exist() else []
    record.check_settings(config_file.read(folder / "config.toml"), settings, over)
