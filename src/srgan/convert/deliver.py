"""Converts a model: written as ONNX, compared with what it came from, or not at all."""

import importlib.util
import json
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from srgan.convert import credit, ncnn, ncnn_graph, onnx_file, torch_worker
from srgan.convert.credit import Credit
from srgan.convert.facts import NetworkFacts
from srgan.models import engines
from srgan.models.metadata import Metadata
from srgan.models.state_dict import is_torch, read_state_dict, read_texts
from srgan.numeric import resize
from srgan.util import children, files, parallel, versions
from srgan.verification import card, certificate, probes
from srgan.verification.certificate import Certificate

STEPS = 9
"""How often `tell` is called, at most."""

_UNLIKE = 0.1  # mean difference from bicubic, in [0, 1]; networks come below 0.03
_TAKEN = (".safetensors", ".pth", ".pt", ".ckpt", ".param", ".onnx")
_MIN_MEMORY, _TIMES_FILE = 4 * 2**30, 60  # of the process with PyTorch


class Conversion(NamedTuple):
    """What became of a model.

    Attributes:
        path: What was written.
        facts: What the network is.
        metadata: What the file says about itself.
        certificate: How closely it does what its source does; None if there was nothing to compare
            with.
        notes: What one should know, in sentences.
    """

    path: Path
    facts: NetworkFacts
    metadata: Metadata
    certificate: Certificate | None
    notes: tuple[str, ...]


def convert(
    source: Path,
    output: Path,
    licence: str | None = None,
    card_file: Path | None = None,
    minutes: float = 30,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda step: None,
) -> Conversion:
    """Writes the ONNX file of a model of another project.

    Args:
        source: A `.safetensors`, `.pth` or `.pt` file, of an architecture that spandrel knows; or
            the `.param` or `.bin` file of an ncnn network.
        output: An `.onnx` file; or a folder that is made, and gets certificate and model card, too.
            Written whole or not at all.
        licence: Of the model, if `card_file` does not say it.
        card_file: A card of OpenModelDB; by default the one beside `source` with its name.
        minutes: Of processor time that PyTorch may take.
        overwrite: Whether a file that exists is replaced.
        tell: Called with each step, in words.

    Raises:
        FileExistsError: If the output exists.
        FileNotFoundError: If there is no such model, or nowhere to write.
        ModuleNotFoundError: If PyTorch or spandrel is missing, and needed.
        RuntimeError: If the result is too far from what PyTorch or ncnn make of photos.
        ValueError: If the file is no such model, or is damaged.
    """
    is_file = output.suffix.lower() == ".onnx"
    files.check_destination(output, overwrite and is_file)
    if not is_file and output.exists():
        raise FileExistsError(f"{output} exists already. Name a folder that does not.")
    if not is_file and output.suffix and not output.suffix[1:].isdigit():  # folders may be v1.2
        raise ValueError(
            f"{output} would be another format than ONNX, which is what is written here: name it "
            f"{output.with_suffix('.onnx').name}, or a folder. Other formats are made from that."
        )
    if source.is_dir():
        raise ValueError(_folder(source))
    if not source.is_file():
        raise FileNotFoundError(f"There is no model {source}.")
    if source.suffix.lower() == ".onnx":
        raise ValueError(f"{source} needs no conversion: name it with --model as it is.")
    tell("reading")
    found = _credit(source, licence, card_file)
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=output.parent) as parent:
        part = Path(parent) / "model"
        part.mkdir()
        file = part / f"{output.stem}.onnx"
        if _is_ncnn(source):
            facts, notes = _from_ncnn(source, part, file, tell)
            runtime = "ncnn"
        else:
            facts, notes = _from_torch(source, part, file, minutes, tell)
            runtime = "PyTorch"
        notes += _check_credit(source, found, facts)
        tell("describing it")
        _check_picture(source, file, facts)
        metadata, seen = onnx_file.describe(file, facts, found.credit, files.sha256(source)[:16])
        issued = None
        if (part / probes.REFERENCE).is_file():
            tell("comparing it in a process of its own")
            limit = certificate.MIN_PSNR["onnx"]
            made_by = versions.installed("srgan", "onnx") | facts.versions
            issued = certificate.certify(part, file.name, "onnx", limit, made_by, runtime)
        elif not is_file:
            raise ModuleNotFoundError(
                "A folder gets a certificate, for which ncnn has to run the model, and it is "
                "missing. Run: pip install ncnn"
            )
        if is_file:
            onnx_file.add_certificate(file, issued)
            file.replace(output)
        else:
            _add_card(part, metadata, facts, issued)
            part.rename(output)
    return Conversion(output, facts, metadata, issued, (*notes, *seen))


def _folder(source: Path) -> str:
    """What is said of a folder in place of a model."""
    models = sorted(path for path in source.iterdir() if path.suffix.lower() in _TAKEN)
    if not models:
        return (
            f"{source} is a folder without a model: there is no file {', '.join(_TAKEN)} in it. "
            "Name the file of one."
        )
    names = ", ".join(path.name for path in models[:4])
    return f"{source} is a folder, and one model is converted at a time: name one of {names}."


def _is_ncnn(source: Path) -> bool:
    """Whether a file is half of an ncnn network; `.bin` is what some call files of PyTorch, too."""
    suffix = source.suffix.lower()
    return suffix == ".param" or (suffix == ".bin" and not is_torch(source))


class _Found(NamedTuple):
    credit: Credit
    card: Path | None


