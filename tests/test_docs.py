"""The documents agree with the program, with the results, and with each other."""

import importlib.util
import inspect
import itertools
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import srgan.cli
from srgan.cli import app
from srgan.models import catalogue, loading

ROOT = Path(__file__).parent.parent
if not (ROOT / "mkdocs.yml").exists():
    pytest.skip("needs a clone of the project", allow_module_level=True)


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


reference = tool("reference")
tables = tool("tables")
record = tool("record")
tool("browser_page")
site = tool("build_site")

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEVELOPMENT = sorted((ROOT / "dev").glob("*.md"))
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
GENERATED = {ROOT / "docs" / name for name in site.PAGES}
COMMANDS = typer.main.get_command(app).commands


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


def without_tables(text):
    """A document without its generated tables."""
    return re.sub(r"<!-- table: .*?<!-- end of table -->", "", text, flags=re.DOTALL)


def anchors(path):
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"\s+", "-", heading) for heading in plain}


def links(text):
    """The targets of a document's links and pictures, outside of blocks of code."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text))


def command_lines(text):
    """The commands `srgan ...` of a document, in blocks and in prose, without comments."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    blocks = [block.replace("\\\n", " ") for language, block in fences if not language]
    lines = [line for block in blocks for line in block.splitlines() if "srgan" in line]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    lines += re.findall(r"`(srgan [^`]+)`", prose)
    for line in lines:
        words = shlex.split(line, comments=True)
        for index, word in enumerate(words):
            if word == "srgan" and (index == 0 or words[index - 1] == "|"):
                end = next((i for i, w in enumerate(words) if i > index and w in "|>&"), None)
                yield words[index + 1 : end]


@named(DOCUMENTS)
def test_tables_are_fresh(path):
    text = path.read_text(encoding="utf-8")
    assert tables.refresh(text) == text, "run: python tools/tables.py"


@pytest.mark.parametrize("name", tables.FIGURES)
def test_figures_are_fresh(name):
    drawn = (ROOT / name).read_text(encoding="utf-8")
    assert tables.FIGURES[name]() == drawn, "run: python tools/tables.py"


def test_every_table_is_used():
    used = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"<!-- table: ([\w-]+) -->", path.read_text(encoding="utf-8"))
    }
    assert used == set(tables.TABLES)


@named(RESULTS)
def test_results_say_how_they_were_taken(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    for key in ("title", "command", "machine", "commit"):
        assert found[key]


def test_a_benchmark_is_recorded_as_it_prints():
    results = tables.load("formats")
    kept = [row for row in results["rows"] if row["format"] == "tflite-int8"]
    record.take_output(
        results,
        "x86, 2 cores\n\n"
        "| format | engine | MB | load s | s / SR megapixel | peak MiB | against Keras dB |"
        " Set5 PSNR-Y / LPIPS | Set14 PSNR-Y / LPIPS |\n|---|---|---|---|---|---|---|---|---|\n"
        "| tflite-int8 | ai-edge-litert | 1.34 | 0.01 | 0.95 (0.94-0.98) | 271 | 45.7 |"
        " 30.31 / 0.0858 | 27.19 / 0.1537 |\n",
    )
    assert results["rows"] == kept


def test_an_evaluation_is_recorded_by_its_protocol():
    results = tables.load("scores-x4")
    means = {"srgan-x4": {"psnr": 30.61234, "ssim": 0.5, "lpips": None}}
    summaries = {"Set5": {"means": means}}
    record.take_evaluation(results, {"protocol": "y-crop4", "summaries": summaries})
    assert results["methods"]["srgan-x4"]["Set5"] == {"psnr": 30.61, "ssim": 0.5}
    with pytest.raises(ValueError, match="rgb is not the protocol y-crop4"):
        record.take_evaluation(results, {"protocol": "rgb", "summaries": {}})


@named(DOCUMENTS)
def test_scores_stand_in_generated_tables_alone(path):
    """So that no two documents can quote two scores for one model."""
    for line in without_tables(path.read_text(encoding="utf-8")).splitlines():
        if line.startswith("| `srgan-"):
            assert not re.search(r"\d\d\.\d\d|(?<!\d)\.\d{4}\b", line), line


@named(DOCUMENTS)
def test_scores_in_sentences_are_those_of_the_results(path):
    known = {0.0748, 0.1329}  # ESRGAN's, as its paper has them
    known |= {0.8201, 0.7490, 0.6933, 0.8211, 0.7486, 0.6935}  # the SRGAN paper's protocol
    for file in RESULTS:
        known |= {float(number) for number in re.findall(r"\d*\.\d+", file.read_text("utf-8"))}
    for line in without_tables(path.read_text(encoding="utf-8")).splitlines():
        for number in re.findall(r"(?<![\d.])\.\d{4}\b", line):
            assert float(number) in known, line


def test_one_model_has_one_score():
    found = {}
    for path in RESULTS:
        results = json.loads(path.read_text(encoding="utf-8"))
        for method, sets in results.get("methods", {}).items():
            method = {"0": "srgan-psnr-x4", "1": "srgan-x4"}.get(method, method)
            for dataset, scores in sets.items():
                for measure, score in scores.items():
                    key = method, dataset, measure, results["protocol"], results["lr"]
                    assert found.setdefault(key, score) == score, key


@pytest.mark.parametrize("name", catalogue.shipped())
def test_a_model_says_of_itself_what_the_results_say(name):
    text = loading.load(name).metadata.scores
    source = "x4-degraded" if "photo" in name else "x2" if name.endswith("x2") else "x4"
    scores = tables.load(f"scores-{source}")["methods"][name]
    for dataset in tables.SETS:
        said = [float(n) for n in re.findall(r"\d*\.\d+", text.partition(dataset)[2])]
        of = scores[dataset]
        kept = [of["psnr"], of["lpips"]] if source == "x4-degraded" else None
        kept = kept or [of["psnr"], of["ssim"], of["lpips"]]
        assert said[: len(kept)] == kept, dataset


@named([*DOCUMENTS, *DEVELOPMENT])
def test_links_resolve(path):
    for link in links(path.read_text(encoding="utf-8")):
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if target in GENERATED:
            continue
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_links_of_the_readme_work_on_a_package_index():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for rule in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    place = project["project"]["urls"]["Source"].removeprefix("https://github.com/")
    found = links(text)
    assert len(found) > 20
    for link in found:
        pages = rf"{place.replace('/', '.github.io/')}/"
        assert re.match(
            rf"https://((github|raw\.githubusercontent)\.com/{place}/|{pages})", link
        ), link
    assert f"repo_url: https://github.com/{place}\n" in (ROOT / "mkdocs.yml").read_text("utf-8")


@named(DOCUMENTS)
def test_commands_have_the_options_that_are_shown(path):
    for words in command_lines(path.read_text(encoding="utf-8")):
        if not words or words[0].startswith("-") or words[0].isupper():
            continue
        assert words[0] in COMMANDS, words
        command = COMMANDS[words[0]]
        known = {name for option in command.params for name in option.opts} | {"--help", "--debug"}
        for word in words[1:]:
            if re.match(r"--?[a-z]", word):
                assert word in known, f"srgan {words[0]} has no {word}"


@named(DOCUMENTS)
def test_scripts_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:benchmarks|tools|deploy|examples)/[\w/-]+\.\w+", text):
        assert (ROOT / name).exists(), name


