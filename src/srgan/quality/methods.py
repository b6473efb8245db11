"""Where enlarged photos come from: bicubic, a network, or a folder of another program's results."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from srgan.io import images, pairing
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.quality.datasets import Case, unused
from srgan.util import files

BICUBIC = "bicubic"
ORIGINAL = "HR"
LR = "lr"  # folder of the LR images that were made, for other programs to enlarge


class Method(NamedTuple):
    """One way to enlarge a photo."""

    name: str
    curve: str  # methods with the same one are network interpolations of one model


class Source(Protocol):
    """Where the results of a method come from."""

    method: Method
    kept: bool  # whether results are written to the evaluation's folder

    def digest(self, case: Case) -> str: ...
    def enlarge(self, case: Case, lr: np.ndarray) -> np.ndarray: ...


class Bicubic:
    """MATLAB's bicubic enlargement."""

    kept = False

    def __init__(self, scale: int):
        self.method = Method(BICUBIC, BICUBIC)
        self._scale = scale

    def digest(self, case: Case) -> str:
        return BICUBIC

    def enlarge(self, case: Case, lr: np.ndarray) -> np.ndarray:
        return resize.upscale(lr, self._scale)


class Network:
    """A model of srgan, or a network interpolation of one: `curve` is then that model's name."""

    kept = True

    def __init__(self, model: Model, digest: str, taken: Sequence[str], curve: str = ""):
        name = unused(model.metadata.name, [*taken, ORIGINAL, LR])
        self.method = Method(name, curve or name)
        self.sha256 = digest
        self._model = model

    def digest(self, case: Case) -> str:
        return self.sha256

    def enlarge(self, case: Case, lr: np.ndarray) -> np.ndarray:
        return self._model.upscale(lr, dtype=np.uint8)


class Folder:
    """What another program made, in a folder of files named like the photos.

    With `crop`, results that exceed lr times `scale` by less than `scale` are cropped: they are of
    photos that had not been cropped to a multiple.
    """

    kept = False

    def __init__(
        self, folder: Path, cases: Iterable[Case], taken: Sequence[str], scale: int, crop: bool
    ):
        name = unused(folder.resolve().name, taken)
        self.method = Method(name, name)
        self._folder, self._scale, self._crop = folder, scale, crop
        self._files: dict[Case, Path] = {}
        cases = list(cases)
        for dataset in dict.fromkeys(case.dataset for case in cases):
            # Results of several datasets may lie in subfolders of their names.
            below = folder / dataset if (folder / dataset).is_dir() else folder
            wanted = [case.name for case in cases if case.dataset == dataset]
            matches = pairing.match(wanted, below)
            self._files |= {Case(dataset, name): path for name, path in matches.items()}
        if not self._files:
            raise ValueError(
                f"{folder} has no result for any photo; expected files with their names, such as "
                f"{cases[0].name}.png."
            )

    def path(self, case: Case) -> Path:
        if case not in self._files:
            raise FileNotFoundError(f"{self._folder} has no result for {case.name}.")
        return self._files[case]

    def digest(self, case: Case) -> str:
        return files.sha256(self.path(case))

    def enlarge(self, case: Case, lr: np.ndarray) -> np.ndarray:
        path = self.path(case)
        sr = images.read_uint8(path)
        height, width = (self._scale * side for side in lr.shape[:2])
        more = sr.shape[0] - height, sr.shape[1] - width
        if more == (0, 0):
            return sr
        advice = f"Is it of this photo, and enlarged {self._scale} times?"
        if min(more) >= 0 and max(more) < self._scale:  # of a photo that was not cropped
            if self._crop:
                return sr[:height, :width]
            advice = "Add --crop to compare the common part, from the top left."
        raise ValueError(
            f"{path} is {sr.shape[1]}x{sr.shape[0]} and the HR image of {case.name} "
            f"{width}x{height}. {advice}"
        )
