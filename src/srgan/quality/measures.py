"""What the measures are called, how they are written, and which way is better.

A new measure is a field of `metrics.Scores`, its value in `metrics.score`, and a row of `MEASURES`;
the tables of the command line and of the report follow.
"""

import math
from typing import Literal, NamedTuple


class Measure(NamedTuple):
    """How one field of `metrics.Scores` is shown."""

    label: str
    unit: str
    digits: int  # after the point
    better: Literal["higher", "lower", "zero", "one", "hr"]  # closest to 0, to 1, to HR's
    meaning: str  # one plain sentence

    def format(self, value: float, sign: str = "") -> str:
        """Returns a value as tables have it, without its unit.

        Args:
            value: NaN becomes a dash.
            sign: "+" to have one before positive values too.

        Example:
            >>> MEASURES["psnr"].format(27.126), MEASURES["psnr"].format(0.5, "+")
            ('27.13', '+0.50')
        """
        return "-" if math.isnan(value) else f"{value:{sign}.{self.digits}f}"

    def lack(self, value: float, hr: float = math.nan) -> float:
        """Returns how far a value is from what would be best: less is better.

        Args:
            value: NaN gives NaN.
            hr: What the HR image has.

        Example:
            >>> MEASURES["psnr"].lack(30) < MEASURES["psnr"].lack(29)
            True
            >>> MEASURES["sharpness"].lack(0.75), MEASURES["aliasing"].lack(-0.5)
            (0.25, 0.5)
        """
        if self.better in ("higher", "lower"):
            return -value if self.better == "higher" else value
        return abs(value - {"zero": 0.0, "one": 1.0, "hr": hr}[self.better])


MEASURES = {  # of the fields of `metrics.Scores`, in their order
    "psnr": Measure(
        *("PSNR", "dB", 2, "higher"),
        "How close the brightness of each pixel is to that of HR, the reference; blurred pictures "
        "do well.",
    ),
    "ssim": Measure(
        *("SSIM", "", 4, "higher"),
        "How alike the local structure of the two pictures is; 1 means the same.",
    ),
    "lpips": Measure(
        *("LPIPS", "", 4, "lower"),
        "How different the pictures look to a network trained on people's judgements; 0 means "
        "the same.",
    ),
    "delta_e": Measure(
        *("\N{GREEK CAPITAL LETTER DELTA}E2000", "", 2, "lower"),
        "How far apart the colours look, pixel by pixel, by CIEDE2000; about 1 is just noticeable.",
    ),
    "niqe": Measure(
        *("NIQE", "", 2, "lower"),
        "How far the picture's statistics are from those of natural photos, without a reference; "
        "sharp photos have 2 to 5.",
    ),
    "brisque": Measure(
        *("BRISQUE", "", 1, "lower"),
        "How bad people would find it, learned from their judgements of blurred, noisy and "
        "compressed photos, without a reference; good ones have less than 20.",
    ),
    "lr_psnr": Measure(
        *("LR-PSNR", "dB", 1, "higher"),
        "How exactly the result, scaled down again, gives LR back; above 50 dB nobody sees the "
        "difference.",
    ),
    "grid": Measure(
        *("Grid", "", 3, "lower"),
        "How strong the grid artifact of the upscaling is, fine detail that is stronger on some "
        "pixels of its grid than on others; photos have about 0.04, and 0.1 is visible.",
    ),
    "checkerboard": Measure(
        *("Checkerboard", "levels", 3, "lower"),
        "How strong a fixed pattern, in grey levels, repeats on the pixel grid of the upscaling; "
        "photos have about 0.1.",
    ),
    "sharpness": Measure(
        *("Sharpness", "\N{MULTIPLICATION SIGN} HR", 2, "one"),
        "How much fine detail there is, compared with HR; below 1 is soft, above 1 is overdone.",
    ),
    "sharpening": Measure(
        *("Sharpening", "\N{MULTIPLICATION SIGN} bicubic", 2, "hr"),
        "How much more fine detail there is than in the plain bicubic enlargement.",
    ),
    "ringing": Measure(
        *("Ringing", "levels", 3, "lower"),
        "How far, in grey levels, the surroundings of strong edges overshoot into halos that HR "
        "does not have: the mean of these surroundings.",
    ),
    "echo": Measure(
        *("Echo", "levels", 3, "lower"),
        "How far, in grey levels, dots and ripples stray into plain areas beside strong edges: the "
        "mean of these areas.",
    ),
    "aliasing": Measure(
        *("Aliasing", "", 3, "zero"),
        "How much of the detail that is too fine for LR came back as a false, coarse pattern; 1 "
        "means all of it.",
    ),
    "colour_drift": Measure(
        *("Colour drift", "levels", 3, "lower"),
        "How far, in grey levels, the mean of a colour channel has moved from that of LR.",
    ),
}

OVERSHOOT = Measure(  # of the report's crops alone, as what follows
    *("Overshoot", "levels", 2, "lower"),
    "How far, in grey levels, the picture leaves the range of brightness that HR has nearby: the "
    "mean of the whole square, and so less than the table's ringing.",
)

ECHOES = Measure(
    *("Echoes", "levels", 2, "lower"),
    "How far, in grey levels, the picture strays from what is plain in HR beside strong edges: the "
    "mean of the whole square, and so less than the table's echo.",
)
