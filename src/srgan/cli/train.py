"""`srgan train` and `srgan recipes`."""

import json
import logging
import os
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import launching, messages
from srgan.cli.options import AsJson
from srgan.util import frameworks

if TYPE_CHECKING:
    from srgan.train.config import Config


Recipe = Annotated[
    str | None,
    typer.Option(help="A named configuration; srgan recipes lists them. [residual-x4]"),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="A TOML file takes the place of a recipe.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A value of the configuration is changed, as pretrain.steps=2000; repeatable.",
    ),
]
VggWeights = Annotated[
    Path | None,
    typer.Option(help="The file of ImageNet weights; else SRGAN_VGG_WEIGHTS, or downloaded."),
]

_RENAMED = {  # recipes; the old names work until 0.3
    "srgan-x4": "srgan-paper-x4",
    "esrgan-x4": "esrgan-paper-x4",
    "compact-x4": "residual-x4",
    "compact-x2": "residual-x2",
}


def train(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The folder of the run, which is made.", show_default=False
        ),
    ],
    photos: Annotated[
        Path | None,
        typer.Argument(
            help="The folder of photos to train on; with --resume, those of the run.",
            show_default=False,
        ),
    ] = None,
    recipe: Recipe = None,
    config: ConfigFile = None,
    changes: Changes = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="The folder of the validation set; else some photos are held back."),
    ] = None,
    lr_photos: Annotated[
        Path | None, typer.Option(help="The folder of LR images; else they are made.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Training starts from a shipped model, a model.onnx, .keras or best.npz of a run, "
            "or the .pth, .safetensors or .param (ncnn) file of a community model, whose network "
            "is then trained.",
        ),
    ] = None,
    generator: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The .keras file of a network of your own takes the place of the configuration's.",
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="This model teaches, in place of the configuration's: a shipped one or ONNX file.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="The run in the folder goes on, with all that it began with."
        ),
    ] = False,
    vgg_weights: VggWeights = None,
    cache: Annotated[
        Path | None, typer.Option(help="The folder for decoded photos; else one in the run's.")
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=A,B,C",
            help="One run for each value of a key, in folders of the output that have its name.",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes of this machine that train together, with a GPU each if there are any.",
        ),
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Train a model on your photos.

    Everything goes into the folder of the run: configuration, logs, samples, checkpoints, and in
    the end model.onnx, for `srgan upscale --model`. Ctrl-C ends a run cleanly, and
    `srgan train --resume -o RUN` continues it.
    """
    if workers > 1 and "TF_CONFIG" not in os.environ:
        sys.exit(launching.launch(context.obj, workers))
    launching.end_with_launcher()
    from srgan.train import config_file

    settings = settings_of(recipe, config, output if resume else None)
    settings = config_file.override(settings, changes or ())
    if teacher:
        chosen = f"teacher.model={json.dumps(teacher)}"
        settings = config_file.override(settings, [chosen], "--teacher")
    frameworks.import_tensorflow()
    from srgan.cli import progress
    from srgan.networks import workers as group
    from srgan.train import run

    group.join()
    if not group.leads():  # the first one says it
        logging.getLogger("srgan").setLevel(logging.ERROR)
    if recipe or config or not resume:  # a run's own configuration has that network
        settings = adopted(settings, init, config)
    runs = config_file.sweep(settings, sweep) if sweep else {"": settings}
    for name, chosen in runs.items():
        folder = output / name
        # The first worker tells for all.
        with progress.training(as_json) if group.leads() else nullcontext() as report:
            try:
                result = run.train(
                    photos,
                    folder,
                    chosen,
                    generator=generator,
                    validation=validation,
                    lr_photos=lr_photos,
                    init=init,
                    cache=cache or (output / "cache" if sweep else None),
                    vgg_weights=vgg_weights,
                    resume=resume or bool(sweep and (folder / "config.toml").is_file()),
                    progress=report,
                )
            except run.Interrupted as interruption:
                again = "the same command" if sweep else _resuming(output, generator, workers)
                if group.leads():
                    messages.fail(f"{interruption} Continue with: {again}")
                sys.exit(130)
        if group.leads():
            print(json.dumps({"model": str(result)}) if as_json else result)
    if sweep and group.leads():
        _compare([output / name for name in runs], output)


def _resuming(output: Path, generator: Path | None, workers: int) -> str:
    """The command that goes on with a run."""
    command = ["srgan", "train", "--resume", "-o", str(output)]
    if generator:
        command += ["--generator", str(generator)]
    if workers > 1:
        command += ["--workers", str(workers)]
    return shlex.join(command)


def _compare(swept: list[Path], output: Path) -> None:
    """Draws what a sweep has found."""
    from srgan.cli.runs import write
    from srgan.train import comparison

    page, plane = output / "runs.html", output / "plane.svg"
    write(comparison.compare(swept), swept, page, plane)
    messages.notice(f"The runs are compared in {page}, and {plane} is their Pareto front.")


def settings_of(recipe: str | None, config: Path | None, run: Path | None) -> "Config":
    """The configuration of a new run, or of the one in the folder `run`."""
    from srgan.train import config_file

    if recipe and config:
        raise ValueError(
            "--recipe and --config exclude each other; a recipe can be saved as a file:"
            f" srgan recipes {recipe} > run.toml"
        )
    if config:
        return config_file.read(config)
    if run and not recipe and (run / "config.toml").exists():
        return config_file.read(run / "config.toml")
    return _recipe(recipe or "residual-x4")


def adopted(settings: "Config", init: str | None, config: Path | None) -> "Config":
    """The configuration with the network of a community model, if that is what it starts from."""
    from srgan.train import community

    if not init or not community.is_community(init):
        return settings
    found = community.read(init)
    settings = community.adopt(settings, found, settings.model_fields_set if config else ())
    messages.notice(f"The network is that of {init}: x{found.scale}, {_network(settings)}.")
    return settings


def _recipe(name: str) -> "Config":
    from srgan.train.recipes import RECIPES

    if name in _RENAMED:
        messages.notice(
            f"The recipe {name} is now called {_RENAMED[name]}; the old name ends with version 0.3."
        )
        name = _RENAMED[name]
    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}; expected {' or '.join(RECIPES)}.")
    return RECIPES[name]


def recipes(
    name: Annotated[str | None, typer.Argument(help="This one is printed as TOML.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the training recipes, or print one.

    A printed one is a file to change, and to train with: srgan train --config.
    """
    from srgan.train.recipes import RECIPES

    if as_json:
        chosen = {name: _recipe(name)} if name else RECIPES
        print(json.dumps({key: config.model_dump(mode="json") for key, config in chosen.items()}))
    elif name:
        import tomli_w

        print(tomli_w.dumps(_recipe(name).model_dump(mode="json")), end="")
    else:
        for key, config in RECIPES.items():
            print(
                f"{key:18} x{config.scale}, {_network(config)}, {config.pretrain.steps:,} steps, "
                f"then {config.adversarial.steps:,} adversarial ones"
            )


def _network(config: "Config") -> str:
    sizes = config.generator.model_dump()
    blocks = f" of {sizes['blocks']} blocks x" if "blocks" in sizes else " of"
    return f"{sizes['architecture']}{blocks} {sizes['filters']} filters"
