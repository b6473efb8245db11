"""Where enlarged photos come from: bicubic, a network, or a folder of another program's results."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from srgan.io import images, pairing
from srgan.models.model import Model
from srgan.numeric import color, resize
from srgan.quality.datasets import Case, Photo
from srgan.util import files

BICUBIC = "bicubic"
ORIGINAL = "HR"
_STAMP = 32  # pixels, at which results are compared with the photos that their names stand for
_FLAT = 1 / 510  # standard deviation of half a grey level
_ALIKE = 0.6  # correlation; even bad results of a photo have more, and other photos mostly less

LR = "lr"  # folder of the LR images that were made, for other programs to enlarge
TAKEN = (BICUBIC, ORIGINAL, LR)  # names that no method may have


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

    def __init__(self, model: Model, name: str, digest: str, curve: str = ""):
        self.method = Method(name, curve or name)
        self.sha256 = digest
        self._model = model

    def digest(self, case: Case) -> str:
        return self.sha256

    def enlarge(self, case: Case, lr: np.ndarray) -> np.ndarray:
        return self._model.upscale(lr, dtype=lr.dtype.type)


class Folder:
    """What another program made, in a folder of files named like the photos.

    With `crop`, results that exceed lr times `scale` by less than `scale` are cropped: they are of
    photos that had not been cropped to a multiple. `pairs` says what belongs together where names
    do not.
    """

    kept = False

    def __init__(
        self,
        folder: Path,
        name: str,
        photos: Mapping[Case, Photo],
        scale: int,
        crop: bool,
        pairs: pairing.Pairs,
    ):
        self.method = Method(name, name)
        self.folder, self._scale, self._crop = folder, scale, crop
        self.files: dict[Case, Path] = {}
        self._sure: set[Case] = set()  # those that are listed
        self._left_over: dict[str, list[Path]] = {}
        self._digests: dict[Path, str] = {}
        self._tried: dict[str, str] = {}  # to pair their names, by dataset
        for dataset in dict.fromkeys(case.dataset for case in photos):
            # Results of several datasets may lie in subfolders of their names.
            below = folder / dataset if (folder / dataset).is_dir() else folder
            named = {c.name: p.hr or p.lr or below for c, p in photos.items() if c[0] == dataset}
            listed = pairing.listed(pairs, named, below)
            matches = listed or pairing.match(named, below)
            found = {Case(dataset, name): path for name, path in matches.files.items()}
            self.files |= found
            self._sure |= {*found} if listed else set()
            self._left_over[dataset] = matches.left_over
            self._tried[dataset] = matches.tried
        if not self.files:
            tried = " ".join(dict.fromkeys(self._tried.values()))
            raise ValueError(f"{folder} has no result for any photo. {tried}")

    @property
    def left_over(self) -> list[str]:
        """Names of files that are of no photo."""
        unused = {path for paths in self._left_over.values() for path in paths}
        return sorted(path.name for path in unused - {*self.files.values()})

    @property
    def sha256(self) -> str:
        """Hash of all results that were taken, and of what they are of."""
        known = [[*case, self.digest(case)] for case in sorted(self.files)]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def path(self, case: Case) -> Path:
        if case not in self.files:
            # Without files that are left over, it is missing, whatever it may be called.
            tried = f" {self._tried[case.dataset]}" if self._left_over[case.dataset] else ""
            raise FileNotFoundError(f"{self.folder} has no result for {case.name}.{tried}")
        return self.files[case]

    def digest(self, case: Case) -> str:
        path = self.path(case)
        if path not in self._digests:
            self._digests[path] = files.sha256(path)
        return self._digests[path]

    def enlarge(self, case: Case, lr: np.ndarray) -> np.ndarray:
        path = self.path(case)
        sr = images.read_integers(path)
        height, width = (self._scale * side for side in lr.shape[:2])
        more = sr.shape[0] - height, sr.shape[1] - width
        if more != (0, 0):
            advice = f"Is it of this photo, and enlarged {self._scale} times?"
            of_uncropped = min(more) >= 0 and max(more) < self._scale
            if of_uncropped:
                advice = "Add --crop to compare the common part, from the top left."
            if not (of_uncropped and self._crop):
                raise ValueError(
                    f"{path} is {sr.shape[1]}x{sr.shape[0]} and the HR image of {case.name} "
                    f"{width}x{height}. {advice}"
                )
            sr = sr[:height, :width]
        if case not in self._sure and _likeness(lr, sr) < _ALIKE:
            raise ValueError(
                f"{path} does not look like {case.name}. If it is of this photo all the same, "
                "list it in a table, --pairs."
            )
        return sr


def _likeness(lr: np.ndarray, sr: np.ndarray) -> float:
    """Correlation of the luma of two pictures at the size of a stamp; 1 if one has one grey only.

    Not of their colours: two photos of which most is red would be alike by that alone.
    """
    height, width = (min(_STAMP, side) for side in lr.shape[:2])
    one, two = (
        color.luma(images.to_float(resize.bicubic(x, height, width))).ravel() for x in (lr, sr)
    )
    # Rounding leaves a little contrast in a flat picture.
    return float(np.corrcoef(one, two)[0, 1]) if min(one.std(), two.std()) > _FLAT else 1.0
