"""One set of names for the weights of community models, whatever a file calls them."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from srgan.convert import ncnn


def of_ncnn(layers: Sequence[ncnn.Layer]) -> dict[str, np.ndarray]:
    """The weights of a network by the names of PyTorch; `community` checks them."""
    weighted = [layer for layer in layers if layer.weights]
    if any(layer.kind == "PReLU" for layer in weighted):
        names = [f"body.{i}" for i in range(len(weighted))]
    else:
        # Fifteen convolutions a block; before them one, behind them one, one for each doubling of
        # the size, and two.
        blocks, stages = divmod(len(weighted) - 4, 15)
        names = ["conv_first"]
        names += [
            f"body.{i}.rdb{j}.conv{k}"
            for i in range(blocks)
            for j in range(1, 4)
            for k in range(1, 6)
        ]
        names += ["conv_body", *(f"conv_up{i + 1}" for i in range(stages)), "conv_hr", "conv_last"]
    state = {}
    for name, layer in zip(names, weighted, strict=False):
        weight, *bias = layer.weights
        if layer.kind == "Convolution":
            side = layer.integer(1)
            weight = weight.reshape(layer.integer(0), -1, side, side)
        state |= {f"{name}.weight": weight} | {f"{name}.bias": values for values in bias}
    return state


def as_real_esrgan(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """The weights of an RRDBNet by the names of Real-ESRGAN, or None if it is none."""
    if "conv_first.weight" in state:
        patterns = [
            (r"RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
            (r"trunk_conv\.", "conv_body."),
            (r"upconv(\d)\.", r"conv_up\1."),
            (r"HRconv\.", "conv_hr."),
        ]
    elif "model.0.weight" in state:
        last = max(int(name.split(".")[1]) for name in state if re.match(r"model\.\d+\.", name))
        patterns = [
            (r"model\.0\.", "conv_first."),
            (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
            (r"model\.1\.sub\.\d+\.(weight|bias)$", r"conv_body.\1"),
            (rf"model\.{last}\.", "conv_last."),
            (rf"model\.{last - 2}\.", "conv_hr."),
            *((rf"model\.{3 * i}\.", f"conv_up{i}.") for i in range(1, 4)),
        ]
    else:
        return None
    renamed = {}
    for name, array in state.items():
        new = name
        for pattern, replacement in patterns:
            new, count = re.subn(f"^{pattern}", replacement, name)
            if count:
                break
        renamed[new] = array
    return renamed if "body.0.rdb1.conv1.weight" in renamed else None
