"""The models behind HTTP: a REST interface, and a page to try them on.

A picture is the body of a request, and its result that of the answer: no forms, no Base64. What a
request may cost is bounded: bytes, pixels and seconds, and so is how many wait.
"""

import contextlib
import tempfile
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from srgan.io import stream
from srgan.models import engines
from srgan.server.catalogue import Catalogue
from srgan.server.jobs import Job, Jobs
from srgan.server.page import add_page
from srgan.server.transfer import Passing, add_errors, hang_up, read
from srgan.upscaling import error_map, pipeline
from srgan.upscaling.size import Size
from srgan.util import versions

_SUFFIXES = {  # formats by their names among media types
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tif",
    "avif": ".avif",
    "gif": ".gif",
}
_JOB = r"^[A-Za-z0-9_-]{1,64}$"


class Limits(NamedTuple):
    """What requests may cost.

    Attributes:
        megabytes: Of the picture that is sent.
        megapixels: That the model makes of it, before they are scaled to the size asked for.
        seconds: Of the work, waiting for its turn included.
        at_once: Pictures that are worked on; they share the processor's cores.
        waiting: Pictures that wait.
        tile: Side of the tiles, in pixels of the picture; by default as memory allows. What is
            given up ends after the tiles that run: smaller ones are sooner done, but overlap more.
    """

    megabytes: float = 32.0
    megapixels: float = 64.0
    seconds: float = 300.0
    at_once: int = 2
    waiting: int = 16
    tile: int | None = None


LIMITS = Limits()


class MapRequest(BaseModel):
    """What is asked of the map of what was invented."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("", description="Name of a model; by default the first of /v1/models.")
    job: str = Field("", pattern=r"^$|" + _JOB, description="Makes it known at /v1/jobs/JOB.")


class UpscaleRequest(MapRequest):
    """What is asked of an enlargement; of several sizes, the smallest counts."""

    model: str = Field(
        "",
        description="Name of a model; by default the first of /v1/models, or, where all shipped "
        "ones are served, srgan-x2 up to a scale of 2.",
    )
    realism: float | None = Field(
        None, ge=0, le=1, description="From the PSNR model, 0, to the GAN model, 1, in hundredths."
    )
    scale: float | None = Field(None, gt=0, description="Times each side; else the model's.")
    width: int | None = Field(None, gt=0, description="Pixels of the result, at most.")
    height: int | None = Field(None, gt=0, description="Pixels of the result, at most.")
    megapixels: float | None = Field(None, gt=0, description="Of the result, about.")
    format: Literal["png", "jpeg", "webp", "tiff", "avif", "gif"] = Field(
        "png", description="Of the result."
    )
    metadata: bool = Field(True, description="Carry over EXIF, XMP and IPTC.")
    srgb: bool = Field(False, description="Convert colours to sRGB.")


def application(
    served: Sequence[str] = (),
    limits: Limits = LIMITS,
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
    jobs = Jobs(limits.at_once, limits.waiting, limits.seconds)
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
            200: {"content": {"image/*": {}}, "description": "The picture."},
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
            "formats": list(_SUFFIXES),
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
    async def upscale(request: Request, wish: Annotated[UpscaleRequest, Query()]) -> Response:
        """Enlarges the picture that is the body of the request."""
        catalogue.file(wish.model)
        return await _answer(
            request, jobs, limits, wish.job, wish.format, partial(_upscale, catalogue, limits, wish)
        )

    @app.post("/v1/map", **takes_picture, **gives_picture)
    async def draw_map(request: Request, wish: Annotated[MapRequest, Query()]) -> Response:
        """Draws where a GAN model invents what the picture does not determine, as PNG."""
        catalogue.file(wish.model)
        return await _answer(
            request, jobs, limits, wish.job, "png", partial(_map, catalogue, limits, wish)
        )

    return app


def _upscale(
    catalogue: Catalogue, limits: Limits, wish: UpscaleRequest, data: bytes, path: Path, job: Job
) -> None:
    size = Size(wish.scale, wish.width, wish.height, wish.megapixels)
    model = catalogue.open(wish.model, wish.realism, size)
    most = round(1e6 * limits.megapixels)
    picture = stream.Picture(data, most, path.suffix, wish.srgb)
    plan = pipeline.plan(picture, model, size, limits.tile)
    factors = sum(model.metadata.scale ** (2 * done) for done in range(1, len(plan.cuts) + 1))
    _check_size(factors * picture.frames * picture.height * picture.width, limits)
    pipeline.upscale_file(
        data,
        path,
        model,
        tile=limits.tile,
        progress=job.progress,
        size=size,
        metadata=wish.metadata,
        srgb=wish.srgb,
        most_pixels=most,
    )


def _map(
    catalogue: Catalogue, limits: Limits, wish: MapRequest, data: bytes, path: Path, job: Job
) -> None:
    most = round(1e6 * limits.megapixels)
    picture = stream.Picture(data, most, ".jpg")
    both = 2 * catalogue.open(wish.model).metadata.scale ** 2
    _check_size(both * picture.height * picture.width, limits)
    error_map.map_file(
        data,
        path,
        catalogue.file(wish.model),
        tile=limits.tile,
        progress=job.progress,
        most_pixels=most,
        engine=catalogue.engine,
        precision=catalogue.precision,
    )


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
    work: Callable[[bytes, Path, Job], None],
) -> Response:
    """Lets a request in, reads its picture, does the work, and sends the file that came of it."""
    with contextlib.ExitStack() as stack:
        job = stack.enter_context(jobs.admit(name or uuid.uuid4().hex))
        data = await read(request, limits.megabytes)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="srgan-"))
        path = Path(folder) / f"enlarged{_SUFFIXES[kind]}"
        await jobs.run(job, partial(work, data, path, job), hang_up(request))
        return Passing(stack.pop_all(), path, f"image/{kind}")
