"""Where figures come from: the command, versions, hashes, and how the LR images were made."""

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from srgan.io import images
from srgan.quality import reduction
from srgan.quality.datasets import Case, Dataset, Photo, read_photo
from srgan.quality.methods import Folder, Network, Source
from srgan.util import parallel, versions


def collect(
    datasets: Sequence[Dataset],
    photos: Mapping[Case, Photo],
    sources: Mapping[str, Source],
    scale: int,
    command: str,
) -> dict[str, Any]:
    """Returns what an evaluation was made of, fit for JSON.

    Args:
        datasets: Their names and folders.
        photos: The files of all cases.
        sources: Where results come from, by the names of their methods.
        scale: Factor from lr to hr.
        command: What was asked for.
    """
    data = {}
    for dataset in datasets:
        own = {case.name: photo for case, photo in photos.items() if case.dataset == dataset.name}
        digest = hashlib.sha256(json.dumps([[n, p.digest] for n, p in own.items()]).encode())
        data[dataset.name] = {
            "images": len(own),
            "sha256": digest.hexdigest(),
            "lr": _reductions(list(own.values()), scale),
            "transparent": _transparent(f for p in own.values() for f in (p.hr, p.lr) if f),
        }
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions.installed("srgan", "numpy", "onnxruntime", "pyvips"),
        "machine": f"{platform.system()} {platform.machine()}, {parallel.available_cores()} cores",
        "models": {
            name: {"sha256": source.sha256}
            for name, source in sources.items()
            if isinstance(source, Network)
        },
        "results": {
            name: {
                "folder": str(source.folder),
                "sha256": source.sha256,
                "left_over": source.left_over,
                "transparent": _transparent(source.files.values()),
            }
            for name, source in sources.items()
            if isinstance(source, Folder)
        },
        "data": data,
    }


def _reductions(photos: Sequence[Photo], scale: int) -> dict[str, int]:
    """How the LR images of a dataset were made from the HR images, and how many of them."""

    def one(photo: Photo) -> str | None:
        if photo.hr is None:
            return None
        if photo.lr is None:
            return reduction.MATLAB
        try:
            hr, lr = read_photo(photo, scale)
        except (ValueError, OSError):  # said where it is scored
            return None
        if hr is None:
            return None
        return reduction.name(images.to_uint8(hr), images.to_uint8(lr), scale)

    with ThreadPoolExecutor(parallel.available_cores()) as pool:
        return dict(Counter(way for way in pool.map(one, photos) if way))


def _transparent(paths: Iterable[Path]) -> list[str]:
    """The names of files with transparent pixels, which were laid on white to be scored."""

    def one(path: Path) -> bool:
        try:
            return images.is_transparent(path)
        except (ValueError, OSError):  # said where it is scored
            return False

    paths = list(paths)
    with ThreadPoolExecutor(parallel.available_cores()) as pool:
        found = zip(paths, pool.map(one, paths), strict=True)
        return [path.name for path, is_transparent in found if is_transparent]
