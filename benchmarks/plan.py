"""How close `srgan plan` comes to the run that it foretells, for some recipes.

    python benchmarks/plan.py PHOTOS --vgg-weights VGG16 --recipe own-x4 --recipe fast-x4

A run of each recipe with few steps gives the real seconds of a step, of both stages, and of a
validation with all that is done beside one; from these follows what the whole schedule would take.
The plan is made before and after it, since a machine is not equally fast all day; with --once,
only before it.
"""

import argparse
import contextlib
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from srgan.train import config, plan, recipes, train
from srgan.train.callbacks import Progress

ALONE, STEPS = 6, 24  # of the discriminator; of a stage
EVERY = 12  # steps between validations, of which the first traces
WARM_UP = 3


class Real(NamedTuple):
    """Seconds, of one stage."""

    step: float
    alone: float  # of a step of the discriminator alone
    judging: float  # beside the step that it comes with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--recipe", action="append", choices=recipes.RECIPES, required=True)
    parser.add_argument("--vgg-weights", type=Path)
    parser.add_argument("--once", action="store_true", help="one plan, before the run")
    arguments = parser.parse_args()
    for name in arguments.recipe:
        recipe = recipes.RECIPES[name]
        plans, real = measure(recipe, arguments.photos, arguments.vgg_weights, arguments.once)
        compare(name, plans, real)


def measure(
    recipe: config.Config, photos: Path, vgg: Path | None, once: bool
) -> tuple[list[plan.Plan], dict[str, Real]]:
    """The plans of a recipe, and what its stages really take."""
    short = {
        "pretrain": recipe.pretrain.model_copy(update={"steps": STEPS, "warmup": 0}),
        "adversarial": recipe.adversarial.model_copy(
            update={
                "steps": STEPS,
                "warmup": 0,
                "discriminator_steps": ALONE if recipe.adversarial.discriminator_steps else 0,
            }
        ),
        "validate_every": EVERY,
    }
    at: dict[str, list[float]] = {"pretrain": [], "adversarial": []}

    def report(progress: Progress) -> None:
        with contextlib.suppress(KeyError):
            at[progress.stage].append(time.perf_counter())

    plans = [plan.make(photos, recipe, vgg_weights=vgg)]
    with tempfile.TemporaryDirectory() as folder:
        settings = recipe.model_copy(update=short)
        train(photos, Path(folder) / "run", settings, vgg_weights=vgg, progress=report)
    if not once:
        plans.append(plan.make(photos, recipe, vgg_weights=vgg))
    lone = settings.adversarial.discriminator_steps
    return plans, {
        "pretrain": seconds(at["pretrain"], 0),
        "adversarial": seconds(at["adversarial"], lone),
    }


def seconds(at: list[float], lone: int) -> Real:
    """What a stage takes, whose steps ended at these times."""
    gaps = {k: after - before for k, (before, after) in enumerate(itertools.pairwise(at), 2)}
    judged = [gaps[k] for k in gaps if k % EVERY == 0]  # the last step alone lacks gradient norms
    others = (k for k in gaps if k % EVERY and k != len(at))
    plain = {k: gaps[k] for k in others if k > WARM_UP}
    step = statistics.median([gap for k, gap in plain.items() if k > lone + 1])
    alone = statistics.median([gap for k, gap in plain.items() if k <= lone] or [step])
    return Real(step, alone, statistics.median(judged[1:]) - step)


def compare(name: str, plans: list[plan.Plan], real: dict[str, Real]) -> None:
    """Prints a row for each stage, and one for the whole run: the plan over what it takes."""
    settings = plans[0].settings
    whole = 0.0
    for number, (stage, took) in enumerate(real.items()):
        costs = [one.stages[number] for one in plans]
        schedule = getattr(settings, stage)
        lone = costs[0].steps - schedule.steps
        total = schedule.steps * took.step + lone * took.alone
        total += costs[0].steps / settings.validate_every * took.judging
        whole += total
        said = [cost.step_seconds / took.step for cost in costs]
        judged = [cost.validation_seconds / took.judging for cost in costs]
        all_of_it = [cost.seconds / total for cost in costs]
        print(
            f"| {name} | {stage} | {took.step:.3f} | {ratios(said)} | {took.judging:.1f} | "
            f"{ratios(judged)} | {ratios(all_of_it)} |",
            flush=True,
        )
    totals = [sum(stage.seconds for stage in one.stages) / whole for one in plans]
    print(f"| {name} | both | | | | | {ratios(totals)} |", flush=True)


def ratios(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main()
