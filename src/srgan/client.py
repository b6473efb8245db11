"""A client of `srgan serve`, typed, with and without asyncio. Needs httpx, and nothing of a model.

import srgan

with srgan.Client("http://127.0.0.1:8000") as client:
    client.upscale("photo.jpg", scale=2).save("photo_x2.png")
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack
from urllib.parse import quote

from srgan.util import files

try:
    import httpx
except ModuleNotFoundError as error:
    raise ImportError('The client needs httpx: pip install "srgan[client]"') from error

Picture = bytes | str | os.PathLike[str]
"""What is in a file, or the path of one."""

_WAIT = 0.5  # seconds between looks whether a job has ended
_CONNECT = 10.0  # seconds for a connection, which a machine that is there has at once
_HEADERS = ("Srgan-Model", "Srgan-Notes")


class Options(TypedDict, total=False):
    """What may be asked of an enlargement; see `srgan.UpscaleOptions`."""

    model: str
    scale: float
    width: int
    height: int
    megapixels: float
    format: str
    realism: float
    self_ensemble: bool
    strip_metadata: bool
    srgb: bool
    pyramid: bool


class ServiceError(Exception):
    """What the service refused, or failed at; or that no answer came, and why.

    Attributes:
        code: The HTTP status; 0 if no answer came.
        retry_after: Seconds after which it may be tried again, or None.
    """

    def __init__(self, code: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.code, self.retry_after = code, retry_after


@dataclass(frozen=True)
class Result:
    """An enlarged picture.

    Attributes:
        data: What is in its file.
        media_type: As `image/png`.
        model: That made it.
        notes: What is to be said of it, or "".
    """

    data: bytes = field(repr=False)  # megabytes, which would fill the screen
    media_type: str
    model: str
    notes: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, whole or not at all; replaces what is there."""
        files.write_bytes(Path(path), self.data)


@dataclass(frozen=True)
class Job:
    """How far a job is; the attributes are described at /openapi.json."""

    id: str
    state: Literal["waiting", "running", "ended", "done", "failed", "cancelled", "expired"]
    done: float
    seconds_left: float | None
    place: int | None
    created: str | None
    expires: str | None
    bytes: int | None
    model: str
    notes: str
    detail: str

    @property
    def has_ended(self) -> bool:
        return self.state not in ("waiting", "running")


def _settings(address: str, token: str, timeout: float, others: dict[str, Any]) -> dict[str, Any]:
    try:
        url = httpx.URL(address)
        is_address = url.scheme in ("http", "https") and bool(url.host)
    except httpx.InvalidURL:
        is_address = False
    if not is_address:
        raise ValueError(
            f"Expected the address of a service, as http://127.0.0.1:8000; got {address!r}."
        )
    token = token.strip()  # as it is read from a file, with the end of its line
    if not (token.isascii() and token.isprintable()):
        raise ValueError("A token has printable ASCII characters alone. Is all of it there?")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    patience = httpx.Timeout(timeout, connect=min(timeout, _CONNECT))
    return {"base_url": address, "headers": headers, "timeout": patience} | others


