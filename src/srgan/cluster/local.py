r"""Files of this machine, whose names may be any bytes, under paths that are texts.

Tables, JSON and pyarrow know UTF-8 alone. So bytes that are none are written as `\xe9`, and so is
the backslash of a name that has such a text itself: each path has one text, and none shares it.
"""

import errno
import os
import re
import shutil
import stat

import pyarrow as pa
from pyarrow import fs

_GONE = {  # of a file system that other machines, or processes, serve; Windows lacks some
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
        *("ENOTCONN", "EREMOTEIO", "ESTALE", "ETIMEDOUT"),
    )
    if hasattr(errno, name)
}
_ESCAPED = re.compile(r"\\x(5c|[89a-f][0-9a-f])")


def as_text(path: str) -> str:
    r"""Returns the text of a path that Python has from the system: `caf\xe9` for bytes of Latin-1.

    Raises:
        ValueError: If it holds a character of no bytes, as halves of pairs of UTF-16 are.
    """
    if os.name != "nt":  # where a backslash parts folders
        path = _ESCAPED.sub(r"\\x5cx\1", path)
    return re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", path)


def as_path(text: str) -> str:
    """Returns the path that has a text, as Python and the system take it."""
    return text if os.name == "nt" else _ESCAPED.sub(_unescape, text)


def _unescape(found: re.Match[str]) -> str:
    return "\\" if found[1] == "5c" else chr(0xDC00 + int(found[1], 16))


def is_gone(error: BaseException) -> bool:
    """Whether what serves a file system does not answer, whichever file is asked for."""
    return isinstance(error, OSError) and error.errno in _GONE


class LocalFiles:
    """What a batch needs of a file system, under pyarrow's names."""

    type_name = "local"

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted."""
        return sorted(map(as_text, os.listdir(as_path(folder))))

    def leads_back(self, folder: str) -> bool:
        """Whether a folder is a link to one that holds it."""
        path = as_path(folder)
        if not os.path.islink(path):
            return False
        inside, holder = os.path.realpath(os.path.dirname(path)), os.path.realpath(path)
        return os.path.commonpath([inside, holder]) == holder

    def get_file_info(self, path: str) -> fs.FileInfo:
        """What is there, if anything; a link to nothing, or to itself, is nothing."""
        try:
            found = os.stat(as_path(path))
        except OSError as error:
            if isinstance(error, PermissionError) or is_gone(error):
                raise
            return fs.FileInfo(path, fs.FileType.NotFound)
        if stat.S_ISDIR(found.st_mode):
            return fs.FileInfo(path, fs.FileType.Directory, mtime_ns=found.st_mtime_ns)
        kind = fs.FileType.File if stat.S_ISREG(found.st_mode) else fs.FileType.Unknown
        return fs.FileInfo(path, kind, mtime_ns=found.st_mtime_ns, size=found.st_size)

    def why_not(self, info: fs.FileInfo) -> OSError | None:
        """Says of something in a folder that is no file why not, if it is a link to nothing."""
        path = as_path(info.path)
        if info.type != fs.FileType.NotFound or not os.path.islink(path):
            return None
        return FileNotFoundError(
            f"{info.path} is a link to {os.readlink(path)}, which is not there."
        )

    def create_dir(self, path: str, recursive: bool = True) -> None:
        os.makedirs(as_path(path), exist_ok=True)

    def delete_dir(self, path: str) -> None:
        shutil.rmtree(as_path(path))

    def delete_file(self, path: str) -> None:
        os.unlink(as_path(path))

    def move(self, source: str, target: str) -> None:
        os.replace(as_path(source), as_path(target))

    def open_input_file(self, path: str) -> pa.NativeFile:
        return pa.OSFile(_encoded(path), "rb")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def open_output_stream(self, path: str) -> pa.NativeFile:
        return pa.OSFile(_encoded(path), "wb")


def _encoded(text: str) -> str | bytes:
    """A path as Arrow opens it."""
    return text if os.name == "nt" else os.fsencode(as_path(text))
