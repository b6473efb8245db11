"""ONNX super-resolution models of other projects: what they take and give is found by trying.

Their files say no more than names and shapes. Whether a picture comes with channels first, in
[0, 1] or in 0..255, how many times larger it becomes and which sizes are allowed is found out on
a small made picture.
"""

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from srgan.io import images
from srgan.models import engines
from srgan.models.adapted import RANGES, Adapted, Layout, Range, Values, read_values
from srgan.models.metadata import PREFIX
from srgan.models.receptive_field import GlobalOperation, receptive_field
from srgan.models.requirements import SizeRequirements
from srgan.models.windows import Windowed
from srgan.numeric import resize
from srgan.util import resources

if TYPE_CHECKING:
    import onnx

_PROBE = 64  # side of the picture to try with, where the model takes any size
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
# Mean difference from the bicubic enlargement, in [0, 1]: networks come below 0.03 in the right
# range. Above this one, the result is another picture.
_UNLIKE = 0.1
# Of a channel of a photo, against the bicubic enlargement: how its mean may move, and its contrast.
_SHIFTED, _CONTRAST = 0.06, (0.5, 2.0)


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
    path: Path, engine: engines.Engine, data: bytes, seen: Sight, values: Values
) -> tuple[engines.Engine, Specification]:
    """Returns an engine that takes and gives what srgan's own models do, and what was found out.

    Args:
        path: The ONNX file.
        engine: What it was opened with.
        data: What is in the file, with its weights.
        seen: How far it sees.
        values: What is said of it, which goes before what a file beside it says.

    Raises:
        ValueError: If it is not a super-resolution model of pictures, as far as can be seen.
    """
    import onnx  # takes longer to import than srgan itself, and only these models need it

    model = onnx.load_model_from_string(data)
    initialised = {tensor.name for tensor in model.graph.initializer}
    (value,) = (value for value in model.graph.input if value.name not in initialised)
    layout, values = _layout(path, value), values.over(read_values(path))
    size = layout.size
    bgr = values.channels == "bgr"
    adapted = Adapted(engine, layout, bgr)
    scale = _scale(path, adapted, size)
    multiple = 1 if size else _multiple(path, adapted, scale)
    _set_ranges(path, adapted, layout, values, scale)
    _check_colours(path, adapted, scale, size or (_PROBE, _PROBE))
    order = "channels first" if layout.first else "channels last"
    colours = {1: "luma", 3: "BGR" if bgr else "RGB"}[layout.channels]
    described = (
        f"x{scale}, {colours}, {order}, {layout.dtype}, takes {adapted.taken}, "
        f"gives {adapted.given}"
    )
    halo, whole = seen
    if size and (whole or min(size) <= 2 * halo):
        windowed, how = in_windows(adapted, size, scale)
        need = SizeRequirements(windowed.step)
        return windowed, Specification(scale, windowed.reach, need, f"{described}, {how}")
    described += f", {'whole pictures only' if whole else f'halo {halo}'}"
    return adapted, Specification(scale, halo, SizeRequirements(multiple, size, whole), described)


def in_windows(engine: engines.Engine, size: tuple[int, int], scale: int) -> tuple[Windowed, str]:
    """Returns what runs a network of one size that sees all of it, and what that costs, in words.

    Args:
        engine: What takes and gives what srgan's own models do, of this size alone.
        size: Height and width.
        scale: Factor from lr to sr.
    """
    windowed = Windowed(engine, size, scale)
    side = 2 * windowed.step
    moved = windowed.deviation(_photo(side, side))
    return windowed, (
        f"in windows of {size[1]}x{size[0]} blended where they overlap, which moves 99.9% of the "
        f"values there by less than {math.ceil(10 * moved) / 10:g} grey levels, on a photo"
    )


def _layout(path: Path, value: "onnx.ValueInfoProto") -> Layout:
    """How a model takes a picture, as its file says."""
    types = {1: np.dtype(np.float32), 2: np.dtype(np.uint8), 10: np.dtype(np.float16)}
    kind = value.type.tensor_type.elem_type
    if kind not in types:
        raise ValueError(
            f"{path} takes values of ONNX type {kind}; expected float32, float16 or uint8."
        )
    sides = [dimension.dim_value or None for dimension in value.type.tensor_type.shape.dim]
    if len(sides) in (3, 4):
        picture = sides[-3:]
        for first, channels, plane in (
            (True, picture[0], picture[1:]),
            (False, picture[2], picture[:2]),
        ):
            if channels in (1, 3):
                height, width = plane
                size = (height, width) if height and width else None
                return Layout(len(sides) == 4, first, channels, size, types[kind])
    shown = "x".join(str(side or "?") for side in sides)
    raise ValueError(
        f"{path} takes {shown}; expected a picture of 1 or 3 channels, which come first or last, "
        "with or without a dimension for the batch before it."
    )


