"""Makes the table of docs/guides/export.md: every format and engine, exported and run here.

    python benchmarks/formats.py --model srgan-x4 --data Set5 Set14 Kodak24

A row comes from a process of its own, which opens the model (load), enlarges a made picture several
times (speed, peak memory on Linux) and the photos of every data set (PSNR-Y and LPIPS by the
protocol y-cropSCALE, with the consistency projection). `against Keras` is the PSNR on photos of the
certificate. Needs `pip install "srgan[export]"`.
"""

import argparse
import multiprocessing
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.models import engines
from srgan.numeric import projection
from srgan.quality import datasets, metrics
from srgan.util import parallel
from srgan.verification import runtimes

ROWS = (  # format, engine
    ("onnx", "onnxruntime"),
    ("onnx", "openvino"),
    ("onnx-fp16", "onnxruntime"),
    ("onnx-fp16", "openvino"),
    ("savedmodel", "tensorflow"),
    ("tflite", "ai-edge-litert"),
    ("tflite-fp16", "ai-edge-litert"),
    ("tflite-int8", "ai-edge-litert"),
    ("openvino", "openvino"),
    ("openvino-fp16", "openvino"),
    ("openvino-int8", "openvino"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="srgan-x4", help="a run, a shipped model, an ONNX file")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of photos")
    parser.add_argument("--formats", nargs="+", default=sorted({kind for kind, _ in ROWS}))
    parser.add_argument("--size", type=int, default=256, help="side of the lr picture for speed")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    sets = datasets.find_datasets(arguments.data)
    print(f"{platform.processor() or platform.machine()}, {parallel.available_cores()} cores\n")
    heads = ["format", "engine", "MB", "load s", "s / SR megapixel", "peak MiB", "against Keras dB"]
    heads += [f"{dataset.name} PSNR-Y / LPIPS" for dataset in sets]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for kind, engine in ROWS:
            if kind not in arguments.formats:
                continue
            with context.Pool(1) as pool:
                made = pool.apply(_export, (arguments.model, kind, Path(folder) / kind))
            rounds = 0 if kind == "savedmodel" else made["consistency_rounds"]
            task = (Path(folder) / kind / made["file"], engine, made["scale"], rounds, sets)
            with context.Pool(1) as pool:
                row = pool.apply(_measure, (*task, arguments.size, arguments.rounds))
            cells = [kind, engine, f"{made['bytes'] / 1e6:.2f}", *row[:3], f"{made['psnr']:.1f}"]
            print("| " + " | ".join([*cells, *row[3:]]) + " |", flush=True)


def _export(model: str, kind: str, folder: Path) -> dict:
    from srgan.export import deliver
    from srgan.models.loading import load
    from srgan.verification import certificate

    if folder.exists():
        made, _ = certificate.verify(folder)
    else:
        made = deliver.deliver(model, kind, folder)
    metadata = load(deliver.find(model)).metadata.model_dump()
    return metadata | made.model_dump() | {"psnr": made.measured.photos.psnr}


def _measure(path, engine, scale, consistency, sets, size, rounds) -> list[str]:
    began = time.perf_counter()
    other = path.suffix == ".onnx" and engine == "openvino"
    runtime = engines.open_engine(path, engine) if other else runtimes.open_runtime(path)
    load = time.perf_counter() - began
    lr = np.random.default_rng(0).random((1, size, size, 3), np.float32)
    seconds = []
    for _ in range(rounds + 1):  # the first is warmth
        began = time.perf_counter()
        runtime.run(lr)
        seconds.append(time.perf_counter() - began)
    megapixels = (scale * size) ** 2 / 1e6
    middle, low, high = (f(seconds[1:]) / megapixels for f in (np.median, min, max))
    cells = [f"{load:.2f}", f"{middle:.2f} ({low:.2f}-{high:.2f})", f"{_peak():.0f}"]
    for dataset in sets:
        scores = []
        for _, photo in datasets.list_photos(dataset):
            hr, lr = datasets.read_photo(photo, scale)
            lr = lr / np.float32(255)
            sr = projection.project(runtime.run(lr[None])[0], lr, consistency)
            sr = images.to_uint8(np.clip(sr, 0, 1))
            scores.append((metrics.psnr(hr, sr, scale), metrics.lpips(hr, sr)))
        cells.append("{:.2f} / {:.4f}".format(*np.mean(scores, axis=0)))
    return cells


def _peak() -> float:
    # Not getrusage, whose peak a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
