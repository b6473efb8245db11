"""How it is told what is wrong: {"detail": one sentence}, and no folder of this machine in it."""

import errno
import logging
import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from srgan.io.formats import TooLarge
from srgan.server.queue import Busy, Gone

_RETRY = {"Retry-After": "5"}  # seconds
_REASONS = {
    401: "No token, or a wrong one.",
    403: "Another host or page than those that are allowed.",
    404: "There is no such job or model.",
    408: "The picture came too slowly.",
    409: "The job has not finished yet: ask again after some seconds.",
    410: "The result is gone: its time was over, room was needed, or the job was cancelled.",
    413: "Too many bytes or pixels.",
    422: "Not a picture, or a wrong parameter.",
    429: "Too many requests with this token: try again later.",
    500: "A fault of the service, which its log describes.",
    503: "Busy: try again after some seconds.",
    504: "It took too long.",
    507: "The disk of the server is full.",
}

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What is wrong."""

    detail: str = Field(description="What happened, what was expected, and what to do.")


class Fault(NamedTuple):
    """How an error is told.

    Attributes:
        code: The HTTP status.
        detail: In words.
        headers: That go with it.
    """

    code: int
    detail: str
    headers: dict[str, str] | None = None


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Returns the description of the errors that a path may answer with."""
    return {code: {"model": Problem, "description": _REASONS[code]} for code in codes}


def refuse(code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Returns the answer that says what is wrong."""
    return JSONResponse({"detail": text}, code, headers)


def fault_of(error: Exception) -> Fault:
    """Returns how an error is told; what is a fault of the service is written to its log."""
    match error:
        case HTTPException():
            return Fault(error.status_code, str(error.detail), dict(error.headers or {}))
        case RequestValidationError() | ValidationError():
            faults = (
                f"{(fault['loc'] or ('body',))[-1]}: "
                + (
                    "There is no such parameter; /docs lists those of each path"
                    if fault["type"] == "extra_forbidden"
                    else fault["msg"].removeprefix("Value error, ")
                )
                for fault in error.errors()
            )
            return Fault(422, "; ".join(faults))
        case TooLarge():
            return Fault(413, str(error))
        case ValueError():
            return Fault(422, str(error))
        case Busy():
            return Fault(503, str(error), _RETRY)
        case MemoryError():
            return Fault(503, str(error) or "There is not enough memory.", _RETRY)
        case TimeoutError():
            return Fault(504, str(error))
        case Gone() | ClientDisconnect():
            return Fault(499, "Nobody waits for this.")  # which nobody reads; as others log it
        case (
            OSError(errno=errno.ENOSPC)
            | sqlite3.OperationalError(sqlite_errorcode=sqlite3.SQLITE_FULL)
        ):
            return Fault(507, "The disk of the server is full.")
        case sqlite3.OperationalError(sqlite_errorcode=sqlite3.SQLITE_BUSY):
            return Fault(503, "The jobs are in use by another program; try again later.", _RETRY)
    _log.error("A request failed.", exc_info=error)
    return Fault(500, "The service failed, and its log says why. Tell who runs it.")


def add_errors(app: FastAPI, without_folders: Callable[[str], str]) -> None:
    """Makes a service tell whoever asked what is wrong.

    Args:
        app: The service.
        without_folders: Returns a message with names in place of paths.
    """

    async def answer(request: Request, error: Exception) -> Response:
        fault = fault_of(error)
        return refuse(fault.code, without_folders(fault.detail), fault.headers)

    for kind in (
        *(RequestValidationError, ValueError, Busy, MemoryError, OSError, sqlite3.Error),
        *(Gone, ClientDisconnect),
    ):
        app.add_exception_handler(kind, answer)

    @app.exception_handler(405)
    async def name_methods(request: Request, error: Exception) -> Response:
        path = getattr(request.scope.get("route"), "path", "")
        routes = [route for route in app.routes if isinstance(route, Route) and route.path == path]
        allowed = {method for route in routes for method in route.methods or ()}
        text = f"Expected {' or '.join(sorted(allowed))}; got {request.method}."
        return refuse(405, text, {"Allow": ", ".join(sorted(allowed))})

    @app.exception_handler(404)
    async def name_reference(request: Request, error: HTTPException) -> Response:
        fault = fault_of(error)
        is_nowhere = fault.detail == "Not Found"  # which the framework says
        text = f"There is no path {request.url.path} here; /docs lists those that there are."
        return refuse(404, text if is_nowhere else without_folders(fault.detail), fault.headers)

    @app.exception_handler(Exception)  # which the server writes to its log
    async def fail(request: Request, error: Exception) -> Response:
        return refuse(500, "The service failed, and its log says why. Tell who runs it.")
