"""What is told of each answer: its id, a line in the log, and the metrics. Never a picture."""

import logging
import re
import time
import urllib.parse
import uuid
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srgan.server.metrics import Metrics

_ID = "X-Request-ID"
_METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is answered."""

_log = logging.getLogger(__name__)


class Observer:
    """Gives each request an id, unless it has one, and tells how it was answered.

    Args:
        app: What answers.
        metrics: Counts the answers.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(_ID, "")
        id = given if re.fullmatch(r"[\w.:-]{1,128}", given, re.ASCII) else uuid.uuid4().hex
        token = request_id.set(id)
        began, code, model = time.perf_counter(), 500, ""

        async def pass_on(message: Message) -> None:
            nonlocal code, model
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[_ID] = id
                code, model = message["status"], headers.get("Srgan-Model", "")
            await send(message)

        try:
            await self._app(scope, receive, pass_on)
        finally:
            seconds = time.perf_counter() - began
            path = getattr(scope.get("route"), "path_format", "other")
            method = scope["method"] if path != "other" and scope["method"] in _METHODS else ""
            self._metrics.count_request(method, path, code, model, seconds)
            written = urllib.parse.quote(scope["path"])  # which a line of the log cannot end
            client = ":".join(map(str, scope["client"] or ("", "")))
            _log.info(
                '%s - "%s %s HTTP/%s" %d %.3f s',
                *(client, scope["method"], written, scope["http_version"], code, seconds),
                extra={
                    **{"client": client, "method": scope["method"], "path": written},
                    **{"code": code, "seconds": round(seconds, 6), "model": model},
                },
            )
            request_id.reset(token)
