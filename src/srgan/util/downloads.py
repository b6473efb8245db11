"""What comes in place of a file when a download goes wrong."""

_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = (b"<!doctype html", b"<html")


def advice(data: bytes) -> str:
    """Returns what a file is, that is not what its name says, and what to do; or "".

    Args:
        data: Its beginning, of 64 bytes or more.
    """
    if data.startswith(_POINTER):
        return "It is a pointer of Git LFS to the file: fetch that with git lfs pull."
    if data.lstrip()[:64].lower().startswith(_PAGE):
        return "It is a web page: download the file that the page offers."
    return ""
