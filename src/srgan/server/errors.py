"""How it is told what is wrong: {"detail": one sentence}, and no folder of this machine in it."""

import errno
import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from srgan.io.formats import TooLarge
from srgan.server.jobs import Busy, Gone

_RETRY = {"Retry-After": "5"}  # seconds
_REASONS = {
    403: "Another host or page than those that are allowed.",
    404: "There is no such job.",
    408: "The picture came too slowly.",
    413: "Too many bytes or pixels.",
    415: "A form in place of the picture.",
    422: "Not a picture, or a wrong parameter.",
    500: "A fault of the service, which its log describes.",
    503: "Busy: try again after some seconds.",
    504: "It took too long.",
    507: "The disk of the server is full.",
}

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What is wrong."""

    detail: str = Field(description="What happened, what was expected, and what to do.")


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Returns the description of the errors that a path may answer with."""
    return {code: {"model": Problem, "description": _REASONS[code]} for code in codes}


def refuse(code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Returns the answer that says what is wrong."""
    return JSONResponse({"detail": text}, code, headers)


def add_errors(app: FastAPI, without_folders: Callable[[str], str]) -> None:
    """Makes a service tell whoever asked what is wrong.

    Args:
        app: The service.
        without_folders: Returns a message with names in place of paths.
    """

    def explained(code: int, error: Exception, headers: dict[str, str] | None = None) -> Response:
        return refuse(code, without_folders(str(error)), headers)

    @app.exception_handler(RequestValidationError)
    async def check(request: Request, error: RequestValidationError) -> Response:
        faults = (
            f"{fault['loc'][-1]}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        return refuse(422, "; ".join(faults))

    @app.exception_handler(TooLarge)
    async def refuse_large(request: Request, error: TooLarge) -> Response:
        return explained(413, error)

    @app.exception_handler(ValueError)
    async def explain(request: Request, error: ValueError) -> Response:
        return explained(422, error)

    @app.exception_handler(Busy)
    async def put_off(request: Request, error: Busy) -> Response:
        return explained(503, error, _RETRY)

    @app.exception_handler(MemoryError)
    async def run_short(request: Request, error: MemoryError) -> Response:
        return refuse(503, without_folders(str(error)) or "There is not enough memory.", _RETRY)

    @app.exception_handler(TimeoutError)
    async def give_up(request: Request, error: TimeoutError) -> Response:
        return explained(504, error)

    @app.exception_handler(OSError)
    async def run_full(request: Request, error: OSError) -> Response:
        if error.errno != errno.ENOSPC:
            _log.error("A request failed.", exc_info=error)
            return refuse(500, "The service failed, and its log says why. Tell who runs it.")
        return refuse(507, "The disk of the server is full.")

    @app.exception_handler(Gone)
    @app.exception_handler(ClientDisconnect)
    async def forget(request: Request, error: Exception) -> Response:
        return Response(status_code=499)  # which nobody reads; as other servers log it

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        return refuse(500, "The service failed, and its log says why. Tell who runs it.")
