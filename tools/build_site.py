"""Lays out the sources of the documentation site in build/docs, for `mkdocs build`.

    python tools/build_site.py

They are docs/ with pages that are made from the code, with links to files of the repository as
addresses, and with the page that enlarges pictures in the browser, at try/, if npm has brought what
it needs. Nothing is written into docs/.
"""

import posixpath
import re
import shutil
import tomllib
from pathlib import Path

import browser_page
import reference

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "reference/cli.md": reference.command_line,
    "reference/configuration.md": reference.configuration,
    "reference/python.md": reference.python,
}
_LINK = re.compile(r"(\]\()(\.\.?/[^)#\s]+)(#[^)\s]*)?(\))")


def repository() -> str:
    """Returns the address of the repository, which `pyproject.toml` holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Source"]


def turn_links(markdown: str, path: str) -> str:
    """Turns the relative links of a page that leave docs/ into addresses of the repository.

    Args:
        markdown: The page.
        path: Where it lies in docs/.
    """
    here = posixpath.dirname(posixpath.join("docs", path))
    address = repository()

    def turn(link: re.Match[str]) -> str:
        start, path, anchor, end = link.groups()
        target = posixpath.normpath(posixpath.join(here, path))
        if target.startswith("docs/"):
            return link[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{start}{address}/{kind}/main/{target}{anchor or ''}{end}"

    return _LINK.sub(turn, markdown)


def main() -> None:
    """Runs the command line."""
    folder = ROOT / "build" / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for path in folder.rglob("*.md"):
        name = path.relative_to(folder).as_posix()
        path.write_text(turn_links(path.read_text(encoding="utf-8"), name), encoding="utf-8")
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")
    if browser_page.is_installed():
        browser_page.lay_out(folder / "try")
    else:
        print("Left out the page at try/: it needs npm install --prefix examples/browser")


if __name__ == "__main__":
    main()
