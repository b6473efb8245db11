"""Image files to RGB arrays `(height, width, 3)` and back.

Inside `srgan`, images are float32 RGB in [0, 1] or uint8 RGB. What else a photo carries, and photos
that do not fit into memory, are the matter of `stream`.
"""

import os
from pathlib import Path

import numpy as np
import pyvips

from srgan.io import formats, opening, samples
from srgan.util import files

Sample = type[np.uint8] | type[np.uint16] | type[np.float32]


def read(path: str | os.PathLike[str], alpha: bool = False) -> np.ndarray:
    """Reads an image file.

    Turned upright (EXIF), converted to sRGB (embedded profile, CMYK, Lab), and grey repeated in the
    three channels. 16-bit and float files keep 16 bits of precision. Of a file with several pages,
    the first counts.

    Args:
        path: A file of a format that is read; see `kinds`. It is recognised by its content.
        alpha: Keep transparency, as a fourth channel, where the file has it; else it is laid on
            white.

    Returns:
        `(height, width, 3)` float32 in [0, 1], or `(height, width, 4)`.

    Raises:
        UnsupportedImage: If it is not a complete image in one of these formats.
        FileNotFoundError: If it does not exist.
    """
    return to_float(_pixels(Path(path), alpha))


def read_integers(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file as `read` does, but to uint8, or uint16 if the file has more bits."""
    return _pixels(Path(path))


def read_uint8(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file as `read` does, but to uint8: without loss if the file has 8 bits."""
    return to_uint8(_pixels(Path(path)))


def is_transparent(path: str | os.PathLike[str]) -> bool:
    """Returns whether pixels of an image file are transparent: reading it lays these on white."""
    opened = opening.open_image(Path(path))
    with formats.decoding(path):
        image = samples.to_srgb(opened.image)
        if not image.hasalpha():
            return False
        alpha = image[image.bands - 1].numpy()
        return bool(alpha.min() < np.iinfo(alpha.dtype).max)


def write(path: str | os.PathLike[str], image: np.ndarray, overwrite: bool = False) -> None:
    """Writes an image file, whole or not at all; takes all that `Model.upscale` returns.

    Args:
        path: The suffix chooses the format; .png, .tif and .tiff are lossless.
        image: `(height, width)` or `(height, width, channels)`: 1 channel for grey, 3 for RGB, and
            one more for alpha. uint8; float in [0, 1], which is clipped and becomes 8 bits; or
            uint16, which keeps 16 bits where the format has them.
        overwrite: Replace an existing file.

    Raises:
        UnsupportedImage: If no format has this suffix, or the format has no room for the image, or
            no transparency.
        OSError: As `formats.check_destination` says, or if the disk is full.
        ValueError: If `image` is not such an array.
    """
    path, shape = Path(path), image.shape
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 2, 3, 4) or not image.size:
        raise ValueError(
            "An image is (height, width) or (height, width, channels) with 1 to 4 channels; "
            f"got {shape}."
        )
    _check_samples(image)
    formats.check_destination(path, overwrite, *image.shape[:2])
    held = formats.FORMATS[path.suffix.lower()]
    channels = image.shape[2]
    if channels in (2, 4) and not held.alpha:
        raise formats.UnsupportedImage(
            f"Cannot write {path}: {path.suffix} files have no transparency. Use .png or .webp, or "
            "leave the last channel out."
        )
    if image.dtype != np.uint16:
        image = to_uint8(image)
    elif held.bits < 16:
        image = from_float(to_float(image), np.uint8)
    if channels < 3 and not held.grey:
        image = np.concatenate([image[:, :, :1].repeat(3, axis=2), image[:, :, 1:]], axis=2)
    deep, grey = image.dtype == np.uint16, image.shape[2] < 3
    kind = ("grey16" if grey else "rgb16") if deep else ("b-w" if grey else "srgb")
    with files.replacing(path) as partial:
        pixels = pyvips.Image.new_from_array(image, interpretation=kind)
        formats.save(pixels, partial, path.suffix.lower())


def _check_samples(image: np.ndarray) -> None:
    """Raises unless samples are of a type, and in a range, that can be meant as colours."""
    if image.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"An image is uint8, uint16 or float in [0, 1]; got {image.dtype}.")
    if not np.isfinite(image).all():
        raise ValueError("The image has values that are not finite, which no pixel can show.")
    if image.min() < -1 or image.max() > 2:  # a filter may overshoot by less
        raise ValueError(
            f"A float image is in [0, 1]; got {image.min():g} to {image.max():g}. Divide 8-bit "
            "values by 255, or pass them as uint8."
        )


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds floats in [0, 1], and uint16, half up to 0..255, clipping; uint8 stays as it is.

    Raises:
        ValueError: If there are NaNs, or the dtype is none of these.

    Example:
        >>> to_uint8(np.array([-1, 0, 0.5, 1.0]))
        array([  0,   0, 128, 255], dtype=uint8)
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        return from_float(to_float(image), np.uint8)
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"Images are float in [0, 1], uint8 or uint16; got {image.dtype}.")
    if np.isnan(image).any():
        raise ValueError("The image has NaN values, which no pixel can show.")
    return from_float(image, np.uint8)


def to_float(image: np.ndarray) -> np.ndarray:
    """Returns samples as float32, uint8 and uint16 ones divided by their largest value."""
    if np.issubdtype(image.dtype, np.floating):
        return image.astype(np.float32, copy=False)
    return image / np.float32(np.iinfo(image.dtype).max)


def from_float(image: np.ndarray, dtype: Sample) -> np.ndarray:
    """Undoes `to_float`, clipping, and rounding half up where `dtype` is uint8 or uint16."""
    image = np.clip(image, 0, 1)
    if dtype == np.float32:
        return image
    image *= 255 if dtype == np.uint8 else 65535
    image += 0.5
    return image.astype(dtype)


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


def _pixels(path: Path, alpha: bool = False) -> np.ndarray:
    """Returns a file's sRGB pixels, uint8 or uint16."""
    opened = opening.open_image(path)
    with formats.decoding(path):
        image = samples.to_srgb(opened.image.autorot())
        if image.hasalpha() and not alpha:
            image = image.flatten(background=[255 if image.format == "uchar" else 65535])
        return image.numpy()
