"""What a converted file says about itself, and how it stores its weights."""

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from srgan.convert import memory
from srgan.convert.credit import Credit
from srgan.convert.facts import NetworkFacts
from srgan.models import fuse
from srgan.models.metadata import Metadata
from srgan.models.receptive_field import GlobalOperation, receptive_field
from srgan.verification.certificate import Certificate

_FARTHEST = 1024  # lr pixels: of networks that may see all
_HALF_FROM = 1024  # values that a constant has to have, to be worth storing as float16


def describe(
    file: Path, facts: NetworkFacts, origin: Credit, digest: str
) -> tuple[Metadata, list[str]]:
    """Has a file say what it is; weights that are float16 are stored so.

    Args:
        file: The model, which is changed.
        facts: What it is.
        origin: Whose it is.
        digest: Of the file that it came from.

    Returns:
        What it says, and what one should know of it, in sentences.
    """
    model = onnx.load(file)
    notes = []
    try:
        halo = min(receptive_field(model), _FARTHEST)
    except GlobalOperation:
        halo = _FARTHEST
        notes.append(
            "it may see whole pictures: how much tiles overlap is measured on each, and said"
        )
    if facts.fixed and 2 * halo >= min(facts.fixed):
        side = min(facts.fixed)
        notes = [
            f"it takes {side}x{side} pixels alone: pictures are cut into windows that overlap by a "
            "quarter and are blended there, which is not exact"
        ]
    if facts.precision == "float16":
        _store_half(model.graph)
    pixel_bytes = 0
    if fuse.memory(model) is None:
        pixel_bytes = 0 if facts.fixed else memory.measure(file, facts.requirements)
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


def add_certificate(file: Path, issued: Certificate | None) -> None:
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
