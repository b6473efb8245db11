"""Which format a picture becomes where nobody says it, and which can hold frames."""

import os
from pathlib import Path

from srgan.io import formats, opening
from srgan.io.kinds import HEAD, WRITTEN, written_as
from srgan.io.looking import is_geotiff, open_bytes


def natural_suffix(source: str | os.PathLike[str] | bytes) -> str:
    """Returns the suffix of a format that keeps all of a picture: .png, if it has one frame.

    Of GeoTIFF, .tif.
    """
    try:
        kind, count = opening.count_pictures(source)
        if is_geotiff(source):
            return ".tif"
    except (OSError, ValueError):
        return ".png"  # what is wrong with it will be said when it is upscaled
    if count == 1:
        return ".png"
    return ".tif" if kind.name == "TIFF" else ".webp"


def same_suffix(source: str | os.PathLike[str] | bytes) -> str:
    """Returns the suffix of a picture's own format, or .png if that is not written."""
    try:
        with open_bytes(source) as file:
            kind = written_as(file.read(HEAD))
    except (OSError, ValueError):
        return ".png"
    own = "" if isinstance(source, bytes) else Path(source).suffix.lower()
    return own if own in kind.suffixes else kind.suffixes[0]


def with_frames() -> str:
    """Returns the suffixes of formats that can hold several frames, as text."""
    names = [kind.suffixes[0] for kind in WRITTEN if formats.FORMATS[kind.suffixes[0]].frames]
    return f"{', '.join(names[:-1])} and {names[-1]}"
