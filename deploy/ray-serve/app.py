"""The service of `srgan serve` on Ray Serve: replicas that come and go with the queue.

    serve run app:service

A gate takes requests, and hands each to a replica. If that dies, another one gets the request: a
picture's enlargement changes nothing, so that it may be begun twice.
"""

import asyncio
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from srgan import server
from srgan.util import parallel

_TRIES = 5  # replicas that may die under one request
_WAITING = 64  # requests of each gate that no replica takes yet: they are in its memory
LIMITS = server.DEFAULT_LIMITS._replace(concurrency=2, queue_size=8)


@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    max_ongoing_requests=LIMITS.concurrency + LIMITS.queue_size,
    max_queued_requests=_WAITING,
    autoscaling_config={
        "min_replicas": 1,
        "max_replicas": 16,
        "target_ongoing_requests": LIMITS.concurrency,
        "upscale_delay_s": 10,
        "downscale_delay_s": 300,
    },
    graceful_shutdown_timeout_s=LIMITS.seconds,
)
class Upscaler:
    """The application of `srgan serve`, which gets requests as messages."""

    def __init__(self, *models: str) -> None:
        cores = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
        parallel.use_cores(max(int(cores), 1))  # the others of the machine are other replicas'
        self._app = server.application(models, LIMITS, hosts=["*"])  # the gate's are not its own
        self._lifespan = self._app.router.lifespan_context(self._app)
        self._begun = asyncio.Lock()
        self._is_ready = False

    async def answer(self, scope: dict[str, Any], body: bytes) -> tuple[int, list, bytes]:
        """Returns status, headers and body of an answer."""
        async with self._begun:
            if not self._is_ready:
                await self._lifespan.__aenter__()
                self._is_ready = True
        parts = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if parts:
                return parts.pop()
            return await asyncio.Future()  # the gate does not hang up

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        data = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], sent[0]["headers"], data


@serve.deployment(max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.1})
class Gate:
    """Takes requests, and tries again where a replica dies."""

    def __init__(self, upscaler: Any) -> None:
        self._upscaler = upscaler

    async def __call__(self, request: Request) -> Response:
        limit = 1e6 * LIMITS.megabytes
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > limit:
                return _refused(413, f"Expected at most {LIMITS.megabytes:g} MB.")
        kept = ("type", "http_version", "method", "path", "raw_path", "query_string", "headers")
        scope = {name: request.scope[name] for name in kept if name in request.scope}
        scope |= {"scheme": "http", "root_path": "", "server": None, "client": None}
        for _ in range(_TRIES):
            try:
                answer = self._upscaler.answer.remote(scope, bytes(body))
                status, headers, data = await answer
            except RayActorError:
                continue
            except BackPressureError:
                return _refused(503, "All are busy; try again later.")
            response = Response(data, status)
            response.raw_headers = headers
            return response
        return _refused(502, f"{_TRIES} replicas died of this request.")


def _refused(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status, {"Retry-After": "5"} if status == 503 else None)


service = Gate.bind(Upscaler.bind("srgan-fast-x4"))
