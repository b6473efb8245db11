"""Documents, whose pages have several sizes."""

from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np

from srgan.io import stream, tiff
from srgan.upscaling.jobs import UpscaleJob
from srgan.util import files
from srgan.util.rows import Cutter


class DocumentJob(UpscaleJob):
    """A document whose pages differ in size or samples: a job for each run of equal ones.

    Its sizes are those of the first page.

    Args:
        parts: The jobs, which all have the same destination, a TIFF file.
        overwrite: Replace it if it exists.
    """

    def __init__(self, parts: Sequence[UpscaleJob], overwrite: bool) -> None:
        first = parts[0]
        self.picture, self.options = first.picture, first.options
        self.destination, self.model, self.choice = first.destination, first.model, first.choice
        self.height, self.width, self.cuts = first.height, first.width, first.cuts
        self.overlap = first.overlap
        self._parts, self.overwrite, self.strain = parts, overwrite, first.strain
        for part in parts:
            part.strain = self.strain
        self.frames = sum(part.frames for part in parts)
        self.memory = max(part.memory for part in parts)
        self.work = sum(part.work for part in parts)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(note for part in self._parts for note in part.notes))

    @property
    def tiles(self) -> int:
        return sum(part.tiles for part in self._parts)

    @property
    def pixels(self) -> int:
        return sum(part.pixels for part in self._parts)

    @property
    def parts(self) -> Sequence[UpscaleJob]:
        return self._parts

    def enlarged(self, tell: Callable[[], None]) -> Generator[np.ndarray, None, None]:
        for part in self._parts:
            yield from part.enlarged(tell)

    def write(self, bands: Iterator[np.ndarray]) -> None:
        files.check_destination(self.destination, self.overwrite)
        samples = sum(p.frames * p.height * p.width * p.picture.channels for p in self._parts)
        rows = Cutter(bands)
        with files.replacing(self.destination) as whole:
            for number, part in enumerate(self._parts):
                assert isinstance(part.picture, stream.Picture)
                with files.partial(self.destination) as page:
                    stream.save_rows(
                        page,
                        ".tif",
                        part.sized(rows.take(part.enlarged_rows)),
                        part.height,
                        part.width,
                        part.picture,
                        not self.options.strip_metadata,
                        big=2 * samples >= 2**31,
                    )
                    if number:
                        tiff.append(whole, page)
                    else:
                        page.replace(whole)
                part.picture.close()
