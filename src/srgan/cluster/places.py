"""Files and folders on any file system: local ones, S3, and what pyarrow and fsspec know."""

import errno
import io
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple
from urllib.parse import quote

import pyarrow as pa
from pyarrow import ArrowException, fs

from srgan.cluster.local import LocalFiles, as_path, as_text, is_gone
from srgan.cluster.patience import Reader, Refused, patiently
from srgan.util.files import naming

_CREDENTIALS = {  # by scheme: what has to be set
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS",
    "abfs": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "abfss": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_REFUSED = (
    r"ACCESS_DENIED|FORBIDDEN|status (401|403)|credential|AccessDenied|INVALID_ACCESS_KEY|"
    "OAuth2 access token"
)
_MISSING = r"NO_SUCH_KEY|NoSuchKey|RESOURCE_NOT_FOUND"
_PATIENCE = {"gs": "?retry_limit_seconds=30"}  # else a quarter of an hour, without credentials
_LOCAL = LocalFiles()
_STORES = ("s3", "gcs", "abfs")  # a file appears there in one step, when all of it was sent
_WEB = ("http", "https")  # where each address has a server of its own
_TWO_SLASHES = "cannot be read: its name has two slashes in a row. Copy it to another name."
_PIECE = 2**22  # bytes that are copied at a time


class Place(NamedTuple):
    """A file or folder.

    Attributes:
        uri: As people write it; local ones are absolute paths, as `local.as_text` has them.
        files: The file system.
        path: There.
    """

    uri: str
    files: fs.FileSystem | LocalFiles
    path: str

    @property
    def local(self) -> Path | None:
        """The path, if it is on this machine's file system."""
        return Path(as_path(self.path)) if isinstance(self.files, LocalFiles) else None

    def __truediv__(self, name: str) -> "Place":
        return Place(f"{self.uri.rstrip('/')}/{name}", self.files, f"{self.path}/{name}")

    def info(self) -> fs.FileInfo:
        """What is there, if anything.

        Raises:
            OSError: If that cannot be found out: the credentials are missing, say.
        """
        return self._explained(lambda: self.files.get_file_info(self.path))

    def is_file(self) -> bool:
        return self.info().type == fs.FileType.File

    def children(self) -> list[fs.FileInfo]:
        """What lies in a folder, sorted; nothing if there is none."""
        files = self.files
        if isinstance(files, LocalFiles):
            return list(self._listed(files))
        selector = fs.FileSelector(self.path, allow_not_found=True)
        found = patiently(lambda: self._explained(lambda: files.get_file_info(selector)))
        return sorted(found, key=lambda info: info.path)

    def walk(
        self, unreadable: Callable[["Place", OSError], object] | None = None
    ) -> Iterator[tuple[str, fs.FileInfo]]:
        """Yields all files below, without hidden ones, sorted, each with its path from here.

        Of a folder of this machine, only the names are in memory; of others, all that is known.

        Args:
            unreadable: Called with a folder inside that may not be read, or a link that leads
                nowhere, which is then left out, and the reason; by default, that of a folder is
                raised, and nothing said of a link.
        """
        files = self.files
        for info in self._listed(files) if isinstance(files, LocalFiles) else self.children():
            if info.base_name.startswith("."):
                continue
            if info.path == self.path and files.type_name == "s3":
                if unreadable:
                    unreadable(self / "/*", OSError(f"{self.uri}//* {_TWO_SLASHES}"))
            elif info.type == fs.FileType.Directory:
                inner = self / info.base_name
                if isinstance(files, LocalFiles) and files.leads_back(inner.path):
                    continue
                try:
                    for path, found in inner.walk(unreadable):
                        yield f"{info.base_name}/{path}", found
                except PermissionError as error:
                    if not unreadable:
                        raise
                    unreadable(inner, error)
            elif info.type == fs.FileType.File:
                yield info.base_name, info
            elif unreadable and isinstance(files, LocalFiles) and (reason := files.why_not(info)):
                unreadable(self / info.base_name, reason)

    def _listed(self, files: LocalFiles) -> Iterator[fs.FileInfo]:
        try:
            names = self._explained(lambda: files.names(self.path))
        except FileNotFoundError:
            return
        yield from ((self / name).info() for name in names)

    def lines(self) -> Iterator[str]:
        """Yields the lines of a text, of which one is in memory at a time, as paths are read."""
        with self.open() as stream:
            # Some editors begin a text with a mark; and names may be any bytes.
            buffered = io.BufferedReader(stream, _PIECE) if isinstance(stream, Reader) else stream
            for line in io.TextIOWrapper(buffered, "utf-8-sig", "surrogateescape"):
                yield line.rstrip("\n")

    def open(self) -> pa.NativeFile | Reader:
        """Opens a file to be read; what a store refuses for a moment is tried again.

        Raises:
            Refused: If that goes on, also of what is read later.
        """
        if isinstance(self.files, LocalFiles):
            return self._explained(lambda: self.files.open_input_file(self.path))
        return Reader(lambda: self.files.open_input_file(self.path), self._explained)

    def read(self) -> bytes:
        """Returns what is in a file."""
        return self._explained(lambda: self.files.open_input_file(self.path).read())

    def write(self, data: bytes) -> None:
        """Writes a small file, whole or not at all."""
        self._explained(lambda: self._put(lambda stream: stream.write(data)))

    def send(self, file: Path) -> None:
        """Makes this a copy of a local file, whole or not at all."""

        def copy(stream: pa.NativeFile) -> None:
            with file.open("rb") as source:
                while piece := source.read(_PIECE):
                    stream.write(piece)

        self._explained(lambda: self._put(copy))

    def fetch(self, file: Path, offset: int = 0, size: int | None = None) -> None:
        """Copies this, or a part of it, into a local file."""
        with naming(file), file.open("wb") as target:
            for piece in self._pieces(offset, size):
                target.write(piece)

    def _pieces(self, offset: int, size: int | None) -> Iterator[bytes]:
        with self.open() as source:
            source.seek(offset)
            left = size
            while piece := source.read(_PIECE if left is None else min(left, _PIECE)):
                left = left and left - len(piece)
                yield piece

    def remove(self) -> None:
        """Removes a file, if it is there."""
        if self.is_file():
            self._explained(lambda: self.files.delete_file(self.path))

    def remove_folder(self) -> None:
        """Removes a folder with all that is in it, if it is there."""
        if self.info().type == fs.FileType.Directory:
            self._explained(lambda: self.files.delete_dir(self.path))

    def _put(self, write) -> None:
        """Has a file appear in one step."""
        parent = self.path.rpartition("/")[0]
        if self.files.type_name in _STORES:
            stream = self.files.open_output_stream(self.path)
            try:
                write(stream)
            except BaseException:  # closing makes an object of what was sent so far
                with suppress(OSError):
                    stream.close()
                    self.files.delete_file(self.path)
                raise
            stream.close()
            return
        self.files.create_dir(parent, recursive=True)
        unfinished = f"{parent}/.{os.urandom(8).hex()}.partial"  # as `util.files` calls them
        try:
            with self.files.open_output_stream(unfinished) as stream:
                write(stream)
            self.files.move(unfinished, self.path)
        except BaseException:
            if self.files.get_file_info(unfinished).type == fs.FileType.File:
                self.files.delete_file(unfinished)
            raise

    def _explained(self, work):
        """Does something, and names the place and what to do about it where that fails."""
        try:
            return work()
        except (OSError, ArrowException) as error:
            raise explain(self.uri, error) from error
        except Exception as error:  # packages of fsspec have errors of their own
            if isinstance(self.files, LocalFiles):
                raise
            raise explain(self.uri, error) from error


def explain(uri: str, error: Exception) -> OSError:
    """Returns an error of a file system in words for people.

    It is `Refused` if others than this file would be refused, too.
    """
    if isinstance(error, Refused):
        return error
    (scheme, separator, _), text = uri.partition("://"), str(error) or type(error).__name__
    if re.search(r"NO_SUCH_BUCKET|Bucket .* not found", text):
        bucket = "/".join(uri.split("/")[:3])
        return FileNotFoundError(f"There is no bucket {bucket}. Create it, or check the name.")
    if scheme in _CREDENTIALS and re.search(_REFUSED, text):
        return Refused(
            f"{uri} is refused. Set {_CREDENTIALS[scheme]}, here and on all workers, to what may "
            f"read and write there. The service says: {shorten(text, 300)}"
        )
    if separator and re.search(_MISSING, text):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
    is_missing = isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError))
    if separator and scheme not in _WEB and not is_missing and not isinstance(error, ValueError):
        return Refused(f"{uri}: {shorten(text, 300)}")
    if isinstance(error, OSError) and error.errno:
        if is_gone(error):
            return Refused(f"{uri}: {error.strerror}")
        said = os.strerror(error.errno) if separator else error.strerror  # pyarrow says more
        return type(error)(error.errno, said or text, uri)
    if text == uri and scheme in _WEB:  # all that fsspec says
        return OSError(f"{uri} is not there, or its server does not answer.")
    return OSError(f"{uri}: {text}")


