"""The batches of a stage as a stream that can begin at any step: of photos, or of a caller's own.

Batch k is the same wherever the stream begins, so that a run can be resumed exactly. Where
workers share it, worker r of n gets its crops r, r + n, r + 2 n and so on.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from srgan.networks import workers
from srgan.train import batches, config, data, mixing
from srgan.train.teaching import Lessons

Batch = tuple[np.ndarray, ...]
Batches = tf.data.Dataset | Callable[[int], Iterable]
"""Batches `(lr, hr)` of a caller: a data set, or a function of the step that they begin at."""

_WHOLE = slice(None)
_AHEAD = 4  # batches that are made while a step is computed
WORKERS = 2


class Stream(Protocol):
    """Batches of one stage.

    Attributes:
        error: What ended the stream before its end.
    """

    error: Exception | None

    def head(self, count: int) -> list[Batch]:
        """Returns the first batches."""
        ...

    def dataset(self, start: int, stop: int) -> tf.data.Dataset:
        """Returns this worker's part of the batches from step `start` on.

        Each is made while the step before is computed.
        """
        ...

    def waited(self) -> float:
        """Returns the mean seconds between batches that were made since this was last called."""
        ...


def _part() -> slice:
    """Those crops of a batch that are this worker's."""
    return slice(workers.rank(), None, workers.count())


