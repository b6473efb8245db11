"""Options that several commands share."""

from typing import Annotated, Literal

import typer


def _tile(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 16:
        raise ValueError("expected auto, or at least 16 pixels.")
    return int(text)


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Engine = Annotated[Literal["onnxruntime", "openvino"], typer.Option(help="What runs the model.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Precision = Annotated[
    Literal["float32", "bfloat16"], typer.Option(help="bfloat16: OpenVINO, newer processors.")
]
Tile = Annotated[
    int | None,
    typer.Option(
        parser=_tile,
        metavar="N",
        help="Side of the tiles: smaller ones need less memory. [auto]",
    ),
]
