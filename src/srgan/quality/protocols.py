"""How PSNR and SSIM are taken: figures of different protocols do not compare."""

import re
from typing import NamedTuple

from srgan.numeric.color import Colour


class Protocol(NamedTuple):
    """How PSNR and SSIM are taken; all else is the same in every protocol."""

    colour: Colour  # of the luma, or of the three channels
    border: int  # pixels left out at each edge
    paper: bool = False  # SSIM as in the SRGAN paper, which scores higher than Wang's

    @property
    def name(self) -> str:
        """What `protocol` reads."""
        if self.paper:
            return "srgan-paper"
        return f"{self.colour}-crop{self.border}" if self.border else self.colour


def protocol(name: str) -> Protocol:
    """Returns the protocol of a name: COLOUR, COLOUR-cropPIXELS, or srgan-paper.

    `y-crop4` is what papers on x4 mean, `rgb` takes the whole image in colour, and `srgan-paper`
    is how Ledig et al. scored: luma of 8 bits, 4 pixels left out, and the SSIM of `ssim_paper`.

    Raises:
        ValueError: If there is no such protocol.

    Example:
        >>> protocol("y-crop4")
        Protocol(colour='y', border=4, paper=False)
    """
    if name == "srgan-paper":
        return Protocol("y", 4, paper=True)
    found = re.fullmatch(r"(y|rgb)(?:-crop(\d{1,4}))?", name)
    if not found:
        raise ValueError(
            f"There is no protocol {name!r}; expected y-crop4, rgb, rgb-crop4, or the like with "
            "another number of pixels to leave out at each edge, or srgan-paper."
        )
    colour: Colour = "y" if found[1] == "y" else "rgb"
    return Protocol(colour, int(found[2] or 0))
