"""Models by name or path: those that come with this package, and others in files."""

import hashlib
import os
import shlex
from pathlib import Path

from srgan.models import engines
from srgan.models.metadata import Metadata
from srgan.util import resources

PURPOSES = {  # the default model of each pair first
    "srgan-x4": "the default for clean photos: realistic detail",
    "srgan-psnr-x4": "the same photos, closest to the truth: measuring, documents",
    "srgan-photo-x4": "the default for degraded photos: less JPEG, noise and blur",
    "srgan-photo-psnr-x4": "the same photos, smoother",
    "srgan-x2": "the default for clean photos up to --scale 2",
    "srgan-psnr-x2": "the same size, closest to the truth",
    "srgan-fast-x4": "large folders, video, phones: nearly as good, six times as fast",
    "srgan-fast-psnr-x4": "as fast, closest to the truth",
}


_WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt", ".param", ".bin")


def shipped() -> list[str]:
    """Returns the names of the models that come with this package."""
    return sorted(path.stem for path in resources.WEIGHTS.glob("srgan-*.onnx"))


def path(model: str | os.PathLike[str]) -> Path:
    """Returns the file of a model, given by the name of a shipped one or by its path.

    A folder stands for the ONNX file in it, as `srgan export` and `srgan train` leave it there.

    Raises:
        FileNotFoundError: If there is neither such a name nor such a file.
        ValueError: If there is a file of weights alone, of another project.
    """
    file = resources.WEIGHTS / f"{model}.onnx" if model in shipped() else Path(model)
    if str(model) == "auto" and not file.is_file():
        raise FileNotFoundError(
            "There is no model 'auto': it stands for the one that fits a photo, where photos are "
            "given, as srgan.upscale_file and srgan upscale do. Name one of the shipped models "
            f"here: {', '.join(shipped())}."
        )
    if file.is_dir():
        file = _inside(file)
    if file.is_file() and file.suffix.lower() in _WEIGHTS:
        raise ValueError(
            f"{file} holds the weights of another project's model, which have to be converted "
            f"first: srgan convert {shlex.quote(str(file))} -o {shlex.quote(f'{file.stem}.onnx')}"
        )
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no model {str(model)!r}: expected the path of an ONNX file, or one of the "
            f"shipped models: {', '.join(shipped()) or 'none in this installation'}."
        )
    return file


def holds_model(folder: Path) -> bool:
    """Returns whether a folder stands for the one model in it; see `path`."""
    try:
        return folder.is_dir() and _inside(folder).is_file()
    except FileNotFoundError:
        return False


def _inside(folder: Path) -> Path:
    """The model in a folder.

    Raises:
        FileNotFoundError: If there is not one.
    """
    found = [folder / "model.onnx"]
    if not found[0].is_file():
        found = sorted(path for path in folder.glob("*.onnx") if path.is_file())
    if len(found) != 1:
        there = ", ".join(path.name for path in found[:4]) or "no ONNX file"
        raise FileNotFoundError(
            f"The folder {folder} is no model: it has {there}; expected one, as srgan train and "
            "srgan export --format onnx leave it there."
        )
    return found[0]


def fingerprint(model: str | os.PathLike[str]) -> str:
    """Returns what tells a model's file from others, whatever their names.

    Raises:
        FileNotFoundError: If there is no such model.
    """
    return sha256(model)[:16]


def sha256(model: str | os.PathLike[str]) -> str:
    """Returns the hash of a model, in hexadecimal digits.

    What lies beside it and belongs to it is included: its weights, and what is said of its values.

    Raises:
        FileNotFoundError: If there is no such model.
    """
    file = path(model)
    digest = hashlib.sha256(engines.read(file))
    if file.with_suffix(".toml").is_file():
        digest.update(file.with_suffix(".toml").read_bytes())
    return digest.hexdigest()


def psnr_path(file: Path, metadata: Metadata) -> Path:
    """Returns the file of the PSNR model that a GAN model was trained from.

    Raises:
        FileNotFoundError: If it is neither a shipped model nor beside `file`.
        ValueError: If the model does not name it.
    """
    if not metadata.psnr_model:
        raise ValueError(
            f"{metadata.name} does not name the PSNR model that it came from, which --realism and "
            "the error map need. Leave them out, or take a GAN model that does, as srgan-x4."
        )
    beside = file.with_name(f"{metadata.psnr_model}.onnx")
    return beside if beside.is_file() else path(metadata.psnr_model)
