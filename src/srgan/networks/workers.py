"""Workers: processes that train one network together, each on its part of every batch.

The environment variable TF_CONFIG names them, as TensorFlow, SLURM scripts and Ray Train set it.
Each has variables of its own, which stay equal: they begin equal, and what changes them is the mean
over all workers, by collective operations. Without TF_CONFIG a process is alone, and means are what
they were.

Not by `tf.distribute`'s mirrored variables: `fit` computes the step that a single process does, and
both networks learn in branches of a `tf.cond`, where a strategy cannot merge its replicas.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count as counter
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from srgan.networks import meeting

_GROUP = 77_000  # key of the collective operations of one kind of device; that of CPUs is the next


class Disagreement(ValueError):
    """Workers differ in what they have to have in common, or one of them could not begin."""


class _Place(NamedTuple):
    """A process among all."""

    rank: int
    among: int


class _Group:
    """All workers, of which this process is one."""

    def __init__(self, place: _Place) -> None:
        self.place = place
        try:
            # It starts this process' server, waits for the others, and watches over them.
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise RuntimeError(
                "Workers have to find each other before TensorFlow computes anything; call "
                "srgan.train.join() first in the program, before a network is made."
            ) from error
        self._token = tf.Variable(tf.zeros(()), trainable=False)  # keeps operations in one order
        self._keys = counter(1)

    def add(self, tensor: tf.Tensor, group: int = _GROUP) -> tf.Tensor:
        """The sum over all workers."""
        operation: Any = tf.raw_ops.CollectiveReduceV2
        return operation(
            input=tensor,
            group_size=self.place.among,
            group_key=group,
            instance_key=next(self._keys),
            ordering_token=[self._token.handle],
            merge_op="Add",
            final_op="Id",
        )


_joined: _Group | None = None
_alone = 0


def join() -> None:
    """Finds the other workers, if TF_CONFIG names any; waits for them, and does so once.

    Raises:
        RuntimeError: If TensorFlow has computed something before.
        ValueError: If TF_CONFIG is wrong.
        TimeoutError: If some did not come within ten minutes.
    """
    global _joined
    text = os.environ.get("TF_CONFIG", "")
    place = _place(text)
    if _joined is None and place.among > 1:
        jobs = json.loads(text)["cluster"]
        meeting.meet([*jobs.get("chief", []), *jobs.get("worker", [])], place.rank)
        _joined = _Group(place)


def _place(text: str) -> _Place:
    """This process' place among the workers of a TF_CONFIG."""
    if not text.strip():
        return _Place(0, 1)
    try:
        table = json.loads(text)
        jobs = table.get("cluster", {})
        before = len(jobs.get("chief", []))
        task = table.get("task", {"type": "worker", "index": 0})
        kind, index = task["type"], int(task["index"])
        every = before + len(jobs.get("worker", []))
        if {*jobs} - {"chief", "worker"} or kind not in ("chief", "worker"):
            raise ValueError
        rank = index + (before if kind == "worker" else 0)
        if every > 1 and not 0 <= rank < every:
            raise ValueError
        return _Place(rank, every) if every > 1 else _Place(0, 1)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(
            f"TF_CONFIG={text} does not name the workers of a training; expected as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}.'
        ) from None


def count() -> int:
    """Returns how many workers there are; 1 in a process that is alone, or in `alone`."""
    return _joined.place.among if _joined and not _alone else 1


def rank() -> int:
    """Returns the number of this worker, from 0 on; the first one leads, and writes the files."""
    return _joined.place.rank if _joined else 0


def leads() -> bool:
    """Whether this is the worker that writes what a training leaves."""
    return rank() == 0


@contextmanager
def alone() -> Iterator[None]:
    """Computes as if there were no other worker, until the block ends."""
    global _alone
    _alone += 1
    try:
        yield
    finally:
        _alone -= 1