@contextmanager
def _explained(address: httpx.URL, timeout: httpx.Timeout) -> Iterator[None]:
    """Has a request that gets no answer raise what happened, and what may help."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ServiceError(
            0,
            f"Nothing answers at {address} ({_reason(error)}). Expected srgan serve there: start "
            "it, or correct the address.",
        ) from error
    except httpx.TimeoutException as error:
        raise ServiceError(
            0,
            f"{address} gave no answer within {timeout.read or 0:g} seconds. Give the client a "
            "longer timeout, or submit the picture as a job, which outlives its request.",
        ) from error
    except httpx.RequestError as error:
        raise ServiceError(
            0,
            f"The connection to {address} broke before the answer was there ({_reason(error)}). "
            "The service may have ended. Try again; submit takes a key for that, so that no "
            "picture is enlarged twice.",
        ) from error


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _post(path: str, picture: Picture, options: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    texts = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in options.items()
        if value is not None
    }
    headers = {"Content-Type": "application/octet-stream"}
    if key:
        if not (key.isascii() and key.isprintable()):
            raise ValueError(f"A key has printable ASCII characters alone; got {key!r}.")
        headers["Idempotency-Key"] = key
    return {"method": "POST", "url": path, "content": data, "params": texts, "headers": headers}


def _get(path: str, method: str = "GET") -> dict[str, Any]:
    return {"method": method, "url": path}


def _of(id: str) -> str:
    """The path of a job, and of nothing else, whatever the id is."""
    return f"/v1/jobs/{quote(id, safe='')}"


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{answer.status_code} {answer.reason_phrase}"
        if answer.has_redirect_location:
            detail += f": the service is at {answer.headers['Location']}. Use that address."
    wait = answer.headers.get("Retry-After", "")
    raise ServiceError(answer.status_code, detail, float(wait) if wait.isdecimal() else None)


def _strange(answer: httpx.Response) -> ServiceError:
    """What is raised of an answer that the service never gives."""
    kind = answer.headers.get("Content-Type", "something without a type")
    return ServiceError(
        answer.status_code,
        f"{answer.url} does not answer as srgan serve does: got {kind}. Is the address right?",
    )


def _result(answer: httpx.Response) -> Result:
    headers = _checked(answer).headers
    kind = headers.get("Content-Type", "")
    if not kind.startswith("image/"):
        raise _strange(answer)
    model, notes = (headers.get(name, "") for name in _HEADERS)
    return Result(answer.content, kind, model, notes)


def _job(answer: httpx.Response) -> Job:
    try:
        told = _checked(answer).json()
        return Job(**{field.name: told[field.name] for field in fields(Job)})  # newer ones add some
    except (ValueError, KeyError, TypeError) as error:
        raise _strange(answer) from error


def _models(answer: httpx.Response) -> list[dict[str, Any]]:
    try:
        return _checked(answer).json()["models"]
    except (ValueError, KeyError, TypeError) as error:
        raise _strange(answer) from error


class Client:
    """A client that waits.

    Args:
        address: Of the service, as `http://127.0.0.1:8000`.
        token: If it needs one.
        timeout: Seconds for an answer; the service's own limit is 300 for a picture.
        settings: Others of `httpx.Client`.

    Raises:
        ValueError: If the address or the token cannot be one.
    """

    def __init__(
        self, address: str, token: str = "", timeout: float = 330.0, **settings: Any
    ) -> None:
        self._http = httpx.Client(**_settings(address, token, timeout, settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def models(self) -> list[dict[str, Any]]:
        """Returns what each model says of itself, the default one first."""
        return _models(self._ask(_get("/v1/models")))

    def upscale(self, picture: Picture, **options: Unpack[Options]) -> Result:
        """Enlarges a picture, and waits for the result.

        Raises:
            ServiceError: If the service refuses it, or gives no answer.
            OSError: If the picture cannot be read.
        """
        return _result(self._ask(_post("/v1/upscale", picture, options)))

    def error_map(self, picture: Picture, model: str = "") -> Result:
        """Draws the expected error of a GAN model; raises as `upscale`."""
        return _result(self._ask(_post("/v1/error-map", picture, {"model": model})))

    def submit(self, picture: Picture, key: str = "", **options: Unpack[Options]) -> Job:
        """Has a picture accepted as a job; raises as `upscale`.

        Args:
            picture: What is to be enlarged.
            key: Names the request, so that it can be repeated without a second job; ASCII.
            options: As `upscale` takes them.
        """
        return _job(self._ask(_post("/v1/jobs", picture, options, key)))

    def job(self, id: str) -> Job:
        """Returns how far a job is."""
        return _job(self._ask(_get(_of(id))))

    def wait(self, id: str) -> Job:
        """Waits until a job has ended."""
        while not (job := self.job(id)).has_ended:
            time.sleep(_WAIT)
        return job

    def result(self, id: str) -> Result:
        """Returns what came of a job; raises why it failed."""
        return _result(self._ask(_get(f"{_of(id)}/result")))

    def cancel(self, id: str) -> Job:
        """Ends a job, or removes its result."""
        return _job(self._ask(_get(_of(id), "DELETE")))

    def _ask(self, request: dict[str, Any]) -> httpx.Response:
        with _explained(self._http.base_url, self._http.timeout):
            return self._http.request(**request)


class AsyncClient:
    """A client for asyncio, with the methods of `Client`."""

    def __init__(
        self, address: str, token: str = "", timeout: float = 330.0, **settings: Any
    ) -> None:
        self._http = httpx.AsyncClient(**_settings(address, token, timeout, settings))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def models(self) -> list[dict[str, Any]]:
        return _models(await self._ask(_get("/v1/models")))

    async def upscale(self, picture: Picture, **options: Unpack[Options]) -> Result:
        return _result(await self._post("/v1/upscale", picture, options))

    async def error_map(self, picture: Picture, model: str = "") -> Result:
        return _result(await self._post("/v1/error-map", picture, {"model": model}))

    async def submit(self, picture: Picture, key: str = "", **options: Unpack[Options]) -> Job:
        return _job(await self._post("/v1/jobs", picture, options, key))

    async def job(self, id: str) -> Job:
        return _job(await self._ask(_get(_of(id))))

    async def wait(self, id: str) -> Job:
        while not (job := await self.job(id)).has_ended:
            await asyncio.sleep(_WAIT)
        return job

    async def result(self, id: str) -> Result:
        return _result(await self._ask(_get(f"{_of(id)}/result")))

    async def cancel(self, id: str) -> Job:
        return _job(await self._ask(_get(_of(id), "DELETE")))

    async def _post(
        self, path: str, picture: Picture, options: Mapping[str, Any], key: str = ""
    ) -> httpx.Response:
        request = await asyncio.to_thread(_post, path, picture, options, key)  # reads the file
        return await self._ask(request)

    async def _ask(self, request: dict[str, Any]) -> httpx.Response:
        with _explained(self._http.base_url, self._http.timeout):
            return await self._http.request(**request)
