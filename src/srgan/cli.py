"""The command line: arguments and exit codes; with `progress`, the only place that prints.

Exit codes: 0 done; 1 some files failed, an audit found something, or a fault of the program; 2 bad
usage or input; 130 ended by Ctrl-C. What was asked for goes to stdout, and everything else to
stderr. Whatever takes time to import is imported by the command that needs it.
"""

import _thread
import errno
import json
import math
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from srgan.evaluation import Evaluation
    from srgan.metrics import Scores
    from srgan.train.config import Config

app = typer.Typer(
    help="Turn small photographs into large, sharp ones, and train models that do so.",
    epilog="Example: srgan upscale photo.jpg -o photo_x4.png",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich takes longer to import than all the rest of `srgan --help`
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]

_EXPECTED = (ValueError, OSError, ImportError, RuntimeError, FloatingPointError)
_SEVERAL = {  # options of commands that may have several values
    "check": ("--against",),
    "evaluate": ("--data", "--lr", "--model", "--realism"),
}
_TRAINING = ("Training", "train")
_EXTRAS = {  # by module that may be missing: what needs it, and what installs it
    "cv2": ("The audit of photos", "check"),
    "h5py": _TRAINING,
    "keras": _TRAINING,
    "tensorboard": _TRAINING,
    "tensorflow": _TRAINING,
    "tomli_w": _TRAINING,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command, by default that of `sys.argv`, and returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in arguments  # wherever it stands: it is added to a command that failed
    arguments = _repeat([argument for argument in arguments if argument != "--debug"])
    unraisablehook, sys.unraisablehook = sys.unraisablehook, _raise_later
    try:
        code = app(args=arguments, standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f" See {context.command_path} --help." if context else ""
        return _fail(error.format_message() + hint)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, _EXPECTED):
            return _fail(_explain(error))
        return _fail(f"{type(error).__name__}: {error}. Add --debug to see where.", code=1)
    finally:
        sys.unraisablehook = unraisablehook
    if code == 130:
        _fail("interrupted; every file that was written is complete.")
    return code or 0


def _raise_later(ignored: "sys.UnraisableHookArgs") -> None:
    """Repeats a Ctrl-C that came where no exception can be raised: while libvips called back."""
    if ignored.exc_type is KeyboardInterrupt:
        threading.Timer(0.05, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(ignored)


def _repeat(arguments: Sequence[str]) -> list[str]:
    """Writes `--data a b` as `--data a --data b`, for the options that take several."""
    known = _SEVERAL.get(arguments[0], ())
    repeated, several = list(arguments[:1]), ""
    for argument in arguments[1:]:
        if argument.startswith("-"):
            several = argument if argument in known else ""
        elif several and repeated[-1] != several:
            repeated.append(several)
        repeated.append(argument)
    return repeated


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print("srgan", version("srgan"))
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
) -> None:
    pass  # --debug is taken by `main`


@app.command(epilog="Example: srgan upscale holiday more/photo.jpg -o large --overwrite")
def upscale(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN", help="Photos, folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="File or folder.")],
    model: Annotated[str, typer.Option(help="A shipped model, or an ONNX file.")] = "srgan-x4",
    engine: Annotated[
        Literal["onnxruntime", "openvino"], typer.Option(help="What runs the model.")
    ] = "onnxruntime",
    realism: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Between the PSNR model (0) and the GAN model (1)."),
    ] = None,
    tile: Annotated[
        int, typer.Option(min=16, help="Side of the tiles in pixels: smaller needs less memory.")
    ] = 256,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Upscale photos.

    IN are PNG, JPEG, WebP or TIFF files, or folders of them. OUT is a file if there is one input
    file, and otherwise a folder, which gets a PNG file for every photo, in the same subfolders.
    """
    from srgan import batch, images, inference, models, progress

    plan = batch.plan(inputs, output, overwrite)
    loaded = models.load(model, engine, realism)
    if loaded.facts:
        print(f"{loaded.metadata.name}: {loaded.facts.described}", file=sys.stderr)
    for destination in plan:
        destination.parent.mkdir(parents=True, exist_ok=True)
        images.check_destination(destination, overwrite)

    done: list[dict] = []
    failed: list[dict] = []
    with progress.bar(len(plan)) as show:
        for number, (destination, source) in enumerate(plan.items()):

            def tiles(done: int, total: int, number=number, name=source.name) -> None:
                show(number + done / total, name)

            began = time.perf_counter()
            try:
                inference.upscale_file(source, destination, loaded, overwrite, tile, tiles)
            except (ValueError, OSError, MemoryError) as error:
                if len(plan) == 1:
                    raise
                failed.append({"input": str(source), "error": _explain(error)})
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    break
                continue
            seconds = round(time.perf_counter() - began, 3)
            done.append({"input": str(source), "output": str(destination), "seconds": seconds})
            if not as_json:
                print(destination, flush=True)
    if as_json:
        print(json.dumps({"model": loaded.metadata.name, "done": done, "failed": failed}))
    for file in failed:
        _fail(file["error"])
    if failed:
        _fail(f"{len(plan) - len(done)} of {len(plan)} photos were not upscaled.")
        raise typer.Exit(1)


@app.command(epilog="Example: srgan demo -o demo")
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder, made.")] = Path("demo"),
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare the shipped models on bundled photos.

    Writes what becomes of the photos and a picture of all side by side, and prints the scores.
    """
    from srgan import demo, progress

    with progress.bar(1) as show:
        results = demo.run(
            output, overwrite=overwrite, progress=lambda done, total: show(done / total, "demo")
        )
    rows = [(result.photo, result.method, result.scores) for result in results]
    rows += [("mean", method, scores) for method, scores in demo.mean(results).items()]
    if as_json:
        print(json.dumps([{"photo": p, "method": m} | _finite(s) for p, m, s in rows]))
        return
    print("photo      method         PSNR-Y dB  SSIM-Y   LPIPS  LR-PSNR dB   (protocol y-crop4)")
    for photo, method, scores in rows:
        print(
            f"{photo:10} {method:14} {scores.psnr:9.2f}  {scores.ssim:.4f}  {scores.lpips:.4f}"
            f"  {scores.lr_psnr:10.2f}"
        )
    print(f"Side by side: {output / 'comparison.png'}")


