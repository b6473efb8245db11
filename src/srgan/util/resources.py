"""Where the files lie that come with this package."""

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent

WEIGHTS = _PACKAGE / "weights"
PHOTOS = _PACKAGE / "photos"
WEB = _PACKAGE / "web"  # what pages share
