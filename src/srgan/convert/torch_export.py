"""Writes a network of PyTorch as an ONNX file, and finds at which sizes the two do the same."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from srgan.models import engines
from srgan.models.requirements import NO_REQUIREMENTS, SizeRequirements

OPSET = 17  # what current runtimes all read
_SIDES = (33, 135)  # of the pictures that are tried
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_FIXED = 64  # side of the pictures for networks that cannot be written for any size
_TRACED = (64, 96)  # no square, since networks take shortcuts at the size they were trained at
_SAME = 1e-4  # largest difference that is rounding, where sr is in [0, 1]
Network = Callable[[np.ndarray], np.ndarray]


def network_of(found: Any) -> Network:
    """What the network is, as a function of lr, `(batch, height, width, 3)`, to sr."""
    import torch  # pyright: ignore[reportMissingImports]

    module = _module(found)

    def run(lr: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.tensor(lr)).numpy()

    return run


def _module(found: Any) -> Any:
    import torch  # pyright: ignore[reportMissingImports]

    class ChannelsLast(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = found.model

        def forward(self, lr: Any) -> Any:
            return found._call_fn(self.network, lr.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    return ChannelsLast().eval()


def write(
    found: Any, network: Network, path: Path, tell: Callable[[str], None]
) -> tuple[SizeRequirements, tuple[int, int] | None]:
    """Writes the network for pictures of any size, or of a fixed one; returns what sizes it takes.

    Raises:
        ValueError: If there is no way to.
    """
    reasons = []
    side = max(_FIXED, found.size_requirements.minimum)
    for fixed in (None, (side, side)):
        try:
            _trace(found, path, fixed)
        except MemoryError:
            raise
        except Exception as error:  # of the exporter, of any kind
            reasons.append(str(error).strip().partition("\n")[0][:200])
            continue
        if fixed:
            return NO_REQUIREMENTS, fixed
        tell("comparing it at several sizes")
        if requirements := _requirements(found, network, path):
            return requirements, None
        reasons.append("at no size did it do the same as in PyTorch")
    raise ValueError(
        f"is {found.architecture.name}, which cannot be written as ONNX: {'; then '.join(reasons)}."
    )


def _trace(found: Any, path: Path, fixed: tuple[int, int] | None) -> None:
    import torch  # pyright: ignore[reportMissingImports]

    height, width = fixed or _TRACED
    axes = {0: "batch", 1: "height", 2: "width"}
    with _expressible():
        torch.onnx.export(
            _module(found),
            (torch.rand(1, height, width, 3),),
            path,
            dynamo=False,  # the newer exporter refuses sizes that window attention computes with
            opset_version=OPSET,
            input_names=["lr"],
            output_names=["sr"],
            dynamic_axes=None if fixed else {"lr": axes, "sr": axes},
        )


@contextlib.contextmanager
def _expressible() -> Iterator[None]:
    """Has functions written as what ONNX has, while a network is traced.

    Pooling to a size that divides the picture's is pooling by their quotient. What PyTorch sorts on
    processors is sorted stably, as ONNX does. A pixel-unshuffle is a convolution that picks pixels,
    so that it can be seen how far the network looks.
    """
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn import functional  # pyright: ignore[reportMissingImports]
    from torch.onnx import symbolic_helper  # pyright: ignore[reportMissingImports]

    def sort(g: Any, values: Any, *how: Any) -> Any:  # stable or not, axis, direction
        axis, down = (symbolic_helper._get_const(one, "i", "sort") for one in how[-2:])
        return symbolic_helper._sort_helper(g, values, axis, bool(down))

    def unshuffle(g: Any, x: Any, block: Any) -> Any:
        side = symbolic_helper._get_const(block, "i", "downscale_factor")
        channels = symbolic_helper._get_tensor_dim_size(x, 1)
        kernel = torch.eye(side**2).reshape(side**2, 1, side, side).repeat(channels, 1, 1, 1)
        picked = g.op("Constant", value_t=kernel)
        sides = [side, side]
        return g.op("Conv", x, picked, strides_i=sides, kernel_shape_i=sides, group_i=channels)

    def pool(x: Any, size: Any, *_: Any) -> Any:
        tall, wide = (int(side) // int(to) for side, to in zip(x.shape[2:], size, strict=True))
        return functional.max_pool2d(x, (tall, wide))

    kept = functional.adaptive_max_pool2d

    def argsort(g: Any, values: Any, *how: Any) -> Any:
        return sort(g, values, *how)[1]

    symbolics = {"aten::sort": sort, "aten::argsort": argsort, "aten::pixel_unshuffle": unshuffle}
    for name, symbolic in symbolics.items():
        torch.onnx.register_custom_op_symbolic(name, symbolic, OPSET)
    functional.adaptive_max_pool2d = pool
    try:
        yield
    finally:
        functional.adaptive_max_pool2d = kept
        for name in symbolics:
            torch.onnx.unregister_custom_op_symbolic(name, OPSET)


def _requirements(found: Any, network: Network, path: Path) -> SizeRequirements | None:
    """At which sizes the file does the same as the network, or None."""
    engine = engines.open_engine(path)
    minimum, step = found.size_requirements.minimum, found.size_requirements.multiple_of
    for multiple in _MULTIPLES:
        # Odd, so that no larger multiple is met; and two that are not padded to the same.
        small, large = (-(-max(minimum, side) // multiple) | 1 for side in _SIDES)
        sizes = ((small * multiple, large * multiple), (large * multiple, small * multiple))
        if multiple % step == 0 and all(_agree(engine, network, (1, *size)) for size in sizes):
            least = -(-max(minimum, 1) // multiple) * multiple
            return SizeRequirements(multiple, minimum=least)
    return None


def takes_batches(network: Network, path: Path, requirements: SizeRequirements) -> bool:
    """Returns whether the file takes more than one picture at a time."""
    return _agree(engines.open_engine(path), network, (2, *requirements.padded(40, 56)))


def _agree(engine: engines.Engine, network: Network, shape: tuple[int, ...]) -> bool:
    """Whether the file and the network do the same with noise of a batch, a height and a width."""
    lr = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    try:
        sr, expected = engine.run(lr), network(lr)
    except Exception:  # both raise what they like about a size
        return False
    most = _SAME * max(1.0, float(np.abs(expected).max()))
    return sr.shape == expected.shape and bool(np.abs(sr - expected).max() < most)


def set_batch_of_one(path: Path) -> None:
    """Has a file say that it takes one picture at a time."""
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, path)
