"""The models behind HTTP: a REST interface, and a page to try them on.

A picture is the body of a request, and its result that of the answer: no forms, no Base64. What a
request may cost is bounded: bytes, pixels, frames and seconds, and so is how many wait.

`application` is what other programs import. `requests` says what may be asked, and `guard` by whom;
`transfer` moves pictures, `jobs` decides who is worked on, `catalogue` knows the models by name,
and `running` looks after connections. Nothing that may wait runs in the event loop. Knows nothing
of Keras and of the command line.
"""

import contextlib
import math
import re
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response

from srgan.io import kinds
from srgan.models import engines
from srgan.server import preview
from srgan.server.catalogue import Catalogue
from srgan.server.errors import add_errors, documented
from srgan.server.guard import Guard
from srgan.server.jobs import Jobs, Status, Ticket
from srgan.server.page import add_page
from srgan.server.preview import PreviewRequest
from srgan.server.requests import (
    DEFAULT_LIMITS,
    JOB,
    ErrorMapRequest,
    Health,
    Limits,
    Listing,
    UpscaleRequest,
    options_of,
)
from srgan.server.transfer import TOLD, Result, ResultResponse, Uploads, said, wait_for_disconnect
from srgan.server.workspace import workspace
from srgan.upscaling import error_map, pipeline
from srgan.upscaling.options import SAME, SUFFIXES, UpscaleOptions
from srgan.util import versions


class _Service(NamedTuple):
    """What the paths share."""

    catalogue: Catalogue
    jobs: Jobs
    uploads: Uploads
    limits: Limits


def application(
    served: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    engine: engines.Kind = "onnxruntime",
    precision: engines.Precision = "float32",
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
) -> FastAPI:
    """Returns the service, for any ASGI server.

    Args:
        served: Names of shipped models, and paths of ONNX files, the default one first; without
            any, all shipped ones. Requests choose among them by name.
        limits: What requests may cost.
        engine: What runs the models.
        precision: Of the arithmetic.
        hosts: Names that requests may be sent to, besides addresses in digits and localhost; see
            `guard.Guard`.
        origins: Of pages elsewhere that may use the service; likewise.

    Raises:
        OSError: If a model is missing.
        ValueError: If a file is no model, or two have one name.
    """
    places = limits.concurrency + limits.queue_size
    service = _Service(
        Catalogue(served, engine, precision),
        Jobs(limits.concurrency, limits.queue_size, limits.seconds),
        Uploads(2 * places, limits.megabytes, limits.body_timeout),
        limits,
    )
    app = FastAPI(
        title="srgan",
        summary="Turns small pictures into large, sharp ones.",
        version=versions.of("srgan"),
        docs_url=None,  # pages that load programs from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # which would go to whatever host the request names
        lifespan=_lifespan,
        responses=documented(403, 500),
    )
    app.state.jobs = service.jobs

    def give_up() -> None:
        service.jobs.give_up()
        service.uploads.give_up("The service is about to end; try again later.")

    def without_folders(text: str) -> str:
        of_job = rf"{re.escape(str(app.state.folder))}[\\/]\w+[\\/]"
        return service.catalogue.without_folders(re.sub(of_job, "", text))

    app.state.give_up = give_up
    add_errors(app, without_folders)
    add_page(app)
    _add_facts(app, service)
    _add_work(app, service)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[*TOLD],
        )
    app.add_middleware(Guard, hosts=hosts, origins=origins)
    _describe(app, service.catalogue)
    return app


def _describe(app: FastAPI, catalogue: Catalogue) -> None:
    """Makes the OpenAPI description, which is kept; it takes too long for the event loop."""
    for path, methods in app.openapi()["paths"].items():
        names = [
            name
            for name, model in catalogue.described.items()
            if path == "/v1/upscale" or model["error_map"]
        ]
        for parameter in methods.get("post", {}).get("parameters", ()):
            if parameter["name"] == "model":
                parameter["schema"]["enum"] = ["", *names]


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    with workspace() as folder:
        app.state.folder = folder
        yield


def _add_facts(app: FastAPI, service: _Service) -> None:
    """Adds the paths that tell how things are."""

    @app.get("/health")
    async def health() -> Health:
        """Whether the service is there, and how many pictures it works on or has waiting."""
        return Health(status="ok", jobs=len(service.jobs))

    @app.get("/v1/models")
    async def list_models() -> Listing:
        """The models, the default one first, with their licence and scores; and the limits."""
        return Listing(
            models=list(service.catalogue.described.values()),
            auto=service.catalogue.chooses,
            reads=kinds.EXPECTED,
            formats=list(SUFFIXES),
            limits=service.limits._asdict(),
        )

    @app.get("/v1/jobs/{job}", responses=documented(404, 422))
    async def show_job(job: Annotated[str, InPath(pattern=JOB)]) -> Status:
        """How far a request is that named itself by `job`."""
        status = service.jobs.status(job)
        if not status:
            raise HTTPException(404, f"There is no job {job!r}, or it ended long ago.")
        return status