def _finite(scores: "Scores") -> dict[str, float | None]:
    """Scores for JSON, which has no infinity: None is what equal images score."""
    return {k: float(v) if math.isfinite(v) else None for k, v in scores._asdict().items()}


@app.command(epilog="Example: srgan evaluate --data Set5 Set14 --model srgan-x4 srgan-psnr-x4")
def evaluate(
    model: Annotated[
        list[str],
        typer.Option(metavar="M...", help="Shipped models, ONNX files, folders of results."),
    ],
    data: Annotated[
        list[Path] | None, typer.Option(metavar="DIR...", help="Folders of originals.")
    ] = None,
    lr: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR...", help="Folders of small versions; else they are made."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for scores and enlarged photos, made.")
    ] = Path("evaluation"),
    protocol: Annotated[
        str | None, typer.Option(help="y-crop4, rgb, rgb-crop4, srgan-paper. [y-cropSCALE]")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=1, max=16, help="Factor; else that of the models.")
    ] = None,
    realism: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, metavar="R...", help="Points on the dial of GAN models."),
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="Crop results that exceed a multiple of the scale.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write a page to look at.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Score models on photos, beside bicubic.

    --data are folders of originals, from which the small versions are made by MATLAB's bicubic;
    with --lr, these are given, in the same order; --lr alone scores without originals what can be
    scored so. --model also takes folders of what other programs made of the small versions.
    Results are kept as they come in: after Ctrl-C, the same command goes on.

    Exit code 1: some results could not be scored; they are listed.
    """
    from srgan import datasets, evaluation, files, progress
    from srgan import report as page

    if report:
        files.check_destination(report, overwrite)
    sets = datasets.find(data or [], lr or [])
    with progress.bar(1) as show:
        found = evaluation.evaluate(
            sets,
            model,
            output,
            protocol,
            scale,
            crop,
            sorted(realism or []),
            progress=lambda done, total: show(done / total, f"{done} of {total} results"),
        )
    if report:
        with progress.bar(1) as show:
            page.write(
                found,
                report,
                overwrite,
                progress=lambda done, total: show(done / total, f"page, {done} of {total} photos"),
            )
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        print(f"Protocol {found.protocol}, x{found.scale}; means over the images.")
        _print_means(found)
        _print_differences(found)
        print(f"Scores of every image: {output / 'evaluation.json'}")
        if report:
            print(f"Page to look at: {report}")
    failed = [result for result in found.results if result.error]
    for result in failed:
        _fail(f"{result.case.dataset}/{result.case.name}, {result.method}: {result.error}")
    if failed:
        _fail(f"{len(failed)} of {len(found.results)} results could not be scored.")
        raise typer.Exit(1)


_COLUMNS = {  # of the table of means: heading and digits of every measure
    "psnr": ("PSNR dB", 2),
    "ssim": ("SSIM", 4),
    "lpips": ("LPIPS", 4),
    "lr_psnr": ("LR-PSNR dB", 2),
    "grid": ("GRID", 3),
    "checkerboard": ("checker", 3),
    "sharpness": ("sharp", 3),
    "sharpening": ("x bicubic", 2),
    "ringing": ("ringing", 3),
    "aliasing": ("aliasing", 3),
    "colour_drift": ("drift", 3),
}


def _print_means(found: "Evaluation") -> None:
    rows = [("set", "method", *(heading for heading, _ in _COLUMNS.values()))]
    for dataset in found.datasets:
        for method, scores in found.means(dataset).items():
            values = (
                "-" if math.isnan(value) else f"{value:.{digits}f}"
                for value, (_, digits) in zip(scores, _COLUMNS.values(), strict=True)
            )
            rows.append((dataset, method, *values))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{text:{'<' if k < 2 else '>'}{widths[k]}}" for k, text in enumerate(row))
        print("  ".join(cells))


def _print_differences(found: "Evaluation") -> None:
    """Every model against the first, or the only one against bicubic, in what is mostly asked."""
    first = found.methods[1 if len(found.methods) > 2 else 0].name
    digits = {"psnr": 2, "ssim": 4, "lpips": 4}
    rows = [d for d in found.differences if d.other == first and d.measure in digits]
    if rows:
        print(f"Difference to {first}, with the 95 % interval of a paired bootstrap:")
    for row in rows:
        mean, low, high = (f"{x:+.{digits[row.measure]}f}" for x in (row.mean, row.low, row.high))
        unclear = "" if row.low * row.high > 0 else "  (no difference shown)"
        print(f"  {row.dataset}  {row.method}  {row.measure} {mean} [{low}, {high}]{unclear}")


@app.command(epilog="Example: srgan train photos -o runs/first --recipe compact-x4")
def train(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run, made.", show_default=False)
    ],
    recipe: Annotated[str | None, typer.Option(help="See: srgan recipes. [compact-x4]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file in place of a recipe.")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Folder of photos that judge; else some are held back.")
    ] = None,
    lr_photos: Annotated[
        Path | None, typer.Option(help="Folder of small versions; else they are made.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Start from this model.onnx or best.npz.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run.")] = False,
    vgg_weights: Annotated[
        Path | None, typer.Option(help="ImageNet weights; else SRGAN_VGG_WEIGHTS, or downloaded.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for decoded photos; else in the run's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on your photos.

    Everything goes into the folder of the run: configuration, logs, samples, checkpoints, and in
    the end model.onnx, for `srgan upscale --model`. Ctrl-C ends a run cleanly.
    """
    settings = _settings(recipe, config, output if resume else None)
    _import_tensorflow()
    from srgan import progress
    from srgan.train import run

    with progress.training(as_json) as report:
        try:
            result = run.train(
                photos,
                output,
                settings,
                validation=validation,
                lr_photos=lr_photos,
                init=init,
                cache=cache,
                vgg_weights=vgg_weights,
                resume=resume,
                progress=report,
            )
        except run.Interrupted as interruption:
            _fail(f"{interruption} Go on with the same command and --resume.")
            sys.exit(130)
    print(json.dumps({"model": str(result)}) if as_json else result)


