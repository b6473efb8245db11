"""The models behind HTTP: a REST interface, and a page to try them on.

A picture is the body of a request, and its result that of the answer: no forms, no Base64. What a
request may cost is bounded: bytes, pixels and seconds, and so is how many wait. `application` is
what other programs import; `jobs` decides who is worked on, `transfer` moves pictures, `catalogue`
knows the models by name. Knows nothing of Keras and of the command line.
"""

import contextlib
import tempfile
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from srgan.io import kinds
from srgan.models import engines
from srgan.server.catalogue import Catalogue
from srgan.server.jobs import Jobs, Ticket
from srgan.server.page import add_page
from srgan.server.transfer import (
    PICTURE,
    TemporaryFileResponse,
    add_errors,
    read_body,
    wait_for_disconnect,
)
from srgan.upscaling import error_map, pipeline
from srgan.upscaling.options import SAME, SUFFIXES, UpscaleOptions
from srgan.util import versions

_JOB = r"^[A-Za-z0-9_-]{1,64}$"


class Limits(NamedTuple):
    """What requests may cost.

    Attributes:
        megabytes: Of the picture that is sent.
        megapixels: That the model makes of it, before they are scaled to the size asked for.
        seconds: Of the work, waiting for its turn included.
        concurrency: Pictures that are worked on; they share the processor's cores.
        queue_size: Pictures that wait.
        tile: Side of the tiles, in pixels of the picture; by default as memory allows. What is
            given up ends after the tiles that run: smaller ones are sooner done, but overlap more.
    """

    megabytes: float = 32.0
    megapixels: float = 64.0
    seconds: float = 300.0
    concurrency: int = 2
    queue_size: int = 16
    tile: int | None = None


DEFAULT_LIMITS = Limits()


class ErrorMapRequest(BaseModel):
    """What is asked of an error map."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(
        default="", description="The name of a model; by default the first of /v1/models."
    )
    job: str = Field(
        default="", pattern=r"^$|" + _JOB, description="Makes the request known at /v1/jobs/JOB."
    )


class _UpscaleRequest(ErrorMapRequest):
    """What is asked of an enlargement; of several sizes, the smallest counts."""

    model: str = Field(
        default="",
        description="The name of a model; by default the first of /v1/models, or, where all "
        "shipped ones are served, srgan-x2 up to a scale of 2.",
    )
    metadata: bool = Field(
        default=True,
        description="Now called strip_metadata, and inverted.",
        json_schema_extra={"deprecated": True},
    )


# Whoever runs the service sets these, not whoever asks: memory depends on them.
_SET_BY_SERVICE = ("tile", "halo", "max_megapixels", "max_frames")
_ASKED = {name: f for name, f in UpscaleOptions.model_fields.items() if name not in _SET_BY_SERVICE}
if TYPE_CHECKING:

    class UpscaleRequest(_UpscaleRequest, UpscaleOptions):
        """What is asked of an enlargement."""

else:
    UpscaleRequest = create_model(
        "UpscaleRequest",
        __base__=_UpscaleRequest,
        **{name: (field.annotation, field) for name, field in _ASKED.items()},
    )


def application(
    served: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    engine: engines.Kind = "onnxruntime",
    precision: engines.Precision = "float32",
) -> FastAPI:
    """Returns the service, for any ASGI server.

    Args:
        served: Names of shipped models, and paths of ONNX files, the default one first; without
            any, all shipped ones. Requests choose among them by name.
        limits: What requests may cost.
        engine: What runs the models.
        precision: Of the arithmetic.

    Raises:
        OSError: If a model is missing.
        ValueError: If a file is no model, or two have one name.
    """
    catalogue = Catalogue(served, engine, precision)
    jobs = Jobs(limits.concurrency, limits.queue_size, limits.seconds)
    app = FastAPI(
        title="srgan",
        summary="Turns small pictures into large, sharp ones.",
        version=versions.of("srgan"),
        docs_url=None,  # pages that load programs from elsewhere
        redoc_url=None,
    )
    add_errors(app)
    add_page(app)
    body = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
    takes_picture: dict[str, Any] = {"openapi_extra": {"requestBody": body | {"required": True}}}
    gives_picture: dict[str, Any] = {
        "response_class": Response,
        "responses": {
            200: PICTURE,
            413: {"description": "Too many bytes or pixels."},
            422: {"description": "Not a picture, or a wrong parameter."},
            503: {"description": "Busy: try again after some seconds."},
            504: {"description": "It took too long."},
        },
    }

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the service is there, and how many pictures it works on or has waiting."""
        return {"status": "ok", "jobs": len(jobs)}

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        """The models, the default one first, with their licence and scores; and the limits."""
        return {
            "models": list(catalogue.described.values()),
            "reads": kinds.EXPECTED,
            "formats": list(SUFFIXES),
            "limits": limits._asdict(),
        }

    @app.get("/v1/jobs/{job}")
    async def show_job(job: Annotated[str, InPath(pattern=_JOB)]) -> dict[str, Any]:
        """How far a request is that named itself by `job`."""
        status = jobs.status(job)
        if not status:
            raise HTTPException(404, f"There is no job {job!r}, or it ended long ago.")
        return status._asdict()

    @app.post("/v1/upscale", **takes_picture, **gives_picture)
    async def upscale(request: Request, asked: Annotated[UpscaleRequest, Query()]) -> Response:
        """Enlarges the picture that is the body of the request."""
        catalogue.file(asked.model)
        work = partial(_upscale, catalogue, limits, asked, _options(asked, limits))
        return await _answer(request, jobs, limits, asked.job, asked.format or "png", work)

    @app.post("/v1/error-map", **takes_picture, **gives_picture)
    @app.post("/v1/map", deprecated=True, **takes_picture, **gives_picture)
    async def draw_map(request: Request, asked: Annotated[ErrorMapRequest, Query()]) -> Response:
        """Draws the expected error of a GAN model, in grey levels, as PNG."""
        catalogue.file(asked.model)
        work = partial(_draw_map, catalogue, limits, asked)
        return await _answer(request, jobs, limits, asked.job, "png", work)

    return app


