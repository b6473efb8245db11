"""An external model as an engine that takes and gives what srgan's own models do."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from srgan.models import engines
from srgan.numeric import resize

Range = Literal["0..1", "0..255", "-1..1"]
Channels = Literal["rgb", "bgr"]
RANGES: dict[Range, tuple[float, float]] = {  # factor, offset
    "0..1": (1.0, 0.0),
    "0..255": (255.0, 0.0),
    "-1..1": (2.0, -1.0),
}
_TO_YCBCR = np.array(  # of JPEG: BT.601 in the full range
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


class Layout(NamedTuple):
    """How a model takes a picture.

    Attributes:
        batched: Whether it comes with a dimension for the batch, which is 1.
        first: Whether channels come first.
        channels: 3 for RGB, 1 for luma.
        size: Height and width, if they are fixed.
        dtype: Of the values.
    """

    batched: bool
    first: bool
    channels: int
    size: tuple[int, int] | None
    dtype: np.dtype


class Values(NamedTuple):
    """What is said of a model's values; None is found by trying, or RGB.

    Attributes:
        input_range: Of what it takes.
        output_range: Of what it gives.
        channels: Their order.
    """

    input_range: Range | None = None
    output_range: Range | None = None
    channels: Channels | None = None

    def over(self, others: "Values") -> "Values":
        """Returns these, and `others` where these say nothing."""
        return Values(
            self.input_range or others.input_range,
            self.output_range or others.output_range,
            self.channels or others.channels,
        )


FOUND_BY_TRYING = Values()


def read_values(model: Path) -> Values:
    """Reads `MODEL.toml` beside `MODEL.onnx`, if there is one.

    Its keys are `range`, or `input_range` and `output_range`, and `channels`, "rgb" or "bgr".

    Raises:
        ValueError: If there is another key or value.
    """
    path = model.with_suffix(".toml")
    if not path.is_file():
        return Values()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}, beside the model, is not a TOML file: {error}") from None
    allowed = {
        "channels": get_args(Channels),
        **dict.fromkeys(("range", "input_range", "output_range"), tuple(RANGES)),
    }
    for key, value in table.items():
        if value not in allowed.get(key, ()):
            expected = "; ".join(f"{name}: {', '.join(values)}" for name, values in allowed.items())
            raise ValueError(
                f"{path}, beside the model, has {key} = {value!r}; expected of {expected}."
            )
    both = table.get("range")
    return Values(
        table.get("input_range", both),
        table.get("output_range", both),
        table.get("channels"),
    )


class Adapted:
    """Takes and gives float32 RGB `(batch, height, width, 3)` in [0, 1].

    Attributes:
        taken: Range of the values that the model takes.
        given: Of those that it gives.
    """

    def __init__(self, engine: engines.Engine, layout: Layout, bgr: bool = False) -> None:
        self._engine, self._layout, self._bgr = engine, layout, bgr
        self.metadata: Mapping[str, str] = engine.metadata
        self.taken: Range = "0..255" if layout.dtype == np.uint8 else "0..1"
        self.given: Range = "0..1"

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns what the model makes of images.

        Raises:
            ValueError: If that is no image.
        """
        if self._layout.channels == 3:
            turned = images[..., ::-1] if self._bgr else images
            sr = self._run(turned)
            return sr[..., ::-1] if self._bgr else sr
        ycbcr = images @ _TO_YCBCR.T  # such models enlarge the luma, and leave colour to bicubic
        y = self._run(ycbcr[..., :1])
        colour = [resize.bicubic(image, *y.shape[1:3]) for image in ycbcr[..., 1:]]
        return np.concatenate([y, np.stack(colour)], axis=-1) @ np.linalg.inv(_TO_YCBCR).T

    def _run(self, images: np.ndarray) -> np.ndarray:
        layout = self._layout
        factor, offset = RANGES[self.taken]
        x = images * np.float32(factor) + np.float32(offset)
        if layout.dtype == np.uint8:
            x = np.clip(np.rint(x), 0, 255)
        x = x.astype(layout.dtype)
        if layout.first:
            x = x.transpose(0, 3, 1, 2)
        x = np.ascontiguousarray(x)
        if layout.batched:
            sr = self._engine.run(x)
        else:
            sr = np.stack([self._engine.run(image) for image in x])
        sr = np.asarray(sr, np.float32)
        if sr.ndim == 3 and layout.batched:
            sr = sr[None]
        if sr.ndim != 4 or layout.channels not in (sr.shape[1], sr.shape[3]):
            raise ValueError(f"the model makes an array of shape {sr.shape}, which is no picture")
        last = sr.shape[3] == layout.channels
        if not last or (layout.first and sr.shape[1] == layout.channels):
            sr = sr.transpose(0, 2, 3, 1)
        factor, offset = RANGES[self.given]
        return (sr - np.float32(offset)) / np.float32(factor)