def _credit(source: Path, licence: str | None, card_file: Path | None) -> _Found:
    """What is known of a model's origin: a card goes before the file, and an option before both."""
    found = Credit() if _is_ncnn(source) else credit.from_texts(read_texts(source))
    card_file = card_file or credit.beside(source)
    if card_file:
        found = credit.read_card(card_file).credit
    if licence:
        found = found.model_copy(update={"licence": " ".join(licence.split())})
    return _Found(found, card_file)


def _check_credit(source: Path, found: _Found, facts: NetworkFacts) -> list[str]:
    """Raises if the card is of another model; returns what should be known."""
    notes = []
    if found.card:
        card = credit.read_card(found.card)
        if card.scale != facts.scale:
            raise ValueError(
                f"{found.card} is about a model that enlarges {card.scale} times, and {source} "
                f"does so {facts.scale} times. Name the right one with --card."
            )
        if card.hashes and files.sha256(source) not in card.hashes:
            notes.append(
                f"{found.card.name} lists other files than {source.name}: check that it is about "
                "this model"
            )
    if found.credit.licence == credit.UNKNOWN:
        notes.append(
            "its licence is unknown, and many models are not for commercial use: name it with "
            "--licence, or its card of OpenModelDB with --card"
        )
    return notes


def _from_ncnn(
    source: Path, part: Path, file: Path, tell: Callable[[str], None]
) -> tuple[NetworkFacts, list[str]]:
    layers = ncnn.read(source)
    try:
        model, facts = ncnn_graph.to_onnx(layers)
    except ValueError as error:
        raise ValueError(f"{source} cannot be converted: {error}") from None
    onnx.save(model, file)
    if importlib.util.find_spec("ncnn") is None:
        return facts, ["it was not compared with ncnn, which is missing; pip install ncnn"]
    tell("running it with ncnn on photos")
    child = children.run("srgan.convert.ncnn_worker", source, part, facts.scale)
    if child.code:
        raise RuntimeError(f"{source} cannot be run by ncnn: {child.complaint}")
    return facts.model_copy(update={"versions": {"ncnn": child.lines[-1]}}), []


def _from_torch(
    source: Path, part: Path, file: Path, minutes: float, tell: Callable[[str], None]
) -> tuple[NetworkFacts, list[str]]:
    read_state_dict(source)  # of what cannot be read, it is said without PyTorch
    for package in ("torch", "spandrel"):
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(f"{package} is missing", name=package)
    problem: dict[str, str | None] = {}

    def listen(line: str) -> None:
        said = json.loads(line)
        if "step" in said:
            tell(said["step"])
        problem.update(said)

    allowed = max(_MIN_MEMORY, _TIMES_FILE * source.stat().st_size)
    allowed = min(allowed, max(parallel.available_memory(), 2**30))
    seconds = max(round(60 * minutes), 1)
    child = children.run(
        "srgan.convert.torch_worker", source, part, seconds, allowed, on_line=listen
    )
    if problem.get("missing"):
        raise ModuleNotFoundError(f"{problem['missing']} is missing", name=problem["missing"])
    if problem.get("error"):
        said = str(problem["error"])
        raise ValueError(said if str(source) in said else f"{source} {said}")
    if child.code:
        raise RuntimeError(f"{source} was not converted: {_ending(child, minutes)}")
    (part / torch_worker.MODEL).rename(file)
    return torch_worker.take_facts(part), []


def _check_picture(source: Path, file: Path, facts: NetworkFacts) -> None:
    """Raises if what the model makes of a photo is none."""
    height, width = facts.requirements.padded(64, 64)
    photo = probes.lr_photo(probes.photo_files()[0], facts.scale)
    lr = probes.crop(photo, height, width) / np.float32(255)
    sr = engines.open_engine(file).run(lr[None])[0]
    expected = resize.upscale(lr, facts.scale)
    # NaN compares as false.
    if sr.shape != expected.shape or not np.abs(np.clip(sr, 0, 1) - expected).mean() < _UNLIKE:
        raise ValueError(
            f"{source} makes of a photo what does not resemble it. Is it a model for photos, and "
            "was its training finished?"
        )
    weights = (onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer)
    if not any(array.any() for array in weights if array.ndim > 1 and array.dtype.kind == "f"):
        raise ValueError(
            f"{source} has nothing but zeros for weights: it was never trained, or is damaged. "
            "Download it again."
        )


def _ending(child: children.Ended, minutes: float) -> str:
    if child.code == -getattr(signal, "SIGXCPU", 0):
        return (
            f"PyTorch took more than {minutes:g} minutes of processor time. Allow more with "
            "--minutes, if the file can be trusted."
        )
    if child.code == -getattr(signal, "SIGKILL", 9):
        return "the system ended PyTorch, most likely for want of memory. Close other programs."
    return f"PyTorch ended early ({child.complaint})."


def _add_card(
    part: Path, metadata: Metadata, facts: NetworkFacts, issued: Certificate | None
) -> None:
    if issued is None:
        return
    sizes = f"both sides {facts.fixed[0]}" if facts.fixed else f"multiples of {facts.multiple}"
    described = card.NetworkFacts(
        f"The network is {metadata.architecture}.",
        f"Input `lr`: float32 RGB in [0, 1], `(batch, height, width, 3)`, {sizes}, at least "
        f"{facts.minimum} pixels. Output `sr`: likewise, {metadata.scale} times as large, to be "
        "clipped to [0, 1].",
    )
    files.write_bytes(part / "README.md", card.markdown(metadata, issued, described).encode())
    files.write_bytes(part / "LICENSE.md", card.licence_markdown(metadata).encode())
