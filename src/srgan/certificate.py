"""The certificate of an exported model: how closely it computes what the Keras model does.

    FOLDER/certificate.json  what was measured, and the hash of every file
    FOLDER/reference.npz     lr images, and what the Keras model made of them

With the reference beside it, a file can be measured again anywhere, in its own runtime alone.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from srgan import files, images, resize, runtimes, versions

NAME = "certificate.json"
_REFERENCE = "reference.npz"
_PHOTOS = Path(__file__).parent / "photos"
_SIZES = {  # batch, height and width of the lr images
    "photos": ((3, 24, 32), (1, 33, 47), (1, 48, 48)),
    "extremes": ((3, 17, 24), (3, 5, 1)),
}
LIMITS = {  # of every format: least PSNR against Keras on photos, in dB
    "onnx": 60,
    "onnx-fp16": 50,
    "savedmodel": 60,
    "tflite": 60,
    "tflite-fp16": 50,
    "tflite-int8": 40,
    "openvino": 60,
    "openvino-fp16": 50,
    "openvino-int8": 40,
}
_LARGEST = 2**29  # bytes of a reference: beyond what the largest fixed size needs
TIMED = "timed"  # the lr image that speed is measured on
_TIMED_SIZE = (128, 128)
_ROUNDS = 3


class Figures(BaseModel):
    """The difference of two sets of pictures, clipped to [0, 1].

    Attributes:
        max_difference: Largest difference, in grey levels (1/255).
        mean_difference: Mean of the absolute differences, in grey levels.
        psnr: In dB; 100 if they are equal, since the reference is rounded to 16 bits.
    """

    model_config = ConfigDict(frozen=True)

    max_difference: float
    mean_difference: float
    psnr: float


class Measurement(BaseModel):
    """What was measured in the model's own runtime, against the Keras model.

    Attributes:
        photos: On crops of photos, of odd and even sizes, in batches of 1 and 3.
        extremes: On black, white and noise.
        seconds_per_megapixel: Of sr, on this machine, the median of three.
        versions: Of what computed it.
    """

    model_config = ConfigDict(frozen=True)

    photos: Figures
    extremes: Figures
    seconds_per_megapixel: float
    versions: dict[str, str]


class Certificate(BaseModel):
    """How closely an exported model does what the Keras model does, and of which files.

    Attributes:
        format: As `srgan export --format` calls it.
        file: What its runtime opens, in the certificate's folder.
        limit: Least PSNR on the photos, in dB.
        measured: When the files were written, in a fresh process.
        bytes: Of the model's files together.
        sha256: Of each of them, and of the reference.
        versions: Of what made them.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    file: str
    limit: float
    measured: Measurement
    bytes: int
    sha256: dict[str, str]
    versions: dict[str, str]


def check_format(kind: str) -> None:
    """Raises ValueError if there is no such format."""
    if kind not in LIMITS:
        raise ValueError(f"There is no format {kind!r}; expected one of {', '.join(LIMITS)}.")


