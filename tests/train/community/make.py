"""Makes the files here, which tests/train/test_community.py reads; needs torch and spandrel.

python tests/train/community/make.py

Each is a small network with random weights, in half precision. `expected.npz` has what PyTorch
makes of one picture. Made with torch 2.13.0 and spandrel 0.4.2.
"""

import re
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from spandrel.architectures.__arch_helpers import block
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.SPAN import SPAN

FOLDER = Path(__file__).parent


def esrgan(scale: int) -> ESRGAN:
    """One whose blocks have a growth of 3, where spandrel always takes 32."""
    network = ESRGAN(num_filters=4, num_blocks=2, scale=scale)
    for i in range(2):
        network.model[1].sub[i] = block.RRDB(4, gc=3, norm_type=None)
    return network


def randomise(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Sets weights that keep the size of what passes, and biases that matter; returns them."""
    for name, weight in network.named_parameters():
        if weight.ndim == 4:
            weight.data = torch.randn(weight.shape) * weight[0].numel() ** -0.5
        elif name.startswith("body") and "bias" not in name:
            weight.data = torch.rand(weight.shape) / 2  # slopes
        else:
            weight.data = torch.randn(weight.shape) / 20
        weight.data = weight.data.half().float()
    return {name: weight.half() for name, weight in network.state_dict().items()}


def enlarged(network: torch.nn.Module, lr: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network.eval()(torch.from_numpy(lr.transpose(0, 3, 1, 2))).numpy()


def renamed(state: dict, *patterns: tuple[str, str]) -> dict:
    for pattern, name in patterns:
        state = {re.sub(f"^{pattern}", name, key): value for key, value in state.items()}
    return state


def main() -> None:
    torch.manual_seed(0)
    networks = {
        "esrgan": esrgan(4),
        "esrgan_x2": esrgan(2),
        "compact": Compact(num_feat=5, num_conv=3, upscale=4),
        "span": SPAN(num_in_ch=3, num_out_ch=3, feature_channels=6, upscale=2),
        "span_plain": SPAN(num_in_ch=3, num_out_ch=3, feature_channels=6, upscale=3, norm=False),
    }
    states = {name: randomise(network) for name, network in networks.items()}
    old = states["esrgan"]
    rows = re.compile(r"model\.1\.sub\.(\d)\.RDB(\d)\.conv(\d)\.0\.")
    ends = [(r"model\.0\.", "conv_first."), (r"model\.3\.", "{}1."), (r"model\.6\.", "{}2.")]
    real = renamed(
        old,
        (rows.pattern, r"body.\1.rdb\2.conv\3."),
        (r"model\.1\.sub\.2\.", "conv_body."),
        *((key, name.format("conv_up")) for key, name in ends),
        (r"model\.8\.", "conv_hr."),
        (r"model\.10\.", "conv_last."),
    )
    realsr = renamed(
        old,
        (rows.pattern, r"RRDB_trunk.\1.RDB\2.conv\3."),
        (r"model\.1\.sub\.2\.", "trunk_conv."),
        *((key, name.format("upconv")) for key, name in ends),
        (r"model\.8\.", "HRconv."),
        (r"model\.10\.", "conv_last."),
    )
    files = {
        "esrgan.pth": old,
        "esrgan_x2.pth": states["esrgan_x2"],
        "real_esrgan.pth": {"params_ema": real},
        "realsr.pth": realsr,
        "span.pth": {"params": states["span"]},
    }
    for name, state in files.items():
        torch.save(state, FOLDER / name)
    for name in ("compact", "span_plain"):
        save_file(states[name], FOLDER / f"{name}.safetensors")
    lr = np.random.default_rng(0).random((1, 9, 7, 3), np.float32)
    expected = {name: enlarged(network, lr) for name, network in networks.items()}
    expected = {name: sr.transpose(0, 2, 3, 1) for name, sr in expected.items()} | {"lr": lr}
    np.savez_compressed(FOLDER / "expected.npz", **expected)


if __name__ == "__main__":
    main()
