"""Reads the two files of an ncnn network: layers in a .param, weights in a .bin.

The layout is documented at https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure and
https://github.com/Tencent/ncnn/wiki/operators. Of its layers, those are known that RRDBNet and
SRVGGNetCompact are made of; each byte of both files has to have a meaning.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

_MAGIC = "7767517"
_MAX_PARAM = 2**22  # bytes; RRDBNet, whose layers are many, has a fortieth
_MAX_LAYERS = 20_000
_HALF, _FULL = 0x01306B47, 0  # what comes before weights: float16, or float32
_ARRAY = -23300  # keys of lists are this, minus the key

Parameters = Mapping[int, float | list[float]]


class Layer(NamedTuple):
    """A line of a .param file.

    Attributes:
        kind: What it computes.
        name: Of the layer.
        inputs: Names of what it takes.
        outputs: Names of what it gives.
        parameters: Numbers by key; lists by the key that the documentation gives them.
        weights: In the order of the .bin file: kernel and bias, or slopes.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Parameters
    weights: tuple[np.ndarray, ...] = ()

    def integer(self, key: int, default: int = 0) -> int:
        """Returns a parameter that is a whole number."""
        value = self.parameters.get(key, default)
        if isinstance(value, list) or value != int(value):
            raise ValueError(f"layer {self.name!r} has {value} as parameter {key}")
        return int(value)


def files_of(path: Path) -> tuple[Path, Path]:
    """Returns the .param and the .bin file of a network, given either.

    Raises:
        FileNotFoundError: If one of them is missing.
    """
    param, weights = path.with_suffix(".param"), path.with_suffix(".bin")
    for file in (param, weights):
        if not file.is_file():
            raise FileNotFoundError(
                f"{path} is half of an ncnn model: there is no {file.name} beside it. Copy that, "
                "too."
            )
    return param, weights


def read(path: Path) -> list[Layer]:
    """Returns the layers of a network with their weights; float16 stays so.

    Args:
        path: Its .param or its .bin file.

    Raises:
        FileNotFoundError: If one of them is missing.
        ValueError: If they are damaged, do not belong together, or have layers of other kinds.
    """
    param, weights = files_of(path)
    if param.stat().st_size > _MAX_PARAM:
        raise ValueError(f"{param} has more than {_MAX_PARAM >> 20} MiB. Is it an ncnn network?")
    if weights.stat().st_size > 2**31:
        raise ValueError(f"{weights} has more than 2 GiB. Is it of an ncnn network?")
    try:
        layers = _layers(param.read_bytes())
    except ValueError as error:
        raise ValueError(f"{param} is no ncnn network that can be read: {error}.") from None
    try:
        return list(_with_weights(layers, weights.read_bytes()))
    except ValueError as error:
        raise ValueError(
            f"{weights} does not hold the weights of {param.name}: {error}. They do not belong "
            "together, or one is damaged."
        ) from None


def _layers(data: bytes) -> list[Layer]:
    if data[:4] == int(_MAGIC).to_bytes(4, "little"):
        raise ValueError("it is in the binary form, .param.bin; take the .param file of text")
    lines = [line.split() for line in data.decode("ascii", "replace").splitlines() if line.strip()]
    if not lines or lines[0] != [_MAGIC]:
        raise ValueError(f"it does not begin with {_MAGIC}")
    if len(lines) < 2 or not all(re.fullmatch(r"\d{1,6}", word) for word in lines[1]):
        raise ValueError("it does not say how many layers it has")
    if len(lines) - 2 != int(lines[1][0]) or len(lines) > _MAX_LAYERS:
        raise ValueError(f"it says that it has {lines[1][0]} layers, and has {len(lines) - 2}")
    return [_layer(words) for words in lines[2:]]


def _layer(words: list[str]) -> Layer:
    shown = " ".join(words)[:60]
    try:
        kind, name, takes, gives, *rest = words
        inputs, outputs = int(takes), int(gives)
        if min(inputs, outputs) < 0 or inputs + outputs > len(rest):
            raise ValueError
        blobs, pairs = rest[: inputs + outputs], rest[inputs + outputs :]
        parameters = dict(map(_parameter, pairs))
    except (ValueError, OverflowError):
        raise ValueError(f"the line {shown!r} is damaged") from None
    return Layer(kind, name, tuple(blobs[:inputs]), tuple(blobs[inputs:]), parameters)


def _parameter(pair: str) -> tuple[int, float | list[float]]:
    key, _, text = pair.partition("=")
    number = int(key)
    if number > _ARRAY:
        return number, _finite(text)
    count, *values = map(_finite, text.split(","))
    if count != len(values):
        raise ValueError
    return _ARRAY - number, values


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) < 2**53:
        raise ValueError
    return value


class _Bytes:
    """The contents of a .bin file, from one weight to the next."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def take(self, dtype: type, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self._at + size > len(self._data):
            raise ValueError("it ends too early")
        values = np.frombuffer(self._data, dtype, count, self._at)
        self._at += size
        return values

    def take_kernel(self, count: int) -> np.ndarray:
        """Weights that may be float16, and then end at a multiple of four bytes."""
        flag = int(self.take(np.uint32, 1)[0])
        if flag == _HALF:
            values = self.take(np.float16, count)
            self.take(np.float16, count % 2)
            return values
        if flag == _FULL:
            return self.take(np.float32, count)
        raise ValueError(
            f"weights are stored as {flag:#010x}; expected float16 or float32, not int8"
        )

    @property
    def left(self) -> int:
        return len(self._data) - self._at


def _with_weights(layers: list[Layer], data: bytes) -> Iterator[Layer]:
    stored = _Bytes(data)
    for layer in layers:
        weights: tuple[np.ndarray, ...] = ()
        if layer.kind == "Convolution":
            weights = (stored.take_kernel(layer.integer(6)),)
            if layer.integer(5):
                weights = (*weights, stored.take(np.float32, layer.integer(0)))
        elif layer.kind == "PReLU":
            weights = (stored.take(np.float32, layer.integer(0)),)
        if not all(np.isfinite(values).all() for values in weights):
            raise ValueError(f"{layer.name!r} has weights that are not numbers")
        yield layer._replace(weights=weights)
    if stored.left:
        raise ValueError(f"{stored.left} bytes are left over")
