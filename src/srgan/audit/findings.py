"""What an audit finds, and what to do about it."""

from pathlib import Path
from typing import NamedTuple

ADVICE = {
    "unreadable": "Copy them again from where they came, or remove them.",
    "leak": "Remove these photos: a score on test images that were trained on proves nothing.",
    "duplicate": "Keep one of each: the others only make training prefer it.",
    "near-duplicate": "Keep the best of each.",
    "tiny": "Remove them: there is no room for a training patch.",
    "blank": "Remove them: there is nothing to learn from one colour.",
    "two-tone": "Remove them, unless the model is for such drawings or pages.",
    "bars": "Crop them: a model learns to draw the bars.",
    "enlarged": "Scale them back by the factor, without interpolation, or remove them.",
    "soft": "Blurred, or enlarged earlier. Scale them down by the factor, or remove them.",
    "blocking": "Scale them down by 2 or more, which hides the blocks, or remove them.",
    "noisy": "Scale them down by 2 or more, which averages the noise, or remove them.",
    "unpaired": "Add the missing photo, or remove the file.",
    "mismatched": "Find the right lr photo, or remove both.",
    "misaligned": "Make the lr photo anew from the hr photo, or remove both.",
}
"""The kinds of findings, gravest first, and what to do."""


class Finding(NamedTuple):
    """One thing that is wrong with one file.

    Attributes:
        kind: One of `ADVICE`.
        file: The file to change or remove.
        detail: What was found, in words.
        other: The file it repeats, shows or does not fit.
        score: What was measured, where something was: the correlation of copies, the excess of
            `defects.grid`, the `softness.detail` or
            `softness.smear`, the noise in grey levels, the share of
            `defects.impulses` or `defects.tones`, or the shift in lr pixels.
    """

    kind: str
    file: Path
    detail: str
    other: Path | None = None
    score: float | None = None


class Report(NamedTuple):
    """What was looked at, and what was found, gravest kinds first."""

    photos: int
    tests: int
    findings: list[Finding]
