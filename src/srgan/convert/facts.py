"""What is found out about a network while it is converted."""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from srgan.models.requirements import SizeRequirements


class NetworkFacts(BaseModel):
    """What a network is, as far as its weights and layers say.

    Attributes:
        architecture: As the field calls it.
        scale: Factor from lr to sr.
        described: Its size in words, as "64 channels, 23 blocks".
        precision: Of the stored weights: float32, float16 or bfloat16.
        parameters: How many weights it has.
        multiple: The sides of what it takes are multiples of this.
        minimum: The smallest side of what it takes.
        fixed: Height and width of what it takes, if no other is allowed.
        versions: Of what read it.
    """

    model_config = ConfigDict(frozen=True)

    architecture: str
    scale: int = Field(ge=1, le=16)
    described: str
    precision: str
    parameters: int
    multiple: int = Field(default=1, ge=1)
    minimum: int = Field(default=1, ge=1)
    fixed: tuple[int, int] | None = None
    versions: dict[str, str] = {}

    @property
    def requirements(self) -> SizeRequirements:
        """What sizes it takes."""
        return SizeRequirements(self.multiple, self.fixed, minimum=self.minimum)


def precision(state: Mapping[str, np.ndarray]) -> str:
    """Returns the precision of weights: float32, float16, or bfloat16 in float32's clothes."""
    kinds = {array.dtype.name for array in state.values() if array.dtype.kind == "f"}
    if kinds == {"float32"} and all(_is_brain(array) for array in state.values()):
        return "bfloat16"
    return "float16" if "float16" in kinds else max(kinds, default="float32")


def _is_brain(array: np.ndarray) -> bool:
    return (
        array.dtype != np.float32
        or not (np.ascontiguousarray(array).view(np.uint32) & 0xFFFF).any()
    )
