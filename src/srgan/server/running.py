"""Runs a service: connections that end if their clients do nothing, and an end that loses nothing.

Uvicorn speaks HTTP, and knows no time-out for a client that begins a request and does not go on, or
that does not read. All that is added here belongs to connections, and not to requests.
"""

import asyncio
import contextlib
import math
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from srgan.server import logs
from srgan.server.service import Service

_CONNECTIONS = 256  # at once; each may hold a file that is being sent, of often 1024
_READ_AT_ONCE = 2**12  # bytes, so that a request in a million parts is read in many turns
_UNSENT = 2**16  # bytes of an answer that the system keeps, beside those on their way
_SWITCH = 0.0005  # seconds that a thread may keep others from the interpreter; by default ten times
_GRACE = 3.0  # seconds for the last answers to be sent


class _Connection(H11Protocol):
    """A connection that knows since when its client keeps the service waiting."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        transport.max_size = _READ_AT_ONCE  # pyright: ignore[reportAttributeAccessIssue]
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # who reads is else known megabytes later
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT
            )
        self._since = self.loop.time()
        if len(self.connections) > _CONNECTIONS:
            waiting = (other for other in self.connections if isinstance(other, _Connection))
            oldest = min((one for one in waiting if one.waits()), key=lambda one: one._since)
            oldest.transport.abort()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def resume_writing(self) -> None:
        self._since = self.loop.time()  # the client reads, if slowly
        super().resume_writing()

    def waits(self) -> bool:
        """Whether it is the client's turn: to send a request, or to read what came of it.

        How long it may take for the body of a request is known where that is read.
        """
        answered = self.cycle is None or self.cycle.response_complete
        return answered or self.flow.write_paused or self.transport.is_closing()

    def check(self, seconds: float) -> None:
        """Ends the connection if the client has kept the service waiting for so long."""
        now = self.loop.time()
        if not self.waits():
            self._since = now
        elif now - self._since > seconds:
            self.transport.abort()


class Server(uvicorn.Server):
    """A server that ends what waits for nothing, and gives up what takes too long at its end.

    Args:
        app: What `application` returned.
        header_timeout: Seconds that a client may take for the headers of a request, and that it
            may read nothing of an answer.
        drain: Seconds that what was accepted may go on after the server was told to end.
    """

    def __init__(self, app: FastAPI, header_timeout: float, drain: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Connection,
                loop="asyncio",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,  # `observing` tells more
                timeout_graceful_shutdown=math.ceil(drain + _GRACE),
                server_header=False,
                proxy_headers=False,  # the application knows which proxies are trusted
            )
        )
        self._service: Service = app.state.service
        self._header_timeout, self._drain = header_timeout, drain
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins the end; a second signal gives up what is left."""
        if self.should_exit and self._loop:
            self._loop.call_soon_threadsafe(self._service.give_up)
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # once a second
            for connection in list(self.server_state.connections):
                if isinstance(connection, _Connection):
                    connection.check(self._header_timeout)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.end()
        asyncio.get_running_loop().call_later(self._drain, self._service.give_up)
        await super().shutdown(sockets)


def serve(
    app: FastAPI,
    listening: socket.socket,
    header_timeout: float = 10.0,
    drain: float = 25.0,
    log: logs.Format = "text",
) -> None:
    """Serves until Ctrl-C or SIGTERM, and ends the process if work goes on after that.

    Args:
        app: What `application` returned.
        listening: A socket that listens.
        header_timeout: As `Server` takes it.
        drain: Likewise.
        log: How lines of the log are written.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the end is the same
    sys.setswitchinterval(_SWITCH)  # the event loop often needs it, and work in numpy seldom
    with logs.in_background(log), contextlib.suppress(KeyboardInterrupt):  # which is how it ends
        Server(app, header_timeout, drain).run(sockets=[listening])
    if app.state.service.queue.working or logs.is_stuck():
        os._exit(0)  # what a library does, or waits for, cannot be stopped
