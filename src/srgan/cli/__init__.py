"""The command line: arguments and exit codes; with `progress`, the only place that prints.

Exit codes: 0 done; 1 some files failed, an audit found something, or a fault of the program; 2 bad
usage or input; 130 ended by Ctrl-C; 143 by SIGTERM (training: 130, too). What was asked for goes to
stdout, and everything else to stderr. Whatever takes time to import is imported by the command that
needs it.

One module a command. What may be asked of an upscaling is in `upscaling.options`, and no module
outside imports anything from here but `main`.
"""

import _thread
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from srgan.cli import (
    batch,
    check,
    convert,
    degrade,
    demo,
    evaluate,
    export,
    messages,
    models,
    plan,
    runs,
    serve,
    train,
    upscale,
)

app = typer.Typer(
    help="Turn small photographs into large, sharp ones, and train models that do so.",
    epilog="Example: srgan upscale photo.jpg -o photo_x4.png",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich takes longer to import than all the rest of `srgan --help`
)

_EXPECTED = (ValueError, OSError, ImportError, RuntimeError, FloatingPointError, MemoryError)
_SEVERAL = {  # options of commands that may have several values
    "check": ("--against",),
    "evaluate": ("--data", "--lr", "--model", "--realism", "--crops"),
    "serve": ("--model", "--allow-host", "--allow-origin", "--trusted-proxy"),
}

_RENAMED = {  # options of commands, by their names in version 0.1; they work until 0.3
    "upscale": {"--strip": "--strip-metadata", "--hallucination-map": "--error-map"},
    "serve": {"--at-once": "--concurrency", "--waiting": "--queue-size"},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command, by default that of `sys.argv`, and returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in arguments  # wherever it stands: it is added to a command that failed
    arguments = _rename([argument for argument in arguments if argument != "--debug"])
    arguments = _repeat(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may be any bytes, and any characters where not all can be printed.
        errors = "surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace"
        sys.stdout.reconfigure(errors=errors)
    unraisablehook, sys.unraisablehook = sys.unraisablehook, _raise_later
    signals: list[int] = []
    terminated = _as_interruption(signals)
    try:
        code = app(args=arguments, standalone_mode=False, obj=arguments)
    except typer.TyperException as error:
        _name_variable(error)
        context = getattr(error, "ctx", None)
        hint = f" See {context.command_path} --help." if context else ""
        message = error.format_message().replace("Value error, ", "")
        return messages.fail(message.rstrip(".") + "." + hint)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, _EXPECTED):
            return messages.fail(messages.explain(error))
        return messages.fail(f"{type(error).__name__}: {error}. Add --debug to see where.", code=1)
    finally:
        sys.unraisablehook = unraisablehook
        if terminated:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if code == 130:
        code = 143 if signals else 130
        return messages.fail("interrupted; every file that was written is complete.", code)
    return code or 0


def _name_variable(error: typer.TyperException) -> None:
    """Has an error about a value from the environment name its variable, and not the option."""
    context, option = (getattr(error, name, None) for name in ("ctx", "param"))
    if isinstance(error, typer.BadParameter) and context and option:
        source = context.get_parameter_source(option.name)
        if source and source.name == "ENVIRONMENT":
            variable = f"{context.auto_envvar_prefix}_{option.name.upper()}"
            error.param_hint = f"{variable}={os.environ[variable]}, from the environment"


def _as_interruption(signals: list[int]) -> bool:
    """Has SIGTERM end a command as Ctrl-C does, with nothing left half-written; whether it was so.

    Not in programs that call `main` and have made up their minds about it, or in their threads.

    Args:
        signals: Gets the numbers of those that came.
    """

    def interrupt(number: int, _: FrameType | None) -> None:
        signals.append(number)
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return False
    signal.signal(signal.SIGTERM, interrupt)
    return True


def _raise_later(ignored: "sys.UnraisableHookArgs") -> None:
    """Repeats a Ctrl-C that came where no exception can be raised: while libvips called back."""
    if ignored.exc_type is KeyboardInterrupt:
        threading.Timer(0.05, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(ignored)


def _rename(arguments: list[str]) -> list[str]:
    """Takes options by their old names, and says the new ones."""
    known = _RENAMED.get(arguments[0], {})
    renamed = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option in known:
            new = known[option]
            messages.notice(f"{option} is now called {new}; the old name ends with version 0.3.")
            argument = f"{new}{equals}{value}"
        renamed.append(argument)
    return renamed


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


for command, example in (
    (upscale.upscale, "srgan upscale holiday more/photo.jpg -o large --overwrite"),
    (batch.batch, "srgan batch s3://bucket/photos s3://bucket/large --cluster auto"),
    (demo.demo, "srgan demo -o demo"),
    (evaluate.evaluate, "srgan evaluate --data Set5 Set14 --model srgan-x4 srgan-psnr-x4"),
    (train.train, "srgan train photos -o runs/first --recipe residual-x4"),
    (plan.plan, "srgan plan photos --recipe own-x4 --max-hours 8"),
    (runs.diagnose, "srgan diagnose runs/first"),
    (runs.runs, "srgan runs runs"),
    (check.check, "srgan check photos --against Set5 BSD100"),
    (degrade.degrade, "srgan degrade photo.jpg --preview sheet.png --config run.toml"),
    (export.export, "srgan export runs/first --format tflite-fp16 -o mobile"),
    (convert.convert, "srgan convert 4x_model.pth -o 4x_model.onnx --licence CC-BY-4.0"),
    (export.verify, "srgan verify mobile/first.tflite"),
    (serve.serve, "srgan serve --model srgan-x4 runs/mine/model.onnx --port 8080"),
    (serve.token, "srgan token alice --tokens tokens.txt"),
    (train.recipes, "srgan recipes residual-x4 > run.toml"),
    (models.models, "srgan models --json"),
):
    settings = serve.SETTINGS if command is serve.serve else None
    app.command(epilog=f"Example: {example}", context_settings=settings)(command)
