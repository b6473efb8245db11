"""Which files belong together: photos, their LR images, and what programs made of those.

Names are compared as they are, or without what names of a folder share at their ends: `img_001_HR`
and `img_001_LR4` are a pair where the others end so, too. A wrong pair is worse than none: what is
not clear is refused.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

from srgan.io.find import find_images

_SHOWN = 3  # names in messages
_SHARE = 0.5  # of the names of a folder; what fewer have at their ends is no habit of it
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MARK = re.compile(r"x\d+|\d+x")  # of a scale
_TOKEN = re.compile(  # a mark, a number, a word up to a mark, a word, anything else
    r"x\d+(?![^\W_])|\d+x(?![^\W_])|\d+|[^\W\d_]+?(?=x\d+(?![^\W_]))|[^\W\d_]+|."
)
_REMEDY = "Rename the files; srgan evaluate also takes a table, --pairs, of what belongs together."

Pairs = Mapping[Path, Sequence[Path]]
"""Files of each photo, as `read_pairs` returns them."""


class Matches(NamedTuple):
    """What was found in a folder."""

    files: dict[str, Path]  # by the names that were looked for, as far as there is one
    left_over: list[Path]
    tried: str  # how names were compared, and what is without partner; for messages


def names(folder: Path) -> dict[str, Path]:
    """Returns the image files below `folder` by their names: relative paths without suffix.

    Raises:
        NotADirectoryError: If `folder` is not a folder.
        ValueError: If two files have one name.
    """
    found: dict[str, Path] = {}
    for path in find_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise ValueError(f"{found[name]} and {path} have one name. Move one of them elsewhere.")
        found[name] = path
    return found


def match(wanted: Iterable[str], folder: Path) -> Matches:
    """Returns the file in `folder` for each name, as far as there is one.

    One rule holds for the whole folder: what its names have at their beginning and end that the
    wanted ones have not, and the other way round, upper and lower case being one, and `7` and
    `0007`, too. The rule that pairs most is taken. If none pairs more than equal names do, these
    are, and a rule for the rest.

    Raises:
        NotADirectoryError: If `folder` is not a folder.
        ValueError: If two files have one name, or rules pair as many in different ways.
    """
    found, wanted = names(folder), list(wanted)
    if not found:
        return Matches({}, [], f"{folder} has no pictures.")
    here, there = _Names(wanted), _Names(list(found))
    exact = {name: name for name in wanted if name in found}
    best = [exact]
    if len(exact) < min(len(wanted), len(found)):
        rules = _rules(here, there)
        if not exact or len(rules[0]) > len(exact):
            best = [_with_equal(rule, exact, folder) for rule in rules]
        else:  # what is left may have a habit of its own
            left = _Names([name for name in found if name not in exact])
            (more, *others) = _rules(here, left)
            if not others and exact.keys().isdisjoint(more):
                best = [exact | more]
    if len(best) > 1:
        ways = [set(pairs.items()) for pairs in best[:2]]
        (one, its), (two, other) = min(ways[0] - ways[1]), min(ways[1] - ways[0])
        raise ValueError(
            f"It is not clear which files in {folder} belong to which photos: {found[its].name} "
            f"to {one}, or {found[other].name} to {two}? {_REMEDY}"
        )
    files = {name: found[other] for name, other in best[0].items()}
    left_over = [path for path in found.values() if path not in set(files.values())]
    tried = f"Names were compared as they are, and {here.habits} (photos), {there.habits} (there)."
    without = [name for name in wanted if name not in files]
    if without or left_over:
        tried += (
            f" Without partner: {_few(without)} (photos), {_few(map(_name, left_over))} (there)."
        )
    return Matches(files, left_over, f"{tried} {_REMEDY}")


def _with_equal(rule: dict[str, str], exact: dict[str, str], folder: Path) -> dict[str, str]:
    """The pairs of a rule, and those of equal names that it leaves over.

    Raises:
        ValueError: If a photo has one of each.
    """
    left = {name: name for name in exact if name not in rule.values()}
    for name in left:
        if name in rule:
            raise ValueError(
                f"Two files in {folder} belong to the photo {name}: {name} and {rule[name]}. "
                f"Leave one. {_REMEDY}"
            )
    return rule | left


def partners(
    paths: Sequence[Path], folder: Path, other: Path
) -> tuple[list[Path | None], list[Path]]:
    """Returns the file in the folder `other` of each of `paths`, and the files left over there.

    Args:
        paths: Files below `folder`.
        folder: What their names are relative to.
        other: Where `match` looks.

    Raises:
        NotADirectoryError: If `other` is not a folder.
        ValueError: As `match` says.
    """
    wanted = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    matches = match(wanted, other)
    return [matches.files.get(name) for name in wanted], matches.left_over


def read_pairs(file: Path) -> Pairs:
    """Returns what a table says of which files belong to which photo, for names that tell nothing.

    Args:
        file: CSV with the columns `photo` and `file`, paths as seen from the folder it lies in.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it lacks a column, or names a file that is not there.
    """
    pairs: dict[Path, list[Path]] = {}
    try:
        text = file.read_text("utf-8-sig")
    except (UnicodeDecodeError, IsADirectoryError):
        raise ValueError(
            f"{file} is no table; expected CSV in UTF-8, with the columns photo and file."
        ) from None
    with io.StringIO(text, newline="") as stream:
        rows = csv.DictReader(stream)
        if not {"photo", "file"} <= set(rows.fieldnames or ()):
            raise ValueError(
                f"{file} has the columns {', '.join(rows.fieldnames or ()) or 'nothing'}; expected "
                "photo and file in the first line."
            )
        for number, row in enumerate(rows, start=2):
            if not (row["photo"] and row["file"]):
                raise ValueError(f"{file}, line {number}: expected a photo and a file.")
            photo, other = (file.parent / row[column] for column in ("photo", "file"))
            for path in (photo, other):
                if not path.is_file():
                    raise ValueError(
                        f"{file}, line {number}: there is no file {path}. Paths are relative to "
                        "the folder of the table."
                    )
            pairs.setdefault(photo.resolve(), []).append(other.resolve())
    return pairs


def listed(pairs: Pairs, photos: Mapping[str, Path], folder: Path) -> Matches | None:
    """Returns what a table says of the files in `folder`; None if it speaks of none of them.

    Args:
        pairs: From `read_pairs`.
        photos: The photos by name.
        folder: Where their partners are.

    Raises:
        ValueError: If it has two files of one photo in this folder, or one file of two.
    """
    files: dict[str, Path] = {}
    owners: dict[Path, str] = {}
    for name, photo in photos.items():
        here = [p for p in pairs.get(photo.resolve(), ()) if p.is_relative_to(folder.resolve())]
        if here[1:]:
            raise ValueError(
                f"The table of pairs has {len(here)} files of {name} in {folder}: "
                f"{here[0].name} and {here[1].name}. Leave one."
            )
        if here:
            files[name] = here[0]
            if (other := owners.setdefault(here[0], name)) != name:
                raise ValueError(
                    f"The table of pairs has {here[0].name} for {other} and for {name}. A file is "
                    "of one photo."
                )
    return Matches(files, [], "The table of pairs has no other.") if files else None


class _Names:
    """Names of a folder, in lower case, without leading zeros, and cut into tokens."""

    def __init__(self, texts: Sequence[str]):
        self._tokens = {
            text: [
                t.lstrip("0") or "0" if t.isdigit() else t
                for part in _CAMEL.split(text)
                for t in _TOKEN.findall(part.lower())
            ]
            for text in texts
        }
        self._without: dict[tuple[str, ...], dict[str, list[str]]] = {}

    @cached_property
    def affixes(self) -> tuple[list[str], list[str]]:
        """The beginnings and the endings that half of the names have; the first is none."""
        begins: Counter[str] = Counter()
        ends: Counter[str] = Counter()
        for tokens in self._tokens.values():
            for k, (left, right) in enumerate(pairwise(tokens), start=1):
                if _may_begin(left, right):
                    begins["".join(tokens[:k])] += 1
                if _may_end(left, right):
                    ends["".join(tokens[k:])] += 1
        least = _SHARE * len(self._tokens)
        before, after = (["", *(a for a, n in c.items() if n >= least)] for c in (begins, ends))
        return before, after

    @property
    def habits(self) -> str:
        """The longest affixes, for messages."""
        before, after = (max(affixes, key=len) for affixes in self.affixes)
        return f'without "{before}..." and "...{after}"' if before or after else "in lower case"

    def without(self, ends: tuple[str, ...]) -> dict[str, list[str]]:
        """The names that have this beginning and end, by what is left of them."""
        if ends not in self._without:
            before, after = ends
            cores: dict[str, list[str]] = {}
            for text, tokens in self._tokens.items():
                name = "".join(tokens)
                core = name[len(before) : len(name) - len(after)]
                if core and before + core + after == name:
                    cores.setdefault(core, []).append(text)
            self._without[ends] = cores
        return self._without[ends]


def _may_begin(left: str, right: str) -> bool:
    """Whether a beginning may end here: `img_|1`, `4x|baby`, `img|1`, `My|Baby`."""
    return bool(not left.isalnum() or _MARK.fullmatch(left) or left.isalpha()) and right.isalnum()


def _may_end(left: str, right: str) -> bool:
    """Whether an ending may begin here: `baby|_1`, `baby|x4` or `1|hr`, but not `baby|2`."""
    is_end = not right.isalnum() or _MARK.fullmatch(right) or right.isalpha()
    return bool(is_end) and left not in "/"


def _rules(here: _Names, there: _Names) -> list[dict[str, str]]:
    """What pairs most names on both sides, in every way that pairs so many; one of no pairs."""
    best: list[dict[str, str]] = [{}]
    for rule in product(product(*here.affixes), product(*there.affixes)):
        pairs = _pairs(here.without(rule[0]), there.without(rule[1]))
        if len(pairs) < max(len(best[0]), 1) or _doubtful(rule, pairs, here):
            continue
        if len(pairs) > len(best[0]):
            best = [pairs]
        elif pairs not in best:
            best.append(pairs)
    return best


def _pairs(here: Mapping[str, list[str]], there: Mapping[str, list[str]]) -> dict[str, str]:
    """What is left of one name on each side."""
    return {
        names[0]: there[core][0]
        for core, names in here.items()
        if core in there and len(names) == len(there[core]) == 1
    }


def _doubtful(rule: tuple[tuple[str, ...], ...], pairs: Mapping[str, str], here: _Names) -> bool:
    """Whether what is taken off, like the 12 of `frame_12_v1`, may itself be the photo's number."""
    mine, theirs = rule
    if len(pairs) == sum(map(len, here.without(mine).values())):
        return False
    numbers = {t for end in theirs for t in _TOKEN.findall(end) if t.isdigit()}
    return not numbers.isdisjoint(here.without(mine))


def _name(path: Path) -> str:
    return path.name


def _few(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = f" and {len(texts) - _SHOWN} more" if texts[_SHOWN:] else ""
    return (", ".join(texts[:_SHOWN]) or "none") + more
