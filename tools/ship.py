"""Makes a shipped model of a run: its best weights, under a name, with metadata for strangers.

Of several runs that began with the same weights, it takes the mean of their best ones.

    python tools/ship.py RUN/adversarial --output src/srgan/weights/srgan-x4.onnx \
        --data "844 photos ..." --licence "..." --scores "y-crop4: Set5 ..." \
        --training "..." --psnr-model srgan-psnr-x4

Needs `pip install srgan[train]`.
"""

import argparse
import json
import os
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", type=Path, nargs="+", help="RUN/pretrain or RUN/adversarial")
    parser.add_argument(
        "--output", type=Path, required=True, help="ONNX file; its stem is the model's name"
    )
    parser.add_argument("--data", required=True, help="what it was trained on")
    parser.add_argument("--licence", required=True, help="what follows from the data")
    parser.add_argument("--scores", required=True, help="with their protocol")
    parser.add_argument("--training", required=True, help="what it took")
    parser.add_argument("--psnr-model", default="", help="what a GAN model was trained from")
    arguments = parser.parse_args()

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from srgan.export import onnx_file
    from srgan.train import build, config_file, result

    first = arguments.stages[0].parent
    settings = config_file.read(first / "config.toml")
    record = json.loads((first / "run.json").read_text())
    generator = build.generator(settings.generator, settings.scale)
    found = []
    for stage in arguments.stages:
        build.load_weights(stage / "best.npz", generator)
        found.append(generator.get_weights())
    generator.set_weights([sum(weights) / len(found) for weights in zip(*found, strict=True)])
    metadata = result.describe(
        generator,
        settings,
        arguments.output.stem,
        f"{arguments.data}; fingerprint {record['data']['fingerprint'][:16]}",
        arguments.licence,
        arguments.scores,
        arguments.psnr_model,
        arguments.training,
    )
    certificate = onnx_file.write_onnx(generator, arguments.output, metadata)
    print(json.dumps({"bytes": arguments.output.stat().st_size} | certificate.__dict__, indent=1))


if __name__ == "__main__":
    main()
