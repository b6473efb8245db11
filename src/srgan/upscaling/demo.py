"""The bundled photos, scaled down and upscaled again: result files, scores and one picture."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srgan.io import formats, images
from srgan.io.text import WHITE, draw_text
from srgan.models import loading
from srgan.numeric import resize
from srgan.quality import metrics
from srgan.util import resources

MODELS = ("srgan-psnr-x4", "srgan-x4")

_ZOOMS = {  # top left corner of a textured region, in pixels
    "astronaut": (20, 110),  # hair
    "cat": (20, 210),  # fur
    "coffee": (60, 320),  # wood
    "rocket": (60, 0),  # lattice
}
_ZOOM = 4  # times that the region, which is as much smaller than the photo, is enlarged
_GAP = 8  # pixels between the parts of the picture


class DemoResult(NamedTuple):
    """One upscaled photo."""

    photo: str
    method: str  # "nearest", "bicubic" or a model's name
    scores: metrics.Scores
    path: Path


def run(
    folder: str | os.PathLike[str],
    upscalers: Sequence[str | os.PathLike[str]] = MODELS,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[DemoResult]:
    """Upscales the bundled photos with models and without, and compares the results.

    Writes into `folder`, which is made: `PHOTO-lr.png`, `PHOTO-METHOD.png`, and `comparison.png`,
    a row for each photo, with a column for each method and the original, whole and enlarged.

    Args:
        folder: Where the files go.
        upscalers: Names or paths of models of one scale, which divides 288 and 448.
        overwrite: Replace files that are there.
        progress: Called as `progress(done, total)` after each result.

    Returns:
        The scores, photo by photo, the methods in the order of the columns.

    Raises:
        OSError: If a model is missing, a file exists, or the folder cannot be written.
        ValueError: If a file is no model, or the scales differ.
    """
    folder = Path(folder)
    loaded = [loading.load(upscaler) for upscaler in upscalers]
    scale = loaded[0].metadata.scale
    if any(model.metadata.scale != scale for model in loaded):
        raise ValueError("The models of a comparison must have one scale; these differ.")
    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "nearest": lambda lr: lr.repeat(scale, axis=0).repeat(scale, axis=1),
        "bicubic": lambda lr: resize.upscale(lr, scale),
    } | {
        model.metadata.name: lambda lr, model=model: model.upscale(lr, dtype=np.uint8)
        for model in loaded
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = {(p, m): folder / f"{p}-{m}.png" for p in _ZOOMS for m in ("lr", *methods)}
    for path in (folder / "comparison.png", *paths.values()):
        formats.check_destination(path, overwrite)

    results, rows = [], []
    for photo, corner in _ZOOMS.items():
        hr = images.read_uint8(resources.PHOTOS / f"{photo}.webp")
        lr = resize.downscale(hr, scale)
        images.write(paths[photo, "lr"], lr, overwrite)
        cells = []
        for method, upscale in methods.items():
            sr = upscale(lr)
            scores = metrics.score(hr, lr, sr, scale)
            images.write(paths[photo, method], sr, overwrite)
            results.append(DemoResult(photo, method, scores, paths[photo, method]))
            label = f"{method}  {scores.psnr:.2f} dB  LPIPS {scores.lpips:.3f}"
            cells.append(_cell(sr, corner, label))
            if progress:
                progress(len(results), len(_ZOOMS) * len(methods))
        rows.append(_join([*cells, _cell(hr, corner, "HR (reference)")], axis=1))
    images.write(folder / "comparison.png", _join(rows, axis=0), overwrite)
    return results


def mean(results: Sequence[DemoResult]) -> dict[str, metrics.Scores]:
    """Returns the scores of each method, averaged over the photos."""
    methods = dict.fromkeys(result.method for result in results)
    return {
        method: metrics.Scores(*np.mean([r.scores for r in results if r.method == method], axis=0))
        for method in methods
    }


def _cell(image: np.ndarray, corner: tuple[int, int], label: str) -> np.ndarray:
    """A label, the image, and below it the enlarged region."""
    height, width = (side // _ZOOM for side in image.shape[:2])
    top, left = corner
    region = image[top : top + height, left : left + width]
    enlarged = region.repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
    return _join([draw_text(label, image.shape[1]), image, enlarged], axis=0)


def _join(parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Parts of equal height (axis 1) or width (axis 0) with gaps between them."""
    margin = [(0, 0)] * 3
    margin[axis] = (0, _GAP)
    spaced = [np.pad(part, margin, constant_values=WHITE) for part in parts[:-1]]
    return np.concatenate([*spaced, parts[-1]], axis=axis)
