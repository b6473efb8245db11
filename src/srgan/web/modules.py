"""The modules of a page's script: which they are, and all of them as one text.

Only what the pages use of the language is understood, and all else is refused: imports by name from
files, `import { a, b } from "./c.js";`, and `export` before a declaration.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{([\w\s,]+)\} from "(\.\.?/[\w./-]+\.js)";$', re.MULTILINE)
_DECLARED = r"(?:async )?(?:function\*?|class|const|let) (\w+)"
_EXPORTED = re.compile(rf"^export {_DECLARED}", re.MULTILINE)
_NAMED = re.compile(rf"^(?:export )?{_DECLARED}", re.MULTILINE)
_DOCUMENTATION = re.compile(r"^ */\*\*.*?\*/$\n", re.MULTILINE | re.DOTALL)
_UNKNOWN = re.compile(
    r"""^\s*import\s*[{"'*\w].*      # in another form than that above
    |\bimport\s*[(.].*
    |^export\ (?!(?:async\ )?(?:function|class|const|let)\b).*
    |^(?:export\ )?(?:const|let|var)\ *[\[{].*  # several names at once
    |^var\b.*
    |</script.*|<!--.*               # what ends or changes the element that holds it
    """,
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)


def order(entry: Path) -> list[Path]:
    """Returns a module and all that it needs, each after those that it imports.

    Raises:
        OSError: If one cannot be read.
        ValueError: If modules import each other, or in a way that is not understood.
    """
    found: list[Path] = []
    _visit(entry.resolve(), [], found)
    return found


def join(entry: Path) -> str:
    """Returns a module and all that it needs as one classic script that leaves no name behind.

    Comments that are documentation, mostly types, are left out.

    Raises:
        OSError: If one cannot be read.
        ValueError: As `order`; if two modules have the same name outside of all functions; or if
            one imports what another does not export.
    """
    owners: dict[str, Path] = {}
    parts = []
    for path in order(entry):
        text = path.read_text(encoding="utf-8")
        for name in _NAMED.findall(text):
            if name in owners:
                raise ValueError(
                    f"{path} and {owners[name]} both have a {name!r}, and they are to become one "
                    "script. Rename one."
                )
            owners[name] = path
        for names, address in _IMPORT.findall(text):
            source = path.parent / address
            exported = set(_EXPORTED.findall(source.read_text(encoding="utf-8")))
            missing = {name.strip() for name in names.split(",")} - exported - {""}
            if missing:
                raise ValueError(f"{path} imports {sorted(missing)}, which {address} lacks.")
        text = _DOCUMENTATION.sub("", _IMPORT.sub("", text))
        parts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE).strip())
    return '(() => {\n"use strict";\n\n' + "\n\n".join(parts) + "\n})();\n"


def _visit(path: Path, importing: list[Path], found: list[Path]) -> None:
    if path in found:
        return
    if path in importing:
        circle = " -> ".join(one.name for one in [*importing[importing.index(path) :], path])
        raise ValueError(f"Modules import each other: {circle}. Move what they share into another.")
    text = path.read_text(encoding="utf-8")
    unknown = _UNKNOWN.search(_IMPORT.sub("", text))
    if unknown:
        raise ValueError(f"{path}: {unknown[0].strip()!r} is not understood; see {__name__}.")
    for _, address in _IMPORT.findall(text):
        _visit((path.parent / address).resolve(), [*importing, path], found)
    found.append(path)
