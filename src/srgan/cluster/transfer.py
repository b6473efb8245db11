"""Pictures and results as local files, wherever they are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from srgan.cluster.cells import Cells
from srgan.cluster.patience import patiently
from srgan.cluster.places import Place, place
from srgan.cluster.room import Unwritable, temporary
from srgan.cluster.sources import Item
from srgan.util import files


@contextmanager
def fetched(item: Item, cells: Cells) -> Iterator[Path]:
    """A picture as a local file: itself, or a copy for the block.

    Raises:
        OSError: If there is no such picture, or it cannot be read.
        Refused: If its store does not let it be read.
        Unwritable: If there is no room for the copy.
        ValueError: If the cell of a table is empty.
    """
    source = patiently(lambda: place(item.uri))
    if source.local and not item.part and not item.cell:
        yield source.local
        return
    with temporary(PurePosixPath(item.place).name) as picture:
        if item.cell:
            data = cells.read(item.uri, *item.cell)
            if data is None:
                raise ValueError(f"{item.source} is empty.")
            with files.naming(picture):
                picture.write_bytes(data)
        else:
            source.fetch(picture, *(item.part or ()))
        yield picture


@contextmanager
def writing(target: Place) -> Iterator[Path]:
    """A local file that becomes the target: it is that, or is sent there after the block.

    Raises:
        Unwritable: If there is no way to write there.
    """
    if target.local:
        try:
            target.local.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unwritable.of(error) from error
        yield target.local
        return
    with temporary(PurePosixPath(target.path).name) as result:
        yield result
        try:
            patiently(lambda: target.send(result))
        except OSError as error:
            raise Unwritable(str(error)) from error


@contextmanager
def as_file(target: Place) -> Iterator[Path]:
    """What is there as a local file: itself, or a copy for the block.

    Raises:
        OSError: If there is nothing, or it cannot be read.
    """
    if target.local:
        yield target.local
        return
    with temporary(PurePosixPath(target.path).name) as result:
        target.fetch(result)
        yield result
