"""What the measures are called, and which way is better."""

from typing import Literal, NamedTuple


class Measure(NamedTuple):
    """How one field of `metrics.Scores` is shown."""

    label: str
    unit: str
    decimals: int
    better: Literal["higher", "lower", "zero", "one", "hr"]  # closest to 0, to 1, to HR's
    meaning: str  # one plain sentence


MEASURES = {
    "psnr": Measure(
        *("PSNR", "dB", 2, "higher"),
        "How close the brightness of each pixel is to the original's; blurred pictures do well.",
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
    "lr_psnr": Measure(
        *("LR-PSNR", "dB", 1, "higher"),
        "How exactly the result, scaled down again, gives the input back; above 50 dB nobody "
        "sees the difference.",
    ),
    "grid": Measure(
        *("Grid", "", 3, "lower"),
        "How strongly a regular weave of the upscaling shows; photos have about 0.04, and 0.1 "
        "is visible.",
    ),
    "checkerboard": Measure(
        *("Checkerboard", "levels", 3, "lower"),
        "How strong a fixed pattern, in grey levels, repeats on the pixel grid of the upscaling; "
        "photos have about 0.1.",
    ),
    "sharpness": Measure(
        *("Sharpness", "\N{MULTIPLICATION SIGN} HR", 2, "one"),
        "How much fine detail there is, compared with the original; below 1 is soft, above 1 is "
        "overdone.",
    ),
    "sharpening": Measure(
        *("Sharpening", "\N{MULTIPLICATION SIGN} bicubic", 2, "hr"),
        "How much more fine detail there is than in the plain bicubic enlargement.",
    ),
    "ringing": Measure(
        *("Ringing", "levels", 2, "lower"),
        "How far, in grey levels, the surroundings of strong edges overshoot into halos that the "
        "original does not have.",
    ),
    "aliasing": Measure(
        *("Aliasing", "", 3, "zero"),
        "How much of the detail that is too fine for the small picture came back as a false, "
        "coarse pattern; 1 means all of it.",
    ),
    "colour_drift": Measure(
        *("Colour drift", "levels", 2, "lower"),
        "How far, in grey levels, the mean of a colour channel has moved from the small picture's.",
    ),
}

OVERSHOOT = Measure(
    *("Overshoot", "levels", 2, "lower"),
    "How far, in grey levels, the picture leaves the range of brightness that the original has "
    "nearby.",
)
