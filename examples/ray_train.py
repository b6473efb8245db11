"""Trains on a Ray cluster: a worker for each GPU, restarted from the last checkpoint if one dies.

python examples/ray_train.py PHOTOS RUN --workers 4

PHOTOS and RUN are on a disk that all machines see. Needs `pip install "srgan[train]" "ray[train]"`
on each, and `srgan` of the same version.
"""

import argparse
from pathlib import Path


def learn(options: dict) -> None:
    """Is run by each worker, to whom Ray has said, in TF_CONFIG, where the others are."""
    from srgan.train import config_file, train
    from srgan.train.recipes import RECIPES

    run = Path(options["run"])
    settings = config_file.override(RECIPES[options["recipe"]], options["set"])
    begun = (run / "config.toml").exists()  # then other options than the run's are refused
    train(options["photos"], run, settings, init=options["init"], resume=begun)


def main() -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.tensorflow import TensorflowTrainer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--recipe", default="own-x4")
    parser.add_argument("--init")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpus", action="store_true", help="one for each worker")
    options = vars(parser.parse_args())
    options |= {name: str(options[name].resolve()) for name in ("photos", "run")}
    TensorflowTrainer(
        learn,
        train_loop_config=options,
        scaling_config=ScalingConfig(num_workers=options["workers"], use_gpu=options["gpus"]),
        run_config=RunConfig(
            storage_path=str(Path(options["run"]).parent / "ray"),
            failure_config=FailureConfig(max_failures=3),
        ),
    ).fit()
    print(Path(options["run"]) / "model.onnx")


if __name__ == "__main__":
    main()