def _add_work(app: FastAPI, service: _Service) -> None:
    """Adds the paths that take a picture."""
    body = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
    picture: dict[str, Any] = {
        "openapi_extra": {"requestBody": body | {"required": True}},
        "response_class": Response,
        "responses": {
            200: {"content": {"image/*": {}}, "description": "The picture.", "headers": TOLD}
        }
        | documented(408, 413, 415, 422, 503, 504, 507),
    }

    @app.post("/v1/upscale", **picture)
    async def upscale(request: Request, asked: Annotated[UpscaleRequest, Query()]) -> Response:
        """Enlarges the picture that is the body of the request."""
        service.catalogue.file(asked.model)
        work = partial(_upscale, service, asked, options_of(asked, service.limits))
        return await _answer(request, service, asked.job, asked.format or "png", work)

    @app.post("/v1/error-map", **picture)
    @app.post("/v1/map", deprecated=True, **picture)
    async def draw_map(request: Request, asked: Annotated[ErrorMapRequest, Query()]) -> Response:
        """Draws the expected error of a GAN model, in grey levels, as PNG."""
        service.catalogue.file(asked.model)
        work = partial(_draw_map, service, asked)
        return await _answer(request, service, asked.job, "png", work)

    @app.post("/v1/preview", **picture)
    async def show_preview(request: Request, asked: Annotated[PreviewRequest, Query()]) -> Response:
        """Enlarges the middle of a picture alone, so that one need not wait for the whole."""
        service.catalogue.file(asked.model)
        work = partial(_preview, service, asked)
        return await _answer(request, service, asked.job, "png", work)


def _preview(
    service: _Service, asked: PreviewRequest, data: bytes, path: Path, ticket: Ticket
) -> dict[str, str]:
    model, notes, (width, height) = preview.make(
        service.catalogue, service.limits, asked, data, path
    )
    return said(model, notes) | {"Srgan-Size": f"{width}x{height}"}


def _upscale(
    service: _Service,
    asked: UpscaleRequest,
    options: UpscaleOptions,
    data: bytes,
    path: Path,
    ticket: Ticket,
) -> dict[str, str]:
    model, chosen = service.catalogue.open_for(asked.model, options, data)
    job = pipeline.prepare(data, path, model, options)
    _check_size(job.pixels, service.limits)
    job.run(ticket.progress)
    return said(chosen.model, (*chosen.notes, *job.notes))


def _draw_map(
    service: _Service, asked: ErrorMapRequest, data: bytes, path: Path, ticket: Ticket
) -> dict[str, str]:
    catalogue, limits = service.catalogue, service.limits
    with catalogue.lacking():
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
    return {}


def _check_size(pixels: int, limits: Limits) -> None:
    if pixels > 1e6 * limits.megapixels:
        raise HTTPException(
            413,
            f"The model would make {pixels / 1e6:,.1f} megapixels of this picture; expected at "
            f"most {limits.megapixels:g}. {_what_fits(pixels, limits)}",
        )


def _what_fits(pixels: int, limits: Limits) -> str:
    """How much smaller a picture has to be."""
    share = 100 * math.sqrt(1e6 * limits.megapixels / pixels)
    return (
        f"Send it at {math.floor(share)} % of its width and height, or ask for a model that "
        "enlarges less."
    )


async def _answer(
    request: Request,
    service: _Service,
    name: str,
    kind: str,
    work: Callable[[bytes, Path, Ticket], dict[str, str]],
) -> Response:
    """Reads a picture, does the work when it is its turn, and sends the file that came of it."""
    service.jobs.check()  # before the picture is sent for nothing
    with service.jobs.named(name or uuid.uuid4().hex) as ticket:
        data = await service.uploads.read(request)
        if kind == SAME:
            kind = kinds.written_as(data[: kinds.HEAD]).name.lower()
        result = await service.jobs.run(
            ticket,
            partial(_make, request.app.state.folder, kind, partial(work, data), ticket),
            wait_for_disconnect(request),
        )
    return ResultResponse(result, f"image/{kind}", service.limits.body_timeout)


def _make(
    root: Path, kind: str, work: Callable[[Path, Ticket], dict[str, str]], ticket: Ticket
) -> Result:
    """Does work in a folder of its own, which is gone if there is no result."""
    path = Path(tempfile.mkdtemp(dir=root)) / f"enlarged{SUFFIXES[kind]}"
    try:
        headers = work(path, ticket)
        result = Result(path, path.stat().st_size, headers)
        ticket.finish()
    except BaseException:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    return result
