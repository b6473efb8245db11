"""What is said of errors."""

import errno
import re
import sys

_SERVICE = ("The service", "serve")
_TRAINING = ("Training", "train")
_EXTRAS = {  # by module that may be missing: what needs it, and what installs it
    "cv2": ("The audit of photos", "check"),
    "fastapi": _SERVICE,
    "h5py": _TRAINING,
    "keras": _TRAINING,
    "tensorboard": _TRAINING,
    "tensorflow": _TRAINING,
    "tomli_w": _TRAINING,
    "uvicorn": _SERVICE,
}


def explain(error: Exception) -> str:
    """What happened, in the words for a user."""
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        what, extra = _EXTRAS[error.name]
        return f'{what} needs {error.name}, which is missing. Run: pip install "srgan[{extra}]"'
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        advice = " Free some space, and run it again." if error.errno == errno.ENOSPC else ""
        return f"{error.strerror}{where}.{advice}"
    if isinstance(error, MemoryError):
        return f"{str(error).rstrip('.') or 'There is not enough memory'}. Try a smaller --tile."
    return str(error)


def about(photo: object, error: Exception) -> str:
    """What happened, with the photo that it happened to."""
    message = explain(error)
    return message if str(photo) in message else f"{photo}: {message}"


def notice(message: str) -> None:
    """Prints what a user should know, though nothing is wrong."""
    print("note:", message, file=sys.stderr)


def fail(message: str, code: int = 2) -> int:
    """Prints what happened, and returns the exit code."""
    # Names may hold new lines, and characters that would command a terminal.
    line = " ".join(message.splitlines())
    print("error:", re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", line), file=sys.stderr)
    return code
