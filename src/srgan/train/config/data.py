"""What the images of a batch are made from: degraded photos, and the pictures of a teacher."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from srgan.train.config.fields import (
    Candidates,
    Count,
    Factors,
    Levels,
    Qualities,
    Settings,
    Share,
    Sigmas,
    Steps,
)

TEACHER_MARGIN = 8
"""lr pixels at each edge of a teacher's crop that are not used: it does not see beyond the edge."""


class Degradation(Settings):
    """What degrades the LR images of the photos, as it degrades photos; see `degradations.py`.

    Each version draws its own, evenly from these ranges.
    """

    versions: Steps = 0  # of each photo; with 0 there is one, which is scaled down and no more
    clean: Share = 0.1  # of the versions, likewise
    blur: Sigmas = (0.0, 0.7)  # in lr pixels, before they are scaled down
    noise: Levels = (0.0, 8.0)  # standard deviation, in grey levels of 0..255
    quality: Qualities = (30, 95)  # of JPEG
    order: Literal[1, 2] = 1  # passes: 2 is Real-ESRGAN's chain, whose keys follow
    resize: Factors = (0.5, 1.5)  # of each pass: of the photo's size, then of that of lr
    ringing: Share = 0.5  # of the versions end with a sinc filter
    screens: Share = 0.1  # of the versions are screen captures: no noise or JPEG in pass two

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        for name in ("resize", "ringing", "screens"):
            if self.order == 1 and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect with order = 1; set order to 2.")
        return self


class Teacher(Settings):
    """A model that teaches beside the photos; see `teaching.py`.

    It makes pictures of some crops of the LR images. In each batch, the share `pixel` of the crops
    is compared with these pictures by pixel and chroma losses, and the others with the photo;
    likewise for the other losses. Shares are rounded to whole crops.
    """

    model: str = ""  # name of a shipped one, or path of an ONNX file; "" trains without
    crops: Count = 200  # that it makes pictures of, once
    side: Annotated[int, Field(ge=32)] = 128  # of these crops, in lr pixels; 16 of them are margin
    crop_candidates: Candidates = 3  # for each of these crops, as in the stages
    precision: Literal["float32", "bfloat16"] = "float32"  # the latter is faster, with OpenVINO
    pixel: Share = 1.0  # of the crops of a batch, in both stages
    perceptual: Share = 0.0
    adversarial: Share = 0.5  # of what the discriminator is to take for real

    def taught(self, share: float, batch_size: int) -> int:
        """Returns how many crops of a batch a share is."""
        return int(share * batch_size + 0.5) if self.model else 0
