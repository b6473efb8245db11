"""The page to try the models on, pictures for it, and the reference of all paths."""

from functools import cache
from pathlib import Path
from typing import Literal

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, Response

from srgan.io import images
from srgan.numeric import resize
from srgan.server.transfer import SAFE
from srgan.util import resources
from srgan.web import modules

_PAGE = Path(__file__).parents[1] / "web"
_STYLES = (resources.WEB / "palette.css", resources.WEB / "base.css", resources.WEB / "compare.css")
_PHOTOS = {path.stem: path for path in sorted(resources.PHOTOS.glob("*.webp"))}
_SHRUNK = 4  # times
_HEADERS = SAFE | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; worker-src 'self'; manifest-src 'self'",
    "Referrer-Policy": "no-referrer",
}


def add(app: FastAPI) -> None:
    """Adds `/` and `/docs`, what they need, and the examples to a service."""

    def send_file(address: str, file: Path, media_type: str) -> None:
        @app.get(address, include_in_schema=False)
        async def send() -> Response:
            return FileResponse(file, media_type=media_type, headers=_HEADERS)

    send_file(
        "/worker.js", _PAGE / "worker.js", "text/javascript"
    )  # in charge of what lies beside it
    send_file("/manifest.webmanifest", _PAGE / "manifest.webmanifest", "application/manifest+json")
    send_file("/icon.svg", _PAGE / "icon.svg", "image/svg+xml")
    send_file("/", _PAGE / "page.html", "text/html")
    send_file("/docs", _PAGE / "reference.html", "text/html")
    # Each has the path that it has in the package, so that modules find each other.
    for style in (*_STYLES, _PAGE / "page.css", _PAGE / "reference.css"):
        send_file(_address(style), style, "text/css")
    entries = (_PAGE / "page.js", _PAGE / "reference.js")
    for module in dict.fromkeys(one for entry in entries for one in modules.order(entry)):
        send_file(_address(module), module, "text/javascript")

    @cache
    def shrunk(name: str) -> bytes:
        return images.encode_webp(resize.downscale(images.read_uint8(_PHOTOS[name]), _SHRUNK))

    @app.get("/examples", include_in_schema=False)
    async def list_examples() -> list[str]:
        return list(_PHOTOS)

    @app.get("/examples/{name}/{version}", include_in_schema=False)
    def example(name: str, version: Literal["lr", "hr"]) -> Response:
        if name not in _PHOTOS:
            raise HTTPException(404, f"There is no example {name!r}.")
        if version == "hr":
            return FileResponse(_PHOTOS[name], media_type="image/webp", headers=SAFE)
        return Response(shrunk(name), media_type="image/webp", headers=SAFE)


def _address(file: Path) -> str:
    return "/" + file.resolve().relative_to(resources.WEB.parent.resolve()).as_posix()