def _import_tensorflow() -> None:
    """Imports TensorFlow without what it prints about the machine, unless a log level is set."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    level = "TF_CPP_MIN_LOG_LEVEL"
    if level in os.environ:
        return
    os.environ[level] = "3"  # which leaves two lines that come before it is read
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import_module("tensorflow")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _settings(recipe: str | None, config: Path | None, run: Path | None) -> "Config":
    """The configuration of a new run, or of the one in the folder `run`."""
    from srgan.train import config as configs

    if recipe and config:
        raise ValueError(
            "--recipe and --config exclude each other; a recipe can be saved as a file:"
            f" srgan recipes {recipe} > run.toml"
        )
    if config:
        return configs.read(config)
    if run and not recipe and (run / "config.toml").exists():
        return configs.read(run / "config.toml")
    return _recipe(recipe or "compact-x4")


def _recipe(name: str) -> "Config":
    from srgan.train.recipes import RECIPES

    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}; expected {' or '.join(RECIPES)}.")
    return RECIPES[name]


@app.command(epilog="Example: srgan check photos --against Set5 BSD100")
def check(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="TESTSET...", help="Folders of test images."),
    ] = None,
    lr_photos: Annotated[
        Path | None, typer.Option("--lr", metavar="FOLDER", help="Folder of small versions.")
    ] = None,
    scale: Annotated[
        int, typer.Option(min=2, help="Factor between the small ones and PHOTOS.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Look for photos that are bad for training.

    Finds files that are unreadable, tiny, blank, blurred, enlarged earlier, or full of JPEG
    blocks; those that show the same, even if mirrored, turned, scaled or cropped; test images
    among the photos; and small versions that do not fit. Changes nothing.

    Exit code 0: nothing found; 1: something found; 2: bad usage or input.
    """
    from srgan import audit, progress

    with progress.bar(1) as show:
        report = audit.check(photos, against or [], lr_photos, scale, show)
    counts = Counter(finding.kind for finding in report.findings)
    if as_json:
        findings = [
            finding._asdict()
            | {"file": str(finding.file), "other": finding.other and str(finding.other)}
            for finding in report.findings
        ]
        print(json.dumps(report._asdict() | {"counts": counts, "findings": findings}))
    else:
        for kind, number in counts.items():
            print(f"{kind} ({number}): {audit.ADVICE[kind]}")
            for finding in report.findings:
                if finding.kind == kind:
                    other = f": {finding.other}" if finding.other else ""
                    print(f"  {finding.file}  {finding.detail}{other}")
        found = ", ".join(f"{number} {kind}" for kind, number in counts.items()) or "nothing found"
        tests = f" against {report.tests} test images" if report.tests else ""
        print(f"{report.photos} photos checked{tests}: {found}")
    if report.findings:
        raise typer.Exit(1)


