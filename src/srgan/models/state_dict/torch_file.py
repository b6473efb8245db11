"""Reads what `torch.save` writes: a pickle of names and shapes, and the values beside it.

Since PyTorch 1.6 as an archive that is not compressed, before as one stream.
"""

import io
import struct
import zipfile
from functools import cache, partial
from typing import Any

import numpy as np

from srgan.models.state_dict.pickled import Name, unpickle
from srgan.models.state_dict.tensors import DTYPES, Damaged, Storage

_MAX_PICKLE = 2**22  # bytes: names and shapes alone; models have a tenth of it
_MAX_ENTRIES = 100_000
_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
_LEGACY = b"\x80\x02\x8a\x0a" + _MAGIC + b"."
_STORAGES = {
    **{"DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16"},
    **{"BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32"},
    **{"ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8"},
    "BoolStorage": "bool",
}


def is_zip(data: bytes) -> bool:
    """Whether a file begins as an archive."""
    return data.startswith(b"PK\x03\x04")


def is_legacy(data: bytes) -> bool:
    """Whether a file begins as the format before PyTorch 1.6, or as any pickle."""
    return data.startswith(b"\x80") and len(data) > 1 and data[1] <= 5


def read_zip(data: bytes) -> Any:
    """Returns what is in an archive: containers, numbers, texts and `StoredTensor`.

    Raises:
        Damaged: If it is no such archive, or holds anything else.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = {entry.filename: entry for entry in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, OSError) as error:
        raise Damaged(f"is an archive that is damaged ({error}). Download it again.") from None
    if any(name.partition("/")[2] == "constants.pkl" for name in entries):
        raise Damaged("is a TorchScript program, which is not run. Save the model's state_dict.")
    _check(entries, data)
    pickles = [name for name in entries if name.partition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        shown = ", ".join(repr(name[:40]) for name in list(entries)[:4])
        raise Damaged(
            f"is an archive without one data.pkl, as torch.save makes it; it has {shown}."
        )
    root = pickles[0].removesuffix("data.pkl")
    contents = partial(_contents, archive, entries)
    if f"{root}byteorder" in entries and contents(f"{root}byteorder") != b"little":
        raise Damaged("was written by a machine of another byte order. Save it on a common one.")

    @cache
    def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        found = contents(f"{root}data/{key}")
        if len(found) != count * dtype.itemsize:
            raise Damaged(
                f"has {len(found)} bytes where {count} values of {dtype.itemsize} bytes are said "
                "to be. It is damaged, or made to mislead."
            )
        return np.frombuffer(found, dtype)

    if entries[pickles[0]].file_size > _MAX_PICKLE:
        raise Damaged(f"lists its contents in more than {_MAX_PICKLE >> 20} MiB. Is it a model?")
    pickle = contents(pickles[0])

    def open_storage(kind: Name, key: str, count: int) -> Storage:
        return Storage(partial(storage, key, _dtype(kind), count))

    return unpickle(pickle, open_storage).value


def read_legacy(data: bytes) -> Any:
    """Returns the same of a stream.

    Raises:
        Damaged: Likewise.
    """
    if not data.startswith(_LEGACY):
        raise Damaged("is a pickle, but not of torch.save: expected weights of PyTorch.")
    dtypes: dict[str, np.dtype] = {}
    places: dict[str, tuple[int, int]] = {}

    def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        start, there = places.get(key, (0, -1))
        if there != count or dtype != dtypes[key]:
            raise Damaged("has storages of other sizes than it says. It is damaged.")
        return np.frombuffer(data, dtype, count, start)

    def open_storage(kind: Name, key: str, count: int) -> Storage:
        dtypes[key] = _dtype(kind)
        return Storage(partial(storage, key, dtypes[key], count))

    at, found = len(_LEGACY), []
    for _ in range(4):  # version of the format, of the machine, what was saved, its storages
        found.append(unpickle(data[at : at + _MAX_PICKLE], open_storage))
        at += found[-1].size
    keys = found[3].value
    if not isinstance(keys, list) or not all(str(key) in dtypes for key in keys):
        raise Damaged("has values that nothing names. It is damaged: download it again.")
    for key in map(str, keys):
        count = int.from_bytes(data[at : at + 8], "little")
        places[key] = at + 8, count
        at += 8 + count * dtypes[key].itemsize
        if at > len(data):
            raise Damaged("ends before its values do. Download it again.")
    return found[2].value


def _check(entries: dict[str, zipfile.ZipInfo], data: bytes) -> None:
    """Raises if an archive is one that grows when it is read."""
    if len(entries) > _MAX_ENTRIES:
        raise Damaged(f"is an archive of {len(entries):,} files. Is it a model?")
    for entry in entries.values():
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise Damaged(
                f"is a compressed archive ({entry.filename[:40]!r}); torch.save compresses "
                "nothing. If a model is inside, unpack it first."
            )
    total = sum(entry.file_size for entry in entries.values())
    if total > len(data):
        raise Damaged(f"says that it holds {total:,} bytes, in a file of {len(data):,}.")


def _contents(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    if name not in entries:
        raise Damaged(f"has no part {name[:80]!r}, which it names. Download it again.")
    try:
        found = archive.read(entries[name])
    except Exception as error:  # of which zipfile documents few
        raise Damaged(f"is damaged in {name[:80]!r} ({error}). Download it again.") from None
    if len(found) != entries[name].file_size:
        raise Damaged(f"is cut short in {name[:80]!r}. Download it again.")
    return found


def _dtype(kind: Any) -> np.dtype:
    name = kind.name if isinstance(kind, Name) and kind.module == "torch" else ""
    if name not in _STORAGES:
        raise Damaged(f"has values of the type {str(kind)[:80]}; expected numbers.")
    return np.dtype(DTYPES[_STORAGES[name]])
