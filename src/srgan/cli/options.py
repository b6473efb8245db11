"""Options that several commands share."""

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer
from pydantic.fields import FieldInfo

from srgan.upscaling.options import UpscaleOptions


def _tile(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 16:
        raise ValueError("expected auto, or at least 16 pixels.")
    return int(text)


AsJson = Annotated[bool, typer.Option("--json", help="The output is JSON, for machines.")]
Engine = Annotated[
    Literal["onnxruntime", "openvino"], typer.Option(help="The library that runs the model.")
]
ModelChannels = Annotated[
    Literal["rgb", "bgr"] | None,
    typer.Option(help="The order of the colours that a model of another project takes. [rgb]"),
]
ModelRange = Annotated[
    Literal["0..1", "0..255", "-1..1"] | None,
    typer.Option(help="The values that a model of another project takes and gives. [found out]"),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Files that exist are replaced.")]
Precision = Annotated[
    Literal["float32", "bfloat16"],
    typer.Option(
        help="The precision of the arithmetic; bfloat16 needs OpenVINO and a newer processor."
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        parser=_tile,
        metavar="N",
        help="The side of the tiles; smaller ones need less memory. [auto]",
    ),
]


def takes_upscale_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for each field of `UpscaleOptions`.

    Args:
        command: Takes them as its parameter `options`, whose place the options take.
    """
    signature = inspect.signature(command)
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.name == "options":
            fields = UpscaleOptions.model_fields.items()
            parameters += [_parameter(name, field) for name, field in fields]
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        values = {name: arguments.pop(name) for name in UpscaleOptions.model_fields}
        command(options=_parse(values), **arguments)

    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
    return run


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """The option of a field, with its limits and its description."""
    flag = f"--{name.replace('_', '-')}"
    kinds = typing.get_args(field.annotation) or (field.annotation,)
    kind: Any = next(kind for kind in kinds if kind is not types.NoneType)
    if typing.get_origin(kind) is Literal:
        kind = str  # which values there are is said by the field's own validation
    bounds: dict[str, Any] = {
        name: value
        for entry in field.metadata
        for name, value in (
            ("min", getattr(entry, "ge", None)),
            ("max", getattr(entry, "le", None)),
        )
        if value is not None
    }
    if name == "tile":
        option = typer.Option(flag, parser=_tile, metavar="N", help=field.description)
    elif kind is bool:
        option = typer.Option(flag, help=field.description)
    else:
        option = typer.Option(flag, help=field.description, **bounds)
    annotation = kind if field.default is not None else kind | None
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[annotation, option],
    )


def _parse(values: dict[str, Any]) -> UpscaleOptions:
    try:
        return UpscaleOptions.parse(**values)
    except ValueError as error:
        raise ValueError(f"--{str(error).replace('_', '-', 1)}") from None