def test_documents_that_the_code_names_exist():
    for folder in ("src", "benchmarks", "tools", "tests", "deploy", "examples", "dev"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix not in (".py", ".md", ".html", ".js") or "node_modules" in path.parts:
                continue
            for name in re.findall(
                r"\bdocs/[\w/.-]+\.(?:md|csv|webp|svg)", path.read_text("utf-8")
            ):
                assert (ROOT / name).exists() or ROOT / name in GENERATED, f"{path}: {name}"


@named(DOCUMENTS)
def test_recipes_and_models_that_are_named_exist(path):
    from srgan.train.recipes import RECIPES

    lines = command_lines(path.read_text(encoding="utf-8"))
    for option, value in (pair for line in lines for pair in itertools.pairwise(line)):
        if option == "--recipe" or (option == "recipes" and value.islower()):
            assert value in RECIPES
        if option in ("--model", "--init") and re.fullmatch(r"srgan-[\w-]+", value):
            assert value in catalogue.shipped()


def test_python_examples_are_complete_programs():
    for path in DOCUMENTS:
        for block in re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.S | re.M):
            compile(block, str(path), "exec")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_option(name):
    page = reference.command_line().partition(f"## srgan {name}\n")[2].partition("\n## ")[0]
    for option in COMMANDS[name].params:
        if option.param_type_name == "option" and not getattr(option, "hidden", False):
            assert f"{option.opts[-1]}" in page


def test_the_reference_has_every_key_of_the_configuration():
    from srgan.train.config import Config

    page = reference.configuration()
    for path, model in reference.sections(Config):
        assert f"### [{path}]" in page or not path
        for key in reference.keys(model):
            assert f"| `{key.name}` |" in page
    assert '| `pixel` | `"charbonnier" or "l1" or "mse"` | `"mse"` |' in page


def test_the_reference_has_every_public_name():
    page = reference.python()
    for name in srgan.__all__:
        assert name.startswith("__") or f"::: srgan.{name}\n" in page


def test_the_reference_names_the_exit_codes():
    page = reference.command_line()
    assert "| 130 | ended by Ctrl-C |" in page
    assert "| 143 | by SIGTERM (training: 130, too) |" in page
    assert "Exit codes" in inspect.getdoc(srgan.cli)


def test_the_site_links_to_the_repository_where_a_page_leaves_the_documents():
    page = "[a](../../deploy/README.md#x) [b](../models.md) [c](../../dev)"
    address = site.repository()
    assert site.turn_links(page, "guides/serve.md").split() == [
        f"[a]({address}/blob/main/deploy/README.md#x)",
        "[b](../models.md)",
        f"[c]({address}/tree/main/dev)",
    ]
