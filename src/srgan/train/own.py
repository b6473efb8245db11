"""What a caller brings to a training besides photos: networks and losses of one's own.

Each is tried before the first step: what cannot be trained, kept, validated or exported is said.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from srgan.export import onnx_graph
from srgan.networks import graph
from srgan.train import config, streams
from srgan.train.streams import OwnStream

Loss = Callable[[Any, Any], Any]
"""Of `(hr, sr)`, `(batch, height, width, 3)`, in [0, 1] but for what sr exceeds; to a scalar."""

Losses = Mapping[str, tuple[Loss, float]]
"""Terms of a loss by name, each with its weight."""

TERMS = ("pixel", "chroma", "perceptual", "adversarial", "grid", "artifact", "frequency")
_LOGGED = (
    *("gradient", "discriminator", "accuracy", "real", "fake", "penalty", "step"),
    *("colour_drift", "grid_energy", "learning_rate", "step_seconds", "data_seconds"),
)
_STAGES = ("pretrain", "adversarial")
_SIZES = ((13, 9), (16, 24))  # of lr images that a generator is tried on


class Parts(NamedTuple):
    """What a caller brings; see `run.train`."""

    generator: keras.Model | None = None
    discriminator: keras.Model | None = None
    losses: Losses | None = None
    streams: Mapping[str, OwnStream] = MappingProxyType({})  # by stage


NOTHING = Parts()


def bring(
    settings: config.Config,
    generator: keras.Model | str | os.PathLike[str] | None,
    discriminator: keras.Model | str | os.PathLike[str] | None,
    losses: Losses | None,
    dataset: streams.Batches | Mapping[str, streams.Batches] | None,
) -> Parts:
    """Tries what a caller brings.

    Raises:
        FileNotFoundError: If there is no such `.keras` file.
        ValueError: If one of these cannot be used.
    """
    if generator is not None:
        generator = load(generator)
        check_generator(generator, settings.scale)
    if discriminator is not None:
        discriminator = load(discriminator)
        check_discriminator(discriminator, settings.adversarial.window)
    losses_of(losses, "")
    found = {}
    chosen = streams.choose(dataset)
    for name, source in chosen._asdict().items():
        stage = getattr(settings, name)
        if source is None or not stage.steps:
            continue
        if settings.teacher.model:
            raise ValueError(
                "A teacher looks at crops of photos, and not at a data set; leave one of them out."
            )
        window = settings.adversarial.window if name == "adversarial" else 1
        steps = stage.steps
        if name == "adversarial":
            steps = stage.total_steps
        found[name] = OwnStream(source, name, steps, settings.scale, window)
    return Parts(generator, discriminator, losses, found)


def load(model: keras.Model | str | os.PathLike[str]) -> keras.Model:
    """Returns a model, read from its `.keras` file if it is the path of one.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is neither a model nor a path.
        ValueError: If it cannot be read.
    """
    if isinstance(model, keras.Model):
        return model
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f"A network is a {type(model).__name__}; expected a keras.Model, or the path of a "
            ".keras file."
        )
    path = Path(model)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model {path}; expected a .keras file.")
    if path.suffix.lower() not in (".h5", ".hdf5") and not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no .keras file; expected one, as model.save writes it.")
    try:
        found: Any = keras.saving.load_model(path, compile=False)
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} cannot be read as a model of Keras: {graph.reason(error)}. A class of one's "
            "own has to be registered, by keras.saving.register_keras_serializable, and imported "
            "before."
        ) from error
    if not isinstance(found, keras.Model):
        raise ValueError(f"{path} holds a {type(found).__name__}; expected a keras.Model.")
    return found


def save(model: keras.Model, path: Path) -> None:
    """Writes a model as a `.keras` file: whole or not at all."""
    unfinished = path.with_name(f".export-{path.name}")  # a name that a run removes after a kill
    try:
        model.save(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def copy(generator: keras.Model) -> keras.Model:
    """Returns a generator of the same weights and none of the same variables.

    Raises:
        ValueError: If Keras cannot copy it.
    """
    build(generator)
    try:
        made: Any = keras.models.clone_model(generator)
        build(made)
        made.set_weights(generator.get_weights())
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        why = graph.reason(error)
        if isinstance(error, NotImplementedError):  # of Keras, in several lines
            why = " ".join(str(error).split()).partition(". ")[0]
        raise ValueError(
            f"The generator {generator.name!r} cannot be copied, of which its moving average is "
            f"made ({why}). Give its class, or that of its layer, a get_config "
            "that returns the arguments of __init__."
        ) from error
    return made


def check_callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Raises if Keras could not call them, which it says after the photos are read.

    Raises:
        TypeError: If one is no callback.
        ValueError: If one would save the whole stage, which has more than Keras can write.
    """
    if isinstance(callbacks, keras.callbacks.Callback):
        raise TypeError(f"callbacks is a {type(callbacks).__name__}; expected a list of them.")
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            kind = "the class" if isinstance(callback, type) else "a"
            name = getattr(callback, "__name__", type(callback).__name__)
            raise TypeError(
                f"callbacks holds {kind} {name}; expected instances of keras.callbacks.Callback."
            )
        if isinstance(callback, keras.callbacks.ModelCheckpoint) and not callback.save_weights_only:
            raise ValueError(
                "callbacks holds a ModelCheckpoint that saves whole models, which a stage is not; "
                "expected save_weights_only=True. The run itself leaves model.keras."
            )


