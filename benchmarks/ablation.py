"""Trains one second stage after another, each with one change, and scores them side by side.

    python benchmarks/ablation.py PHOTOS --data KODAK24 -o ablation --steps 2000

All begin with the same weights, see the same crops, and have as many steps. A run that exists is
resumed, or left as it is if it is over: the command can be stopped, and repeated with more changes.
The table is that of `srgan evaluate`, with intervals of the differences to the first row.
"""

import argparse
import subprocess
import sys
from pathlib import Path

CHANGES = {
    "recipe": (),
    "hinge": ("adversarial=hinge",),
    "least-squares": ("adversarial=least_squares",),
    "relativistic": ("adversarial=relativistic",),
    "paired-r1-r2": (
        "adversarial=relativistic_paired",
        "discriminator_normalised=false",
        "r1_weight=1",
        "r2_weight=1",
    ),
    "unet": ("discriminator_head=unet",),
    "ldl": ("artifact_weight=1",),
    "frequency": ("frequency_weight=1",),
    "steps": ("schedule=step", "decay_every={quarter}"),
    "accumulate": ("accumulate=2",),
    "mixup": ("mixup=0.5",),
    "pause": ("pause_above=0.9",),
}
"""Changes to the table [adversarial] of the recipe, by the name of the run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="test sets")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--recipe", default="own-x4")
    parser.add_argument("--init", default="srgan-psnr-x4")
    parser.add_argument("--steps", type=int, default=2_000, help="a multiple of 4")
    parser.add_argument("--only", nargs="+", default=[*CHANGES], choices=CHANGES)
    parser.add_argument("--set", nargs="*", default=[], help="changes to all runs")
    arguments = parser.parse_args()
    models = [train(name, arguments) for name in arguments.only]
    command = [sys.executable, "-m", "srgan", "evaluate", "--table", "markdown"]
    command += ["--data", *arguments.data, "--model", *models]
    command += ["-o", arguments.output / "evaluation"]
    subprocess.run(command, check=True)


def train(name: str, arguments: argparse.Namespace) -> Path:
    """Returns the model of a run, which is begun, or goes on, if it is not there."""
    run = arguments.output / name
    model = run / "model.onnx"
    if model.exists():
        return model
    command = [sys.executable, "-m", "srgan", "train", "-o", run]
    if (run / "config.toml").exists():
        command.append("--resume")
    else:
        changes = [change.format(quarter=arguments.steps // 4) for change in CHANGES[name]]
        settings = ["pretrain.steps=0", f"adversarial.steps={arguments.steps}"]
        settings += [f"adversarial.{change}" for change in changes] + arguments.set
        command += [arguments.photos, "--recipe", arguments.recipe, "--init", arguments.init]
        command += ["--cache", arguments.output / "cache"]
        command += [f"--set={setting}" for setting in settings]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return model


if __name__ == "__main__":
    main()
