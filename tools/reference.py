"""Writes the reference pages of the documentation from the code; see `build_site.py`.

Needs the base package alone: neither TensorFlow nor a server.
"""

import ast
import importlib.util
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_GROUPS = {  # of the public names; those that are in no group come last
    "Files": ("upscale_file", "prepare", "UpscaleOptions"),
    "Models": ("load", "shipped", "Model", "Metadata"),
    "Images": ("read", "write", "UnsupportedImage"),
    "Measures": ("psnr", "ssim", "lpips"),
    "HTTP client": ("Client", "AsyncClient", "ServiceError"),
}
_EXTRAS = {  # what is public outside of `srgan` itself
    "Jobs": ("srgan.upscaling.jobs.UpscaleJob",),
    "Training": (
        "srgan.train.run.train",
        "srgan.train.pretraining.Pretraining",
        "srgan.train.adversarial.Adversarial",
        "srgan.train.config.Config",
    ),
    "HTTP service": ("srgan.server.application", "srgan.client.Result", "srgan.client.Job"),
    "Error map": ("srgan.quality.uncertainty.expected_error",),
}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Key(NamedTuple):
    """A field of a pydantic model, as words."""

    name: str
    kind: str
    default: str
    about: str


def command_line() -> str:
    """Returns the page of the command line, as Markdown."""
    import typer

    import srgan.cli

    group: Any = typer.main.get_command(srgan.cli.app)
    codes = _exit_codes(inspect.getdoc(srgan.cli) or "")
    parts = [
        "# Command line",
        "This page is made from the program itself. `srgan COMMAND --help` prints the same.",
        codes,
        "`srgan --version` prints the version. `--debug`, anywhere, shows where an error arose.",
    ]
    for name, command in group.commands.items():
        with command.make_context(f"srgan {name}", [], resilient_parsing=True) as context:
            usage = " ".join(command.collect_usage_pieces(context))
            rows = [
                (p.param_type_name, record)
                for p in command.get_params(context)
                if (record := p.get_help_record(context))
            ]
        parts += [f"## srgan {name}", _markdown(command.help or "")]
        parts.append(f"```\nsrgan {name} {usage}\n```")
        for kind, title in (("argument", "Argument"), ("option", "Option")):
            table = [record for of, record in rows if of == kind]
            if table:
                parts.append(_table((title, "What it does"), [(_code(d), h) for d, h in table]))
        if command.epilog:
            example = command.epilog.removeprefix("Example: ")
            parts.append(f"Example:\n\n```\n{example}\n```")
    return "\n\n".join(parts) + "\n"


def configuration() -> str:
    """Returns the page of the training configuration and of the upscaling options."""
    from srgan.train.config import Config
    from srgan.train.recipes import RECIPES

    parts = [
        "# Configuration",
        "This page is made from the code.",
        "## Training",
        "`srgan train --config FILE` reads a TOML file with these keys. What it leaves out is as "
        "in the defaults, which are those of the recipe `residual-x4`. A key that is misspelt, or "
        "a value out of range, is an error that names it. `srgan recipes NAME > run.toml` writes "
        "a complete file.",
    ]
    for path, model in sections(Config):
        parts.append(f"### [{path}]" if path else "### The run")
        parts.append(_first_paragraph(model))
        parts.append(_keys(model))
    parts += ["## Recipes", "`srgan recipes` lists them, and `srgan recipes NAME` prints one."]
    about = _texts_after(import_module("srgan.train.recipes"))
    names = {id(value): name for name, value in vars(import_module("srgan.train.recipes")).items()}
    for name, recipe in RECIPES.items():
        parts += [f"### {name}", _markdown(about.get(names.get(id(recipe), ""), ""))]
    options = _upscale_options()
    if options:
        parts += [
            "## Upscaling",
            "Fields of `srgan.UpscaleOptions`, which `srgan upscale` and the HTTP service also "
            "fill in.",
            _keys(options),
        ]
    return "\n\n".join(parts) + "\n"


def python() -> str:
    """Returns the page of the Python interface, with a directive for each public name."""
    import srgan

    left = [name for name in srgan.__all__ if not name.startswith("__")]
    parts = [
        "# Python",
        "Every name of `import srgan`, and what is public beside it. Names are imported when they "
        "are first used, so `import srgan` is immediate.",
    ]
    for title, names in _GROUPS.items():
        found = [name for name in names if name in left]
        left = [name for name in left if name not in found]
        parts += _directives(title, [f"srgan.{name}" for name in found])
    parts += _directives("Other", [f"srgan.{name}" for name in left])
    for title, places in _EXTRAS.items():
        parts += _directives(title, [place for place in places if _exists(place)])
    return "\n\n".join(parts) + "\n"