def build(generator: keras.Model) -> None:
    """Makes the weights of a subclassed model, which come with its first image."""
    if not generator.built or not generator.weights:
        generator(np.zeros((1, 16, 16, 3), np.float32))


def check_generator(generator: keras.Model, scale: int) -> None:
    """Tries a generator: its sizes, that images do not mix, and that it can be copied and exported.

    Raises:
        ValueError: If it cannot be trained or exported.
    """
    name = f"The generator {generator.name!r}"
    for height, width in _SIZES:
        lr = np.random.default_rng(0).random((2, height, width, 3), np.float32)
        with _explained(f"{name} cannot enlarge images of {height}x{width}"):
            sr = np.asarray(tf.cast(generator(lr, training=False), tf.float32))
        expected = (2, scale * height, scale * width, 3)
        if sr.shape != expected:
            raise ValueError(
                f"{name} makes {sr.shape} of lr {lr.shape}; expected {expected}, scale being "
                f"{scale}."
            )
        if not np.isfinite(sr).all():
            raise ValueError(f"{name} makes values that are not finite, as NaN, of an lr image.")
        alone = np.asarray(tf.cast(generator(lr[:1], training=False), tf.float32))
        if np.abs(alone - sr[:1]).max() > 0.02:
            raise ValueError(
                f"{name} makes something else of an image alone than beside another: it computes "
                "with statistics of the batch. Let its normalisation follow training=False."
            )
    if not generator.trainable_variables:
        raise ValueError(f"{name} has no weights to train.")
    onnx_graph.graph_of(generator)
    graph.receptive_field(generator)
    copy(generator)


def check_discriminator(discriminator: keras.Model, window: int) -> None:
    """Tries a discriminator on images of the window that it will see.

    Raises:
        ValueError: If it does not make logits of images.
    """
    images = np.random.default_rng(0).random((4, window, window, 3), np.float32)
    name = f"The discriminator {discriminator.name!r}"
    with _explained(f"{name} cannot judge images of {window}x{window}, which is the window"):
        logits = np.asarray(tf.cast(discriminator(images, training=False), tf.float32))
    if logits.shape[:1] != (4,) or not np.isfinite(logits).all():
        raise ValueError(
            f"{name} makes {logits.shape} of 4 images; expected finite logits of each, as (4, 1)."
        )


@contextmanager
def _explained(fault: str) -> Iterator[None]:
    """Raises a ValueError that says what a network cannot do, and why."""
    try:
        yield
    except (tf.errors.OpError, TypeError, ValueError) as error:
        raise ValueError(f"{fault}: {graph.reason(error)}.") from None


def losses_of(losses: Losses | None, stage: str) -> dict[str, tuple[Loss, float]]:
    """Returns those terms that a stage has: those named `STAGE.TERM`, and those without a stage.

    Raises:
        ValueError: If a name is taken, or a weight is no number.
    """
    found: dict[str, tuple[Loss, float]] = {}
    for name, term in (losses or {}).items():
        of, _, short = name.rpartition(".")
        if of and of not in _STAGES:
            raise ValueError(
                f"losses has {name!r}; expected a name, or pretrain. or adversarial. before it."
            )
        if short in TERMS + _LOGGED:
            raise ValueError(f"losses has {name!r}, which is a term already; take another name.")
        try:
            function, weight = term
        except (TypeError, ValueError):
            raise ValueError(f"losses[{name!r}] is no (function, weight).") from None
        if not callable(function) or not np.isfinite(weight):
            raise ValueError(f"losses[{name!r}] is {term!r}; expected a function and a number.")
        if of in ("", stage):
            found[short] = function, float(weight)
    return found


def describe(
    generator: keras.Model | None, discriminator: keras.Model | None, losses: Losses | None
) -> dict[str, str]:
    """Returns what a run says of these, and compares when it goes on."""
    said = {}
    for role, model in (("generator", generator), ("discriminator", discriminator)):
        if model is not None:
            shapes = repr([tuple(weight.shape) for weight in model.weights]).encode()
            said[role] = f"{type(model).__name__} {hashlib.sha256(shapes).hexdigest()[:16]}"
    for name, (function, weight) in (losses or {}).items():
        said[f"losses.{name}"] = (
            f"{getattr(function, '__name__', type(function).__name__)} {weight:g}"
        )
    return said
