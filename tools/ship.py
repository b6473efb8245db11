"""Makes a shipped model from a run: its best weights, under a name, with metadata for strangers.

    python tools/ship.py RUN/adversarial src/srgan/weights/srgan-x4.onnx \
        --data "844 photos ..." --licence "..." --scores "y-crop4: Set5 ..."

Needs `pip install srgan[train]`.
"""

import argparse
import hashlib
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
    arguments = parser.parse_args()

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from srgan.models import Metadata
    from srgan.train import config, export, generators, run

    settings = config.read(arguments.stage.parent / "config.toml")
    record = json.loads((arguments.stage.parent / "run.json").read_text())
    generator = run.build(settings.generator, settings.scale)
    run.load(arguments.stage / "best.npz", generator)
    metadata = Metadata(
        name=arguments.output.stem,
        scale=settings.scale,
        receptive_field=generators.receptive_field(generator),
        consistency_rounds=settings.projection,
        training_data=f"{arguments.data}; fingerprint {record['data']['fingerprint'][:16]}",
        licence=arguments.licence,
        scores=arguments.scores,
        config_hash=hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16],
    )
    certificate = export.write_onnx(generator, arguments.output, metadata)
    print(json.dumps({"bytes": arguments.output.stat().st_size} | certificate.__dict__, indent=1))


if __name__ == "__main__":
    main()
