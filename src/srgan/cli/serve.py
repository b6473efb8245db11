"""`srgan serve`."""

import socket
import sys
from typing import Annotated

import typer

from srgan.cli.options import Engine, Precision, Tile


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
    max_frames: Annotated[
        int, typer.Option(min=1, max=10_000, help="An animation may have so many frames.")
    ] = 1000,
    timeout: Annotated[
        float, typer.Option(min=0, max=86400, help="A picture may take so many seconds.")
    ] = 300.0,
    concurrency: Annotated[
        int, typer.Option(min=1, help="So many pictures are worked on at once.")
    ] = 2,
    queue_size: Annotated[int, typer.Option(min=0, help="So many pictures may wait.")] = 16,
    tile: Tile = None,
    header_timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=3600,
            help="A client may take so many seconds to send the headers of a request, and read "
            "nothing of an answer for as long.",
        ),
    ] = 10.0,
    body_timeout: Annotated[
        float,
        typer.Option(min=0.1, max=3600, help="A picture may not move for so many seconds."),
    ] = 30.0,
    drain: Annotated[
        float,
        typer.Option(
            min=0,
            max=86400,
            help="What was accepted may go on for so many seconds after Ctrl-C or SIGTERM.",
        ),
    ] = 25.0,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME...",
            help="The service goes by these names, too. [addresses, localhost and --host]",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN...",
            help="Pages of these origins, as https://example.com, may use the service. [its own]",
        ),
    ] = None,
) -> None:
    """Serve the models by HTTP, with a page to try them on.

    POST /v1/upscale takes a picture and returns it enlarged: see docs/guides/serve.md. The first
    model is the default one. There is neither encryption nor a password: for others than yourself,
    put a proxy in front that has them.
    """
    from srgan import server
    from srgan.server import running
    from srgan.util import parallel

    parallel.return_memory()  # pictures of all sizes would leave holes in it for hours
    limits = server.Limits(
        megabytes=max_megabytes,
        megapixels=max_megapixels,
        frames=max_frames,
        seconds=timeout,
        concurrency=concurrency,
        queue_size=queue_size,
        tile=tile,
        body_timeout=body_timeout,
    )
    application = server.application(
        model or (),
        limits,
        engine,
        precision,
        hosts=[host, *(allow_host or ())],
        origins=allow_origin or (),
    )
    place = f"[{host}]" if ":" in host else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]  # the address follows
        raise ValueError(
            f"Cannot listen on {place}:{port}: {reason}. Choose "
            "another --port, or an address of this machine as --host."
        ) from error
    with listening:
        print(f"http://{place}:{listening.getsockname()[1]}", flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        running.serve(application, listening, header_timeout, drain)
