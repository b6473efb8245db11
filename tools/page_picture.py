"""Takes the picture of the service's page in docs/guides/serve.md anew.

    srgan serve --port 8000 &
    python tools/page_picture.py http://127.0.0.1:8000 docs/images/page.webp

Needs the extra `dev`, and a Chromium that is installed.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import pyvips
from playwright.sync_api import sync_playwright


def main() -> None:
    address, target = sys.argv[1], Path(sys.argv[2])
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=program, args=options)
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.goto(address)
        page.get_by_role("button", name="cat").click()
        page.locator("#facts", has_text="pixels").wait_for(timeout=120_000)
        picture = Path(folder) / "page.png"
        page.screenshot(path=picture)
        browser.close()
        pyvips.Image.new_from_file(str(picture)).webpsave(str(target), Q=85, smart_subsample=True)


if __name__ == "__main__":
    main()