def place(uri: str) -> Place:
    """Returns the place of a path, or of an address as s3://bucket/folder.

    Args:
        uri: The address; or the path, as `local.as_text` has it.

    Raises:
        ValueError: If nothing knows such addresses.
        OSError: If there is no such bucket, or it may not be asked.
    """
    if "://" in uri:
        if not uri.partition("://")[2].strip("/"):
            scheme = uri.partition("://")[0]
            raise ValueError(f"{uri} names no place; expected one as {scheme}://bucket/folder.")
        return _remote(uri.rstrip("/"))
    path = os.path.abspath(uri)
    return Place(path, _LOCAL, path)


@lru_cache(1000)
def _remote(uri: str) -> Place:
    scheme, _, rest = uri.partition("://")
    try:
        address = f"{scheme}://{quote(rest.rstrip('/'))}{_PATIENCE.get(scheme, '')}"
        files, path = fs.FileSystem.from_uri(address)
    except (OSError, ArrowException) as error:
        if not isinstance(error, ValueError):
            raise explain(uri, error) from error
        files, path = _by_fsspec(uri)
    if isinstance(files, fs.LocalFileSystem):
        return Place(path, _LOCAL, path)
    return Place(uri, files, path.rstrip("/"))


def _by_fsspec(uri: str) -> tuple[fs.FileSystem, str]:
    import fsspec.core

    try:
        found, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise ValueError(f"{uri} is no place that is known here: {error}") from error
    return fs.PyFileSystem(fs.FSSpecHandler(found)), path


def as_uri(given: str) -> str:
    """Returns the text of an address or a path that somebody names, as Python has it from them."""
    scheme, separator, _ = given.partition("://")
    if separator and scheme != "file" and not re.search("[\udc80-\udcff]", given):
        return given  # stores have texts for names
    return as_text(given)


def here() -> str:
    """The name of this machine and the number of this process, for people."""
    return f"{socket.gethostname()}:{os.getpid()}"
