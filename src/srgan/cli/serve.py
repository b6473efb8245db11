"""`srgan serve` and `srgan token`."""

import difflib
import ipaddress
import os
import socket
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import typer

from srgan.cli import messages
from srgan.cli.options import Engine, Precision, Tile

SETTINGS = {"auto_envvar_prefix": "SRGAN_SERVE"}
"""What makes each option of `srgan serve` a variable of the environment, too."""


def _take_config(context: typer.Context, file: Path | None) -> Path | None:
    """Has the options that are not given, nor in the environment, come from a file."""
    if not file:
        return None
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise typer.BadParameter(f"{file} is not a TOML file: {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}.") from error
    known = {option.name or "": option for option in context.command.params}
    del known["config"]
    values = {name.replace("-", "_"): value for name, value in given.items()}
    if unknown := values.keys() - known.keys():
        told, options = (", ".join(sorted(names)).replace("_", "-") for names in (unknown, known))
        raise typer.BadParameter(
            f"{file} has {told}, which srgan serve does not know; expected some of {options}."
        )
    for name, value in values.items():
        option = known[name]
        if getattr(option, "multiple", False) and isinstance(value, str):
            values[name] = value = [value]
        try:
            option.process_value(context, value)
        except typer.BadParameter as error:
            raise typer.BadParameter(f"{file} has {name} = {value!r}: {error.message}") from error
    context.default_map = {**(context.default_map or {}), **values}
    return file


def _warn_of_variables(context: typer.Context) -> None:
    """Says which variables of the environment look like options and are none."""
    prefix = f"{SETTINGS['auto_envvar_prefix']}_"
    known = {f"{prefix}{(option.name or '').upper()}" for option in context.command.params}
    for name in sorted(os.environ.keys() - known):
        if name.startswith(prefix):
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Is {near[0]} meant?" if near else ""
            print(f"{name} has no effect: srgan serve has no such option.{meant}", file=sys.stderr)


def _tell_origins(context: typer.Context) -> None:
    """Says which options come from elsewhere than the command line, and from where."""
    names = [option.name or "" for option in context.command.params]
    sources = {name: context.get_parameter_source(name) for name in names}
    variables, lines = (
        [name for name, source in sources.items() if source and source.name == kind]
        for kind in ("ENVIRONMENT", "DEFAULT_MAP")
    )
    prefix = f"{SETTINGS['auto_envvar_prefix']}_"
    origins = {
        "the environment": [prefix + name.upper() for name in variables],
        str(context.params["config"]): [name.replace("_", "-") for name in lines],
    }
    told = [f"from {one}: {', '.join(found)}" for one, found in origins.items() if found]
    if told:
        messages.notice("; ".join(told) + ".")


def serve(
    context: typer.Context,
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
    ] = 3,
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
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder in which jobs survive the end of the service, however it comes.",
        ),
    ] = None,
    max_jobs: Annotated[int, typer.Option(min=0, help="So many jobs may wait.")] = 1000,
    quota: Annotated[
        float,
        typer.Option(
            min=0, max=1e6, help="Jobs may take so many gigabytes; the oldest results make room."
        ),
    ] = 10.0,
    keep: Annotated[
        float,
        typer.Option(min=0, max=3660, help="Results of jobs are kept for so many hours."),
    ] = 24.0,
    tokens: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Requests need a token of this file: see srgan token --help."
        ),
    ] = None,
    allow_anonymous: Annotated[
        bool, typer.Option("--allow-anonymous", help="Others than this machine need no token.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=1e6, help="So many pictures a minute may come with a token. [any number]"
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS...",
            help="Proxies, or networks of them, which tell whom they ask for (X-Forwarded-For).",
        ),
    ] = None,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="How lines of the log are written, on stderr.")
    ] = "text",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=_take_config,
            is_eager=True,
            help="A TOML file with any of these options.",
        ),
    ] = None,
) -> None:
    """Serve the models by HTTP, with a page to try them on.

    POST /v1/upscale takes a picture and returns it enlarged: see docs/guides/serve.md. The first
    model is the default one. An option counts before its variable of the environment, as
    SRGAN_SERVE_PORT, and that before --config. There is no encryption: for others than yourself,
    put a proxy in front that has it.
    """
    from srgan import server
    from srgan.server import access, running
    from srgan.util import parallel

    _warn_of_variables(context)
    _tell_origins(context)
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
        jobs=max_jobs,
        quota=quota,
        keep=3600 * keep,
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
        address = ipaddress.ip_address(listening.getsockname()[0])
        if not (address.is_loopback or tokens or allow_anonymous):
            raise ValueError(
                f"{place} lets others than this machine use the service, without a token. Make one "
                "by srgan token NAME --tokens FILE, and add --tokens FILE; or --allow-anonymous, "
                "if something in front knows who may."
            )
        application = server.application(
            model or (),
            limits,
            engine,
            precision,
            hosts=[host, *(allow_host or ())],
            origins=allow_origin or (),
            state=state,
            tokens=access.read_tokens(tokens) if tokens else None,
            rate=rate,
            proxies=trusted_proxy or (),
        )
        print(f"http://{place}:{listening.getsockname()[1]}", flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        running.serve(application, listening, header_timeout, drain, log_format)


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom it is for.")],
    tokens: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The file that keeps its hash, for srgan serve."),
    ],
) -> None:
    """Make a token, with which requests may use a service.

    It is printed once, and kept nowhere: the file has its hash alone. Who should lose access loses
    the line; srgan serve reads the file when it starts.
    """
    from srgan.server import access

    if not access.NAME.fullmatch(name):
        raise ValueError(f"Expected up to 64 letters, digits, -, _ and . as a name; got {name!r}.")
    known = access.read_tokens(tokens) if tokens.exists() else {}
    if name in known:
        raise ValueError(
            f"{tokens} has a token for {name} already. Remove its line, or choose another name."
        )
    secret, hashed = access.new_token()
    with open(os.open(tokens, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(f"{name} {hashed}\n")
    print(secret)
