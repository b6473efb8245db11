"""The certificate of an exported model: how closely it computes what its source does.

    FOLDER/certificate.json  what was measured, and the hash of every file
    FOLDER/reference.npz     lr images, and what the source made of them

The source is the Keras model, or what ran a model of another project.

With the reference beside it, a file can be measured again anywhere, in its own runtime alone.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from srgan.util import children, files, versions
from srgan.verification import probes, runtimes

NAME = "certificate.json"
MIN_PSNR = {  # of every format: least PSNR against Keras on photos, in dB
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
    """What was measured in the model's own runtime, against its source.

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
    """How closely an exported model does what its source does, and of which files.

    Attributes:
        format: As `srgan export --format` calls it.
        file: What its runtime opens, in the certificate's folder.
        limit: Least PSNR on the photos, in dB.
        measured: When the files were written, in a fresh process.
        bytes: Of the model's files together.
        sha256: Of each of them, and of the reference.
        versions: Of what made them.
        source: What the reference was made by: Keras, PyTorch or ncnn.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    file: str
    limit: float
    measured: Measurement
    bytes: int
    sha256: dict[str, str]
    versions: dict[str, str]
    source: str = "Keras"


def check_format(kind: str) -> None:
    """Raises ValueError if there is no such format."""
    if kind not in MIN_PSNR:
        raise ValueError(f"There is no format {kind!r}; expected one of {', '.join(MIN_PSNR)}.")


def certify(
    folder: Path,
    file: str,
    kind: str,
    limit: float,
    made_by: dict[str, str],
    source: str = "Keras",
) -> Certificate:
    """Measures an exported model in a fresh process, and writes its certificate.

    Args:
        folder: With the model's files and the reference, and nothing else.
        file: What the runtime opens, in `folder`.
        kind: The format.
        limit: Least PSNR on the photos, in dB.
        made_by: Versions of what made the files.
        source: What made the reference.

    Raises:
        RuntimeError: If the model cannot be run, or is below the limit.
    """
    names = [path.relative_to(folder).as_posix() for path in sorted(_files(folder))]
    measured = _measure_afresh(folder, file)
    _check(measured.photos, limit, f"The {kind} model", source)
    certificate = Certificate(
        format=kind,
        file=file,
        limit=limit,
        measured=measured,
        bytes=sum((folder / name).stat().st_size for name in names if name != probes.REFERENCE),
        sha256={name: files.sha256(folder / name) for name in names},
        versions=made_by,
        source=source,
    )
    files.write_bytes(folder / NAME, certificate.model_dump_json(indent=1).encode())
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
        if files.sha256(file) != expected:
            raise ValueError(
                f"{file} was changed after its certificate was written: its SHA-256 is "
                f"{files.sha256(file)}, not {expected}. Export it again, or restore the file."
            )
    measured = measure(folder, certificate.file)
    _check(measured.photos, certificate.limit, str(path), certificate.source)
    return certificate, measured


def measure(folder: Path, file: str) -> Measurement:
    """Compares an exported model with its reference, in this process.

    Raises:
        ValueError: If the model or the reference cannot be read, or the model's results are not of
            the reference's shape.
    """
    runtime = runtimes.open_runtime(folder / file)
    reference, timed = probes.read_reference(folder / probes.REFERENCE)
    differences: dict[str, list[np.ndarray]] = {kind: [] for kind in probes.SIZES}
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
        photos=figures_of(np.concatenate(differences["photos"])),
        extremes=figures_of(np.concatenate(differences["extremes"])),
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
    child = children.run("srgan.verification.certificate", folder, file)
    if child.code:
        raise RuntimeError(f"The model does not run in a process of its own: {child.complaint}")
    return Measurement.model_validate_json(child.lines[-1])


def _check(figures: Figures, limit: float, what: str, source: str) -> None:
    if not figures.psnr >= limit:  # also if it is not a number
        raise RuntimeError(
            f"{what} is {figures.psnr:.1f} dB from the {source} model on photos (largest "
            f"difference {figures.max_difference:.2f} grey levels); expected at least {limit:g} dB."
        )


def figures_of(difference: np.ndarray) -> Figures:
    """Returns what differences, in grey levels, come to."""
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


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


if __name__ == "__main__":  # the fresh process
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), sys.argv[2]).model_dump()) + "\n")
