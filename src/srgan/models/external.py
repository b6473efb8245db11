"""ONNX super-resolution models of other projects: what they take and give is found by trying.

Their files say no more than names and shapes. Whether a picture comes with channels first, in
[0, 1] or in 0..255, how many times larger it becomes and which sizes are allowed is found out on
a small made picture.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from srgan.models import engines
from srgan.models.metadata import PREFIX
from srgan.models.receptive_field import GlobalOperation, receptive_field
from srgan.models.requirements import SizeRequirements
from srgan.numeric import resize

if TYPE_CHECKING:
    import onnx

_PROBE = 64  # side of the picture to try with, where the model takes any size
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_RANGES = {"0..1": (1.0, 0.0), "0..255": (255.0, 0.0), "-1..1": (2.0, -1.0)}  # factor, offset
# Mean difference from the bicubic enlargement, in [0, 1]: networks come below 0.03 in the right
# range. Above this one, the result is another picture.
_UNLIKE = 0.1
_TO_YCBCR = np.array(  # of JPEG: BT.601 in the full range
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


class Specification(NamedTuple):
    """What was found out about a model.

    Attributes:
        scale: Factor from lr to sr.
        halo: lr pixels to each side that an output pixel may depend on.
        requirements: What sizes it takes.
        described: The rest in words.
    """

    scale: int
    halo: int
    requirements: SizeRequirements
    described: str


class _Adapted:
    """Makes an external model take and give float32 RGB `(batch, height, width, 3)` in [0, 1]."""

    def __init__(self, engine: engines.Engine, first: bool, channels: int, dtype: np.dtype):
        self._engine = engine
        self._first, self._channels, self._dtype = first, channels, dtype
        self.metadata: Mapping[str, str] = engine.metadata
        self.taken, self.given = _RANGES["0..1"], _RANGES["0..1"]

    def run(self, images: np.ndarray) -> np.ndarray:
        if self._channels == 3:
            return self._run(images)
        ycbcr = images @ _TO_YCBCR.T  # such models enlarge the luma, and leave colour to bicubic
        y = self._run(ycbcr[..., :1])
        colour = [resize.bicubic(image, *y.shape[1:3]) for image in ycbcr[..., 1:]]
        return np.concatenate([y, np.stack(colour)], axis=-1) @ np.linalg.inv(_TO_YCBCR).T

    def _run(self, images: np.ndarray) -> np.ndarray:
        factor, offset = self.taken
        x = (images * np.float32(factor) + np.float32(offset)).astype(self._dtype)
        if self._first:
            x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        sr = self._engine.run(x).astype(np.float32)
        if self._first:
            sr = sr.transpose(0, 2, 3, 1)
        factor, offset = self.given
        return (sr - np.float32(offset)) / np.float32(factor)


class Sight(NamedTuple):
    """How far a network sees.

    Attributes:
        halo: lr pixels to each side that an output pixel may depend on, at most.
        whole: Why it sees whole pictures alone, or "".
    """

    halo: int
    whole: str


def sight(data: bytes) -> Sight:
    """Returns how far the network in an ONNX file sees, as srgan's own say, or by its graph."""
    import onnx
    from google.protobuf.message import DecodeError

    # Nobody has checked the graph yet: of what these are raised, engines say what is wrong.
    malformed = (DecodeError, LookupError, TypeError, ValueError, ZeroDivisionError)
    try:
        model = onnx.load_model_from_string(data)
        for entry in model.metadata_props:
            if entry.key == f"{PREFIX}receptive_field":
                return Sight(int(entry.value), "")
        return Sight(receptive_field(model), "")
    except GlobalOperation as error:
        return Sight(0, str(error))
    except malformed:
        return Sight(0, "its graph cannot be followed")


