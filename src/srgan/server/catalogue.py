"""The models that may be asked for, by name and never by path."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from srgan.models import catalogue, engines, loading
from srgan.models.model import Model
from srgan.upscaling import choice
from srgan.upscaling.options import DEFAULTS, UpscaleOptions

_OPENED = 16  # models that are kept open, each value of realism being one


class Catalogue:
    """Opens models when they are first asked for, and keeps the last ones open.

    Args:
        served: Names of shipped models, and paths of ONNX files, the default one first; without
            any, all shipped ones.
        engine: What runs them.
        precision: Of the arithmetic.

    Attributes:
        described: By name, what each says about itself, and whether it takes a `realism` and
            has an `error_map`; `dial` and `map` are the old names of these.
        chooses: Whether a request that names no model gets the one that fits its picture.
        engine: As given.
        precision: As given.

    Raises:
        OSError: If a model is missing.
        ValueError: If a file is no model, or two have one name.
    """

    def __init__(
        self,
        served: Sequence[str] = (),
        engine: engines.Kind = "onnxruntime",
        precision: engines.Precision = "float32",
    ) -> None:
        self.engine: engines.Kind = engine
        self.precision: engines.Precision = precision
        self._load = lru_cache(_OPENED)(partial(loading.load, engine=engine, precision=precision))
        self.chooses = not served
        self._files: dict[str, str] = {}
        for model in served or sorted(
            catalogue.shipped(), key=lambda name: name != self._default()
        ):
            name = catalogue.path(model).stem
            if name in self._files:
                raise ValueError(f"Two models are called {name!r}; rename the file of one.")
            self._files[name] = str(catalogue.path(model).resolve())
        self.described = {name: self._describe(name) for name in self._files}

    def file(self, name: str, options: UpscaleOptions = DEFAULTS) -> str:
        """Returns what `loading.load` takes for a name.

        Args:
            name: By default, that of the first model; of all shipped ones, that for the size.
            options: What is asked for, the size among it.

        Raises:
            ValueError: If there is no such model here.
        """
        name = name or self._default(options)
        if name not in self._files:
            raise ValueError(
                f"There is no model {name!r} here; expected one of {', '.join(self._files)}."
            )
        return self._files[name]

    def open(self, name: str, options: UpscaleOptions = DEFAULTS) -> Model:
        """Returns a model, at the realism that is asked for.

        Raises:
            ValueError: If there is no such model here, or it has no PSNR model to start from.
        """
        file = self.file(name, options)
        with self.lacking():
            return self._load(file, realism=options.realism, self_ensemble=options.self_ensemble)

    def open_for(
        self, name: str, options: UpscaleOptions, data: bytes
    ) -> tuple[Model, choice.Choice]:
        """Returns the model for a picture, and why it was taken; see `choice.choose`.

        Args:
            name: As `file` takes it; "" lets the picture decide where all shipped ones are served.
            options: What is asked for.
            data: What is in the picture's file.

        Raises:
            UnsupportedImage: If it is not a picture.
            ValueError: As `open` does.
        """
        if name or not self.chooses:
            return self.open(name, options), choice.Choice(name or self._default(options), "")
        chosen = choice.choose(data, options)
        return self.open(chosen.model, options), chosen

    @contextmanager
    def lacking(self) -> Iterator[None]:
        """Raises a ValueError where the PSNR model of a model is missing."""
        try:
            yield
        except FileNotFoundError as error:
            raise ValueError(str(error)) from error

    def without_folders(self, text: str) -> str:
        """Returns a message in which the files of models have names, and no paths."""
        for folder in {str(Path(file).parent) for file in self._files.values()}:
            text = text.replace(f"{folder}{os.sep}", "")
        return text

    def _default(self, options: UpscaleOptions = DEFAULTS) -> str:
        return options.default_model if self.chooses else next(iter(self._files))

    def _describe(self, name: str) -> dict[str, Any]:
        metadata = self.open(name).metadata
        interpolates = False
        with suppress(FileNotFoundError, ValueError):
            interpolates = catalogue.psnr_path(Path(self._files[name]), metadata).is_file()
        has_map = interpolates and metadata.calibration is not None
        added = {"name": name, "realism": interpolates, "error_map": has_map}
        return metadata.model_dump() | added | {"dial": interpolates, "map": has_map}
