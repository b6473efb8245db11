"""How pictures come and go, and how long a client may take."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import HTTPException, Request
from fastapi.responses import FileResponse
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope, Send

from srgan.server.queue import Busy
from srgan.upscaling.options import SUFFIXES

SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Headers of all that is not text for a program."""

TOLD: dict[str, Any] = {
    "Srgan-Model": {"schema": {"type": "string"}, "description": "The model that made it."},
    "Srgan-Notes": {
        "schema": {"type": "string"},
        "description": "Why that model was taken, and what of the picture the result lacks.",
    },
    "Srgan-Size": {
        "schema": {"type": "string"},
        "description": "Of a preview: width and height of the picture, as 4000x3000.",
    },
}
"""Headers that tell of a result, as OpenAPI describes them."""

_SLOWEST = 50_000  # bytes a second, on average, after the seconds for which a client may be silent
_YOUNG = 1.0  # seconds, in which nobody knows how fast a picture will come


class _Upload:
    """A picture on its way here."""

    def __init__(self) -> None:
        self.began = asyncio.get_running_loop().time()
        self.timeout = asyncio.timeout(None)
        self.size = 0
        self.reason = ""  # why it was given up

    def rate(self, now: float) -> float:
        """Bytes a second."""
        return self.size / max(now - self.began, 1e-9)

    def give_up(self, reason: str) -> None:
        if not self.timeout.expired():
            self.reason = reason
            self.timeout.reschedule(self.began)

    def extend(self, seconds: float) -> None:
        """Allows for as many seconds of silence, and for the slowest rate."""
        if not self.reason and not self.timeout.expired():
            now = asyncio.get_running_loop().time()
            slowest = self.began + seconds + self.size / _SLOWEST
            self.timeout.reschedule(min(now + seconds, slowest))


class Uploads:
    """Pictures on their way here. If there are too many, the slowest makes room for the next.

    Args:
        most: How many there may be at once.
        megabytes: Of each.
        seconds: For which a client may send nothing.
    """

    def __init__(self, most: int, megabytes: float, seconds: float) -> None:
        self._most, self._megabytes, self._seconds = most, megabytes, seconds
        self._coming: set[_Upload] = set()
        self._ending = ""

    async def read(self, request: Request) -> bytes:
        """Returns a request's body.

        Raises:
            HTTPException: If it is too large, or comes too slowly.
            Busy: If too many began to come just now, or the service ends.
        """
        length = request.headers.get("Content-Length", "0")
        self._check_size(int(length) if length.isdecimal() else 0)
        parts = []
        with self._one() as upload:
            try:
                async with upload.timeout:
                    upload.extend(self._seconds)
                    async for part in request.stream():
                        parts.append(part)
                        upload.size += len(part)
                        upload.extend(self._seconds)
                        self._check_size(upload.size)
            except TimeoutError as error:
                if self._ending:
                    raise Busy(self._ending) from error
                reason = upload.reason or "The picture came too slowly."
                raise HTTPException(408, reason, {"Connection": "close"}) from error
        return b"".join(parts)

    def give_up(self, reason: str) -> None:
        """Ends all that are on their way."""
        self._ending = reason
        for upload in self._coming:
            upload.give_up(reason)

    def _check_size(self, size: int) -> None:
        if size > 1e6 * self._megabytes:
            raise HTTPException(
                413,
                f"The picture has more than the {self._megabytes:g} megabytes that it may have "
                "here.",
            )

    @contextlib.contextmanager
    def _one(self) -> Iterator[_Upload]:
        if len(self._coming) >= self._most:
            self._make_room()
        upload = _Upload()
        self._coming.add(upload)
        try:
            yield upload
        finally:
            self._coming.discard(upload)

    def _make_room(self) -> None:
        now = asyncio.get_running_loop().time()
        known = [upload for upload in self._coming if now - upload.began > _YOUNG]
        if not known:
            raise Busy(f"{len(self._coming)} pictures are on their way already; try again later.")
        slowest = min(known, key=lambda upload: upload.rate(now))
        self._coming.discard(slowest)
        slowest.give_up("The picture came too slowly, and others had to wait for it.")


class _Parser(MultiPartParser):
    spool_max_size = 2**40  # bytes: what is here already stays in memory


def read_form(content_type: str, body: bytes) -> tuple[bytes, dict[str, str]]:
    """Returns the picture in a form, and its other fields. Takes a while if the form is large.

    Args:
        content_type: The header that tells how its parts are told apart.
        body: What was sent.

    Raises:
        ValueError: If it is no such form, or has no picture.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    async def parse() -> tuple[bytes, dict[str, str]]:
        headers = Headers({"Content-Type": content_type})
        parser = _Parser(headers, stream(), max_files=1, max_fields=32, max_part_size=2**12)
        form = await parser.parse()
        try:
            pictures = [value for value in form.values() if isinstance(value, UploadFile)]
            if not pictures:
                raise ValueError("The form has no file: curl -F picture=@photo.jpg")
            texts = {name: value for name, value in form.items() if isinstance(value, str)}
            return await pictures[0].read(), texts
        finally:
            await form.close()

    try:
        return asyncio.run(parse())
    except (MultiPartException, KeyError) as error:
        reason = getattr(error, "message", "it does not say how its parts are told apart")
        raise ValueError(
            f"This is not a form with one picture: {reason.rstrip('.')}. Send "
            "curl -F picture=@photo.jpg"
        ) from error


async def wait_for_disconnect(request: Request) -> None:
    """Ends when the connection does."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Result(NamedTuple):
    """A file to be sent.

    Attributes:
        path: Of the file.
        size: In bytes.
        headers: That tell of it.
    """

    path: Path
    size: int
    headers: dict[str, str]


def said(model: str, notes: Sequence[str]) -> dict[str, str]:
    """Returns the headers that tell what was done: the model, why, and what the result lacks.

    Args:
        model: Its name.
        notes: Sentences; what ISO 8859-1 does not have becomes a question mark.
    """
    headers = {"Srgan-Model": model}
    if notes:
        headers["Srgan-Notes"] = "; ".join(" ".join(note.split()) for note in notes)
    return {
        name: text.encode("latin-1", "replace").decode("latin-1") for name, text in headers.items()
    }


class ResultResponse(FileResponse):
    """A result, whole whatever part of it is asked for.

    Args:
        result: What is sent.
        seconds: For which a client may read nothing.
        is_last: Whether its folder is removed once it was sent, or could not be.
    """

    chunk_size = 2**18  # bytes, for each of which another thread has its turn

    def __init__(self, result: Result, seconds: float, is_last: bool) -> None:
        super().__init__(
            result.path,
            headers=SAFE | result.headers,
            media_type=media_type(result.path),
            filename=result.path.name,
            content_disposition_type="inline",
        )
        self._folder = result.path.parent if is_last else None
        self._seconds = seconds + result.size / _SLOWEST

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # There is nothing to continue: the next request would make another file.
        headers = [header for header in scope["headers"] if header[0] != b"range"]
        try:
            with contextlib.suppress(TimeoutError):  # nobody reads any more
                async with asyncio.timeout(self._seconds):
                    await super().__call__({**scope, "headers": headers}, receive, send)
        finally:
            if self._folder:
                await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def media_type(path: Path) -> str:
    """Returns the media type of a result."""
    return next(f"image/{kind}" for kind, suffix in SUFFIXES.items() if suffix == path.suffix)
