"""The log of a service, written by a thread: nothing waits for whoever reads it, or does not."""

import contextlib
import json
import logging
import logging.config
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Literal

from srgan.server.observing import request_id

Format = Literal["text", "json"]

_LINES = 10_000  # that wait to be written; more are lost
_THREAD = "srgan-log"
_SECONDS = 1.0  # for the last lines
_TOLD = ("client", "method", "path", "code", "seconds", "model")  # of an answer


class _Text(logging.Formatter):
    """A line for people: time, level, what happened, and the id of the request."""

    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        id = getattr(record, "request_id", "")
        return super().formatMessage(record) + (f" id={id}" if id else "")


class _Json(logging.Formatter):
    """A line for machines."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}"
            f".{record.msecs:03.0f}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
        }
        line |= {name: getattr(record, name) for name in _TOLD if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configuration(kind: Format) -> dict[str, Any]:
    """Returns the configuration of `logging`: all of a service's lines on stderr.

    Args:
        kind: Of the lines.
    """
    formatter = _Text if kind == "text" else _Json
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": f"{__name__}.Background", "formatter": "line"}},
        "loggers": {
            name: {"handlers": ["stderr"], "level": "INFO", "propagate": False}
            for name in ("uvicorn", "srgan")
        }
        | {"uvicorn.error": {"level": "INFO"}},
    }


class Background(logging.Handler):
    """Hands lines over to a thread, which writes them to stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._writing = logging.StreamHandler()
        self._waiting: queue.Queue[str | None] = queue.Queue(_LINES)
        self._thread = threading.Thread(target=self._write, name=_THREAD, daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        record.request_id = request_id.get()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(self.format(record))

    def end(self) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_SECONDS)

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            with contextlib.suppress(OSError, ValueError):  # nobody reads any more
                self._writing.stream.write(line + "\n")
                self._writing.flush()


def is_stuck() -> bool:
    """Returns whether lines still wait, though the block of `in_background` has ended."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


@contextlib.contextmanager
def in_background(kind: Format) -> Iterator[None]:
    """Has a service's lines written in the background, until the block ends."""
    logging.config.dictConfig(configuration(kind))
    loggers = [logging.getLogger(name) for name in ("uvicorn", "srgan")]
    try:
        yield
    finally:
        for logger in loggers:
            for handler in [*logger.handlers]:
                if isinstance(handler, Background):
                    handler.end()
                    logger.removeHandler(handler)
