"""`srgan models`."""

import json
from typing import Annotated

import typer

from srgan.cli.options import AsJson


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A shipped model, or an ONNX file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the shipped models, and what each is for.

    With MODEL, or with --json: all that it says about itself, as its data, licence and scores.
    """
    from srgan.models.catalogue import PURPOSES, path, shipped
    from srgan.models.loading import load

    names = [name] if name else [known for known in PURPOSES if known in shipped()]
    if as_json:
        print(json.dumps([load(known).metadata.model_dump() for known in names]))
    elif name:
        for key, value in load(name).metadata.model_dump(exclude_defaults=True).items():
            print(f"{key.replace('_', ' ')}: {value}")
    else:
        widths = max(map(len, PURPOSES))
        print(f"{'model':{widths}}  scale      MB  for")
        for known in names:
            size = path(known).stat().st_size / 1e6
            print(f"{known:{widths}}  {load(known).scale:5}  {size:6.2f}  {PURPOSES[known]}")
