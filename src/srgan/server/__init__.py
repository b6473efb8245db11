"""The models behind HTTP: a REST interface, and a page to try them on.

A picture is the body of a request, and its result that of the answer. What a request may cost is
bounded: bytes, pixels, frames and seconds, and so is how many wait.

`application` is what other programs import. `requests` says what may be asked, `guard` from where,
and `access` by whom; `transfer` moves pictures, `queue` decides what is worked on, `work` does it,
and `catalogue` knows the models by name. `jobs` are what outlives its request, and `store` what is
known of them on the disk. `routes` are the paths; `observing` tells of each answer, and `running`
looks after connections. Nothing that may wait runs in the event loop. Knows nothing of Keras and of
the command line.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from srgan.models import engines
from srgan.server.access import Access, protects
from srgan.server.catalogue import Catalogue
from srgan.server.errors import add_errors, documented
from srgan.server.guard import Guard, origin_of
from srgan.server.observing import Observer
from srgan.server.requests import DEFAULT_LIMITS, Limits
from srgan.server.routes import facts, jobs, page, pictures, predict
from srgan.server.service import Service
from srgan.server.transfer import TOLD
from srgan.util import versions


def application(
    served: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    engine: engines.Kind = "onnxruntime",
    precision: engines.Precision = "float32",
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    state: Path | None = None,
    tokens: Mapping[str, str] | None = None,
    rate: float | None = None,
    proxies: Sequence[str] = (),
) -> FastAPI:
    """Returns the service, for any ASGI server.

    Args:
        served: Names of shipped models, and paths of ONNX files, the default one first; without
            any, all shipped ones. Requests choose among them by name.
        limits: What requests may cost.
        engine: What runs the models.
        precision: Of the arithmetic.
        hosts: Names that requests may be sent to, besides addresses in digits and localhost; see
            `guard.Guard`.
        origins: Of pages elsewhere that may use the service; likewise.
        state: The folder where jobs survive the end of the service; None if they need not.
        tokens: Hashes of tokens by their names, of which requests need one; see `access.Access`.
        rate: Requests that work on pictures, a minute and client; likewise.
        proxies: Addresses and networks of proxies, or `*` for all; what they say in
            X-Forwarded-For is the client's address.

    Raises:
        OSError: If a model is missing.
        ValueError: If a file is no model, or two have one name; if an origin or a proxy
            is none; or if the jobs in `state` cannot be kept or read, or another service has them.
    """
    for proxy in proxies:
        _check_proxy(proxy)
    origins = [origin_of(origin) for origin in origins]
    service = Service(Catalogue(served, engine, precision), limits, state)
    app = FastAPI(
        title="srgan",
        summary="Turns small pictures into large, sharp ones.",
        version=versions.of("srgan"),
        docs_url=None,  # pages that load programs from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # which would go to whatever host the request names
        lifespan=service.life,
        responses=documented(403, 500),
    )
    app.state.service = service
    add_errors(app, service.without_folders)
    page.add(app)
    for group in (facts, pictures, jobs, predict):
        group.add(app, service)
    app.add_middleware(Access, tokens=tokens or {}, rate=rate)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[*TOLD, "Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Guard, hosts=hosts, origins=origins)
    app.add_middleware(Observer, metrics=service.metrics)
    if proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*proxies])
    _describe(app, service.catalogue, needs_token=bool(tokens))
    return app


def _check_proxy(proxy: str) -> None:
    if proxy != "*":
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ValueError(
                f"Expected the address of a proxy, as 10.0.0.7, or its network, as 10.0.0.0/8; got "
                f"{proxy!r}."
            ) from error


def _describe(app: FastAPI, catalogue: Catalogue, needs_token: bool) -> None:
    """Makes the OpenAPI description, which is kept; it takes too long for the event loop.

    It is that of this service: its models can be chosen, and its examples run.
    """
    described = app.openapi()
    first = next(iter(catalogue.described))
    for path, methods in described["paths"].items():
        for operation in methods.values():
            about = operation["description"]
            operation["description"] = about.replace("/v1/models/MODEL", f"/v1/models/{first}")
            if not protects(path):
                operation["security"] = []
            for parameter in operation.get("parameters", ()):
                if (parameter["in"], parameter["name"]) == ("path", "name"):
                    parameter["schema"]["enum"] = [*catalogue.described]
        names = [
            name
            for name, model in catalogue.described.items()
            if path in ("/v1/upscale", "/v1/jobs") or model["error_map"]
        ]
        for parameter in methods.get("post", {}).get("parameters", ()):
            if parameter["name"] == "model":
                parameter["schema"]["enum"] = ["", *names]
    described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{"token": []}] if needs_token else [{}, {"token": []}]