class _Clock:
    """Adds up the time that batches take."""

    def __init__(self, workers: int) -> None:
        self._workers, self._seconds, self._count = workers, 0.0, 0

    def time(self, make: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = make()
        self._seconds += time.perf_counter() - began
        self._count += 1
        return made

    def mean(self) -> float:
        mean = self._seconds / max(self._count, 1) / self._workers
        self._seconds, self._count = 0.0, 0
        return mean


class PhotoStream:
    """Crops of photos, of which a teacher may have seen the first of each batch.

    Args:
        photos: Where crops are cut from.
        lessons: What a teacher made of crops; None without one.
        schedule: Of the stage.
        taught: How many crops of a batch come from the lessons.
        settings: Of the run.
    """

    def __init__(
        self,
        photos: data.Photos,
        lessons: Lessons | None,
        schedule: config.Schedule,
        taught: int,
        settings: config.Config,
    ) -> None:
        self.error: Exception | None = None
        self._photos, self._lessons, self._schedule = photos, lessons, schedule
        self._taught, self._seed = taught, settings.seed
        self._clock = _Clock(WORKERS)

    def head(self, count):
        return [self._batch(k) for k in range(count)]

    def waited(self):
        return self._clock.mean()

    def dataset(self, start, stop):
        patch = self._schedule.hr_patch
        sides = [patch // self._photos.scale, patch, *([patch] if self._taught else [])]

        def with_shape(k):
            arrays = tf.numpy_function(self._timed, [k], [tf.float32] * len(sides))
            return tuple(
                tf.ensure_shape(array, (None, side, side, 3))  # any count, as in a rehearsal
                for array, side in zip(arrays, sides, strict=True)
            )

        numbers = tf.data.Dataset.range(start, stop)
        return numbers.map(with_shape, WORKERS, deterministic=True).prefetch(_AHEAD)

    def _timed(self, k: int) -> Batch:
        return self._clock.time(partial(self._batch, k, _part()))

    def _batch(self, k: int, part: slice = _WHOLE) -> Batch:
        if not (self._schedule.cutblur or self._schedule.mixup):
            return self._crops(k, part)
        return tuple(array[part] for array in self._mixed(k))  # with crops of other parts

    def _mixed(self, k: int) -> Batch:
        lr, hr, *pictures = self._crops(k, _WHOLE)
        rng = np.random.default_rng((self._seed, int(k), 1))
        if self._schedule.cutblur:
            lr = mixing.cutblur(lr, hr, rng, self._schedule.cutblur)
        if rng.random() < self._schedule.mixup:
            lr, hr = mixing.mixup((lr, hr), rng)
        return lr, hr, *pictures

    def _crops(self, k: int, part: slice) -> Batch:
        schedule, taught = self._schedule, self._taught
        cut = partial(
            batches.batch,
            k=int(k),
            seed=self._seed,
            hr_patch=schedule.hr_patch,
            candidates=schedule.crop_candidates,
            part=part,
        )
        others = schedule.batch_size - taught
        if not taught:
            return cut(self._photos, batch_size=others)
        assert self._lessons is not None
        lr, hr, pictures = cut(self._lessons, batch_size=taught)
        if others:
            more = cut(self._photos, batch_size=others)
            lr, hr = (np.concatenate(both) for both in zip((lr, hr), more, strict=True))
        return lr, hr, pictures


class OwnStream:
    """Batches `(lr, hr)` that a caller makes, each of which is checked.

    Args:
        source: Where they come from.
        stage: Its name.
        steps: That it has.
        scale: Factor from lr to hr.
        smallest: Side that hr must have.

    Raises:
        TypeError: If they can come from nowhere.
        ValueError: If the first batch cannot be used, or there are fewer than steps.
    """

    def __init__(self, source: Batches, stage: str, steps: int, scale: int, smallest: int) -> None:
        self.error: Exception | None = None
        self._source, self._stage, self._steps = source, stage, steps
        self._scale, self._smallest = scale, smallest
        self._clock = _Clock(1)
        if not isinstance(source, tf.data.Dataset) and not callable(source):
            raise TypeError(
                f"The data set for {stage} is a {type(source).__name__}; expected a "
                "tf.data.Dataset, or a function of a step that returns an iterator of the batches "
                "from there on, as `lambda step: iter(batches[step:])`."
            )
        if isinstance(source, tf.data.Dataset):
            count = int(source.cardinality())
            if 0 <= count < steps:
                raise self._ended(count)
        self._shape: tuple[int, ...] | None = None
        (first,) = self.head(1)
        self._shape = first[0].shape[1:3]

    def head(self, count):
        return [*self._checked(0, min(count, self._steps))]

    def waited(self):
        return self._clock.mean()

    def dataset(self, start, stop):
        assert self._shape
        height, width = self._shape
        shapes = (height, width), (self._scale * height, self._scale * width)
        signature = tuple(tf.TensorSpec((None, *shape, 3)) for shape in shapes)

        def numbered() -> Iterator[Batch]:
            try:
                for batch in self._checked(start, stop):
                    yield tuple(array[_part()] for array in batch)
            except Exception as error:  # whatever a caller's code raises; `fit` would rename it
                self.error = error
                raise

        made = tf.data.Dataset.from_generator(numbered, output_signature=signature)
        return made.prefetch(_AHEAD)

    def _checked(self, start: int, stop: int) -> Iterator[Batch]:
        if isinstance(self._source, tf.data.Dataset):
            found = iter(self._source.skip(start).as_numpy_iterator())
        else:
            found = iter(self._source(start))
        for k in range(start, stop):
            batch = self._clock.time(lambda: next(found, None))
            if batch is None:
                raise self._ended(k)
            yield self._check(k, batch)

    def _ended(self, count: int) -> ValueError:
        alone = ", those of the discriminator alone included" * (self._stage == "adversarial")
        return ValueError(
            f"The data set ended after {count} batches, and the stage {self._stage} has "
            f"{self._steps} steps{alone}. Let it go on, as dataset.repeat() does, or train for "
            "fewer."
        )

    def _check(self, k: int, batch: Any) -> Batch:
        where = f"Batch {k} of the data set for {self._stage}"
        try:
            lr, hr = (np.asarray(array, np.float32) for array in batch)
        except (TypeError, ValueError):
            raise ValueError(
                f"{where} is no pair of arrays (lr, hr); got {type(batch).__name__}."
            ) from None
        expected = "expected lr (batch, height, width, 3), and hr as many"
        if lr.ndim != 4 or lr.shape[3] != 3 or not lr.size:
            raise ValueError(f"{where} has lr of shape {lr.shape}; {expected}.")
        count, height, width, _ = lr.shape
        if hr.shape != (count, self._scale * height, self._scale * width, 3):
            raise ValueError(
                f"{where} has lr {lr.shape} and hr {hr.shape}; {expected}, {self._scale} times as "
                "large."
            )
        if count % workers.count():
            raise ValueError(
                f"{where} has {count} crops, which {workers.count()} workers cannot share; "
                "expected a multiple."
            )
        if self._shape and (height, width) != self._shape:
            raise ValueError(
                f"{where} has lr of {height}x{width}, and the first one {self._shape[0]}x"
                f"{self._shape[1]}; expected crops of one size."
            )
        if min(hr.shape[1:3]) < self._smallest:
            raise ValueError(
                f"{where} has hr crops of {hr.shape[1]}x{hr.shape[2]}; expected sides of at least "
                f"{self._smallest}, the window that the losses see."
            )
        for name, array in (("lr", lr), ("hr", hr)):
            if not np.isfinite(array).all():
                raise ValueError(f"{where} has values in {name} that are not finite, as NaN.")
            if array.min() < -0.5 or array.max() > 1.5:
                raise ValueError(
                    f"{where} has {name} from {array.min():.4g} to {array.max():.4g}; expected "
                    "about 0 to 1: divide 8-bit values by 255."
                )
        return lr, hr


class Choice(NamedTuple):
    """A caller's data set of each stage; None for crops of the photos."""

    pretrain: Batches | None = None
    adversarial: Batches | None = None


def choose(dataset: Batches | Mapping[str, Batches] | None) -> Choice:
    """Returns the data set of each stage, of one for both or of a mapping by stage.

    Raises:
        ValueError: If there is no such stage.
    """
    if not isinstance(dataset, Mapping):
        return Choice(dataset, dataset)
    if unknown := sorted({*dataset} - {*Choice._fields}):
        raise ValueError(f"dataset has {unknown[0]!r}; expected pretrain or adversarial.")
    return Choice(**dataset)
