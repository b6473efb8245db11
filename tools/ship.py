"""Makes a shipped model from a run: its best weights, under a name, with metadata for strangers.

    python tools/ship.py RUN/adversarial src/srgan/weights/srgan-x4.onnx \
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
    parser.add_argument("stage", type=Path, help="RUN/pretrain or RUN/adversarial")
    parser.add_argument("output", type=Path, help="ONNX file; its stem is the model's name")
    parser.add_argument("--data", required=True, help="what it was trained on")
    parser.add_argument("--licence", required=True, help="what follows from the data")
    parser.add_argument("--scores", required=True, help="with their protocol")
    parser.add_argument("--training", required=True, help="what it took")
    parser.add_argument("--psnr-model", default="", help="what a GAN model was trained from")
    arguments = parser.parse_args()

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from srgan.train import config, export, result, run

    settings = config.read(arguments.stage.parent / "config.toml")
    record = json.loads((arguments.stage.parent / "run.json").read_text())
    generator = run.build(settings.generator, settings.scale)
    run.load(arguments.stage / "best.npz", generator)
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
    certificate = export.write_onnx(generator, arguments.output, metadata)
    print(json.dumps({"bytes": arguments.output.stat().st_size} | certificate.__dict__, indent=1))


if __name__ == "__main__":
    main()
