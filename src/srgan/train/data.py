"""Photos to memory-mapped pixels: decoded once, for all runs that share a cache."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np

from srgan.train import pairs
from srgan.train.config import Degradation
from srgan.train.pairs import Pair
from srgan.util import counting, files, parallel

_LAYOUT = 4  # raise when the files of a cache change their meaning
_NONE = Degradation(versions=0)


class Skipped(NamedTuple):
    """A file that is not in the cache, and why."""

    file: str
    reason: str


class _Entry(NamedTuple):
    file: str
    height: int  # of the lr image
    width: int
    lr_start: int  # its first byte among lr pixels
    hr_start: int  # likewise; the versions of a photo share them


class Photos(Sequence[Pair]):
    """Memory-mapped pairs; made by `prepare`.

    Attributes:
        scale: Factor between the sides of lr and hr.
        names: Of the photos, each of which may be there in several versions.
        fingerprint: Hash over all pixels; equal data have equal fingerprints anywhere.
        skipped: Files that could not be used, with reasons.
        ends: Cumulated areas in lr pixels, for choosing photos in proportion to their area.
    """

    def __init__(
        self,
        index: dict,
        lr: np.ndarray,
        hr: np.ndarray,
        entries: Sequence[_Entry],
        skipped: Sequence[Skipped],
    ) -> None:
        self.scale: int = index["scale"]
        self.fingerprint: str = index["fingerprint"]
        self.skipped = [*skipped]
        self.names = [*dict.fromkeys(entry.file for entry in entries)]
        self._entries, self._index, self._lr, self._hr = entries, index, lr, hr
        self.ends = np.cumsum([entry.height * entry.width for entry in self._entries])

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        _, height, width, lr_start, hr_start = self._entries[index]
        return Pair(
            _image(self._lr, lr_start, height, width),
            _image(self._hr, hr_start, self.scale * height, self.scale * width),
        )

    def at_least(self, side: int) -> "Photos":
        """Returns those photos with at least `side` lr pixels a side; possibly none."""
        large = [entry for entry in self._entries if min(entry.height, entry.width) >= side]
        return Photos(self._index, self._lr, self._hr, large, self.skipped)

    def hold_back(self, count: int) -> tuple["Photos", "Photos"]:
        """Splits into photos for training and at most `count`, or one in ten, for validation.

        The choice depends on the file names alone, and of those for validation there is one
        version each. Of a single photo, both get it.
        """
        return self.split(held_back(self.names, count))

    def split(self, held: Collection[str]) -> tuple["Photos", "Photos"]:
        """As `hold_back`, with the names of the photos for validation."""
        files = [entry.file for entry in self._entries]
        kept = [i for i, file in enumerate(files) if file not in held or len(self.names) == 1]
        first = [files.index(name) for name in self.names if name in held]
        kept, first = ([self._entries[i] for i in part] for part in (kept, first))
        pixels = self._index, self._lr, self._hr
        return Photos(*pixels, kept, self.skipped), Photos(*pixels, first, self.skipped)


def held_back(names: Sequence[str], most: int) -> list[str]:
    """Returns which photos `Photos.hold_back` takes, of those of these names."""
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return order[: max(1, min(most, len(order) // 10))]


def prepare(
    folder: Path,
    cache: Path,
    scale: int,
    lr_folder: Path | None = None,
    minimum: int = 1,
    degradation: Degradation = _NONE,
    progress: counting.Progress | None = None,
) -> Photos:
    """Decodes the photos of a folder once, and returns them memory-mapped.

    The lr image is the bicubic downscale of the whole photo, not of a crop: a crop's own
    downscale would see replicated pixels where the photo goes on.

    Args:
        folder: Tree of hr photos.
        cache: Folder for the decoded pixels, with a folder in it for each choice of photos, scale
            and degradation; reused while the sources stay as they are. A change of it never
            reaches photos that were prepared before, here or in another process.
        scale: Factor between lr and hr.
        lr_folder: Tree of lr photos of the same names (a suffix as in `0001x4.png` is allowed);
            None makes the lr photos from the hr photos.
        minimum: Shortest usable side in lr pixels: that of the training patch.
        degradation: What degrades the lr photos that are made.
        progress: Called with (photos done, photos in all).

    Raises:
        ValueError: If there is no usable photo, a pair does not fit, in which case the file is
            named, or lr photos are given that would have to be degraded.
    """
    if lr_folder and degradation.versions:
        raise ValueError(
            f"The lr photos of {lr_folder} are used as they are; set degradation.versions to 0, "
            "or leave them out."
        )
    paths, partners = pairs.find(folder, lr_folder, scale)
    sources = [path for path in (*paths, *partners) if path]
    choice = {
        "layout": _LAYOUT,
        "scale": scale,
        "degradation": degradation.model_dump(mode="json"),
        "folders": [str(place and place.resolve()) for place in (folder, lr_folder)],
    }
    state = choice | {"sources": [[str(path.resolve()), *_stamp(path)] for path in sources]}
    cache /= hashlib.sha256(json.dumps(choice).encode()).hexdigest()[:16]
    if index := _current(cache, state):
        with contextlib.suppress(FileNotFoundError), _opened(cache, index, "rb") as pixels:
            return _usable(index, *pixels, minimum, folder)

    cache.mkdir(parents=True, exist_ok=True)
    # Pixels are never written over: another run may have them mapped, and would go on with these.
    index = state | {"pixels": secrets.token_hex(8)}
    names = [path.relative_to(folder).as_posix() for path in paths]
    try:
        jobs = [
            (path, name, partner, scale, degradation)
            for path, name, partner in zip(paths, names, partners, strict=True)
        ]
        loaded = zip(names, parallel.in_order(pairs.load, jobs), strict=True)
        report = counting.counter(progress, len(paths))
        with _opened(cache, index, "w+b") as pixels:
            index |= _write(*pixels, loaded, report)
            prepared = _usable(index, *pixels, minimum, folder)
        files.write_bytes(cache / "index.json", json.dumps(index).encode())
    except BaseException:
        for path in _files(cache, index):
            path.unlink(missing_ok=True)
        raise
    for path in {*cache.glob("*.bin")} - {*_files(cache, index)}:  # of before, or of a killed run
        with contextlib.suppress(OSError):  # Windows keeps what is mapped
            path.unlink()
    return prepared


def _files(cache: Path, index: dict) -> tuple[Path, Path]:
    return cache / f"lr-{index['pixels']}.bin", cache / f"hr-{index['pixels']}.bin"


@contextlib.contextmanager
def _opened(cache: Path, index: dict, mode: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The pixels of lr and hr, which stay there when another run removes their files."""
    lr_path, hr_path = _files(cache, index)
    with lr_path.open(mode) as lr_file, hr_path.open(mode) as hr_file:
        yield cast(BinaryIO, lr_file), cast(BinaryIO, hr_file)


