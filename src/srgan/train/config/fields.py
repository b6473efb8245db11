"""The kinds of numbers that a configuration has, and what its tables have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from srgan.numeric.projection import MAX_ROUNDS

Steps = Annotated[int, Field(ge=0)]
Rounds = Annotated[int, Field(ge=0, le=MAX_ROUNDS)]
Candidates = Annotated[int, Field(ge=1, le=16)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def _check_order(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"expected the lower limit first, not {list(limits)}")
    return limits


Ordered = AfterValidator(_check_order)
Sigma = Annotated[float, Field(ge=0, le=16)]
Sigmas = Annotated[tuple[Sigma, Sigma], Ordered]
Level = Annotated[float, Field(ge=0, le=255)]
Levels = Annotated[tuple[Level, Level], Ordered]
Factor = Annotated[float, Field(ge=0.1, le=4)]
Factors = Annotated[tuple[Factor, Factor], Ordered]
Quality = Annotated[float, Field(ge=1, le=100)]
Qualities = Annotated[tuple[Quality, Quality], Ordered]


class Settings(BaseModel):
    """A table of a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