def _picture(height: int, width: int) -> np.ndarray:
    """A smooth picture with edges, `(1, height, width, 3)` in [0.1, 0.9]."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    planes = [0.5 + 0.3 * np.sin(5 * x + k) * np.cos(4 * y - k) for k in range(3)]
    picture = np.stack(planes, axis=-1)
    picture[height // 4 : height // 2, width // 3 : width // 2] += 0.1
    return picture[None].astype(np.float32)


def _photo(height: int, width: int) -> np.ndarray:
    """A part of a photo of much colour, `(1, height, width, 3)`."""
    photo = images.read(resources.PHOTOS / "coffee.webp")
    rows, columns = (
        (np.arange(side) + most // 3) % most
        for side, most in zip((height, width), photo.shape[:2], strict=True)
    )
    return photo[rows][:, columns][None]


def _try(adapted: Adapted, height: int, width: int) -> tuple[int, int] | None:
    """The size of the result, or None if the model does not take this one."""
    try:
        sr = adapted.run(_picture(height, width))
        return sr.shape[1:3] if len(sr) == 1 else None
    except Exception:  # engines raise what they like about a size
        return None


def _scale(path: Path, adapted: Adapted, size: tuple[int, int] | None) -> int:
    height, width = size or (_PROBE, _PROBE)
    found = _try(adapted, height, width)
    scale = found[0] // height if found else 0
    if not 1 <= scale <= 16 or found != (scale * height, scale * width):
        made = f"makes {found[1]}x{found[0]} of" if found else "makes no picture in colour of"
        raise ValueError(
            f"{path} {made} {width}x{height} pixels; expected one that is 1 to 16 times as large, "
            "by an integer. Is it a super-resolution model?"
        )
    return scale


def _multiple(path: Path, adapted: Adapted, scale: int) -> int:
    for multiple in _MULTIPLES:
        height, width = _PROBE + multiple, _PROBE + 3 * multiple
        if _try(adapted, height, width) == (scale * height, scale * width):
            return multiple
    raise ValueError(f"{path} takes {_PROBE}x{_PROBE} pixels, and no size near it.")


def _set_ranges(path: Path, adapted: Adapted, layout: Layout, values: Values, scale: int) -> None:
    """Takes the first ranges of values in which the result looks like the bicubic enlargement.

    Not the ones that fit best: in wide ranges, what a network of values in 0..1 adds is small, and
    the result closer to bicubic. A network of values in 0..255 adds too much to a picture in 0..1.
    One from -1..1 to -1..1 cannot be told from 0..1, and loses little by it: it takes the picture
    for one in the upper half of its range.
    """
    picture = _picture(*(layout.size or (_PROBE, _PROBE)))
    expected = resize.upscale(picture[0], scale)
    middle = _middle(expected)
    expected = expected[middle].mean(axis=-1)  # colours come later
    taken: tuple[Range, ...] = (values.input_range,) if values.input_range else tuple(RANGES)
    if layout.dtype == np.uint8:
        taken = ("0..255",)
    given: tuple[Range, ...] = (values.output_range,) if values.output_range else tuple(RANGES)
    numbers = False
    for adapted.taken, adapted.given in itertools.product(taken, given):
        with np.errstate(over="ignore", invalid="ignore"):  # of values that are no colours
            found = adapted.run(picture)[0]
            if np.abs(found[middle].mean(axis=-1) - expected).mean() < _UNLIKE:
                return
        numbers = numbers or bool(np.isfinite(found).any())
    if not numbers:
        raise ValueError(
            f"{path} makes no numbers of a picture (NaN): its training failed, or the file is "
            "damaged. Download it again, or take another model."
        )
    raise ValueError(
        f"{path} does not make a picture that resembles the one it is given, whether that is in "
        f"{', '.join(taken)}. Is it a super-resolution model? {_advice(path)}"
    )


def _middle(image: np.ndarray) -> tuple[slice, slice]:
    """Of an image. Nearer to the edges, zeros from padding are black, or grey, or anything."""
    height, width = image.shape[:2]
    return slice(height // 4, -height // 4), slice(width // 4, -width // 4)


def _check_colours(path: Path, adapted: Adapted, scale: int, size: tuple[int, int]) -> None:
    """Raises if a photo comes out in evidently other colours, or with another contrast."""
    photo = _photo(*size)
    with np.errstate(over="ignore", invalid="ignore"):
        sr = adapted.run(photo)[0]
    expected = resize.upscale(photo[0], scale)
    sr, expected = (image[_middle(image)].reshape(-1, 3) for image in (sr, expected))
    if not np.isfinite(sr).all():
        raise ValueError(f"{path} makes values of a photo that are not finite. {_advice(path)}")
    moved = np.abs(sr.mean(axis=0) - expected.mean(axis=0))
    contrast = sr.std(axis=0) / expected.std(axis=0)
    if (
        moved.max() <= _SHIFTED
        and contrast.min() >= _CONTRAST[0]
        and contrast.max() <= _CONTRAST[1]
    ):
        return
    swapped = np.abs(sr.mean(axis=0) - expected.mean(axis=0)[::-1]).max()
    what = (
        "red and blue are exchanged"
        if swapped < moved.max() / 2
        else (
            f"its colours move by up to {255 * moved.max():.0f} grey levels, and its contrast is "
            f"{contrast.min():.2f} to {contrast.max():.2f} times the photo's"
        )
    )
    raise ValueError(f"{path} makes another picture of a photo: {what}. {_advice(path)}")


def _advice(path: Path) -> str:
    return (
        "If it takes or gives values in another range, or BGR, say so with --model-range and "
        f"--model-channels, or in {path.with_suffix('.toml').name} beside it: "
        'range = "-1..1" (or input_range and output_range), channels = "bgr" (of both).'
    )
