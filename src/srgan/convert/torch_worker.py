"""The process that converts with PyTorch: weights in, an ONNX file and what torch makes of photos.

    python -m srgan.convert.torch_worker FILE FOLDER SECONDS BYTES

Nothing else imports torch or spandrel, and nothing of them outlives this process, whose time and
memory are bounded. It writes `model.onnx`, `facts.json` and the reference to FOLDER, and says each
step on stdout, as a line of JSON: {"step": TEXT}, or at the end {"error": TEXT}.
"""

import itertools
import json
import os
import sys
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from srgan.convert import torch_export
from srgan.convert.facts import NetworkFacts, precision
from srgan.models.state_dict import read_state_dict
from srgan.util import parallel, versions
from srgan.verification import probes

_FACTS, MODEL = "facts.json", "model.onnx"
_said = sys.stdout


def main(source: Path, folder: Path) -> None:
    """Converts a file of weights.

    Raises:
        ValueError: If they are of no architecture that is known and can be written as ONNX.
    """
    state = read_state_dict(source)
    say("finding the architecture")
    found = _load(state)
    name = _name(found)
    say(f"exporting {name}")
    network = torch_export.network_of(found)
    path = folder / MODEL
    requirements, fixed = torch_export.write(found, network, path, say)
    single = fixed is not None or not torch_export.takes_batches(network, path, requirements)
    if single:
        torch_export.set_batch_of_one(path)
    say("running it with PyTorch on photos")
    batches = probes.make(found.scale, fixed, requirements, single)
    results = {name: network(lr) for name, lr in batches.items() if name != probes.TIMED}
    if not all(np.isfinite(sr).all() for sr in results.values()):
        raise ValueError("makes values that are not numbers of photos. Its training failed.")
    probes.write_reference(folder, batches, results)
    facts = NetworkFacts(
        architecture=name,
        scale=found.scale,
        described=_described(found, state),
        precision=precision(state),
        parameters=sum(parameter.numel() for parameter in found.model.parameters()),
        multiple=requirements.multiple,
        minimum=requirements.minimum,
        fixed=fixed,
        versions=versions.installed("torch", "spandrel"),
    )
    (folder / _FACTS).write_text(facts.model_dump_json(), encoding="utf-8")


def take_facts(folder: Path) -> NetworkFacts:
    """Returns what a process found out, and removes its file."""
    path = folder / _FACTS
    facts = NetworkFacts.model_validate_json(path.read_text(encoding="utf-8"))
    path.unlink()
    return facts


def say(text: str) -> None:
    """Tells the process that waits what comes next."""
    _write(step=text)


def _write(**entries: str | None) -> None:
    _said.write(json.dumps(entries) + "\n")
    _said.flush()


def import_spandrel() -> Any:
    """Imports the library, which imports torchvision for two architectures that enlarge nothing.

    torchvision is large, and fits few builds of PyTorch: where it is not there, its place is held
    until spandrel is imported.
    """
    held = [f"torchvision{part}" for part in ("", ".transforms", ".transforms.functional")]
    try:
        import torchvision  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError, OSError):
        for name in held:
            sys.modules[name] = ModuleType(name)
        functional: Any = sys.modules[held[-1]]
        functional.InterpolationMode = functional.rotate = functional.normalize = None
    import spandrel  # pyright: ignore[reportMissingImports]

    for name in held:
        if getattr(sys.modules.get(name), "__spec__", None) is None:
            sys.modules.pop(name, None)
    return spandrel


def _load(state: Mapping[str, np.ndarray]) -> Any:
    """Finds spandrel's description of the network that the weights are of."""
    import torch  # pyright: ignore[reportMissingImports]

    spandrel = import_spandrel()
    tensors = {name: torch.tensor(np.array(array)) for name, array in state.items()}
    fitting = spandrel.MAIN_REGISTRY.architectures("detection")
    known = next((one for one in fitting if one.detect(tensors)), None)
    if known is None:
        raise ValueError(_unknown(state, fitting))
    name = _name(known)
    try:
        found = known.architecture.load(tensors)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # of weights that are not as they should be, of any kind
        raise ValueError(f"looks like {name}, and is not: {_misfit(error)}.") from None
    if found.purpose not in ("SR", "Restoration"):
        raise ValueError(f"is {name}, a model for {found.purpose}, which enlarges no photos.")
    if (found.input_channels, found.output_channels) != (3, 3):
        raise ValueError(
            f"is {name}, which takes {found.input_channels} channels and gives "
            f"{found.output_channels}; expected red, green and blue."
        )
    found.float().eval()
    return found


