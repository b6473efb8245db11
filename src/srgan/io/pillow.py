"""What Pillow reads and libvips does not: BMP, JPEG 2000, PNM, frames of APNG and AVIF.

Frames are decoded one at a time, when their rows are asked for.
"""

import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyvips
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
)

from srgan.io.encoder import uncompressed_png
from srgan.io.formats import UnsupportedImage, describe
from srgan.io.kinds import EXPECTED
from srgan.util import files

# What is wrong with a file is raised, or is no matter: its frames are counted anew.
warnings.filterwarnings("ignore", "Invalid APNG", UserWarning, r"PIL\.PngImagePlugin")

# Not by Image.open, which tries other formats too, and whose limit of pixels is the process's.
_READERS: dict[str, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "JPEG 2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "PNM": PpmImagePlugin.PpmImageFile,
}
_MODES = {  # what becomes of Pillow's modes: its name, channels and samples
    "1": ("L", 1, np.uint8),
    "L": ("L", 1, np.uint8),
    "LA": ("LA", 2, np.uint8),
    "RGB": ("RGB", 3, np.uint8),
    "RGBA": ("RGBA", 4, np.uint8),
    "PA": ("RGBA", 4, np.uint8),
    "I;16": ("I;16", 1, np.uint16),
    "I": ("I", 1, np.uint16),
}
_DEEP = ("PPM", 3, np.uint16)  # which Pillow cuts to 8 bits
_BANDS = 64  # rows at a time
_CLEAR = ("RGBA", 4, np.uint8)


class Frames(NamedTuple):
    """The pictures of a file, none of them decoded yet.

    Attributes:
        source: The file, or what is in it.
        kind: Its format.
        width: Of each.
        height: Of each.
        number: How many there are.
        first: The place of the first among all; a still one may stand before an animation.
        mode: What they become: Pillow's name, channels, and type of samples.
        resolution: Pixels a mm, across and down; 0 if it is not known.
    """

    source: str | os.PathLike[str] | bytes
    kind: str
    width: int
    height: int
    number: int
    first: int
    mode: tuple[str, int, type[np.uint8 | np.uint16]]
    resolution: tuple[float, float]

    def image(self, access: str) -> tuple[pyvips.Image, pyvips.SourceCustom]:
        """The frames below each other, and what is to be kept as long as they are read."""
        _, channels, dtype = self.mode
        rows = self._rows()
        parts = uncompressed_png(rows, self.number * self.height, self.width, channels, dtype)
        left = memoryview(b"")

        def read(size: int) -> bytes:
            nonlocal left
            try:
                left = left or memoryview(next(parts, b""))
            except Exception:  # libvips calls: it finds the end too early, and says so
                return b""
            taken, left = left[:size], left[size:]
            return taken.tobytes()

        source = pyvips.SourceCustom()
        source.on_read(read)
        return pyvips.Image.pngload_source(source, access=access, fail_on="error"), source

    def _rows(self) -> Iterator[np.ndarray]:
        name, channels, dtype = self.mode
        with _opened(self.source, self.kind) as image:
            if self.mode == _DEEP:
                yield from _deep_rows(image)
                return
            for place in range(self.first, self.first + self.number):
                image.seek(place)
                image.load()
                for top in range(0, self.height, _BANDS):  # no copy of all of them
                    rows = min(_BANDS, self.height - top)
                    band = np.asarray(image.crop((0, top, self.width, top + rows)).convert(name))
                    if band.dtype != dtype:
                        band = band.clip(0, 65535).astype(dtype)
                    yield band.reshape(rows, self.width, channels)


def frames(source: str | os.PathLike[str] | bytes, kind: str, animated: bool) -> Frames:
    """Looks at a file of one of the formats that are read here.

    Args:
        source: The file, or what is in it.
        kind: The name of its format.
        animated: All frames count, not the first alone.

    Raises:
        UnsupportedImage: If it is damaged.
        OSError: If it may not be read.
    """
    with _opened(source, kind) as image:
        count = getattr(image, "n_frames", 1) if animated else 1
        # A PNG for programs without animations may show something else before.
        first = 1 if animated and image.info.get("default_image") else 0
        mode = _DEEP if _largest(image) > 255 else _MODES.get(image.mode, _MODES["RGB"])
        if "transparency" in image.info and mode[1] % 2:
            mode = _CLEAR
        across, down = image.info.get("dpi", (0, 0))
        resolution = float(across) / 25.4, float(down) / 25.4
        return Frames(source, kind, *image.size, max(count - first, 1), first, mode, resolution)


def _largest(image: ImageFile.ImageFile) -> int:
    """The largest value that PPM of bytes (type P6) has by its header; 0 for all else."""
    if image.format != "PPM" or image.mode != "RGB":
        return 0
    decoder, _, _, arguments = image.tile[0]
    if decoder == "ppm" and isinstance(arguments, tuple) and arguments:
        return int(arguments[1])
    return 0


def _deep_rows(image: ImageFile.ImageFile) -> Iterator[np.ndarray]:
    """Bands of 16 bits of PPM that has two bytes for each sample."""
    offset, largest = image.tile[0][2], _largest(image)
    assert image.fp is not None
    image.fp.seek(offset)
    for top in range(0, image.height, _BANDS):
        shape = min(_BANDS, image.height - top), image.width, 3
        data = image.fp.read(2 * math.prod(shape))
        band = np.frombuffer(data, ">u2").reshape(shape)  # raises if it is cut short
        yield np.rint(np.minimum(band, largest) * (65535 / largest)).astype(np.uint16)


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes, kind: str) -> Iterator[ImageFile.ImageFile]:
    try:
        with (
            files.naming(Path("" if isinstance(source, bytes) else source)),
            io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file,
        ):
            yield _READERS[kind](file)
    except MemoryError:
        raise
    except Exception as error:  # of damaged files, Pillow raises all kinds
        if isinstance(error, OSError) and error.errno:
            raise
        raise UnsupportedImage(
            f"{describe(source)} is damaged or cut short, or of a rare kind ({error}); expected a "
            f"complete {EXPECTED} file. Copy it again from where it came, or convert it."
        ) from error
