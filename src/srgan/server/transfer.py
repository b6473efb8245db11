"""How pictures come and go, and how it is told what is wrong."""

import asyncio
import contextlib
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

from srgan.server.jobs import Busy, Gone

SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Headers of all that is not text for a program."""

NOTES = "Srgan-Notes"
"""The header that says what of a picture its result lacks."""

PICTURE = {
    "content": {"image/*": {}},
    "description": "The picture.",
    "headers": {
        NOTES: {
            "description": "What of the picture the result lacks, if anything.",
            "schema": {"type": "string"},
        }
    },
}
"""What OpenAPI says of answers with a picture."""

_PATIENCE = 60.0  # seconds for a picture to come or go, besides those that the slowest rate takes
_SLOWEST = 250_000  # bytes a second
_RETRY = {"Retry-After": "5"}  # seconds


async def read_body(request: Request, megabytes: float) -> bytes:
    """Returns the picture that is a request's body.

    Raises:
        HTTPException: If it is a form, has more than `megabytes`, or comes too slowly.
    """
    if request.headers.get("Content-Type", "").startswith("multipart/"):
        raise HTTPException(
            415, "Expected the picture itself, not a form: curl --data-binary @photo.jpg"
        )
    most = round(1e6 * megabytes)
    length = request.headers.get("Content-Length", "0")
    parts, total = [], int(length) if length.isdecimal() else 0
    try:
        async with asyncio.timeout(_PATIENCE + most / _SLOWEST):
            if total <= most:
                total = 0
                async for part in request.stream():
                    parts.append(part)
                    total += len(part)
                    if total > most:
                        break
    except TimeoutError as error:
        raise HTTPException(408, "The picture came too slowly.") from error
    if total > most:
        raise HTTPException(
            413, f"The picture has more than the {megabytes:g} megabytes that it may have here."
        )
    return b"".join(parts)


async def wait_for_disconnect(request: Request) -> None:
    """Ends when the connection does."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class TemporaryFileResponse(FileResponse):
    """A file that exists until it was sent, or could not be.

    Args:
        stack: What ends with it.
        path: Of the file.
        media_type: Likewise.
        notes: What of the picture that was sent it lacks.
    """

    def __init__(
        self,
        stack: contextlib.ExitStack,
        path: Path,
        media_type: str,
        notes: Sequence[str] = (),
    ) -> None:
        text = "; ".join(notes).encode("ascii", "replace").decode()  # as headers are
        super().__init__(
            path,
            headers=SAFE | ({NOTES: text} if text else {}),
            media_type=media_type,
            filename=path.name,
            content_disposition_type="inline",
        )
        self._stack = stack
        self._seconds = _PATIENCE + path.stat().st_size / _SLOWEST

    async def __call__(self, *arguments: Any) -> None:
        with self._stack, contextlib.suppress(TimeoutError):  # nobody reads any more
            async with asyncio.timeout(self._seconds):
                await super().__call__(*arguments)


def add_errors(app: FastAPI) -> None:
    """Makes a service tell whoever asked what is wrong, as {"detail": one sentence}."""

    def respond(code: int, text: str, headers: dict[str, str] | None = None) -> Response:
        return JSONResponse({"detail": text}, code, headers)

    @app.exception_handler(RequestValidationError)
    async def refuse(request: Request, error: RequestValidationError) -> Response:
        faults = (f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        return respond(422, "; ".join(faults))

    @app.exception_handler(ValueError)
    async def explain(request: Request, error: ValueError) -> Response:
        return respond(422, str(error))

    @app.exception_handler(Busy)
    async def put_off(request: Request, error: Busy) -> Response:
        return respond(503, str(error), _RETRY)

    @app.exception_handler(MemoryError)
    async def run_short(request: Request, error: MemoryError) -> Response:
        return respond(503, str(error) or "There is not enough memory.", _RETRY)

    @app.exception_handler(TimeoutError)
    async def give_up(request: Request, error: TimeoutError) -> Response:
        return respond(504, str(error))

    @app.exception_handler(OSError)
    async def run_full(request: Request, error: OSError) -> Response:
        if error.errno != errno.ENOSPC:
            raise error
        return respond(507, "The disk of the server is full.")

    @app.exception_handler(Gone)
    @app.exception_handler(ClientDisconnect)
    async def forget(request: Request, error: Exception) -> Response:
        return Response(status_code=499)  # which nobody reads; as other servers log it
