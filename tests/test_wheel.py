"""What is published: its contents, an installation of it alone, and its types for a user."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "srgan"
TOOLS = ("build", "hatchling", "hatch_fancy_pypi_readme", "mypy", "twine")
DATA = {  # one file of each kind that is no module
    "srgan/photos/cat.webp",
    "srgan/photos/letters.png",
    "srgan/py.typed",
    "srgan/quality/report/web/page.html",
    "srgan/server/web/page.js",
    "srgan/weights/lpips-alex.onnx",
    "srgan/weights/srgan-x4.onnx",
    "srgan/web/palette.css",
}
USER = """\
import sys
import numpy as np
import srgan

photo, large = sys.argv[1:]
model = srgan.load("srgan-fast-x4")
hr = srgan.read(photo)[:96, :96]
sr = model.upscale(hr[::4, ::4])
srgan.write(large, sr)
srgan.upscale_file(large, f"x4-{large}", model="srgan-fast-x4", overwrite=True)
truth, result = ((255 * image).astype(np.uint8) for image in (hr, sr))
score: float = srgan.psnr(truth, result)
print(f"{srgan.__version__}: {score:.1f} dB")
"""
WRONG = {  # what mypy says of a line that is added
    "srgan.upscale_fil('a.png', 'b.png')": 'Module has no attribute "upscale_fil"',
    "name: str = srgan.psnr(truth, result)": "Incompatible types in assignment",
    "srgan.load('srgan-x4', realism='much')": 'Argument "realism" to "load" has incompatible type',
}
UNREACHABLE = r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(find_spec(tool) for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"
    ),
]


def run(*command, **options):
    done = subprocess.run(
        list(map(str, command)), stdout=-1, stderr=subprocess.STDOUT, text=True, **options
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel, made of the sdist, and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def wheel_files(built):
    with zipfile.ZipFile(built[0]) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):
    """The interpreter of an environment with the wheel, what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", built[0]],
        capture_output=True,
        text=True,
        env=environment | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")},
    )
    if done.returncode and re.search(UNREACHABLE, done.stderr):
        pytest.skip("needs the package index, which cannot be reached")
    assert done.returncode == 0, done.stderr
    return python


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder without the package, with a program of a user in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "user.py").write_text(USER)
    return tmp_path


def check_types(python, program):
    """Runs mypy on a program, against what is installed for an interpreter."""
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python]
    command += ["--cache-dir", python.parents[1] / "mypy", program]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


# what is in it


def test_the_wheel_has_the_package_and_nothing_else(wheel_files):
    package = {
        f"srgan/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in wheel_files if ".dist-info/" not in name} == package
    assert package >= DATA


def test_the_sdist_has_what_the_tests_read(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    tracked = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert names >= tracked | {"CHANGELOG.md", "LICENSE", "README.md", "constraints.txt"}
    assert names >= {"docs/guides/export.md", "examples/browser/main.js", "tools/open_photos.py"}
    assert not [name for name in names if re.search(r"node_modules|__pycache__|\.venv", name)]


def test_its_papers_are_in_order(built):
    assert run(sys.executable, "-m", "twine", "check", "--strict", *built).count("PASSED") == 2


def test_links_of_the_readme_need_no_folder_around_it(wheel_files):
    (metadata,) = (name for name in wheel_files if name.endswith("/METADATA"))
    papers = message_from_bytes(wheel_files[metadata])
    text = wheel_files[metadata].decode().partition("\n\n")[2]
    links = re.findall(r"\]\(([^)\s]+)|^\[[^]]+\]: (\S+)|(?:src|href)=\"([^\"]+)", text, re.M)
    targets = ["".join(found) for found in links]
    assert targets
    assert not [target for target in targets if not target.startswith(("https://", "#"))]
    # Those to files of the project name the tag of this version, and files that there are.
    inside = rf"https://[^/]+/srgan-project/srgan/(?:blob/)?v{re.escape(papers['Version'])}/"
    paths = [re.sub(inside, "", target).partition("#")[0] for target in targets]
    paths = [path for path in paths if path and not path.startswith("https://")]
    assert paths
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_the_changelog_has_the_version(wheel_files):
    (metadata,) = (name for name in wheel_files if name.endswith("/METADATA"))
    version = message_from_bytes(wheel_files[metadata])["Version"]
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f'\nversion: "{version}"' in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


# a clean environment


def test_the_command_works(python, outside):
    srgan = python.with_name("srgan")
    assert re.fullmatch(r"srgan \d+\.\d+\.\d+\S*\n", run(srgan, "--version"))
    assert "\nsrgan-x4 " in run(srgan, "models")
    photo = PACKAGE / "photos" / "cat.webp"
    run(srgan, "upscale", photo, "-o", "cat.png", "--model", "srgan-fast-x4")
    assert (outside / "cat.png").stat().st_size > 2**20


def test_the_base_package_brings_no_framework(python):
    installed = run(python, "-m", "pip", "list").lower()
    assert not re.search(r"\b(tensorflow|keras|torch|openvino|fastapi)\b", installed)


def test_a_program_of_a_user_runs_and_has_types(python, outside):
    photo = PACKAGE / "photos" / "rocket.webp"
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*: \d\d\.\d dB\n", run(python, "user.py", photo, "sr.png"))
    assert check_types(python, "user.py") == (0, "Success: no issues found in 1 source file\n")


def test_what_is_wrong_in_a_program_is_found(python, outside):
    (outside / "user.py").write_text(USER + "\n".join(WRONG))
    code, said = check_types(python, "user.py")
    assert code == 1
    assert len(said.splitlines()) == len(WRONG) + 1
    for line, expected in zip(said.splitlines(), WRONG.values(), strict=False):
        assert expected in line
