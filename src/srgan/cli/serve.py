"""`srgan serve`."""

import socket
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from srgan.cli.options import Engine, Precision, Tile

_CONNECTIONS = 128  # at once; each may hold a file that is being sent
_SECONDS_TO_END = 10  # for what is being sent when the service ends


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="M...",
            help="The shipped models and ONNX files that are served. [all shipped ones]",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 lets others reach it.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes any that is free.")
    ] = 8000,
    engine: Engine = "onnxruntime",
    precision: Precision = "float32",
    max_megabytes: Annotated[
        float,
        typer.Option(min=0, max=2000, help="A picture that is sent may have so many megabytes."),
    ] = 32.0,
    max_megapixels: Annotated[
        float, typer.Option(min=0, max=1e6, help="A model may make so many megapixels of it.")
    ] = 64.0,
    timeout: Annotated[
        float, typer.Option(min=0, max=86400, help="A picture may take so many seconds.")
    ] = 300.0,
    concurrency: Annotated[
        int, typer.Option(min=1, help="So many pictures are worked on at once.")
    ] = 2,
    queue_size: Annotated[int, typer.Option(min=0, help="So many pictures may wait.")] = 16,
    tile: Tile = None,
) -> None:
    """Serve the models by HTTP, with a page to try them on.

    POST /v1/upscale takes a picture and returns it enlarged: see docs/guides/serve.md. The first
    model is the default one. There is neither encryption nor a password: for others than yourself,
    put a proxy in front that has them.
    """
    import uvicorn
    from uvicorn.config import LOGGING_CONFIG

    from srgan import server

    limits = server.Limits(max_megabytes, max_megapixels, timeout, concurrency, queue_size, tile)
    application = server.application(model or (), limits, engine, precision)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        place = f"[{host}]" if ":" in host else host
        print(f"http://{place}:{listening.getsockname()[1]}", flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        log: dict[str, Any] = LOGGING_CONFIG | {
            "handlers": {
                name: handler | {"stream": "ext://sys.stderr"}
                for name, handler in LOGGING_CONFIG["handlers"].items()
            }
        }
        config = uvicorn.Config(
            application,
            log_config=log,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_SECONDS_TO_END,
            server_header=False,
        )
        with suppress(KeyboardInterrupt):  # which is how it ends
            uvicorn.Server(config).run(sockets=[listening])
