"""What may be asked of an upscaling: said once, for everything that asks.

The command line, the Python API, the service and the journal of a folder all take the fields from
here: an option that is added to `UpscaleOptions` appears in each of them.
"""

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from srgan.io import kinds

SUFFIXES = {kind.name.lower(): kind.suffixes[0] for kind in kinds.WRITTEN}
"""Of files, by the names of their formats."""

SAME = "same"
_NAMES = {suffix: kind.name.lower() for kind in kinds.WRITTEN for suffix in kind.suffixes}

_LONGEST = 10_000_000  # pixels a side, of any file

# Fields on which the pixels do not depend: a folder may be continued with others.
_WITHOUT_INFLUENCE = {"tile", "max_megapixels", "max_frames"}


def _format(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name = _NAMES.get(f".{value.lower().lstrip('.')}", value)
    if name not in (*SUFFIXES, SAME):
        expected = f"Expected {', '.join(SUFFIXES)} or {SAME}; got {value!r}"
        raise PydanticCustomError("format", "{expected}", {"expected": expected})
    return name


class UpscaleOptions(BaseModel):
    """What is asked of an upscaling; the defaults give what the model makes of a picture.

    Of several sizes that are asked for, the smallest counts. The proportions are kept.

    Raises:
        ValueError: If a field is misspelt, or has a value that it cannot have.

    Example:
        >>> UpscaleOptions(scale=2, strip_metadata=True).changed()
        {'scale': 2.0, 'strip_metadata': True}
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scale: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="The factor by which each side grows. [that of the model]",
    )
    width: int | None = Field(
        default=None, gt=0, le=_LONGEST, description="The result is at most so many pixels wide."
    )
    height: int | None = Field(
        default=None, gt=0, le=_LONGEST, description="The result is at most so many pixels high."
    )
    megapixels: float | None = Field(
        default=None, gt=0, le=1e6, description="The result has about so many megapixels."
    )
    format: Annotated[str | None, BeforeValidator(_format)] = Field(
        default=None,
        description=f"The format of the result: {', '.join(SUFFIXES)}, or {SAME}, which is the "
        "picture's own, or png where that is not written. [that of the file's name, else one that "
        "keeps all frames]",
        json_schema_extra={"enum": [*SUFFIXES, SAME, None]},
    )
    realism: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Network interpolation, from the PSNR model (0) to the GAN model (1).",
    )
    self_ensemble: bool = Field(
        default=False,
        description="Averages the results of eight orientations: a little better, in eight times "
        "the time.",
    )
    tile: int | None = Field(
        default=None,
        ge=16,
        description="The side of the tiles, in pixels of the picture. Smaller ones need less "
        "memory. [as memory allows]",
    )
    overlap: int | None = Field(
        default=None,
        ge=0,
        le=1024,
        description="What tiles share with their neighbours on each side, in pixels of the "
        "picture. Less is faster, and may show seams. [all that the network sees; for a deep one "
        "of another project, as little as changes nothing that one sees]",
    )
    strip_metadata: bool = Field(
        default=False, description="Leaves out EXIF, XMP and IPTC; the colour profile stays."
    )
    srgb: bool = Field(
        default=False, description="Converts colours to sRGB instead of keeping the colour profile."
    )
    pyramid: bool = Field(
        default=False,
        description="Of TIFF alone: in tiles, with smaller copies, as viewers of huge pictures and "
        "map servers read them. A GeoTIFF becomes a cloud-optimised one.",
    )
    max_megapixels: float = Field(
        default=268.0, ge=0, le=1e9, description="Pictures that claim more megapixels are refused."
    )

    max_frames: int = Field(
        default=10_000,
        ge=1,
        le=10_000,
        description="Animations and documents of more frames are refused.",
    )

    @classmethod
    def parse(cls, **values: Any) -> Self:
        """Returns options, or raises a ValueError with one short line for each mistake."""
        try:
            return cls(**values)
        except ValidationError as error:
            faults = (
                f"{fault['loc'][0]}: "
                + ("There is no such option" if "extra" in fault["type"] else fault["msg"])
                for fault in error.errors()
            )
            raise ValueError("; ".join(faults) + ".") from None

    @property
    def has_size(self) -> bool:
        """Whether a size was asked for, and not that which the model makes."""
        return any((self.scale, self.width, self.height, self.megapixels))

    @property
    def default_model(self) -> str:
        """The name of the shipped model that is made for the size."""
        return "srgan-x2" if self.scale and self.scale <= 2 else "srgan-x4"

    @property
    def max_pixels(self) -> int:
        """The most pixels that a picture may claim."""
        return round(1e6 * self.max_megapixels)

    @property
    def suffix(self) -> str:
        """Of files of the format that was asked for, or "" if that depends on the picture."""
        return SUFFIXES.get(self.format or "", "")

    def output_size(self, height: int, width: int, scale: int) -> tuple[int, int]:
        """Returns height and width of what a picture becomes.

        Args:
            height: Of the picture.
            width: Likewise.
            scale: That of the model, which counts if no size was asked for.
        """
        factors = [
            self.scale,
            self.width and self.width / width,
            self.height and self.height / height,
            self.megapixels and math.sqrt(1e6 * self.megapixels / (height * width)),
        ]
        factor = min((factor for factor in factors if factor), default=scale)
        return max(round(height * factor), 1), max(round(width * factor), 1)

    def changed(self) -> dict[str, Any]:
        """Returns the fields that make a difference to the pixels, as far as they are set."""
        return self.model_dump(exclude_defaults=True, exclude=_WITHOUT_INFLUENCE)


DEFAULTS = UpscaleOptions()
