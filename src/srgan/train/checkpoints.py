"""Variables to .npz files and back: written whole or not at all, read without pickle."""

import io
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from srgan.util import files


def named(generator: keras.Model) -> dict[str, keras.Variable]:
    """Returns a generator's weights by the names that `best.npz` gives them."""
    return {f"ema/{i:03d}": weight for i, weight in enumerate(generator.weights)}


def save(path: Path, variables: dict) -> None:
    """Writes variables as an .npz file, atomically: a kill leaves the old file or the new one."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in variables.items()}
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    files.write_bytes(path, stream.getvalue())


def restore(path: Path, variables: dict) -> None:
    """Sets variables from a file of `save`.

    Raises:
        ValueError: If the file is damaged, or belongs to another network.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable checkpoint: {error}") from error
    if missing := [name for name in variables if name not in arrays]:
        raise ValueError(f"{path} lacks {missing[0]!r}: it is a checkpoint of something else.")
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{path}: {name} has shape {arrays[name].shape}; this network needs "
                f"{tuple(variable.shape)}. Was it trained with another configuration?"
            )
        variable.assign(arrays[name])