def mean(*tensors: Any) -> list:
    """Returns the mean over all workers of some tensors, in one operation; it has a gradient.

    Example:
        >>> [float(one) for one in mean(tf.constant(2.0), tf.constant(3.0))]
        [2.0, 3.0]
    """
    if count() == 1:
        return [*tensors]
    flat = tf.concat([tf.reshape(tf.cast(one, tf.float32), [-1]) for one in tensors], 0)
    parts = tf.split(_differentiable_mean(flat), [_size(one) for one in tensors])
    return [
        tf.cast(tf.reshape(part, tf.shape(one)), one.dtype)
        for part, one in zip(parts, map(tf.convert_to_tensor, tensors), strict=True)
    ]


def _size(tensor: Any) -> Any:
    size = tf.convert_to_tensor(tensor).shape.num_elements()
    return tf.size(tensor) if size is None else size


def _mean(flat) -> Any:
    assert _joined
    made = _joined.add(flat) / float(_joined.place.among)
    return made, _differentiable_mean  # each has its share in the means of all others


_differentiable_mean: Any = tf.custom_gradient(_mean)


def means(tensors: Sequence[Any]) -> list:
    """Returns `mean` of tensors of which some may be None, which stay so."""
    there = iter(mean(*[one for one in tensors if one is not None]))
    return [None if one is None else next(there) for one in tensors]


def any_of(*flags: bool) -> list[bool]:
    """Returns of each flag whether it is set in any worker."""
    if count() == 1:
        return [*flags]
    return (np.asarray(_sum(tf.constant([float(one) for one in flags]))) > 0).tolist()


def share(variables: Sequence[Any]) -> None:
    """Sets variables of all workers to what the first one has."""
    if count() == 1:
        return
    for variable in variables:  # one by one: no second copy of them all
        value = tf.cast(tf.convert_to_tensor(variable), tf.float64)
        own = value if leads() else tf.zeros_like(value)
        variable.assign(tf.cast(_sum(own), variable.dtype))


def agree(**facts: Any) -> None:
    """Compares what each worker has to have in common with the others.

    Args:
        facts: By name, as strings, numbers, or mappings of such.

    Raises:
        Disagreement: If they differ; in all workers.
    """
    said = [json.loads(text) for text in gather(json.dumps(facts, default=str))]
    for number, one in enumerate(said):
        if "error" in one:
            raise Disagreement(f"Worker {number} cannot begin: {one['error']}")
    for number, one in enumerate(said[1:], 1):
        differing = [*_differences(said[0], one)]
        if differing:
            raise Disagreement(
                f"Worker {number} is not as worker 0: {'; '.join(differing[:3])}. All need the "
                "same photos, configuration, weights and versions."
            )


def _differences(first: Any, other: Any, name: str = "") -> Iterator[str]:
    """What differs, with both values."""
    if isinstance(first, Mapping) and isinstance(other, Mapping):
        for key in {**first, **other}:
            yield from _differences(first.get(key), other.get(key), f"{name} {key}".strip())
    elif first != other:
        yield f"{name} is {other}, and {first} there"


@contextmanager
def together() -> Iterator[None]:
    """Tells the other workers, in their next `agree`, if this one fails in the block."""
    try:
        yield
    except Disagreement:
        raise
    except Exception as error:
        gather(json.dumps({"error": str(error)}))
        raise


def gather(text: str) -> list[str]:
    """Returns the texts of all workers, in their order."""
    if count() == 1:
        return [text]
    mine = np.frombuffer(text.encode(), np.uint8)
    sizes = np.zeros(count())
    sizes[rank()] = len(mine)
    sizes = np.asarray(_sum(tf.constant(sizes))).astype(int)
    table = np.zeros((count(), sizes.max()))
    table[rank(), : len(mine)] = mine
    table = np.asarray(_sum(tf.constant(table))).astype(np.uint8)
    return [row[:size].tobytes().decode() for row, size in zip(table, sizes, strict=True)]


_sums: dict[tuple, Any] = {}


def _sum(tensor: tf.Tensor) -> tf.Tensor:
    """The sum over all workers, by one graph for each shape: each call with a key would leak it."""
    kind = (tuple(tensor.shape), tensor.dtype)
    if kind not in _sums:
        _sums[kind] = tf.function(_add).get_concrete_function(tensor)
    return _sums[kind](tensor)


def _add(tensor: tf.Tensor) -> tf.Tensor:
    assert _joined
    with tf.device("CPU:0"):
        return _joined.add(tensor, _GROUP + 1)
