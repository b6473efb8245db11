"""What is said of errors."""

import errno
import re
import sys
from collections.abc import Iterable

_SERVICE = ("The service", "serve")
_TRAINING = ("Training", "train")
_CONVERTING = ("Converting models of PyTorch", "convert")
_CLUSTER = ("A batch", "ray")
_EXTRAS = {  # by module that may be missing: what needs it, and what installs it
    "cv2": ("The audit of photos", "check"),
    "fastapi": _SERVICE,
    "h5py": _TRAINING,
    "keras": _TRAINING,
    "pyarrow": _CLUSTER,
    "ray": _CLUSTER,
    "spandrel": _CONVERTING,
    "tensorboard": _TRAINING,
    "tensorflow": _TRAINING,
    "tomli_w": _TRAINING,
    "torch": _CONVERTING,
    "uvicorn": _SERVICE,
}

_ADVICE = {  # by the number of a system's error
    errno.ENOSPC: " Free some space, and run it again.",
    errno.EACCES: " Change its permissions, or choose another place.",
    errno.ENOENT: " Check the name.",
    errno.EINVAL: " Its disk, or its file system, does not do that; copy it to another one.",
    errno.EIO: " Its disk may be damaged; copy it from where it came.",
    errno.EROFS: " Choose another place.",
}


def explain(error: Exception) -> str:
    """What happened, in the words for a user."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in _EXTRAS:
            what, extra = _EXTRAS[package]
            return f'{what} needs {package}, which is missing. Run: pip install "srgan[{extra}]"'
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        advice = _ADVICE.get(error.errno or 0, "")
        return f"{error.strerror}{where}.{advice}"
    if isinstance(error, MemoryError):
        return f"{str(error).rstrip('.') or 'There is not enough memory'}. Try a smaller --tile."
    return str(error)


def about(photo: object, error: Exception) -> str:
    """What happened, with the photo that it happened to."""
    message = explain(error)
    return message if str(photo) in message else f"{photo}: {message}"


def counted(number: int, thing: str) -> str:
    """As "1 photo" or "2 photos"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def notice(message: str) -> None:
    """Prints what a user should know, though nothing is wrong."""
    print("note:", _safe(message), file=sys.stderr)


def note(photo: object, notes: Iterable[str]) -> None:
    """Prints what the result of a photo lacks."""
    for text in notes:
        notice(f"{photo}: {text}.")
        if "pictures are left out" in text:
            notice('A name without a suffix keeps all of them, as --name "{stem}-{ext}".')


def fail(message: str, code: int = 2) -> int:
    """Prints what happened, and returns the exit code."""
    print("error:", _safe(message), file=sys.stderr)
    return code


def _safe(message: str) -> str:
    # Names may hold new lines, and characters that would command a terminal.
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", " ".join(message.splitlines()))
