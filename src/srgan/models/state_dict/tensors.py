"""A tensor as a file describes it, whose values are looked up when they are asked for."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_MAX_DIMENSIONS = 8
_MAX_COUNT = 2**48
DTYPES = {  # by PyTorch's names; bfloat16, which NumPy lacks, by its bits
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "bfloat16": "<V2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "<i1",
    "uint8": "<u1",
    "bool": "|b1",
}


class Damaged(ValueError):
    """What is wrong with a file, as the rest of a sentence that begins with its name."""


class Storage(NamedTuple):
    """Values that one or more tensors are in.

    Attributes:
        read: Returns them, in one dimension.
    """

    read: Callable[[], np.ndarray]


class StoredTensor(NamedTuple):
    """Where the values of a tensor are.

    Attributes:
        storage: What they are in.
        offset: Of the first one.
        shape: Of the tensor.
        strides: Steps along each axis, in values.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """Returns the values, which cannot be written to.

        Raises:
            Damaged: If they would lie outside the storage, or be more than it has.
        """
        storage = self.storage.read()
        shape, strides = self.shape, self.strides
        numbers = (self.offset, *shape, *strides)
        if len(shape) > _MAX_DIMENSIONS or not 0 <= min(numbers) <= max(numbers) < _MAX_COUNT:
            raise Damaged(f"has a tensor of {len(shape)} sides or sizes that cannot be.")
        count = math.prod(shape)
        last = self.offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        # A few values, repeated without end, would fill any memory once they are copied.
        if count and (last >= len(storage) or count > len(storage)):
            raise Damaged(
                f"has a tensor of shape {shape} in {len(storage)} values. It is cut short, or made "
                "to mislead."
            )
        if not count:
            return np.zeros(shape, storage.dtype if storage.dtype.kind != "V" else np.float32)
        width = storage.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(
            storage[self.offset :], shape, [step * width for step in strides], writeable=False
        )
        return _float32(view) if storage.dtype.kind == "V" else view


def _float32(bits: np.ndarray) -> np.ndarray:
    """Values of bfloat16, which are the upper half of a float32's bits."""
    widened = np.ascontiguousarray(bits).view(np.uint16).astype(np.uint32) << 16
    values = widened.view(np.float32)
    values.flags.writeable = False
    return values
