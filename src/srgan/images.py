"""Image files to RGB arrays `(height, width, 3)` and back.

Inside `srgan`, images are float32 RGB in [0, 1] or uint8 RGB. This module alone knows about file
formats, 16 bits, colour profiles, orientation and transparency.
"""

import os
from pathlib import Path

import numpy as np
import pyvips

from srgan import files

# libvips remembers what it decoded, by address: each file is read once here, so that a cache
# would only hold memory.
pyvips.cache_set_max(0)

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")

_FORMATS = "PNG, JPEG, WebP or TIFF"
_SIGNATURES = (  # the first bytes of the formats above; TIFF has two byte orders and a big variant
    *(b"\x89PNG", b"\xff\xd8\xff", b"RIFF"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
)
_LONGEST_SIDE = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}  # pixels, by file format
_MOST_PIXELS = 2**28  # beyond any camera; a small hostile file could claim enough to fill memory


class UnsupportedImage(ValueError):  # noqa: N818 - it says what the image is
    """An image that cannot be read, or cannot be written as asked; the message says which."""


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file.

    Turned upright (EXIF), converted to sRGB (embedded profile, CMYK, Lab), grey repeated in the
    three channels, and transparency laid on white. 16-bit and float files keep 16 bits of
    precision. Of a file with several pages, the first counts.

    Args:
        path: A PNG, JPEG, WebP or TIFF file, recognised by its content.

    Returns:
        `(height, width, 3)` float32 in [0, 1].

    Raises:
        UnsupportedImage: If it is not a complete image in one of these formats.
        FileNotFoundError: If it does not exist.
    """
    pixels = _pixels(Path(path))
    image = pixels.astype(np.float32)
    image /= np.iinfo(pixels.dtype).max
    return image


def read_uint8(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file as `read` does, but to uint8: without loss if the file has 8 bits."""
    pixels = _pixels(Path(path))
    return pixels if pixels.dtype == np.uint8 else to_uint8(pixels / np.float32(65535))


def write(path: str | os.PathLike[str], image: np.ndarray, overwrite: bool = False) -> None:
    """Writes an 8-bit image file, whole or not at all.

    Args:
        path: The suffix chooses the format: .png, .tif and .tiff are lossless; .jpg, .jpeg and
            .webp are written with quality 95.
        image: `(height, width, 3)`, float in [0, 1] or uint8; see `to_uint8`.
        overwrite: Replace an existing file.

    Raises:
        UnsupportedImage, OSError: As `check_destination` says, or if the disk is full.
        ValueError: If `image` is not such an array.
    """
    path = Path(path)
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"An image is (height, width, 3); got {image.shape}.")
    check_destination(path, overwrite, *image.shape[:2])
    files.write(path, _encode(to_uint8(image), path.suffix.lower()))


def check_destination(
    path: str | os.PathLike[str], overwrite: bool = False, height: int = 1, width: int = 1
) -> None:
    """Raises what `write` would raise, before the work of making a `height` x `width` image.

    Raises:
        UnsupportedImage: If no format has this suffix, or the format has no room for the image.
        FileExistsError: If the file exists, unless `overwrite`.
        FileNotFoundError, PermissionError, IsADirectoryError: If there is no way to write there.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnsupportedImage(
            f"Cannot write {path}: the suffix {path.suffix!r} names no known format. "
            f"Use one of {', '.join(SUFFIXES)}."
        )
    files.check_destination(path, overwrite)
    longest = _LONGEST_SIDE.get(suffix)
    if longest and max(height, width) > longest:
        raise UnsupportedImage(
            f"Cannot write {path}: {suffix} files have at most {longest} pixels a side, "
            f"and the image is {height}x{width}. Use .png or .tif."
        )


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds floats in [0, 1] half up to 0..255, clipping; uint8 is returned as it is.

    Raises:
        ValueError: If there are NaNs, or the dtype is neither float nor uint8.

    Example:
        >>> to_uint8(np.array([-1, 0, 0.5, 1.0]))
        array([  0,   0, 128, 255], dtype=uint8)
    """
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"Images are float in [0, 1] or uint8; got {image.dtype}.")
    if np.isnan(image).any():
        raise ValueError("The image has NaN values, which no pixel can show.")
    return np.floor(np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def encode_webp(image: np.ndarray, quality: int | None = None) -> bytes:
    """Returns the bytes of a WebP file, for pages that carry their pictures in them.

    Args:
        image: `(height, width, 3)` or, grey, `(height, width)`; uint8, at most 16383 pixels a side.
        quality: From 0 to 100; None for a file without loss.
    """
    lossless = {"lossless": True, "effort": 2}  # effort 4 takes three times as long to save 1 %
    lossy = {"Q": quality, "smart_subsample": True}
    return pyvips.Image.new_from_array(image).write_to_buffer(
        ".webp", keep="none", **(lossless if quality is None else lossy)
    )


def find(folder: str | os.PathLike[str]) -> list[Path]:
    """Returns the image files below `folder`, by suffix, sorted, leaving out hidden ones.

    Raises:
        NotADirectoryError: If `folder` is not a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder. Name an existing folder of images.")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _pixels(path: Path) -> np.ndarray:
    """Returns a file's sRGB pixels, uint8 or uint16."""
    if path.is_dir():
        raise UnsupportedImage(f"{path} is a folder; expected one {_FORMATS} file.")
    try:
        # Python reads, not libvips, which takes "[...]" in a name for options.
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist; expected a {_FORMATS} file. Check the name and the folder."
        ) from error
    if not data.startswith(_SIGNATURES):
        found = "not an image in a known format" if data else "empty"
        raise UnsupportedImage(
            f"{path} is {found}; expected a {_FORMATS} file, whatever its name. "
            "Convert it, or copy it again from where it came."
        )
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on="error", access="sequential")
        if image.width * image.height > _MOST_PIXELS:
            raise UnsupportedImage(
                f"{path} claims {image.height}x{image.width} pixels; expected at most "
                f"{_MOST_PIXELS} in all. Cut it into parts."
            )
        pixels = _to_srgb(image).numpy()
    except pyvips.Error as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise UnsupportedImage(
            f"{path} is damaged or cut short ({reason}); expected a complete {_FORMATS} file. "
            "Copy it again from where it came."
        ) from error
    if image.format not in ("uchar", "ushort", "float") or pixels.shape[2:] != (3,):
        raise UnsupportedImage(
            f"{path} has {image.bands} channels of {image.format} samples; expected grey, RGB or "
            "CMYK of 8 or 16 bits, or float. Convert it."
        )
    return pixels


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Returns `image` upright, opaque and in sRGB, of 8 bits if it has 8, else of 16."""
    image = image.autorot()
    depth = 8 if image.format == "uchar" else 16
    if image.get_typeof("icc-profile-data") or image.interpretation == "cmyk":
        image = image.icc_transform(
            "srgb", embedded=True, black_point_compensation=True, depth=depth
        )
    else:
        image = image.colourspace("srgb" if depth == 8 else "rgb16")
    return image.flatten(background=[2**depth - 1]) if image.hasalpha() else image


def _encode(pixels: np.ndarray, suffix: str) -> bytes:
    options = {}
    if suffix in (".jpg", ".jpeg", ".webp"):
        options = {"Q": 95}
    elif suffix in (".tif", ".tiff"):
        big = pixels.nbytes >= 2**31  # a plain TIFF addresses 4 GiB
        options = {"compression": "deflate", "predictor": "horizontal", "bigtiff": big}
    image = pyvips.Image.new_from_array(pixels)
    return image.write_to_buffer(suffix, keep="none", **options)