def _options(asked: UpscaleRequest, limits: Limits) -> UpscaleOptions:
    """What a request asks for, within what the service sets."""
    values = {name: getattr(asked, name) for name in _ASKED}
    if asked.realism is not None:
        values["realism"] = round(asked.realism, 2)  # few points, so that models stay open
    if not asked.metadata:
        values["strip_metadata"] = True
    return UpscaleOptions.parse(**values, tile=limits.tile, max_megapixels=limits.megapixels)


def _upscale(
    catalogue: Catalogue,
    limits: Limits,
    asked: UpscaleRequest,
    options: UpscaleOptions,
    data: bytes,
    path: Path,
    ticket: Ticket,
) -> tuple[str, ...]:
    model = catalogue.open(asked.model, options)
    job = pipeline.prepare(data, path, model, options)
    _check_size(job.pixels, limits)
    job.run(ticket.progress)
    return job.notes


def _draw_map(
    catalogue: Catalogue,
    limits: Limits,
    asked: ErrorMapRequest,
    data: bytes,
    path: Path,
    ticket: Ticket,
) -> tuple[str, ...]:
    job = error_map.prepare(
        data,
        path,
        catalogue.file(asked.model),
        max_pixels=round(1e6 * limits.megapixels),
        engine=catalogue.engine,
        precision=catalogue.precision,
    )
    _check_size(job.pixels, limits)
    job.run(limits.tile, ticket.progress)
    return ()


def _check_size(pixels: int, limits: Limits) -> None:
    if pixels > 1e6 * limits.megapixels:
        raise HTTPException(
            413,
            f"The model would make {pixels / 1e6:,.1f} megapixels of this picture; expected at "
            f"most {limits.megapixels:g}. Send a smaller one.",
        )


async def _answer(
    request: Request,
    jobs: Jobs,
    limits: Limits,
    name: str,
    kind: str,
    work: Callable[[bytes, Path, Ticket], tuple[str, ...]],
) -> Response:
    """Lets a request in, reads its picture, does the work, and sends the file that came of it."""
    with contextlib.ExitStack() as stack:
        ticket = stack.enter_context(jobs.admit(name or uuid.uuid4().hex))
        data = await read_body(request, limits.megabytes)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="srgan-"))
        if kind == SAME:
            kind = kinds.written_as(data[: kinds.HEAD]).name.lower()
        path = Path(folder) / f"enlarged{SUFFIXES[kind]}"
        todo = partial(work, data, path, ticket)
        notes = await jobs.run(ticket, todo, wait_for_disconnect(request))
        return TemporaryFileResponse(stack.pop_all(), path, f"image/{kind}", notes)
