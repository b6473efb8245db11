"""Makes the results of a batch: one process, on whatever machine, with some cores of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import ray

from srgan.cluster import places, room, shards
from srgan.cluster.cells import Cells
from srgan.cluster.local import as_text, is_gone
from srgan.cluster.patience import Refused, patiently
from srgan.cluster.places import Place, place
from srgan.cluster.room import Unwritable, is_full
from srgan.cluster.rows import FAILED, Key, Row, now
from srgan.cluster.sources import Item
from srgan.cluster.transfer import as_file, fetched, writing
from srgan.io import kinds, opening
from srgan.models import engines
from srgan.upscaling import inputs, pipeline, strips
from srgan.upscaling.choice import Choice, Models
from srgan.upscaling.jobs import UpscaleJob
from srgan.upscaling.options import UpscaleOptions
from srgan.util import files, parallel, versions

_Result = TypeVar("_Result")


class _Large(Exception):
    """The picture is to be upscaled in strips."""


@dataclass(frozen=True)
class Task:
    """What is the same for all pictures of a batch.

    Attributes:
        results: The folder of the results, as an address.
        name: Pattern of their names, as `batch.plan` of `upscaling` takes it.
        model: Its name, or its path on the workers.
        fingerprint: Of its file.
        options: What is asked of each result.
        engine: What runs the model.
        precision: Of the arithmetic.
        cores: Of a worker.
        settings: The hash of all that, for the rows.
        versions: Of srgan and Python, where the batch was begun.
        strips_from: Pictures of more pixels are upscaled in strips; None for none.
        gpus: Of a worker, or its share of one.
    """

    results: str
    name: str
    model: str
    fingerprint: str
    options: UpscaleOptions
    engine: engines.Kind
    precision: engines.Precision
    cores: int
    settings: str
    versions: dict[str, str]
    strips_from: int | None = None
    gpus: float = 0.0


class Worker:
    """What Ray runs as an actor; two of its calls may run at once."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._reached: Place | None = None
        self._models: Models | None = None
        self._cells = Cells()

    def start(self) -> tuple[str, str]:
        """Opens the model, and returns Ray's name of the machine, and one for people.

        Raises:
            OSError: If the place of the results cannot be reached from here.
            ValueError: If srgan, Python or the model are others than where the batch was begun, or
                a share of a GPU is of no use here.
        """
        task, found = self._task, versions.installed("srgan")
        for name, version in task.versions.items():
            if _minor(name, found[name]) != _minor(name, version):
                raise ValueError(
                    f"The worker {places.here()} has {name} {found[name]}; expected {version}, as "
                    "where the batch was begun. Install the same on all machines."
                )
        try:
            folder = place(task.results)
            folder.info()
        except OSError as error:
            said = str(error).removeprefix(f"{task.results}: ").rstrip(".")
            raise OSError(
                f"The worker {places.here()} cannot reach {task.results}: {said}. Workers need "
                "the same credentials and addresses (as AWS_ENDPOINT_URL) as are set here: set "
                "them where Ray is started on their machines, and start it again."
            ) from error
        self._reached = folder
        room.sweep()
        parallel.use_cores(task.cores)
        parallel.return_memory()
        if task.gpus:
            try:
                engines.use_gpu()
            except ValueError as error:
                raise ValueError(
                    f"The worker {places.here()} has no use of a GPU: {error}"
                ) from None
        models = Models(task.model, task.options, task.engine, task.precision)
        try:
            if models.fingerprint != task.fingerprint:
                raise FileNotFoundError("it is another file")
            _ = models.default
        except FileNotFoundError as error:
            raise ValueError(
                f"The worker {places.here()} does not have the model {task.model}: {error}. Put "
                "the same file at the same path on all machines."
            ) from error
        self._models = models
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
        return node, places.here()

    def upscale(self, item: Item, may_exist: bool) -> Row | None:
        """Makes one result, unless it is there, and returns its row; None if it is too large.

        Args:
            item: The picture.
            may_exist: Whether somebody may have made it whose row was lost.

        Raises:
            Refused: If the store does not let it be read, whatever it is.
            Unwritable: If there is no way to write here.
        """
        began, file = time.perf_counter(), item.source
        row = Row(item.source, item.changed, options=self._task.settings, worker=places.here())
        try:
            with fetched(item, self._cells) as picture:
                file = str(picture)
                row = self._made(item, picture, row, may_exist)
        except (Refused, Unwritable):
            raise
        except _Large:
            return None
        except (ValueError, OSError, MemoryError) as error:
            if isinstance(error, OSError) and is_full(error):
                raise Unwritable.of(error) from error
            if isinstance(error, OSError) and is_gone(error):
                raise Refused(f"{error.filename}: {error.strerror}") from error
            row = row._replace(status=FAILED, error=_said(error).replace(file, item.source))
        if row.seconds is not None or row.error:
            row = row._replace(seconds=time.perf_counter() - began)
        return row._replace(ended=now())

    def upscale_some(
        self, items: list[Item], may_exist: list[bool], seconds: float
    ) -> list[Row | None]:
        """Makes results as `upscale` does, until so much time is over, and returns their rows.

        What takes less than a call of Ray is thus worth its call; what takes longer than was
        thought keeps nobody else from what comes after it.

        Raises:
            Refused: If the store does not let the first one be read.
            Unwritable: If there is no way to write here.
        """
        began, rows = time.perf_counter(), []
        for item, may in zip(items, may_exist, strict=True):
            try:
                rows.append(self.upscale(item, may))
            except Refused:
                if not rows:
                    raise
                break
            if time.perf_counter() - began > seconds:
                break
        return rows

    def upscale_strip(
        self, strip: strips.Strip, choice: Choice
    ) -> tuple[None, strips.UpscaledStrip]:
        """Upscales a strip of a picture whose model was chosen elsewhere.

        Returns:
            Something small to look at, and the result.
        """
        return None, strips.upscale(strip, self._opened.open_chosen(choice))

    def pack(self, rows: list[Row], shard: str, destination: str) -> list[Row]:
        """Puts results into one file; see `shards.pack`.

        Raises:
            Unwritable: If there is no way to write here.
        """
        target = place(destination) / shard
        return _packing(lambda: shards.pack(rows, self._folder, target, shard))

    def leave_out(self, keys: set[Key], shard: str, destination: str) -> None:
        """Takes results out of such a file; see `shards.leave_out`.

        Raises:
            Unwritable: If there is no way to write here.
        """
        target = place(destination) / shard
        _packing(lambda: shards.leave_out(keys, target))

    def drop(self, outputs: list[str]) -> None:
        """Removes results that were packed."""
        for output in outputs:
            (self._folder / output).remove()

    def _made(self, item: Item, picture: Path, row: Row, may_exist: bool) -> Row:
        models, options = self._opened, self._task.options
        path = Path(item.place)
        if item.cell:
            with picture.open("rb") as stream:
                path = path.with_name(path.name + _suffix(stream.read(kinds.HEAD)))
        output = inputs.named(path, picture, self._task.name, models.label_for, options)
        row = row._replace(
            output=output.as_posix(), sha256=files.sha256(picture), bytes=picture.stat().st_size
        )
        target = self._folder / output.as_posix()
        if may_exist and self._is_there(target, item):
            return self._adopted(target, picture, models, row)
        with writing(target) as result:
            job = pipeline.prepare(picture, result, models, options, True, self._task.cores)
            self._run(job)
            width, height = job.picture.width, job.picture.height
            return row._replace(
                width=width,
                height=height,
                output_sha256=files.sha256(result),
                output_bytes=result.stat().st_size,
                output_width=job.width,
                output_height=job.height,
                model=job.choice.model,
                notes=tuple(map(as_text, job.notes)),
                seconds=0.0,  # which the caller knows
            )

    def _run(self, job: UpscaleJob) -> None:
        most = self._task.strips_from
        if most is not None and job.source_pixels > most and strips.count(job) > 1:
            raise _Large
        job.run()

    @property
    def _folder(self) -> Place:
        if self._reached is None:
            raise RuntimeError("start() comes first.")
        return self._reached

    @property
    def _opened(self) -> Models:
        if self._models is None:
            raise RuntimeError("start() comes first.")
        return self._models

    def _is_there(self, target: Place, item: Item) -> bool:
        """Whether there is a result which is newer than the picture, and so than its place.

        A picture that came there later, under a name that becomes the same, may be older itself.
        """
        info, newest = patiently(target.info), item.changed or 0
        if info.is_file and (source := place(item.uri)).local:
            newest = max(newest, source.local.stat().st_ctime_ns)
        return info.is_file and (info.mtime_ns or 0) >= newest

    def _adopted(self, target: Place, picture: Path, models: Models, row: Row) -> Row:
        """The row of a result that was made, and whose row was lost."""
        with as_file(target) as result:
            (width, height), (output_width, output_height) = map(opening.size, (picture, result))
            return row._replace(
                width=width,
                height=height,
                output_sha256=files.sha256(result),
                output_bytes=result.stat().st_size,
                output_width=output_width,
                output_height=output_height,
                model=models.label_for(picture),
            )


def _packing(work: Callable[[], _Result]) -> _Result:
    try:
        return patiently(work)
    except OSError as error:
        if is_full(error):
            raise Unwritable.of(error) from error
        raise


def _suffix(head: bytes) -> str:
    kind = kinds.recognise(head)
    return kind.suffixes[0] if kind else ""


def _minor(name: str, version: str) -> str:
    """Of Python, the part of a version that has to be the same."""
    return version.rpartition(".")[0] if name == "python" else version


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    else:
        said = str(error) or "There is not enough memory."
    return as_text(said)
