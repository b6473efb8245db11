"""ONNX models whose weights lie in a file beside them, as PyTorch's exporter leaves them.

See https://onnx.ai/onnx/repo-docs/ExternalData.html. A model may name any file there: only one in
its own folder is read, and of it what the shapes of its weights need.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 2**31
"""Of a model with its weights: protobuf's limit."""

# The key of such a name in protobuf's encoding, longer spellings of tag and length included.
_LOCATION = re.compile(rb"(\x0a|\x8a\x80*\x00)(\x08|\x88\x80*\x00)location")


def is_named(data: bytes) -> bool:
    """Whether what may be a model names another file for its weights."""
    return bool(_LOCATION.search(data))


def inline(path: Path, data: bytes) -> bytes:
    """Returns a model with the weights that it names, all in one.

    Args:
        path: The model's file.
        data: What is in it.

    Raises:
        ValueError: If it is no model, names a file outside its folder or none that is there, or
            what is in the file does not fit the shapes.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ValueError(f"{path} is not an ONNX model. Download or export it again.") from error
    total = len(data)
    for tensor in _tensors(model.graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        weights, offset, size = _place(path, tensor)
        total += size
        if total > MAX_BYTES:
            raise ValueError(f"{path} has more than 2 GiB of weights; expected at most that.")
        with weights.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(size)
        tensor.ClearField("external_data")
        tensor.data_location = onnx.TensorProto.DEFAULT
    return model.SerializeToString()


def _tensors(graph: "onnx.GraphProto") -> Iterator["onnx.TensorProto"]:
    """All constants of a graph, and of those inside it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ())):
                yield from _tensors(inner)


def _place(path: Path, tensor: "onnx.TensorProto") -> tuple[Path, int, int]:
    """The file of a tensor's values, where they begin in it, and how many bytes they have."""
    import onnx

    said = {entry.key: entry.value for entry in tensor.external_data}
    name = said.get("location", "")
    weights = path.parent / name
    # A download of a hub is links to both; else a link leads where the model should not see.
    leads_away = weights.is_symlink() and not path.is_symlink()
    if name in ("", "..") or Path(name).name != name or leads_away:
        raise ValueError(
            f"{path} keeps weights in {name!r}; expected a file in its own folder. Save the model "
            "again with its weights beside it, or all in one file."
        )
    if not weights.is_file():
        raise ValueError(
            f"{path} keeps its weights in a file {name}, which is not beside it. Copy that, too."
        )
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        size = math.prod(tensor.dims) * kind.itemsize
        offset, length = int(said.get("offset", 0)), int(said.get("length", size))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} says no type or place of {tensor.name!r} ({error}).") from error
    if min(offset, size) < 0 or length != size or offset + size > weights.stat().st_size:
        raise ValueError(
            f"{path} looks for {length} bytes of {tensor.name!r}, from byte {offset} of {name} on, "
            f"which has {weights.stat().st_size}; its shape needs {size}. They do not belong "
            "together, or one is cut short: download both again."
        )
    return weights, offset, size
