"""Weights of other frameworks' models as arrays: `.safetensors`, and `.pth` or `.pt` of PyTorch.

Needs neither PyTorch nor safetensors. Nothing in a file is executed, whatever it says: tensors and
plain containers are read, by `torch_file` and `safetensors`, and anything else is refused. Memory
is bounded by the size of the file.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from srgan.models.state_dict import safetensors, torch_file
from srgan.models.state_dict.tensors import Damaged, StoredTensor
from srgan.util import downloads

MAX_BYTES = 2**32
"""Of a file; the largest models, with the states of their training, have a quarter of it."""

_WRAPPERS = (  # where training programs keep the weights; averaged ones first
    *("params_ema", "params-ema", "model_ema", "ema", "params"),
    *("state_dict", "model_state_dict", "model", "net", "network", "generator", "netG", "net_g"),
    *("netG_state_dict", "g_state_dict", "weights"),
)
_PREFIXES = ("module.", "_orig_mod.", "netG.", "net_g.", "generator.")  # of wrappers, and GANs
_MAX_GROWTH = 4  # bfloat16 becomes twice as large, and two layers may share their weights
_MAX_DEPTH = 4  # of wrappers in wrappers


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Returns the weights in a file, by name.

    Of a training checkpoint, the model is taken, its moving average if there is one. Prefixes that
    all names have from a wrapper of the model are removed.

    Args:
        path: A `.safetensors` file, or one that `torch.save` wrote, in its zip or its older format.
            What it is, is seen from its contents.

    Returns:
        Arrays in the file's order, of its shapes and types; bfloat16 becomes float32. They cannot
        be written to, and share the memory of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, is damaged or too large, holds anything but tensors and
            plain containers, or weights that are not numbers.
    """
    path = Path(path)
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{path} has {size / 2**30:.1f} GiB; expected at most {MAX_BYTES >> 30}.")
    data = path.read_bytes()
    try:
        state = _without_prefixes(_unwrap(_read(data)))
        arrays: dict[str, np.ndarray] = {}
        room = _MAX_GROWTH * size
        for name, tensor in state.items():
            arrays[name] = _array(name, tensor)
            room -= arrays[name].nbytes
            if room < 0:  # the same values under many names
                raise Damaged("has more weights than fit into its size. It is made to mislead.")
        return arrays
    except Damaged as error:
        raise ValueError(f"{path} {error}") from None


def is_torch(path: str | os.PathLike[str]) -> bool:
    """Returns whether a file begins as `torch.save` begins one."""
    with Path(path).open("rb") as file:
        data = file.read(64)
    return torch_file.is_zip(data) or torch_file.is_legacy(data)


def read_texts(path: str | os.PathLike[str]) -> dict[str, str]:
    """Returns what the header of a `.safetensors` file says in words; of other files, nothing.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the header is damaged.
    """
    with Path(path).open("rb") as file:
        data = file.read(safetensors.MAX_HEADER + 8)
    if torch_file.is_zip(data) or torch_file.is_legacy(data):
        return {}
    try:
        return safetensors.texts(data) if safetensors.is_safetensors(data) else {}
    except Damaged as error:
        raise ValueError(f"{path} {error}") from None


def _read(data: bytes) -> Any:
    if torch_file.is_zip(data):
        return torch_file.read_zip(data)
    if torch_file.is_legacy(data):
        return torch_file.read_legacy(data)
    if safetensors.is_safetensors(data):
        return safetensors.read(data)
    raise Damaged(
        "holds no weights that can be read; expected a .safetensors file, or a .pth or .pt file "
        f"as torch.save writes it. {downloads.advice(data) or 'Is the download complete?'}"
    )


def _unwrap(found: Any) -> dict[str, StoredTensor]:
    """The tensors of a model, in what may hold a training's state beside."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(found, dict):
            break
        tensors = {k: v for k, v in found.items() if isinstance(v, StoredTensor)}
        wrapped = [key for key in _WRAPPERS if isinstance(found.get(key), dict) and found[key]]
        if len(found) == 1 and not tensors and isinstance(next(iter(found.values())), dict):
            wrapped = list(found)
        if tensors and not wrapped:
            return tensors
        if not wrapped:
            keys = ", ".join(repr(str(key)[:40]) for key in list(found)[:6]) or "nothing"
            raise Damaged(
                f"has no weights where a model's are expected; it holds {keys}. Save the model's "
                "state_dict alone."
            )
        found = found[wrapped[0]]
    raise Damaged("holds no model's weights by name, as a state_dict does. Save the state_dict.")


def _without_prefixes(state: dict[Any, StoredTensor]) -> dict[str, StoredTensor]:
    if not all(isinstance(name, str) for name in state):
        raise Damaged("has weights without names. Save the model's state_dict.")
    removed = next((p for p in _PREFIXES if all(name.startswith(p) for name in state)), "")
    if removed:
        return _without_prefixes({k.removeprefix(removed): v for k, v in state.items()})
    return state


def _array(name: str, tensor: StoredTensor) -> np.ndarray:
    # Only what can be shown and stored: names come from strangers.
    if not re.fullmatch(r"[\w.\-:/]{1,200}", name, re.ASCII):
        raise Damaged(f"has weights with the name {name[:40]!r}, which no model has.")
    array = tensor.array()
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise Damaged(f"has weights that are not numbers (NaN), in {name}. Its training failed.")
    return array
