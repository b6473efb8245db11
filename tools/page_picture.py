"""Takes the pictures of the pages in docs/guides anew.

    srgan serve --port 8000 &
    make docs && python -m http.server --bind 127.0.0.1 --directory site/try 8001 &
    python tools/page_picture.py http://127.0.0.1:8000 http://127.0.0.1:8001 docs/images

Needs the extra `dev`, and a Chromium that is installed.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pyvips
from playwright.sync_api import Browser, sync_playwright

_DESKTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 900}}
_PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 1120},
    "device_scale_factor": 1.5,
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "dark",
}


def main() -> None:
    """Parses the command line."""
    service, alone, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=program, args=options)
        take(browser, service, folder / "page.webp", "cat", _DESKTOP)
        take(browser, service, folder / "page-phone.webp", "astronaut", _PHONE)
        take(browser, alone, folder / "page-browser.webp", "coffee", _DESKTOP)
        browser.close()


def take(
    browser: Browser, address: str, target: Path, example: str, screen: dict[str, Any]
) -> None:
    """Enlarges an example on a page, and writes what a screen shows then."""
    page = browser.new_page(**screen)
    page.goto(address)
    page.get_by_role("button", name=example).click(timeout=120_000)
    page.locator("#facts", has_text=re.compile(r"\d s|pixels")).wait_for(timeout=300_000)
    shot = pyvips.Image.new_from_buffer(page.screenshot(), "")
    shot.webpsave(str(target), Q=85, smart_subsample=True)
    page.close()


if __name__ == "__main__":
    main()
