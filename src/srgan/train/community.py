"""Community models in files of PyTorch and ncnn, as generators that can be trained on.

Known are the ESRGAN family (by the names of weights of ESRGAN, of RealSR and BSRGAN, and of
Real-ESRGAN), SRVGGNetCompact and SPAN; of ncnn, the first two, whose weights have an order.
"""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from srgan.convert import ncnn
from srgan.models.state_dict import read_state_dict
from srgan.train import config, weight_names

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".param")
_KINDS = ("weight", "bias")

Weights = Mapping[str, np.ndarray]


class Community(NamedTuple):
    """A model of a file.

    Attributes:
        generator: The configuration of its network.
        scale: Factor from lr to sr.
        weights: By layer of the network, as its `set_weights` takes them.
    """

    generator: config.Generator
    scale: int
    weights: dict[str, list[np.ndarray]]


def is_community(model: str | os.PathLike[str]) -> bool:
    """Whether a name is that of a file with the weights of a community model."""
    return Path(model).suffix.lower() in SUFFIXES


def weights_of(model: str | os.PathLike[str]) -> Path | None:
    """Returns the file with the weights of a community model, or None if it is another model.

    Raises:
        FileNotFoundError: If it is not there.
    """
    if not is_community(model):
        return None
    path = Path(model)
    return ncnn.files_of(path)[1] if path.suffix.lower() == ".param" else path


def read(path: str | os.PathLike[str]) -> Community:
    """Reads a community model.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or holds another network than the known ones.
    """
    is_ncnn = Path(path).suffix.lower() == ".param"
    state = weight_names.of_ncnn(ncnn.read(Path(path))) if is_ncnn else read_state_dict(path)
    try:
        if "upsampler.0.weight" in state and "conv_cat.weight" in state:
            return _span(state)
        if "body.0.weight" in state:
            return _srvggnet(state)
        if renamed := weight_names.as_real_esrgan(state):
            return _rrdbnet(renamed)
    except KeyError as error:
        raise ValueError(f"{path} lacks the weight {error}. Is it a whole model?") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be trained on: {error}") from None
    except (IndexError, TypeError):  # of arrays of other dimensions
        raise ValueError(f"{path} has weights of shapes that its network has not.") from None
    seen = ", ".join(list(state)[:4])
    raise ValueError(
        f"{path} holds none of the networks that can be trained on; its weights are {seen}, ... "
        "Expected ESRGAN (RRDBNet), SRVGGNetCompact or SPAN. srgan convert runs others."
    )


def adopt(settings: config.Config, found: Community, chosen: Collection[str] = ()) -> config.Config:
    """Returns a configuration with the network and scale of a community model.

    A generator that was chosen may be the first blocks of the model's.

    Args:
        settings: The configuration.
        found: The model.
        chosen: Fields of the configuration that somebody wrote, and that must not change.

    Raises:
        ValueError: If `generator` or `scale` is one of those, and differs.
    """
    for name in ("generator", "scale"):
        ours, theirs = getattr(settings, name), getattr(found, name)
        if name not in chosen or ours == theirs:
            continue
        if name == "generator" and _begins(ours, theirs):
            found = found._replace(generator=ours)
        else:
            raise ValueError(
                f"{name} is {ours!r} in the configuration, and {theirs!r} in the model that the "
                f"training starts from. Leave {name} out of the configuration."
            )
    table = settings.model_dump() | {"generator": found.generator, "scale": found.scale}
    return config.Config.model_validate(table)


def load(path: str | os.PathLike[str], network: keras.Model) -> None:
    """Sets the weights of a generator to those of a community model, or of its first blocks.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds another network.
    """
    shapes = {
        layer.name: [tuple(weight.shape) for weight in layer.weights]
        for layer in network.layers
        if layer.weights
    }
    blocks = max(map(_block, shapes))
    weights = {
        name: arrays for name, arrays in read(path).weights.items() if _block(name) <= blocks
    }
    found = {name: [array.shape for array in arrays] for name, arrays in weights.items()}
    if found != shapes:
        strange = next(name for name in {**found, **shapes} if found.get(name) != shapes.get(name))
        raise ValueError(
            f"{path} is another network than the configuration's {network.name!r}: the layer "
            f"{strange!r} has weights of {found.get(strange, 'no')} in the file and "
            f"{shapes.get(strange, 'no')} in the network. `adopt` takes the network of a file."
        )
    for name, arrays in weights.items():
        network.get_layer(name).set_weights(arrays)


def _begins(ours: config.Generator, theirs: config.Generator) -> bool:
    """Whether a network is another without its last blocks."""
    if not isinstance(ours, config.RrdbNet | config.SrVggNet):
        return False
    if not isinstance(theirs, config.RrdbNet | config.SrVggNet) or ours.blocks >= theirs.blocks:
        return False
    return ours == theirs.model_copy(update={"blocks": ours.blocks})


def _block(layer: str) -> int:
    """The number of the block that a layer belongs to, from 1, or 0."""
    found = re.match(r"block(\d+)_", layer)
    return int(found[1]) if found else 0


def _kernel(weight: np.ndarray) -> np.ndarray:
    """A kernel of PyTorch, (out, in, height, width), as Keras has them."""
    if weight.ndim != 4:
        raise ValueError(f"a kernel has the shape {weight.shape}; expected four dimensions.")
    return weight.astype(np.float32).transpose(2, 3, 1, 0)


def _convolution(state: Weights, name: str) -> list[np.ndarray]:
    return [_kernel(state[f"{name}.weight"]), state[f"{name}.bias"].astype(np.float32)]