def sections(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yields a model and those nested in it, each with its dotted path."""
    yield path, model
    for name, field in model.model_fields.items():
        for nested in _models(field.annotation):
            yield from sections(nested, f"{path}.{name}".lstrip("."))


def keys(model: type[BaseModel]) -> list[Key]:
    """Returns the fields of a pydantic model that are no models themselves.

    What a field is for is its description, or else the comment beside it in the source.
    """
    comments = _comments(model)
    return [
        Key(
            name,
            _kind(field),
            _default(field),
            field.description or comments.get(name, ""),
        )
        for name, field in model.model_fields.items()
        if not _models(field.annotation)
    ]


def _keys(model: type[BaseModel]) -> str:
    rows = [(f"`{k.name}`", _code(k.kind), _code(k.default), k.about) for k in keys(model)]
    return _table(("Key", "Type", "Default", "What it is"), rows)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (typing.Union, types.UnionType, Annotated):
        return [model for each in get_args(annotation) for model in _models(each)]
    return []


def _kind(field: FieldInfo) -> str:
    text = _type(field.annotation)
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in _SIGNS.items()
        if getattr(limit, name, None) is not None
    ]
    return ", ".join([text, *limits])


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "None"
    if origin is Literal:
        return " or ".join(f'"{v}"' if isinstance(v, str) else str(v) for v in arguments)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(each) for each in arguments)
    if origin is tuple and len(set(arguments)) == 1:
        return f"{len(arguments)} x {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[0])} to {_type(arguments[1])}"
    if origin:
        return f"{origin.__name__} of {' and '.join(_type(each) for each in arguments)}"
    return getattr(annotation, "__name__", str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {each:g}" for key, each in value.items())
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """Returns the comments that stand beside the fields of a class and of those it is made from."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not (issubclass(base, BaseModel) and base is not BaseModel):
            continue
        for line in inspect.getsource(base).splitlines():
            match = re.match(r"\s+(\w+)\s*:[^#]*#\s*(.*)", line)
            if match:
                found[match[1]] = match[2]
    return found


def _texts_after(module: types.ModuleType) -> dict[str, str]:
    """Returns the strings that stand below the constants of a module."""
    body = ast.parse(inspect.getsource(module)).body
    return {
        node.targets[0].id: inspect.cleandoc(after.value.value)
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _upscale_options() -> type[BaseModel] | None:
    import srgan

    found = getattr(srgan, "UpscaleOptions", None) if "UpscaleOptions" in srgan.__all__ else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _first_paragraph(model: type[BaseModel]) -> str:
    text = " ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split())
    return re.sub(r"; see `\w+\.py`\.|; `\w+\.py` holds the named ones\.", ".", text)


def _exit_codes(text: str) -> str:
    match = re.search(r"Exit codes: (.*?)\.(?:\s|$)", text, re.DOTALL)
    if not match:
        return ""
    rows = [part.strip().partition(" ") for part in " ".join(match[1].split()).split(";")]
    return _table(("Exit code", "Meaning"), [(code, about) for code, _, about in rows])


def _exists(place: str) -> bool:
    module, _, name = place.rpartition(".")
    spec = importlib.util.find_spec(module)
    text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    return bool(re.search(rf"^(?:class|def) {name}\b", text, re.MULTILINE))


def _directives(title: str, names: typing.Sequence[str]) -> list[str]:
    return [f"## {title}", *(f"::: {name}" for name in names)] if names else []


def _markdown(text: str) -> str:
    """Returns help as Markdown: indented commands become blocks of code."""
    parts = []
    for part in text.strip().split("\n\n"):
        if part.startswith("    "):
            parts.append(f"```\n{textwrap.dedent(part)}\n```")
        else:
            parts.append(part)
    return "\n\n".join(parts)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(heads: typing.Sequence[str], rows: typing.Sequence[typing.Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(each) for each in line) + " |" for line in lines)


def _cell(text: str) -> str:
    if text.startswith("`"):
        return text  # where a pipe stands for itself
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
