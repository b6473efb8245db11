"""Trains with a term of one's own in the loss: edges are to be as steep as those of the photos.

python examples/own_loss.py PHOTOS RUN

After Ctrl-C, the same with --resume goes on.
"""

import argparse

from keras import ops

from srgan.cli import progress
from srgan.train import Interrupted, config, train


def steepness(hr, sr):
    """Mean absolute error of the differences between neighbours, down and across."""
    error = hr - sr
    down, across = error[:, 1:] - error[:, :-1], error[:, :, 1:] - error[:, :, :-1]
    return ops.mean(ops.abs(down)) + ops.mean(ops.abs(across))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos")
    parser.add_argument("run")
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--resume", action="store_true", help="go on with the run")
    arguments = parser.parse_args()
    settings = config.Config(
        generator=config.Residual(filters=24, blocks=2),
        validate_every=max(arguments.steps // 10, 1),
        pretrain=config.Pretrain(steps=arguments.steps, hr_patch=64, warmup=0),
        adversarial=config.Adversarial(steps=0),
    )
    # "pretrain.steepness" would be a term of the first stage alone.
    losses = {"steepness": (steepness, 0.5)}
    photos, run, resume = arguments.photos, arguments.run, arguments.resume
    try:
        with progress.training(as_json=False) as report:  # as srgan train shows it
            model = train(photos, run, settings, losses=losses, resume=resume, progress=report)
    except Interrupted as stop:
        raise SystemExit(f"{stop} The same with --resume goes on.") from None
    print(model)


if __name__ == "__main__":
    main()
