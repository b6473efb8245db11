"""The networks to train, each with its own sizes."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from srgan.train.config.fields import Count, Settings, Steps


class Residual(Settings):
    """A small residual network, computed nearly wholly at lr size: `generators.residual`."""

    architecture: Literal["residual"] = "residual"
    filters: Count = 64
    blocks: Count = 16
    hr_filters: Steps = 16  # channels at hr size, or 0


class SrResNet(Settings):
    """The generator of the SRGAN paper: `generators.srresnet`."""

    architecture: Literal["srresnet"] = "srresnet"
    filters: Count = 64
    blocks: Count = 16
    normalisation: bool = False  # BatchNorm
    activation: Literal["prelu", "relu", "leaky_relu"] = "prelu"


class RrdbNet(Settings):
    """The generator of the ESRGAN paper, which has 23 blocks: `generators.rrdbnet`."""

    architecture: Literal["rrdbnet"] = "rrdbnet"
    filters: Count = 64
    blocks: Count = 16
    growth: Count = 32  # channels that a convolution of a dense block adds


class SrVggNet(Settings):
    """SRVGGNetCompact of Real-ESRGAN, which the field calls Compact: `efficient.srvggnet`."""

    architecture: Literal["srvggnet"] = "srvggnet"
    filters: Count = 64
    blocks: Count = 16


class Span(Settings):
    """SPAN, of six blocks: `efficient.span`."""

    architecture: Literal["span"] = "span"
    filters: Count = 48
    centred: bool = True  # lr is first brought to 255 (lr - mean)


def _architecture(value: Any) -> Any:
    """Which generator a table describes; "residual" if it does not say."""
    if isinstance(value, dict):
        return value.get("architecture", "residual")
    return getattr(value, "architecture", None)


Generator = Annotated[
    Annotated[Residual, Tag("residual")]
    | Annotated[SrResNet, Tag("srresnet")]
    | Annotated[RrdbNet, Tag("rrdbnet")]
    | Annotated[SrVggNet, Tag("srvggnet")]
    | Annotated[Span, Tag("span")],
    Discriminator(_architecture),
]
"""The network: a field that the chosen architecture does not have is an error."""