def probes(scale: int, size: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
    """Returns the lr images on which models are compared, in [0, 1], rounded to 8 bits.

    Crops of the photos that come with this package, scaled down; black, white and noise; and a
    larger one to measure speed on.

    Args:
        scale: Factor by which the photos are scaled down.
        size: Height and width of all, for a model that takes no other.

    Returns:
        Batches `(batch, height, width, 3)`, float32, by name.
    """
    paths = photo_files()
    photos = [lr_photo(path, scale) for path in paths]
    noise = np.random.default_rng(0)
    batches = {}
    for kind, sizes in _SIZES.items():
        for i, (batch, height, width) in enumerate([(1, *size)] if size else sizes):
            if kind == "photos":
                batches[f"{kind}{i}"] = np.stack(
                    [crop(photos[(i + k) % len(photos)], height, width) for k in range(batch)]
                )
            else:
                grains = noise.integers(0, 256, (height, width, 3)).astype(np.uint8)
                flat = [np.full_like(grains, value) for value in (0, 255)]
                batches[f"{kind}{i}"] = np.stack([*flat, grains])
    batches[TIMED] = crop(lr_photo(paths[0], 1), *(size or _TIMED_SIZE))[None]
    return {name: batch / np.float32(255) for name, batch in batches.items()}


def photo_files() -> list[Path]:
    """Returns the photos that come with this package."""
    return sorted(_PHOTOS.glob("*.webp"))


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
    """Writes lr images of `probes`, and what Keras made of them by name, rounded to 16 bits."""
    arrays = {f"{name}/lr": _rounded(lr, np.uint8) for name, lr in batches.items()}
    arrays |= {f"{name}/sr": _rounded(sr, np.uint16) for name, sr in results.items()}
    np.savez_compressed(folder / _REFERENCE, allow_pickle=False, **arrays)


def certify(
    folder: Path, file: str, kind: str, limit: float, made_by: dict[str, str]
) -> Certificate:
    """Measures an exported model in a fresh process, and writes its certificate.

    Args:
        folder: With the model's files and the reference, and nothing else.
        file: What the runtime opens, in `folder`.
        kind: The format.
        limit: Least PSNR on the photos, in dB.
        made_by: Versions of what made the files.

    Raises:
        RuntimeError: If the model cannot be run, or is below the limit.
    """
    names = [path.relative_to(folder).as_posix() for path in sorted(_files(folder))]
    measured = _measure_afresh(folder, file)
    _check(measured.photos, limit, f"The {kind} model")
    certificate = Certificate(
        format=kind,
        file=file,
        limit=limit,
        measured=measured,
        bytes=sum((folder / name).stat().st_size for name in names if name != _REFERENCE),
        sha256={name: _sha256(folder / name) for name in names},
        versions=made_by,
    )
    files.write(folder / NAME, certificate.model_dump_json(indent=1).encode())
    return certificate


def verify(path: Path) -> tuple[Certificate, Measurement]:
    """Measures an exported model again, in this process.

    Args:
        path: The folder that `srgan export` wrote, or the model in it.

    Returns:
        Its certificate, and what was measured now.

    Raises:
        FileNotFoundError: If there is no such file, or no certificate.
        RuntimeError: If the model is below the certificate's limit here.
        ValueError: If a file was changed since the certificate was written.
    """
    folder, certificate = _read(path)
    for name, expected in certificate.sha256.items():
        file = folder / name
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing: its certificate names it. Export again.")
        if _sha256(file) != expected:
            raise ValueError(
                f"{file} was changed after its certificate was written: its SHA-256 is "
                f"{_sha256(file)}, not {expected}. Export it again, or restore the file."
            )
    measured = measure(folder, certificate.file)
    _check(measured.photos, certificate.limit, str(path))
    return certificate, measured


def measure(folder: Path, file: str) -> Measurement:
    """Compares an exported model with its reference, in this process.

    Raises:
        ValueError: If the model or the reference cannot be read, or the model's results are not of
            the reference's shape.
    """
    runtime = runtimes.open_runtime(folder / file)
    reference, timed = _reference(folder / _REFERENCE)
    differences: dict[str, list[np.ndarray]] = {kind: [] for kind in _SIZES}
    for name, lr, expected in reference:
        sr = runtime.run(lr)
        if sr.shape != expected.shape:
            raise ValueError(
                f"{folder / file} returned shape {sr.shape} for {lr.shape}; expected "
                f"{expected.shape}. Export it again."
            )
        difference = 255 * (np.clip(sr, 0, 1).astype(np.float64) - expected)
        differences[name.rstrip("0123456789")].append(difference.ravel())
    return Measurement(
        photos=_figures(np.concatenate(differences["photos"])),
        extremes=_figures(np.concatenate(differences["extremes"])),
        seconds_per_megapixel=_seconds_per_megapixel(runtime, timed),
        versions=versions.installed(*runtime.packages, "numpy"),
    )


def _seconds_per_megapixel(runtime: runtimes.Runtime, lr: np.ndarray) -> float:
    _, height, width, _ = runtime.run(lr).shape
    seconds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        runtime.run(lr)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)) * 1e6 / (height * width)


def _measure_afresh(folder: Path, file: str) -> Measurement:
    child = subprocess.run(
        [sys.executable, "-m", "srgan.certificate", str(folder), file],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    if child.returncode:
        lines = child.stderr.strip().splitlines() or [f"exit code {child.returncode}"]
        raise RuntimeError(f"The model does not run in a process of its own: {lines[-1]}")
    return Measurement.model_validate_json(child.stdout.splitlines()[-1])


def _check(figures: Figures, limit: float, what: str) -> None:
    if not figures.psnr >= limit:  # also if it is not a number
        raise RuntimeError(
            f"{what} is {figures.psnr:.1f} dB from the Keras model on photos (largest difference "
            f"{figures.max_difference:.2f} grey levels); expected at least {limit:g} dB."
        )


def _figures(difference: np.ndarray) -> Figures:
    noise = max(float(np.mean(difference**2)), 255**2 * 1e-10)
    return Figures(
        max_difference=float(np.abs(difference).max()),
        mean_difference=float(np.abs(difference).mean()),
        psnr=float(10 * np.log10(255**2 / noise)),
    )


def _read(path: Path) -> tuple[Path, Certificate]:
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    folder = path if (path / NAME).is_file() else path.parent
    try:
        certificate = Certificate.model_validate_json((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} has no {NAME} beside it; expected what `srgan export` wrote."
        ) from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder / NAME} is no certificate of srgan: {error}") from error
    inside = [*certificate.sha256, certificate.file]
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in inside):
        raise ValueError(f"{folder / NAME} names files outside its folder; export again.")
    if path != folder and path.name not in {Path(name).parts[0] for name in certificate.sha256}:
        raise ValueError(f"{folder / NAME} is not about {path.name}, but {certificate.file}.")
    return folder, certificate


def _reference(path: Path) -> tuple[list[tuple[str, np.ndarray, np.ndarray]], np.ndarray]:
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


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":  # the fresh process
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), sys.argv[2]).model_dump()) + "\n")
