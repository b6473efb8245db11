"""Stores that refuse to be read: for a moment, which is waited for, or for good."""

import io
import time
from collections.abc import Callable
from typing import Any, TypeVar

from srgan.cluster.room import is_full

TRIES = 3
_MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # where trying does not help

_Result = TypeVar("_Result")


class Refused(OSError):
    """A store does not do what it is asked, whatever the picture: no network, no access, or later.

    That a file is missing or damaged is another error.
    """


def patiently(work: Callable[[], _Result]) -> _Result:
    """Tries again what a store may refuse for a moment."""
    for left in reversed(range(TRIES)):
        try:
            return work()
        except OSError as error:
            if not left or isinstance(error, _MISSING) or is_full(error):
                raise
            time.sleep(TRIES - left)
    raise AssertionError  # the last try has returned or raised


class Reader(io.RawIOBase):
    """A file of a store, opened again where reading fails, as often as `patiently` does.

    Args:
        opened: Opens the file, as pyarrow has them.
        explained: Does something with the file, and says in words what is wrong.
    """

    def __init__(
        self, opened: Callable[[], Any], explained: Callable[[Callable[[], Any]], Any]
    ) -> None:
        super().__init__()
        self._open, self._explained = opened, explained
        self._file: Any = None
        self._at = 0
        self._size: int = self._tried(lambda file: file.size())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        count = len(buffer)

        def read(file: Any) -> bytes:
            file.seek(self._at)
            return file.read(count)

        data = self._tried(read) if self._at < self._size else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        file, self._file = self._file, None
        if file and not self.closed:
            file.close()
        super().close()

    def _tried(self, work: Callable[[Any], _Result]) -> _Result:
        def once() -> _Result:
            try:
                if self._file is None:
                    self._file = self._open()
                return work(self._file)
            except BaseException:
                self._file = None
                raise

        return patiently(lambda: self._explained(once))
