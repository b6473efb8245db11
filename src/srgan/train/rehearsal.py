"""A step of a stage, computed and taken back: what cannot work fails before the first."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from srgan.networks import workers
from srgan.train.stage import Stage, UnusableTerm


def rehearse(stage: Stage, batch: Sequence[np.ndarray]) -> None:
    """Computes a step, and takes it back.

    Args:
        stage: What will learn.
        batch: Of the stage's patch.

    Raises:
        UnusableTerm: If a caller's term cannot be computed, is no finite scalar, or has no gradient
            though it has a weight.
        ValueError: If another term of the loss is not finite.
    """
    before = {name: np.array(variable) for name, variable in stage.state().items()}
    stage.advance_to_trial()
    terms = _try(stage, batch)
    for name, variable in stage.state().items():
        variable.assign(before[name])
    for term, value in terms.items():
        kind = UnusableTerm if term in stage.own_losses else ValueError
        if np.ndim(value):
            raise kind(f"the loss term {term!r} has the shape {np.shape(value)}, not ()")
        if not np.isfinite(value):
            raise kind(f"the loss term {term!r} is {float(value)}")
    if level := _level_terms(stage, tf.convert_to_tensor(batch[1])):
        raise UnusableTerm(
            f"the loss term {level[0]!r} teaches the generator nothing, for it has no gradient "
            "with respect to sr: it does not depend on sr, or only through what has none, as "
            "rounding, comparing, whole numbers or stop_gradient"
        )


def _try(stage: Stage, batch: Sequence[np.ndarray]) -> dict:
    """Computes a step by the graph of `fit`, which has it from then on.

    Without that graph if there are other workers, who would have to compute too; or if it fails,
    since only then the error says plainly what is wrong.
    """
    tensors = tuple(map(tf.convert_to_tensor, batch))
    unusable = None
    if workers.count() == 1:
        stage.compile()
        step = stage.make_train_function()
        any_count = tuple(tf.TensorSpec((None, *one.shape[1:])) for one in tensors)
        one = tf.data.Dataset.from_generator(lambda: [tensors], output_signature=any_count)
        try:
            return step(iter(one))
        except UnusableTerm as error:
            unusable = error
        except (tf.errors.OpError, ValueError):
            pass
    with workers.alone():
        terms = stage.learn(tensors)
    if unusable:  # in a graph alone, as what is computed by NumPy
        raise unusable
    return terms


def _level_terms(stage: Stage, hr) -> list[str]:
    """The names of the caller's terms that have a weight, and no gradient whatever sr is."""
    found = []

    def note(hr, sr):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(sr)
            terms = stage.own_terms(hr, sr)
        for name, term in terms.items():
            if stage.own_losses[name][1] and tape.gradient(term, sr) is None:
                found.append(name)

    if stage.own_losses:
        hr = stage.seen(hr)
        # In a graph, as in training, which is made and not run.
        tf.function(note, autograph=False).get_concrete_function(hr, hr)
    return found