def _write(
    lr_file: BinaryIO,
    hr_file: BinaryIO,
    loaded: Iterable[tuple[str, list[Pair] | str]],
    report: Callable[[], None],
) -> dict:
    """Writes the pixels of named photos; returns what the index says about them."""
    photos: list[_Entry] = []
    skipped: list[Skipped] = []
    digest = hashlib.sha256()

    def write(file: BinaryIO, image: np.ndarray) -> int:
        data = image.tobytes()
        digest.update(data)
        start = file.tell()
        file.write(data)
        return start

    for name, versions in loaded:
        if isinstance(versions, str):
            skipped.append(Skipped(name, versions))
        else:
            starts = [write(lr_file, pair.lr) for pair in versions]
            hr_start = write(hr_file, versions[0].hr)
            height, width = versions[0].lr.shape[:2]
            photos += (_Entry(name, height, width, start, hr_start) for start in starts)
        report()
    return {"photos": photos, "skipped": skipped, "fingerprint": digest.hexdigest()}


def _image(pixels: np.ndarray, start: int, height: int, width: int) -> np.ndarray:
    return pixels[start : start + 3 * height * width].reshape(height, width, 3)


def _usable(
    index: dict, lr_file: BinaryIO, hr_file: BinaryIO, minimum: int, folder: Path
) -> Photos:
    """The photos of a cache that are large enough.

    Raises:
        ValueError: If there are none.
    """
    entries, skipped = [], [Skipped(*entry) for entry in index["skipped"]]
    scale = index["scale"]
    for entry in (_Entry(*entry) for entry in index["photos"]):
        if min(entry.height, entry.width) >= minimum:
            entries.append(entry)
        elif not skipped or skipped[-1].file != entry.file:  # its versions come one after another
            size, least = f"{entry.width * scale}x{entry.height * scale}", minimum * scale
            reason = f"{size} usable pixels are fewer than {least}x{least}, the least"
            skipped.append(Skipped(entry.file, reason))
    if not entries:
        reasons = "; ".join(f"{file}: {reason}" for file, reason in skipped[:3])
        raise ValueError(f"None of the {len(skipped)} images in {folder} can be used. {reasons}")
    return Photos(index, _map(lr_file), _map(hr_file), entries, skipped)


def _map(file: BinaryIO) -> np.ndarray:
    file.flush()
    return np.memmap(file, np.uint8, "r")


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _current(cache: Path, state: dict) -> dict | None:
    """What the cache says about its pixels, if they are of this state."""
    try:
        index = json.loads((cache / "index.json").read_text())
        return index if all(index.get(key) == value for key, value in state.items()) else None
    except (OSError, ValueError, AttributeError):
        return None
