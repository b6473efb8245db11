"""The modules of a page are found in order, and become one script or none."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import srgan
from srgan.web import modules

PACKAGE = Path(srgan.__file__).parent
PAGES = sorted(PACKAGE.rglob("web/page.js"))


@pytest.fixture
def write(tmp_path):
    """Writes modules, and returns the path of the first."""

    def written(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.js").write_text(text)
        return tmp_path / f"{next(iter(texts))}.js"

    return written


def test_each_module_comes_once_and_after_those_that_it_imports(write):
    entry = write(
        a='import { b } from "./b.js";\nimport { c } from "./c.js";\nb(c);\n',
        b='import { c } from "./c.js";\nexport const b = (x) => x + c;\n',
        c="export const c = 1;\n",
    )
    assert [path.stem for path in modules.order(entry)] == ["c", "b", "a"]


def test_a_joined_script_has_no_imports_and_no_documentation(write):
    entry = write(
        a='import {\n  b,\n  B,\n} from "./b.js";\n\n/** @import { T } from "./b.js" */\nb(B);\n',
        b="/**\n * @typedef {string} T\n */\nexport async function b(x) {}\nexport class B {}\n",
    )
    joined = modules.join(entry)
    assert joined.split("\n", 3)[3] == ("async function b(x) {}\nclass B {}\n\nb(B);\n})();\n")


def test_a_joined_script_runs(write):
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node")
    entry = write(
        a='import { b, name } from "./b.js";\n\nconst top = `${name} ${b()}`;\nconsole.log(top);\n',
        b='export const name = "x";\n\n/** One. */\nexport function b() {\n  return 1;\n}\n',
    )
    done = subprocess.run([node, "-e", modules.join(entry)], capture_output=True, text=True)
    assert done.stdout == "x 1\n", done.stderr


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"a": 'import { b } from "./b.js";', "b": 'import { a } from "./a.js";'},
            r"each other: a\.js -> b\.js -> a\.js",
        ),
        (
            {"a": 'import { b } from "./b.js";\nconst c = 1;', "b": "export let b;\nconst c = 2;"},
            "both have a 'c'",
        ),
        ({"a": 'import { b } from "./b.js";', "b": "const b = 1;"}, r"imports \['b'\]"),
        ({"a": 'import b from "./b.js";'}, "is not understood"),
        ({"a": 'import * as b from "./b.js";'}, "is not understood"),
        ({"a": 'import { a as b } from "./b.js";', "b": "export let a;"}, "which ./b.js lacks"),
        ({"a": 'import "./b.js";'}, "is not understood"),
        ({"a": 'import { b } from "https://example.org/b.js";'}, "is not understood"),
        ({"a": 'const b = await import("./b.js");'}, "is not understood"),
        ({"a": "console.log(import.meta.url);"}, "is not understood"),
        ({"a": "export default 1;"}, "is not understood"),
        ({"a": 'export * from "./b.js";'}, "is not understood"),
        ({"a": "const b = 1;\nexport { b };"}, "is not understood"),
        ({"a": "const { b, c } = d;"}, "is not understood"),
        ({"a": "var b = 1;"}, "is not understood"),
        ({"a": 'const b = "</script>";'}, "is not understood"),
        ({"a": 'const b = "<!-- ";'}, "is not understood"),
    ],
)
def test_what_it_does_not_understand_is_refused(write, texts, message):
    with pytest.raises(ValueError, match=message):
        modules.join(write(**texts))


def test_a_missing_module_is_named(write):
    with pytest.raises(FileNotFoundError, match=r"gone\.js"):
        modules.order(write(a='import { b } from "./gone.js";'))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.parents[1].name)
def test_every_module_is_used_and_can_be_joined(page):
    entries = [page, *sorted(page.parent.glob("reference.js"))]
    used = {path for entry in entries for path in modules.order(entry)}
    texts = "\n".join(path.read_text("utf-8") for path in used)
    workers = re.findall(r'\bworkers\?\.register\("([\w.]+)"\)', texts)
    besides = {(page.parent / name).resolve() for name in workers}  # which run beside the page
    assert {path.resolve() for path in page.parent.glob("*.js")} <= used | besides
    assert not re.search(r"^\s*(import|export)\b", modules.join(page), re.MULTILINE)


def test_all_shared_modules_are_used_by_both_pages():
    assert len(PAGES) == 2
    for page in PAGES:
        assert set((PACKAGE / "web").glob("*.js")) <= set(modules.order(page))