def _name(described: Any) -> str:
    """What the field calls an architecture, and its first authors in their code."""
    name = described.architecture.name
    return "SRVGGNetCompact" if name == "RealESRGAN Compact" else name


def _unknown(state: Mapping[str, np.ndarray], known: list[Any]) -> str:
    """What is said of weights that no architecture has."""
    shown = ", ".join(f"{name} {array.shape}" for name, array in itertools.islice(state.items(), 3))
    compared = [(_compare(getattr(one.architecture, "_detect", None), state), one) for one in known]
    found, nearest = max(compared, key=lambda pair: pair[0].share)
    near = ""
    if found.share:
        near = f"; nearest is {_name(nearest)}, of which it lacks {', '.join(found.missing[:3])}"
    return (
        f"is of no architecture that spandrel {versions.of('spandrel')} knows, or lacks a part of "
        f"its weights: it has {len(state)}, from {shown}{near}. Update spandrel, or convert it "
        "with the program that trained it."
    )


class _Names(NamedTuple):
    """Of the names that an architecture is known by, how many are there, and which are not."""

    present: int
    missing: tuple[str, ...]

    @property
    def share(self) -> float:
        return self.present / max(self.present + len(self.missing), 1)


def _compare(condition: Any, state: Mapping[str, Any]) -> _Names:
    """Looks for the names that an architecture is known by; of alternatives, the nearest counts."""
    if isinstance(condition, str):
        return _Names(1, ()) if condition in state else _Names(0, (condition,))
    parts = [_compare(one, state) for one in getattr(condition, "_keys", ())]
    if getattr(condition, "_kind", "") == "any" and parts:
        return max(parts, key=lambda part: part.share)
    missing = tuple(itertools.chain.from_iterable(part.missing for part in parts))
    return _Names(sum(part.present for part in parts), missing)


def _misfit(error: Exception) -> str:
    """What is wrong with weights, in one line: the first names that are missing, or too many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1:  # of load_state_dict: a heading, and what is wrong
        lines = lines[1:]
    text = "; ".join(lines[:2]) or type(error).__name__
    if isinstance(error, KeyError):
        text = f"the weights {text} are missing"
    return text.replace("param with shape", "weights of shape").rstrip(".")[:300]


def _described(found: Any, state: Mapping[str, np.ndarray]) -> str:
    """The size of a network in words."""
    words = {"nf": "channels", "nb": "blocks", "nc": "convolutions"}
    parts = []
    for tag in found.tags:
        number, unit = tag[:-2], tag[-2:]
        parts.append(f"{number} {words[unit]}" if number.isdecimal() and unit in words else tag)
    return ", ".join(parts).replace("unshuffle", "pixel-unshuffle") or f"{len(state)} tensors"


def _end_with_parent() -> None:
    """Ends this process when the one that waits for it is gone."""
    os.read(0, 1)  # nothing is ever written; not by `sys.stdin`, which cannot be closed meanwhile
    os._exit(1)


def _limit(seconds: int, memory: int) -> None:
    """Has the system end this process when it takes too much."""
    try:
        import resource
    except ModuleNotFoundError:  # on Windows
        return
    for kind, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_DATA, memory)):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, hard))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # PyTorch prints whole graphs
    _limit(int(sys.argv[3]), int(sys.argv[4]))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(parallel.available_cores())
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception as error:
        memory = isinstance(error, MemoryError) or "not enough memory" in str(error)
        known = isinstance(error, ValueError | ModuleNotFoundError)
        text = "needs more memory than there is." if memory else str(error).strip()
        text = text if memory or known else f"{type(error).__name__}: {text}"
        _write(error=" ".join(text.split())[:600], missing=getattr(error, "name", None))
        sys.exit(2)
