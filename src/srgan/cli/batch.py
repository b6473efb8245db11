"""`srgan batch`."""

import json
import os
import sys
import threading
from contextlib import redirect_stdout
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from srgan.cli import messages
from srgan.cli.options import AsJson, Engine, Precision, takes_upscale_options
from srgan.io.kinds import EXPECTED
from srgan.upscaling.options import UpscaleOptions

if TYPE_CHECKING:
    from srgan.cli.progress import Tally
    from srgan.cluster.rows import Row


@takes_upscale_options
def batch(
    *,
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of pictures, tars or tables; a list of paths (.txt); a table of paths "
            "or of what is in files (.parquet); a .tar. A path, or an address as s3://bucket/folder."
        ),
    ],
    destination: Annotated[
        str, typer.Argument(help="The folder for the results, as a path or an address.")
    ],
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="The Ray cluster: auto, host:6379 or ray://host:10001. [RAY_ADDRESS, or else all "
            "cores of this machine]",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A shipped model, an ONNX file, or auto, as in srgan upscale.")
    ] = "auto",
    engine: Engine = "onnxruntime",
    precision: Precision = "float32",
    options: UpscaleOptions,
    layout: Annotated[
        Literal["tree", "tar", "parquet"],
        typer.Option(
            help="How results are kept: files in the folders of the source, or tars or tables of "
            "many."
        ),
    ] = "tree",
    shard: Annotated[
        int, typer.Option(min=1, help="So many results go into one tar or table.")
    ] = 256,
    name: Annotated[str, typer.Option(help="The names of results, as in srgan upscale.")] = "",
    column: Annotated[
        str,
        typer.Option(
            help="Of tables, the column of paths, or of what is in files. [path, uri, url, file, "
            "image or bytes]"
        ),
    ] = "",
    include: Annotated[
        list[str] | None, typer.Option(help='Only these are taken: "*.jpg". Repeatable.')
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help='These are left out: "drafts/*". Repeatable.')
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Each worker has so many cores.")] = 1,
    gpus: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SHARE",
            help="Each worker has such a share of a GPU: 0.5, or whole ones.",
        ),
    ] = 0.0,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="So many work at once; name them where the cluster grows with what is asked of "
            "it. [as many as it has cores and GPUs for]",
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Pictures that failed before are tried again.")
    ] = False,
    strips_from: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="MEGAPIXELS",
            help="Larger pictures are cut into strips, which all workers enlarge.",
        ),
    ] = 50.0,
    as_json: AsJson = False,
) -> None:
    """Upscale any number of pictures, on this machine or on a Ray cluster.

    The same command goes on where an earlier one stopped, whatever ended it: DESTINATION holds a
    manifest of what was done, and in the end one file of it, manifest.parquet.

    Exit code 1: some pictures have no result, in this run or since an earlier one; the manifest
    says why. 2: the batch was refused, or ended early; the same command goes on.
    """
    # The system's memory is given back to it; Arrow's own pool keeps what it had for each file.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

    from srgan.cli import progress
    from srgan.cluster import batch, ray_cluster, sources

    def find():
        patterns = tuple(include or ()), tuple(exclude or ())
        return sources.find(source, column, *patterns, destination)

    plan = batch.Plan(
        destination,
        model,
        options,
        engine,
        precision,
        name,
        layout,
        shard,
        cores,
        workers,
        retry,
        strips_from,
        source,
        column,
        gpus,
    )
    items, results = find(), sys.stdout
    if not (first := next(items, None)):
        raise ValueError(f"There are no pictures in {source}; expected {EXPECTED} files.")
    with (
        batch.opened(plan) as job,
        redirect_stdout(sys.stderr),  # where Ray tells of workers that died
        ray_cluster.connected(cluster),
        progress.tally(lambda: job.in_strips) as tally,
    ):
        threading.Thread(target=_count, args=(find, tally), daemon=True).start()
        for row in job.run(chain([first], items)):
            tally.add(row.status == "done", row.megapixels, job.skipped)
            _tell(row, as_json, results)
        tally.skipped, tally.failed_before = job.skipped, job.failed_before
    _finish(tally, as_json)


def _count(find, tally: "Tally") -> None:
    """Counts all pictures while work goes on, for the time left."""
    try:
        tally.total = sum(1 for _ in find())
    except (OSError, ValueError):  # which the batch itself will say
        return


def _tell(row: "Row", as_json: bool, results: TextIO) -> None:
    if as_json:
        kept = {name: value for name, value in row._asdict().items() if value not in (None, ())}
        print(json.dumps(kept, default=str), flush=True, file=results)
    elif row.status == "done":
        print(row.output, flush=True, file=results)
        messages.note(row.source, row.notes)
    else:
        error = str(row.error)
        messages.fail(error if row.source in error else f"{row.source}: {error}")


def _finish(tally: "Tally", as_json: bool) -> None:
    if as_json:
        names = ("done", "failed", "skipped", "failed_before")
        print(json.dumps({name: getattr(tally, name) for name in names} | tally.rates()))
    else:
        before = ""
        if tally.failed_before:
            before = f", {tally.failed_before} failed before (try them again: --retry)"
        messages.notice(
            f"{messages.counted(tally.done, 'picture')} done, {tally.failed} failed, "
            f"{tally.skipped - tally.failed_before} there already{before}; {tally.speed}."
        )
    if tally.failed or tally.failed_before:
        raise typer.Exit(1)
