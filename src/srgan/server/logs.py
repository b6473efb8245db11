"""The log of a service, written by a thread: nothing waits for whoever reads it, or does not."""

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

from uvicorn.config import LOGGING_CONFIG

CONFIG: dict[str, Any] = LOGGING_CONFIG | {
    "handlers": {
        name: handler | {"stream": "ext://sys.stderr"}
        for name, handler in LOGGING_CONFIG["handlers"].items()
    }
}
"""That of uvicorn, all of it on stderr."""

_LINES = 10_000  # that wait to be written; more are lost
_THREAD = "srgan-log"
_SECONDS = 1.0  # for the last lines


class _Background(logging.Handler):
    """Hands lines over to a thread, which gives them to another handler."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(_LINES)
        self._thread = threading.Thread(target=self._write, name=_THREAD, daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(record)

    def end(self) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_SECONDS)

    def _write(self) -> None:
        while record := self._waiting.get():
            self._handler.handle(record)


def is_stuck() -> bool:
    """Returns whether lines still wait, though the block of `in_background` has ended."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


@contextlib.contextmanager
def in_background() -> Iterator[None]:
    """Lets what uvicorn has configured write in the background, until the block ends."""
    changed = []
    for name in CONFIG["loggers"]:
        logger = logging.getLogger(name)
        changed.append((logger, logger.handlers))
        logger.handlers = [_Background(handler) for handler in logger.handlers]
    try:
        yield
    finally:
        for logger, handlers in changed:
            for handler in logger.handlers:
                if isinstance(handler, _Background):
                    handler.end()
            logger.handlers = handlers
