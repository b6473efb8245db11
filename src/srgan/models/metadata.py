"""What a model says about itself: the texts in its ONNX file.

They are the entries of `metadata_props` with keys "srgan.name" etc.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from srgan.numeric import projection

PREFIX = "srgan."
_NAME = r"^[^/\\\x00-\x1f]*[^/\\\x00-\x1f.][^/\\\x00-\x1f]*$"  # it becomes part of paths


class Calibration(NamedTuple):
    """How far a pair of models is expected to err: a D + b C + c, D and C as in `uncertainty.cues`.

    Attributes:
        disagreement: a, grey levels of error a grey level of D.
        contrast: b, likewise of C.
        base: c, grey levels.
    """

    disagreement: float
    contrast: float
    base: float


class Metadata(BaseModel):
    """What a model says about itself."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str = Field(pattern=_NAME)
    scale: int = Field(ge=1, le=16)
    receptive_field: int = Field(ge=0, le=1024)  # lr pixels to the farthest one it depends on
    consistency_rounds: int = Field(ge=0, le=projection.MAX_ROUNDS)  # `project`'s; 0: not applied
    training_data: str
    licence: str
    scores: str  # with their protocol
    config_hash: str
    # File name, without suffix, of the model that it was trained from: what realism 0 gives.
    psnr_model: str = Field(default="", pattern=r"^[^/\\\x00-\x1f]*$")
    training: str = ""  # how much of it, in words
    calibration: Calibration | None = None  # of its error map
    # Of models of other projects that were converted, the rest:
    architecture: str = ""  # and size, in words
    author: str = ""
    tags: str = ""
    size_multiple: int = Field(default=1, ge=1, le=1024)  # sides of what it takes
    size_minimum: int = Field(default=1, ge=1, le=1024)
    size_fixed: int = Field(default=0, ge=0, le=4096)  # both sides, if no other is taken; or 0
    pixel_bytes: int = Field(default=0, ge=0, le=2**30)  # memory for a pixel of lr; 0: unknown

    @field_validator("calibration", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (value.split() or None) if isinstance(value, str) else value

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> "Metadata":
        """Reads an ONNX file's `metadata_props`, leaving out those of others.

        Raises:
            ValueError: If one is missing or out of range.
        """
        own = {k.removeprefix(PREFIX): v for k, v in props.items() if k.startswith(PREFIX)}
        try:
            return cls.model_validate(own)
        except ValidationError as error:
            faults = (f"{PREFIX}{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
            raise ValueError("; ".join(faults)) from error

    def to_props(self) -> dict[str, str]:
        """Returns what `from_props` reads."""
        props = {key: str(value) for key, value in self.model_dump(exclude_none=True).items()}
        if self.calibration:
            props["calibration"] = " ".join(f"{value:.3f}" for value in self.calibration)
        return {PREFIX + key: value for key, value in props.items()}
