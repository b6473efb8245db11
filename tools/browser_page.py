"""Lays out the page that enlarges pictures in the browser alone, as files for any web server.

    npm install --prefix examples/browser
    python tools/browser_page.py build/browser
    python -m http.server --directory build/browser

They are those of examples/browser, what they share with the service's page, the models, and
onnxruntime-web from npm: nothing is loaded from elsewhere.
"""

import json
import shutil
import sys
from pathlib import Path

from srgan.io import images
from srgan.models import catalogue, engines
from srgan.models.metadata import Metadata
from srgan.numeric import clipping, projection, resize
from srgan.util import resources

PAGE = Path(__file__).resolve().parent.parent / "examples" / "browser"
RUNTIME = PAGE / "node_modules" / "onnxruntime-web" / "dist"
MODELS = {  # for people; the one that is chosen first
    "srgan-fast-x4": "Clean picture, fast",
    "srgan-x4": "Clean picture",
    "srgan-photo-x4": "Photo, from a phone or the web",
    "srgan-x2": "Clean picture, 2 times",
}
_EXAMPLES = ("astronaut", "cat", "coffee", "rocket")
_RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
_SHARED = ("comparison.js", "status.js", "page.css", "icon.svg")


def is_installed() -> bool:
    """Returns whether npm has brought onnxruntime-web."""
    return RUNTIME.is_dir()


def lay_out(folder: Path) -> None:
    """Writes the page and all that it needs into a new folder.

    Raises:
        FileExistsError: If there is such a folder.
        FileNotFoundError: If onnxruntime-web is not installed.
    """
    shutil.copytree(
        PAGE, folder, ignore=shutil.ignore_patterns("node_modules", "*.md", "*.json", "*.mts")
    )
    shutil.copytree(
        resources.WEB, folder / "web", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    _copy(resources.WEB.parent / "server" / "web", _SHARED, folder / "server" / "web")
    _copy(RUNTIME, _RUNTIME_FILES, folder / "ort")
    _copy(resources.WEIGHTS, [f"{name}.onnx" for name in MODELS], folder / "models")
    (folder / "examples").mkdir()
    for name in _EXAMPLES:
        hr = images.read_uint8(resources.PHOTOS / f"{name}.webp")
        images.write(folder / "examples" / f"{name}.png", resize.downscale(hr, 4))
    listed = {"models": [_describe(name) for name in MODELS], "examples": _EXAMPLES}
    (folder / "models.json").write_text(json.dumps(listed, indent=1), encoding="utf-8")


def _copy(source: Path, names: tuple[str, ...] | list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(source / name, folder / name)


def _describe(name: str) -> dict[str, str | int | float]:
    file = catalogue.path(name)
    metadata = Metadata.from_props(engines.open_engine(file).metadata)
    rounds = metadata.consistency_rounds
    beyond = projection.reach(rounds) + clipping.REACH if rounds else 0
    return {
        "name": name,
        "words": MODELS[name],
        "file": f"models/{file.name}",
        "megabytes": round(file.stat().st_size / 1e6, 1),
        "scale": metadata.scale,
        "halo": metadata.receptive_field + beyond,
        "rounds": rounds,
        "licence": metadata.licence,
        "scores": metadata.scores,
    }


if __name__ == "__main__":
    try:
        lay_out(Path(sys.argv[1]))
    except IndexError:
        sys.exit("Name the new folder: python tools/browser_page.py build/browser")
    except FileExistsError:
        sys.exit(f"{sys.argv[1]} exists already; remove it, or name another folder.")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing. Run: npm install --prefix examples/browser")
