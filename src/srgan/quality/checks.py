"""What is wrong with an evaluation as a whole, and is told before anything is scored."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from srgan.io import opening, pairing
from srgan.models.model import Model
from srgan.quality.datasets import Case, Dataset, Photo
from srgan.quality.methods import Folder, Source

_LARGEST = 16  # factor


def check_realism(realism: Sequence[float], models: Iterable[Model]) -> None:
    """Raises if network interpolations are asked for, and no model has any."""
    if realism and not any(model.metadata.psnr_model for model in models):
        raise ValueError(
            "realism goes from a GAN model to the PSNR model that it was trained from, and nothing "
            "that is scored has one. Leave it out, or name a model such as srgan-x4."
        )


def check_pairs(
    pairs: pairing.Pairs, photos: Mapping[Case, Photo], sources: Iterable[Source]
) -> None:
    """Raises if a table of pairs has rows that nothing came of."""
    used = {(photo.hr, photo.lr) for photo in photos.values() if photo.hr and photo.lr}
    for folder in (source for source in sources if isinstance(source, Folder)):
        for case, file in folder.files.items():
            used.add((photos[case].hr or photos[case].lr or file, file))
    known = {tuple(path.resolve() for path in row) for row in used}
    rows = [(photo, file) for photo, files in pairs.items() for file in files]
    idle = [f"{photo} with {file}" for photo, file in rows if (photo, file) not in known]
    if idle:
        more = f" and {len(idle) - 3} more" if idle[3:] else ""
        raise ValueError(
            f"{len(idle)} of {len(rows)} rows of the table of pairs match nothing: "
            f"{', '.join(idle[:3])}{more}. Expected photos that are scored, each with a file in a "
            "folder of LR images or results."
        )


def check_sizes(
    datasets: Sequence[Dataset],
    photos: Mapping[Case, Photo],
    sources: Iterable[Source],
    scale: int,
) -> None:
    """Raises if all LR images, or all results of a folder, are of another scale."""
    for dataset in datasets:
        own = [photo for case, photo in photos.items() if case.dataset == dataset.name]
        found = _common_factor((p.hr, p.lr) for p in own if p.hr and p.lr and p.lr.is_file())
        if found not in (None, scale):
            raise ValueError(
                f"The LR images in {dataset.lr} are 1/{found} of the HR images, and the scale is "
                f"{scale}. Pass scale={found} (--scale {found}), with models of that scale."
            )
    for folder in (source for source in sources if isinstance(source, Folder)):
        both = [(photos[case], file) for case, file in folder.files.items()]
        found = _common_factor((file, p.lr) for p, file in both if p.lr)
        if found not in (None, scale):
            raise ValueError(
                f"The results in {folder.folder} are {found} times as large as the LR images, and "
                f"the scale is {scale}. Name results of that scale, or pass scale={found} "
                f"(--scale {found})."
            )
        found = _common_factor((p.hr, file) for p, file in both if p.hr and not p.lr)
        if found not in (None, 1):
            raise ValueError(
                f"The results in {folder.folder} are 1/{found} of the HR images; expected the same "
                f"size. Are they enlarged {scale} times?"
            )


def _factor(large: Path, small: Path) -> int | None:
    """Returns the whole factor by which a picture is larger than another, as far as there is one.

    Sides are rounded down, as LR images are of photos that are no multiple of the scale. `None`
    also if a file cannot be read, which is said where it is.
    """
    try:
        sizes = [sorted(opening.size(path)) for path in (large, small)]  # whichever way they lie
    except (OSError, ValueError):
        return None
    for scale in range(1, _LARGEST + 1):
        if [side // scale for side in sizes[0]] == sizes[1]:
            return scale
    return None


def _common_factor(pairs: Iterable[tuple[Path, Path]]) -> int | None:
    """Returns the `_factor` that all pairs of files have in common, as far as there is one."""
    factors = {_factor(*pair) for pair in pairs}
    return factors.pop() if len(factors) == 1 else None