@app.command(epilog="Example: srgan recipes compact-x4 > run.toml")
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one as TOML.")] = None,
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
            generator = config.generator
            print(
                f"{key:12} x{config.scale}, {generator.architecture} of {generator.blocks} blocks "
                f"x {generator.filters} filters, {config.pretrain.steps:,} steps, then "
                f"{config.adversarial.steps:,} adversarial ones"
            )


@app.command("models", epilog="Example: srgan models --json")
def list_models(as_json: AsJson = False) -> None:
    """List the shipped models, with their data, licence and scores."""
    from srgan import models

    shipped = [models.load(name).metadata.model_dump() for name in models.shipped()]
    if as_json:
        print(json.dumps(shipped))
        return
    if not shipped:
        print("This installation has no models.", file=sys.stderr)
    for metadata in shipped:
        print(metadata.pop("name"))
        for key, value in metadata.items():
            print(f"  {key.replace('_', ' ')}: {value}")


def _explain(error: Exception) -> str:
    """What happened, in the words for a user."""
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        what, extra = _EXTRAS[error.name]
        return f'{what} needs {error.name}, which is missing. Run: pip install "srgan[{extra}]"'
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        advice = " Free some space, and run it again." if error.errno == errno.ENOSPC else ""
        return f"{error.strerror}{where}.{advice}"
    return str(error)


def _fail(message: str, code: int = 2) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
