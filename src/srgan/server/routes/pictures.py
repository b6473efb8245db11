"""The paths that take a picture and return what came of it."""

import asyncio
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from srgan.server.errors import documented
from srgan.server.queue import Ticket
from srgan.server.requests import ErrorMapRequest, PreviewRequest, UpscaleRequest
from srgan.server.service import Service
from srgan.server.transfer import (
    TOLD,
    Result,
    ResultResponse,
    read_form,
    wait_for_disconnect,
)
from srgan.server.work import in_folder

_Asked = TypeVar("_Asked", bound=BaseModel)

_BINARY = {"type": "string", "format": "binary"}
TAKEN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": _BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"picture": _BINARY},
                    "required": ["picture"],
                }
            },
        },
    }
}
"""How OpenAPI describes a picture, as the body or in a form."""

REFUSALS = (401, 408, 413, 422, 429, 503, 507)
"""How a picture may be refused."""


async def read(request: Request, service: Service, asked: _Asked) -> tuple[_Asked, bytes]:
    """Returns what is asked for and the picture, which may both be in a form.

    Raises:
        RequestValidationError, ValueError: If there is no picture, or a field is wrong.
        HTTPException, Busy: As `Uploads.read`.
    """
    body = await service.uploads.read(request)
    kind = request.headers.get("Content-Type", "")
    if not kind.startswith("multipart/"):
        return asked, _checked(body)
    picture, fields = await asyncio.to_thread(read_form, kind, body)
    _checked(picture)
    if twice := asked.model_fields_set & fields.keys():
        raise ValueError(
            f"The form and the address both say {', '.join(sorted(twice))}; expected each in one "
            "of them."
        )
    try:
        return type(asked)(**asked.model_dump(exclude_unset=True) | fields), picture
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _checked(picture: bytes) -> bytes:
    if not picture:
        raise ValueError(
            "The picture is empty: expected what is in its file, as the body of the request or in "
            "a form."
        )
    return picture


def add(app: FastAPI, service: Service) -> None:
    """Adds them."""
    picture: dict[str, Any] = {
        "openapi_extra": TAKEN,
        "response_class": Response,
        "responses": {
            200: {"content": {"image/*": {}}, "description": "The picture.", "headers": TOLD}
        }
        | documented(*REFUSALS, 504),
    }

    @app.post("/v1/upscale", **picture)
    async def upscale(request: Request, asked: Annotated[UpscaleRequest, Query()]) -> Response:
        """Enlarges a picture: the body of the request, or a file in a form, beside parameters.

        `curl --data-binary @photo.jpg -o large.png "http://127.0.0.1:8000/v1/upscale?scale=2"`

        `curl -F picture=@photo.jpg -F scale=2 -o large.png http://127.0.0.1:8000/v1/upscale`
        """
        return await _answer(request, service, asked, service.worker.upscale)

    @app.post("/v1/preview", **picture)
    async def preview(request: Request, asked: Annotated[PreviewRequest, Query()]) -> Response:
        """Enlarges the middle of a picture alone, so that one need not wait for the whole.

        `curl --data-binary @photo.jpg -o middle.png http://127.0.0.1:8000/v1/preview`
        """
        return await _answer(request, service, asked, service.worker.preview)

    @app.post("/v1/error-map", **picture)
    @app.post("/v1/map", deprecated=True, **picture)
    async def draw_map(request: Request, asked: Annotated[ErrorMapRequest, Query()]) -> Response:
        """Draws the expected error of a GAN model, in grey levels, as PNG.

        `curl --data-binary @photo.jpg -o map.png http://127.0.0.1:8000/v1/error-map`
        """
        return await _answer(request, service, asked, service.worker.draw_map)


async def _answer(
    request: Request,
    service: Service,
    asked: Any,
    work: Callable[[Any, bytes, Path, Ticket], Result],
) -> Response:
    """Reads a picture, does the work when it is its turn, and sends the file that came of it."""
    service.worker.check(asked)
    service.queue.check()  # before the picture is sent for nothing
    with service.queue.named(asked.job or uuid.uuid4().hex) as ticket:
        asked, data = await read(request, service, asked)
        service.worker.check(asked)

        def do(folder: Path) -> Result:
            return work(asked, data, folder, ticket)

        result = await service.queue.run(
            ticket, partial(in_folder, service.folder, do, ticket), wait_for_disconnect(request)
        )
    return ResultResponse(result, service.limits.body_timeout, is_last=True)