def adapt(
    path: Path, engine: engines.Engine, data: bytes, seen: Sight
) -> tuple[engines.Engine, Specification]:
    """Returns an engine that takes and gives what srgan's own models do, and what was found out.

    Args:
        path: The ONNX file.
        engine: What it was opened with.
        data: What is in the file, with its weights.
        seen: How far it sees.

    Raises:
        ValueError: If it is not a super-resolution model of pictures, as far as can be seen.
    """
    import onnx  # takes longer to import than srgan itself, and only these models need it

    model = onnx.load_model_from_string(data)
    initialised = {tensor.name for tensor in model.graph.initializer}
    (value,) = (value for value in model.graph.input if value.name not in initialised)
    first, channels, size = _layout(path, value)
    types = {1: np.dtype(np.float32), 10: np.dtype(np.float16)}
    kind = value.type.tensor_type.elem_type
    if kind not in types:
        raise ValueError(f"{path} takes values of ONNX type {kind}; expected float32 or float16.")
    adapted = _Adapted(engine, first, channels, types[kind])
    scale = _scale(path, adapted, size)
    multiple = 1 if size else _multiple(path, adapted, scale)
    taken, given = _ranges(path, adapted, scale, size or (_PROBE, _PROBE))
    adapted.taken, adapted.given = _RANGES[taken], _RANGES[given]
    halo, whole = seen
    if whole and size:
        raise ValueError(
            f"{path} takes only {size[1]}x{size[0]} pixels, and {whole}. It can enlarge no other "
            "picture: export it with dynamic axes."
        )
    if size and min(size) <= 2 * halo:
        raise ValueError(
            f"{path} takes only {size[1]}x{size[0]} pixels, and looks {halo} pixels to each side: "
            "tiles would keep nothing. Export it with dynamic axes."
        )
    order = "channels first" if first else "channels last"
    sees = "whole pictures only" if whole else f"halo {halo}"
    described = (
        f"x{scale}, {'RGB' if channels == 3 else 'luma'}, {order}, {types[kind]}, takes {taken}, "
        f"gives {given}, {sees}"
    )
    return adapted, Specification(scale, halo, SizeRequirements(multiple, size, whole), described)


def _layout(path: Path, value: "onnx.ValueInfoProto") -> tuple[bool, int, tuple[int, int] | None]:
    """Whether channels come first, how many there are, and the size if it is fixed."""
    sides = [dimension.dim_value or None for dimension in value.type.tensor_type.shape.dim]
    if len(sides) == 4:
        for first, channels, plane in ((True, sides[1], sides[2:]), (False, sides[3], sides[1:3])):
            if channels in (1, 3):
                height, width = plane
                return first, channels, (height, width) if height and width else None
    shown = "x".join(str(side or "?") for side in sides)
    raise ValueError(
        f"{path} takes {shown}; expected four dimensions with 1 or 3 channels, second or last."
    )


def _picture(height: int, width: int) -> np.ndarray:
    """A smooth picture with edges, `(1, height, width, 3)` in [0.1, 0.9]."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    planes = [0.5 + 0.3 * np.sin(5 * x + k) * np.cos(4 * y - k) for k in range(3)]
    picture = np.stack(planes, axis=-1)
    picture[height // 4 : height // 2, width // 3 : width // 2] += 0.1
    return picture[None].astype(np.float32)


def _try(adapted: _Adapted, height: int, width: int) -> tuple[int, int] | None:
    """The size of the result, or None if the model does not take this one."""
    try:
        sr = adapted.run(_picture(height, width))
        return sr.shape[1:3] if len(sr) == 1 else None
    except Exception:  # engines raise what they like about a size
        return None


def _scale(path: Path, adapted: _Adapted, size: tuple[int, int] | None) -> int:
    height, width = size or (_PROBE, _PROBE)
    found = _try(adapted, height, width)
    scale = found[0] // height if found else 0
    if not 1 <= scale <= 16 or found != (scale * height, scale * width):
        shown = f"{found[1]}x{found[0]}" if found else "an error"
        raise ValueError(
            f"{path} makes {shown} of {width}x{height} pixels; expected an integer factor from 1 "
            "to 16. Is it a super-resolution model?"
        )
    return scale


def _multiple(path: Path, adapted: _Adapted, scale: int) -> int:
    for multiple in _MULTIPLES:
        height, width = _PROBE + multiple, _PROBE + 3 * multiple
        if _try(adapted, height, width) == (scale * height, scale * width):
            return multiple
    raise ValueError(f"{path} takes {_PROBE}x{_PROBE} pixels, and no size near it.")


def _ranges(path: Path, adapted: _Adapted, scale: int, size: tuple[int, int]) -> tuple[str, str]:
    """The first ranges of values in which the result looks like the bicubic enlargement.

    Not the ones that fit best: in wide ranges, what a network of values in 0..1 adds is small, and
    the result closer to bicubic. A network of values in 0..255 adds too much to a picture in 0..1.
    One from -1..1 to -1..1 cannot be told from 0..1, and loses little by it: it takes the picture
    for one in the upper half of its range.
    """
    picture = _picture(*size)
    height, width = (scale * side for side in size)
    # Near the edges, zeros from padding mean black in one range and grey in another.
    middle = slice(height // 4, -height // 4), slice(width // 4, -width // 4)
    expected = resize.upscale(picture[0], scale)[middle]
    for taken, given in itertools.product(_RANGES, _RANGES):
        adapted.taken, adapted.given = _RANGES[taken], _RANGES[given]
        with np.errstate(over="ignore", invalid="ignore"):  # of values that are no colours
            if np.abs(adapted.run(picture)[0][middle] - expected).mean() < _UNLIKE:
                return taken, given
    raise ValueError(
        f"{path} does not make a picture that resembles the one it is given, whether that is in "
        f"{', '.join(_RANGES)}. Is it a super-resolution model?"
    )
