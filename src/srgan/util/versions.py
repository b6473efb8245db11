"""Which versions of packages a result depends on."""

import platform
from importlib.metadata import PackageNotFoundError, version


def installed(*packages: str) -> dict[str, str]:
    """Returns the versions of packages, and of Python; "unknown" if one is not installed."""
    return {name: of(name) for name in packages} | {"python": platform.python_version()}


def of(package: str) -> str:
    """Returns the version of a package; "unknown" if it is run from its source."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
