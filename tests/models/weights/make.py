"""Makes the files here, which tests/models/test_state_dict.py reads; needs torch and safetensors.

python tests/models/weights/make.py

They were made by torch 2.13.0 and safetensors 0.8.0.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent


def state() -> OrderedDict[str, torch.Tensor]:
    """Every type, a transposed tensor, and one that is a part of another."""
    values = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8
    return OrderedDict(
        full=values,
        part=values[1:],
        turned=values.t(),
        half=values.half(),
        brain=values.bfloat16(),
        count=torch.tensor(7),
        none=torch.zeros(0, 3),
    )


if __name__ == "__main__":
    layer = torch.nn.DataParallel(torch.nn.Linear(3, 2))
    with torch.no_grad():
        layer.module.weight.copy_(torch.arange(6).reshape(2, 3))
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        layer.module.weight.copy_(torch.arange(6).reshape(2, 3))
    checkpoint = {"epoch": 3, "state_dict": layer.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state(), FOLDER / "zip.pth")
    torch.save(state(), FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(checkpoint, FOLDER / "checkpoint.pth", pickle_protocol=4)
    torch.save(torch.nn.Linear(3, 2), FOLDER / "whole.pth")
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 2)), FOLDER / "script.pt")
    contiguous = {name: tensor.clone().contiguous() for name, tensor in state().items()}
    save_file(contiguous, FOLDER / "plain.safetensors", metadata={"license": "CC0"})
