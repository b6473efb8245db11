"""`srgan models`."""

import json
import sys

from srgan.cli.options import AsJson


def models(as_json: AsJson = False) -> None:
    """List the shipped models, with their data, licence and scores."""
    from srgan.models.catalogue import shipped
    from srgan.models.loading import load

    found = [load(name).metadata.model_dump() for name in shipped()]
    if as_json:
        print(json.dumps(found))
        return
    if not found:
        print("This installation has no models.", file=sys.stderr)
    for metadata in found:
        print(metadata.pop("name"))
        for key, value in metadata.items():
            print(f"  {key.replace('_', ' ')}: {value}")
