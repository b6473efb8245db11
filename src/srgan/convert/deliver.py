"""Converts a model: written as ONNX, compared with what it came from, or not at all."""

import importlib.util
import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from srgan.convert import credit, memory, ncnn, ncnn_graph, torch_worker
from srgan.convert.credit import Credit
from srgan.convert.facts import NetworkFacts
from srgan.models import fuse
from srgan.models.metadata import Metadata
from srgan.models.receptive_field import GlobalOperation, receptive_field
from srgan.models.requirements import SizeRequirements
from srgan.models.state_dict import read_state_dict, read_texts
from srgan.util import children, files, parallel, versions
from srgan.verification import card, certificate
from srgan.verification.certificate import Certificate

STEPS = 9
"""How often `tell` is called, at most."""

_FARTHEST = 1024  # lr pixels: of networks that may see all
_HALF_FROM = 1024  # values that a constant has to have, to be worth storing as float16
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
    if not source.is_file():
        raise FileNotFoundError(f"There is no model {source}.")
    tell("reading")
    found = _credit(source, licence, card_file)
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=output.parent) as parent:
        part = Path(parent) / "model"
        part.mkdir()
        file = part / f"{output.stem}.onnx"
        if source.suffix.lower() in (".param", ".bin"):
            facts, notes = _from_ncnn(source, part, file, tell)
            runtime = "ncnn"
        else:
            facts, notes = _from_torch(source, part, file, minutes, tell)
            runtime = "PyTorch"
        notes += _check_credit(source, found, facts)
        tell("describing it")
        metadata, seen = _finish(file, facts, found.credit, files.sha256(source)[:16])
        issued = None
        if (part / certificate.probes.REFERENCE).is_file():
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
            _add_certificate(file, issued)
            file.replace(output)
        else:
            _add_card(part, metadata, facts, issued)
            part.rename(output)
    return Conversion(output, facts, metadata, issued, (*notes, *seen))


class _Found(NamedTuple):
    credit: Credit
    card: Path | None


def _credit(source: Path, licence: str | None, card_file: Path | None) -> _Found:
    """What is known of a model's origin: a card goes before the file, and an option before both."""
    found = Credit()
    if texts := read_texts(source):
        found = credit.from_texts(texts)
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


def _ending(child: children.Ended, minutes: float) -> str:
    if child.code == -getattr(signal, "SIGXCPU", 0):
        return (
            f"PyTorch took more than {minutes:g} minutes of processor time. Allow more with "
            "--minutes, if the file can be trusted."
        )
    if child.code == -getattr(signal, "SIGKILL", 9):
        return "the system ended PyTorch, most likely for want of memory. Close other programs."
    return f"PyTorch ended early ({child.complaint})."


def _finish(
    file: Path, facts: NetworkFacts, origin: Credit, digest: str
) -> tuple[Metadata, list[str]]:
    """Has a file say what it is; weights that are float16 are stored so."""
    model = onnx.load(file)
    notes = []
    try:
        halo = min(receptive_field(model), _FARTHEST)
    except GlobalOperation:
        halo = _FARTHEST
        notes.append(
            "it may see whole pictures: how much tiles overlap is measured on each, and said"
        )
    if facts.precision == "float16":
        _store_half(model.graph)
    pixel_bytes = 0
    if fuse.memory(model) is None:
        requirements = SizeRequirements(facts.multiple, facts.fixed, minimum=facts.minimum)
        pixel_bytes = 0 if facts.fixed else memory.measure(file, requirements)
    size = f"{facts.parameters:,} parameters, {facts.precision} weights"
    metadata = Metadata(
        name=file.stem,
        scale=facts.scale,
        receptive_field=halo,
        consistency_rounds=0,
        training_data=origin.training_data,
        licence=origin.licence,
        scores="",
        config_hash=digest,
        architecture=f"{facts.architecture}, {facts.described}, {size}",
        author=origin.author,
        tags=origin.tags,
        size_multiple=facts.multiple,
        size_minimum=facts.minimum,
        size_fixed=facts.fixed[0] if facts.fixed else 0,
        pixel_bytes=max(pixel_bytes, 0),
    )
    helper.set_model_props(model, metadata.to_props())
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString(deterministic=True))
    return metadata, notes


def _store_half(graph: onnx.GraphProto) -> None:
    """Stores constants as float16 that lose nothing by it; they are computed with in float32."""
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _HALF_FROM:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name, stored = tensor.name, f"{tensor.name}/half"
        tensor.CopyFrom(numpy_helper.from_array(half, stored))
        casts.append(helper.make_node("Cast", [stored], [name], stored, to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _add_certificate(file: Path, issued: Certificate | None) -> None:
    """Puts what was measured into the file, and brings it to the disk."""
    model = onnx.load(file)
    if issued:
        entry = model.metadata_props.add()
        entry.key = "srgan.certificate"
        entry.value = issued.model_dump_json(exclude={"sha256", "file", "bytes"})
    with file.open("wb") as written:
        written.write(model.SerializeToString(deterministic=True))
        written.flush()
        os.fsync(written.fileno())


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
