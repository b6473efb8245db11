"""Reads the format of https://github.com/huggingface/safetensors: a header in JSON, then values."""

import json
from functools import partial
from typing import Any

import numpy as np

from srgan.models.state_dict.tensors import DTYPES, Damaged, Storage, StoredTensor

MAX_HEADER = 2**24  # bytes; the format allows six times as much, and models need a hundredth
_NAMES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8"},
    "BOOL": "bool",
}


def is_safetensors(data: bytes) -> bool:
    """Whether a file begins as one."""
    return data[8:9] == b"{"


def read(data: bytes) -> dict[str, StoredTensor]:
    """Returns the tensors in a file's contents, by name.

    Raises:
        Damaged: If the header contradicts itself or the file's size.
    """
    header, at = _header(data)
    header.pop("__metadata__", None)
    tensors = {name: _tensor(name, entry, data, at) for name, entry in header.items()}
    end = 0
    for begin, stop in sorted(entry["data_offsets"] for entry in header.values()):
        if begin != end:
            raise Damaged(
                f"says that a tensor begins at byte {begin}, where the one before ends at {end}: "
                "its header is wrong. Download it again."
            )
        end = stop
    return tensors


def texts(data: bytes) -> dict[str, str]:
    """Returns the texts in the header.

    Raises:
        Damaged: Likewise.
    """
    found = _header(data)[0].get("__metadata__", {})
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The header, and where the values begin."""
    size = int.from_bytes(data[:8], "little")
    if size > min(MAX_HEADER, len(data) - 8):
        raise Damaged(
            f"says that its header has {size:,} bytes, and has {len(data):,} in all. It is cut "
            "short, or no safetensors file."
        )
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"has a header that is no valid JSON ({error}). Download it again.") from None
    if not isinstance(header, dict):
        raise Damaged("has a header that lists no tensors. Download it again.")
    return header, 8 + size


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _tensor(name: str, entry: Any, data: bytes, at: int) -> StoredTensor:
    try:
        dtype = np.dtype(DTYPES[_NAMES[entry["dtype"]]])
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
            raise ValueError("offsets or sides that are no natural numbers")
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error)[:80]
        raise Damaged(f"says of {name[:80]!r} what cannot be read ({reason}).") from None
    count, rest = divmod(end - begin, dtype.itemsize)
    strides, needed = [], 1
    for side in reversed(shape[:8]):
        strides.append(needed)
        needed *= side
    if not 0 <= begin <= end <= len(data) - at or rest or needed != count:
        raise Damaged(
            f"says that {name[:80]!r} of {needed} values lies in bytes {begin} to {end} of "
            f"{len(data) - at}: it is cut short, or its header is wrong. Download it again."
        )
    storage = Storage(partial(np.frombuffer, data, dtype, count, at + begin))
    return StoredTensor(storage, 0, shape, tuple(reversed(strides)))
