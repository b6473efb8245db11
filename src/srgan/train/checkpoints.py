"""Variables to .npz files and back: written whole or not at all, read without pickle.

Each array in such a file has a checksum (CRC-32), which reading it compares.
"""

import io
import logging
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from srgan.util import files

_logger = logging.getLogger(__name__)

KEPT = 3
_DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, NotImplementedError, RuntimeError)
_DAMAGE += (SyntaxError, zipfile.BadZipFile, zlib.error)  # of the header of an array; of the file


def named(weights: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
    """Returns a generator's weights by the names that `best.npz` gives them."""
    return {f"ema/{i:03d}": weight for i, weight in enumerate(weights)}


def save(path: Path, variables: dict) -> None:
    """Writes variables as an .npz file, atomically: a kill leaves the old file or the new one."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in variables.items()}
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    files.write_bytes(path, stream.getvalue())


def restore(path: Path, variables: dict) -> None:
    """Sets variables from a file of `save`.

    Raises:
        ValueError: If the file is damaged, which its checksums tell, or belongs to another network.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except _DAMAGE as error:
        raise ValueError(f"{path} is damaged, or no checkpoint.") from error
    if missing := [name for name in variables if name not in arrays]:
        raise ValueError(f"{path} lacks {missing[0]!r}: it is a checkpoint of something else.")
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{path}: {name} has shape {arrays[name].shape}; this network needs "
                f"{tuple(variable.shape)}. Was it trained with another configuration?"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


class Checkpoints:
    """The last states of a stage, one file each, named after its step.

    A divergence goes back to one at a multiple of `every`, of which three are kept: where they lie
    does not depend on where a run was stopped. The newest may lie between them.

    Args:
        folder: Made when the first is written.
        every: Steps between two.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self._folder, self._every = folder, every

    def exist(self) -> bool:
        """Whether there is any, damaged ones included."""
        return bool(self._paths())

    def save(self, state: dict[str, keras.Variable], step: int) -> None:
        """Writes a state, and removes what is no longer needed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        save(self._path(step), state)
        newest, *older = self._paths()
        regular = [path for path in older if self._is_regular(path)]
        kept = regular[: KEPT - self._is_regular(newest)]
        for path in {*older} - {*kept}:
            path.unlink()

    def restore(self, state: dict[str, keras.Variable], below: int | None = None) -> bool:
        """Sets a state from the newest file that is whole; returns whether there is one.

        Args:
            state: The variables to set.
            below: Look only at regular files of a step below this one.

        Raises:
            ValueError: If there are files, and none can be read.
        """
        files.remove_partial(self._folder)
        paths = self._paths()
        candidates = [
            path
            for path in paths
            if below is None or (self._is_regular(path) and int(path.stem) < below)
        ]
        for path in candidates:
            try:
                restore(path, state)
                return True
            except ValueError as error:
                _logger.warning("%s: this checkpoint is skipped.", error)
        if paths and below is None:
            raise ValueError(
                f"None of the checkpoints in {self._folder} can be read. Begin a new run, with "
                "--init for the weights of this one's best.npz, if that is whole."
            )
        return False

    def replace_after(self, state: dict[str, keras.Variable], step: int) -> None:
        """Writes a state, and removes those of later steps: a run goes on from here."""
        self.save(state, step)  # first: at no moment are there fewer
        for path in self._paths():
            if int(path.stem) > step:
                path.unlink()

    def _path(self, step: int) -> Path:
        return self._folder / f"{step:08d}.npz"

    def _is_regular(self, path: Path) -> bool:
        return int(path.stem) % self._every == 0

    def _paths(self) -> list[Path]:
        """The files, the newest first."""
        return sorted(self._folder.glob("[0-9]*[0-9].npz"), reverse=True)
