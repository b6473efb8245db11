"""The paths of work that outlives its request."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from srgan.server.errors import documented
from srgan.server.queue import Status
from srgan.server.requests import JOB, JobRequest, JobStatus
from srgan.server.routes.pictures import REFUSALS, TAKEN, read
from srgan.server.service import Service
from srgan.server.store import Job
from srgan.server.transfer import TOLD, Result, ResultResponse

_EVENT = 0.5  # seconds between looks for something new
_Name = Annotated[str, Path(pattern=JOB)]
_Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="Names the job, so that the request can be repeated without a second one: as "
        "long as the job is known, whatever became of it, the same key returns it.",
    ),
]


def add(app: FastAPI, service: Service) -> None:
    """Adds them."""
    _add_accepting(app, service)
    _add_telling(app, service)
    _add_ending(app, service)


def _add_accepting(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/jobs",
        status_code=202,
        openapi_extra=TAKEN,
        responses={200: {"model": JobStatus, "description": "It was accepted before, by its key."}}
        | documented(*REFUSALS),
    )
    async def accept(
        request: Request,
        response: Response,
        asked: Annotated[JobRequest, Query()],
        idempotency_key: _Key = "",
    ) -> JobStatus:
        """Accepts a picture, to be enlarged when it is its turn, whatever becomes of this request.

        `curl --data-binary @photo.jpg -H "Idempotency-Key: photo-1" http://127.0.0.1:8000/v1/jobs`
        """
        service.worker.check(asked)
        service.queue.check_open()
        asked, data = await read(request, service, asked)
        service.worker.check(asked)
        wanted = asked.model_dump(exclude_defaults=True, exclude={"work"})
        if asked.work == "error-map" and (other := wanted.keys() - {"model"}):
            raise ValueError(f"An error map takes the model alone; got {', '.join(sorted(other))}.")
        owner = request.state.owner
        job, is_new = await service.jobs.add(asked.work, wanted, data, owner, idempotency_key)
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        if not is_new:
            response.status_code = 200
        return _told(service, *await _find(service, request, job.id))


def _add_telling(app: FastAPI, service: Service) -> None:
    @app.get("/v1/jobs/{job}", responses=documented(401, 404, 422))
    async def show_job(request: Request, job: _Name) -> JobStatus:
        """How far a job is, or a request that named itself by `job`."""
        status = service.queue.status(job)
        if not status:
            return _told(service, *await _find(service, request, job))
        return JobStatus(
            **vars(status),
            id=job,
            **dict.fromkeys(("created", "expires", "bytes")),
            **dict.fromkeys(("model", "notes", "detail"), ""),
        )

    @app.get(
        "/v1/jobs/{job}/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Its events."}}
        | documented(401, 404, 422),
    )
    async def follow(request: Request, job: _Name) -> Response:
        """How far a job is, as server-sent events, until it ends: the same JSON as `data`.

        `curl -N http://127.0.0.1:8000/v1/jobs/JOB/events`
        """
        await _find(service, request, job)

        async def events() -> AsyncIterator[bytes]:
            async for found in service.jobs.watch(job, request.state.owner, _EVENT):
                data = _told(service, *found).model_dump_json()
                yield format_sse_event(event="status", data_str=data)

        return StreamingResponse(
            events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )


def _add_ending(app: FastAPI, service: Service) -> None:
    sent: dict[str, Any] = {
        "response_class": Response,
        "responses": {
            200: {"content": {"image/*": {}}, "description": "The picture.", "headers": TOLD}
        }
        | documented(401, 404, 409, 410, 413, 422, 503, 504, 507),
    }

    @app.get("/v1/jobs/{job}/result", **sent)
    async def send_result(request: Request, job: _Name) -> Response:
        """What came of a job, as often as it is asked for; of one that failed, the error."""
        row, status = await _find(service, request, job)
        if status.state in ("waiting", "running"):
            raise HTTPException(409, "The job has not finished yet.", {"Retry-After": "2"})
        if status.state == "failed":
            raise HTTPException(row.code, service.without_folders(row.detail))
        if status.state != "done":
            raise HTTPException(
                410,
                f"The result is gone: the job is {status.state}. Send the picture again, with a "
                "new Idempotency-Key if it had one.",
            )
        result = Result(service.jobs.result(row), row.bytes, row.headers)
        if not await asyncio.to_thread(result.path.is_file):
            raise HTTPException(410, "The result is gone from the disk of the server.")
        return ResultResponse(result, service.limits.body_timeout, is_last=False)

    @app.delete("/v1/jobs/{job}", responses=documented(401, 404, 422))
    async def cancel(request: Request, job: _Name) -> JobStatus:
        """Ends a job within a tile, or removes its result."""
        row, _ = await _find(service, request, job)
        await service.jobs.cancel(row)
        return _told(service, *await _find(service, request, job))


async def _find(service: Service, request: Request, id: str) -> tuple[Job, Status]:
    found = await service.jobs.get(id, request.state.owner)
    if not found:
        raise HTTPException(404, f"There is no job {id!r}, or it ended long ago.")
    return found


def _told(service: Service, job: Job, status: Status) -> JobStatus:
    has_result = status.state == "done"
    return JobStatus(
        **vars(status),
        id=job.id,
        created=_time(job.created),
        expires=_time((job.finished or 0) + service.limits.keep) if has_result else None,
        bytes=job.bytes if has_result else None,
        model=job.headers.get("Srgan-Model", ""),
        notes=job.headers.get("Srgan-Notes", ""),
        detail=service.without_folders(job.detail),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
