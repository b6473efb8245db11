"""What is asked of a batch, and what its workers are told."""

from typing import Any, NamedTuple

from srgan.cluster import shards
from srgan.cluster.places import as_uri, place
from srgan.cluster.worker import Task
from srgan.models import engines
from srgan.upscaling import manifest
from srgan.upscaling.choice import Models
from srgan.upscaling.inputs import check_pattern
from srgan.upscaling.options import DEFAULTS, UpscaleOptions
from srgan.util import versions


class Plan(NamedTuple):
    """What is asked of a batch.

    Attributes:
        destination: Where the results go, as a path or an address.
        model: As `choice.Models` takes it.
        options: What is asked of each result.
        engine: What runs the model.
        precision: Of the arithmetic.
        name: Pattern of the results' names.
        layout: A tree of files as in the source, or files of many results.
        shard: So many results go into such a file.
        cores: Of each worker.
        gpus: Of each worker, or a share of one; 0 for none.
        workers: How many; by default as many as the cluster has cores and GPUs for.
        retry: Try again what failed before.
        strips_from: Pictures of more megapixels are upscaled in strips, by all workers.
        source: Of the pictures, as a path or an address.
        column: Of tables, the column that holds them.
    """

    destination: str
    model: str = "auto"
    options: UpscaleOptions = DEFAULTS
    engine: engines.Kind = "onnxruntime"
    precision: engines.Precision = "float32"
    name: str = ""
    layout: shards.Layout = "tree"
    shard: int = 256
    cores: int = 1
    workers: int | None = None
    retry: bool = False
    strips_from: float = 50.0
    source: str = ""
    column: str = ""
    gpus: float = 0.0


def prepared(plan: Plan) -> Models:
    """Returns the models of a batch.

    Raises:
        ValueError: If names of results cannot be made by the plan's pattern, or workers cannot
            have such a share of GPUs.
    """
    check_pattern(plan.name)
    _check_gpus(plan)
    return Models(plan.model, plan.options, plan.engine, plan.precision)


def _check_gpus(plan: Plan) -> None:
    if plan.gpus > 1 and plan.gpus % 1:
        raise ValueError(
            f"A worker has {plan.gpus:g} GPUs; expected a share of one, or whole ones."
        )
    if plan.gpus and plan.engine != "onnxruntime":
        raise ValueError(f"{plan.engine} does not compute on GPUs. Choose --engine onnxruntime.")


def settings_of(plan: Plan, models: Models) -> dict[str, Any]:
    """Returns what results depend on.

    Raises:
        OSError: If the model is missing.
    """
    made = manifest.settings_of(models.fingerprint, plan.precision, plan.options)
    return made | {
        "name": plan.name,
        "layout": plan.layout,
        "srgan": versions.of("srgan"),
    }


def source_of(plan: Plan) -> dict[str, str]:
    """Returns what a batch is made of, however its source is written.

    Raises:
        ValueError: If nothing knows such addresses.
    """
    column = {"column": plan.column} if plan.column else {}
    return {"source": place(as_uri(plan.source)).uri} | column


def task_of(plan: Plan, models: Models, results: str, settings: str) -> Task:
    """Returns what the workers are told.

    Args:
        plan: That of the batch.
        models: What `prepared` returned.
        results: The folder of the results, as an address.
        settings: The hash of what `settings_of` returned.
    """
    return Task(
        results=results,
        name=plan.name,
        model=plan.model,
        fingerprint=models.fingerprint,
        options=plan.options,
        engine=plan.engine,
        precision=plan.precision,
        cores=plan.cores,
        settings=settings,
        versions=versions.installed("srgan"),
        strips_from=round(1e6 * plan.strips_from),
        gpus=plan.gpus,
    )
