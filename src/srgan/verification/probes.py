"""The lr images on which models are compared, and what the Keras model made of them."""

import zipfile
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.models.requirements import NO_REQUIREMENTS, SizeRequirements
from srgan.numeric import resize
from srgan.util import resources

REFERENCE = "reference.npz"
SIZES = {  # batch, height and width of the lr images
    "photos": ((3, 24, 32), (1, 33, 47), (1, 48, 48)),
    "extremes": ((3, 17, 24), (3, 5, 1)),
}
_LARGEST = 2**29  # bytes of a reference: beyond what the largest fixed size needs
TIMED = "timed"  # the lr image that speed is measured on
_TIMED_SIZE = (128, 128)


def make(
    scale: int,
    size: tuple[int, int] | None = None,
    requirements: SizeRequirements = NO_REQUIREMENTS,
    single: bool = False,
) -> dict[str, np.ndarray]:
    """Returns the lr images on which models are compared, in [0, 1], rounded to 8 bits.

    Crops of the photos that come with this package, scaled down; black, white and noise; and a
    larger one to measure speed on.

    Args:
        scale: Factor by which the photos are scaled down.
        size: Height and width of all, for a model that takes no other.
        requirements: What other sizes a model takes; those of others are padded to them.
        single: Whether each batch is of one image, for a model that takes no more.

    Returns:
        Batches `(batch, height, width, 3)`, float32, by name.
    """
    paths = photo_files()
    photos = [lr_photo(path, scale) for path in paths]
    noise = np.random.default_rng(0)
    batches = {}
    for kind, sizes in SIZES.items():
        for i, (batch, *sides) in enumerate([(1, *size)] if size else sizes):
            height, width = requirements.padded(*sides)
            if kind == "photos":
                made = [crop(photos[(i + k) % len(photos)], height, width) for k in range(batch)]
            else:
                grains = noise.integers(0, 256, (height, width, 3)).astype(np.uint8)
                made = [*(np.full_like(grains, value) for value in (0, 255)), grains]
            if single:
                batches |= {f"{kind}{i}{k}": image[None] for k, image in enumerate(made)}
            else:
                batches[f"{kind}{i}"] = np.stack(made)
    timed = size or requirements.padded(*_TIMED_SIZE)
    batches[TIMED] = crop(lr_photo(paths[0], 1), *timed)[None]
    return {name: batch / np.float32(255) for name, batch in batches.items()}


def photo_files() -> list[Path]:
    """Returns the photos that come with this package."""
    return sorted(resources.PHOTOS.glob("*.webp"))


def lr_photo(path: Path, scale: int) -> np.ndarray:
    """Returns a photo scaled down, uint8.

    Raises:
        UnsupportedImage, ValueError: If it is not an image, or smaller than `scale`.
    """
    return resize.downscale(resize.crop_to_multiple(images.read_uint8(path), scale), scale)


def crop(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns the middle of a photo, mirrored at its edges if it is smaller."""
    margins = [(0, max(height - photo.shape[0], 0)), (0, max(width - photo.shape[1], 0)), (0, 0)]
    photo = np.pad(photo, margins, mode="symmetric")
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return photo[top : top + height, left : left + width]


def write_reference(
    folder: Path, batches: dict[str, np.ndarray], results: dict[str, np.ndarray]
) -> None:
    """Writes lr images of `make`, and what Keras made of them by name, rounded to 16 bits."""
    arrays = {f"{name}/lr": _rounded(lr, np.uint8) for name, lr in batches.items()}
    arrays |= {f"{name}/sr": _rounded(sr, np.uint16) for name, sr in results.items()}
    np.savez_compressed(folder / REFERENCE, allow_pickle=False, **arrays)


def read_reference(path: Path) -> tuple[list[tuple[str, np.ndarray, np.ndarray]], np.ndarray]:
    """Names, lr batches and results; and the lr image to measure speed on."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError("it is larger than any reference")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        batches = {
            name.removesuffix("/lr"): array / np.float32(255)
            for name, array in arrays.items()
            if name.endswith("/lr")
        }
        timed = batches.pop(TIMED)
        return [(name, lr, arrays[f"{name}/sr"] / 65535) for name, lr in batches.items()], timed
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no reference of srgan: {error}. Export again.") from error


def _rounded(image: np.ndarray, dtype: type[np.unsignedinteger]) -> np.ndarray:
    return np.round(np.clip(image, 0, 1) * float(np.iinfo(dtype).max)).astype(dtype)
