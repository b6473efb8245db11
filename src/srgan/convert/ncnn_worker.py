"""The process that runs a network with ncnn itself, to compare with.

python -m srgan.convert.ncnn_worker PARAM FOLDER SCALE
"""

import sys
from pathlib import Path

import numpy as np

from srgan.convert import ncnn
from srgan.util import parallel, versions
from srgan.verification import probes


def main(path: Path, folder: Path, scale: int) -> None:
    """Writes the reference: what ncnn makes of photos, in float32."""
    import ncnn as runtime  # pyright: ignore[reportMissingImports]

    param, weights = ncnn.files_of(path)
    layers = ncnn.read(path)
    first, last = layers[0].outputs[0], _last(layers)
    net = runtime.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = parallel.available_cores()
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{option}", False)
    if net.load_param(str(param)) or net.load_model(str(weights)):
        raise ValueError("ncnn itself does not read it")

    def run(lr: np.ndarray) -> np.ndarray:
        planes = np.ascontiguousarray(lr.transpose(2, 0, 1))  # kept, since ncnn copies nothing
        extractor = net.create_extractor()
        extractor.input(first, runtime.Mat(planes))
        _, sr = extractor.extract(last)
        return np.array(sr).transpose(1, 2, 0)

    batches = probes.make(scale)
    results = {
        name: np.stack([run(image) for image in lr])
        for name, lr in batches.items()
        if name != probes.TIMED
    }
    probes.write_reference(folder, batches, results)
    sys.stdout.write(versions.of("ncnn"))


def _last(layers: list[ncnn.Layer]) -> str:
    """The result that no layer takes."""
    taken = {name for layer in layers for name in layer.inputs}
    return next(name for layer in layers for name in layer.outputs if name not in taken)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