def _before_shuffle(arrays: list[np.ndarray], scale: int) -> list[np.ndarray]:
    """What is shuffled in PyTorch's order, (colour, row, column), in that of `PixelShuffle`."""
    return [
        array.reshape(*array.shape[:-1], 3, scale**2).swapaxes(-1, -2).reshape(array.shape)
        for array in arrays
    ]


def _scale(channels: int) -> int:
    """The scale of a network that shuffles this many channels to RGB."""
    scale = round((channels / 3) ** 0.5)
    if 3 * scale**2 != channels or scale not in (2, 3, 4, 8):
        raise ValueError(
            f"its last convolution makes {channels} channels; expected 12, 27, 48 or 192, for an "
            "RGB picture enlarged by 2, 3, 4 or 8."
        )
    return scale


def _check_colours(channels: int) -> None:
    if channels in (12, 48):
        raise ValueError(
            "it takes pixels in blocks (pixel-unshuffle), and such networks cannot be trained "
            "here. srgan convert runs it."
        )
    if channels != 3:
        raise ValueError(f"its pictures have {channels} channels; expected 3, for RGB.")


def _srvggnet(state: Weights) -> Community:
    numbers = {int(found[1]) for name in state if (found := re.fullmatch(r"body\.(\d+)\..*", name))}
    last = max(numbers)
    first = state["body.0.weight"].shape
    filters, colours = first[0], first[1]
    _check_colours(colours)
    scale, blocks = _scale(len(state[f"body.{last}.bias"])), (last - 2) // 2
    names = ["head", *(f"block{i}_conv" for i in range(1, blocks + 1))]
    weights = {}
    for index, name in enumerate(names):
        weights[name] = _convolution(state, f"body.{2 * index}")
        slope = state[f"body.{2 * index + 1}.weight"].astype(np.float32)
        weights[f"{name}_activation"] = [slope.reshape(1, 1, -1)]
    weights["tail"] = _before_shuffle(_convolution(state, f"body.{last}"), scale)
    return Community(config.SrVggNet(filters=filters, blocks=blocks), scale, weights)


def _span(state: Weights) -> Community:
    _check_colours(_inputs(state, "conv_1"))
    scale = _scale(len(state["upsampler.0.bias"]))
    weights = {
        "head": _fused(state, "conv_1"),
        "trunk": _fused(state, "conv_2"),
        "merge": _convolution(state, "conv_cat"),
        "tail": _before_shuffle(_convolution(state, "upsampler.0"), scale),
    }
    for i in range(1, 7):
        for j in range(1, 4):
            weights[f"block{i}_conv{j}"] = _fused(state, f"block_{i}.c{j}_r")
    filters = len(state["conv_cat.weight"])
    return Community(config.Span(filters=filters, centred="no_norm" not in state), scale, weights)


def _inputs(state: Weights, name: str) -> int:
    whole = state.get(f"{name}.eval_conv.weight")
    return (whole if whole is not None else state[f"{name}.sk.weight"]).shape[1]


def _fused(state: Weights, name: str) -> list[np.ndarray]:
    """A re-parameterised convolution: three in a row, and one of 1x1 beside them, in one kernel.

    The branches are what was trained; the one kernel beside them in a file may be older.
    """
    if f"{name}.sk.weight" not in state:
        return _convolution(state, f"{name}.eval_conv")
    (first, bias1), (middle, bias2), (last, bias3) = (
        (state[f"{name}.conv.{i}.weight"], state[f"{name}.conv.{i}.bias"]) for i in range(3)
    )
    first, last = (kernel[:, :, 0, 0].astype(np.float64) for kernel in (first, last))
    middle = middle.astype(np.float64)
    kernel = np.einsum("om,mnhw,ni->oihw", last, middle, first)
    bias = last @ (np.einsum("mnhw,n->m", middle, bias1) + bias2) + bias3
    kernel[:, :, 1, 1] += state[f"{name}.sk.weight"][:, :, 0, 0]
    return [_kernel(kernel), (bias + state[f"{name}.sk.bias"]).astype(np.float32)]


def _rrdbnet(state: Weights) -> Community:
    if any("conv1x1" in name for name in state):
        raise ValueError("it is an ESRGAN+, and only ESRGAN is known. srgan convert runs it.")
    first = state["conv_first.weight"].shape
    filters, colours = first[0], first[1]
    _check_colours(colours)
    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("body."))
    growth = len(state["body.0.rdb1.conv1.weight"])
    stages = sum(f"conv_up{i}.weight" in state for i in range(1, 4))
    if not stages:
        raise ValueError("it does not enlarge; expected a scale of 2, 4 or 8.")
    names = {"head": "conv_first", "trunk": "conv_body", "last": "conv_hr", "tail": "conv_last"}
    names |= {f"stage{i}_conv": f"conv_up{i}" for i in range(1, stages + 1)}
    for i in range(blocks):
        for j in range(1, 4):
            names |= {
                f"block{i + 1}_dense{j}_conv{k}": f"body.{i}.rdb{j}.conv{k}" for k in range(1, 6)
            }
    weights = {ours: _convolution(state, theirs) for ours, theirs in names.items()}
    if unknown := set(state) - {f"{name}.{kind}" for name in names.values() for kind in _KINDS}:
        raise ValueError(f"it has weights that ESRGAN has not, such as {min(unknown)!r}.")
    return Community(
        config.RrdbNet(filters=filters, blocks=blocks, growth=growth), 2**stages, weights
    )
