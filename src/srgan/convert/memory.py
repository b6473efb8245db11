"""How much memory an ONNX file needs for a pixel, measured in a process of its own.

python -m srgan.convert.memory MODEL.onnx SMALL LARGE

The graphs of networks with attention compute their shapes, and do not say it.
"""

import sys
from pathlib import Path

import numpy as np

from srgan.models import engines
from srgan.models.requirements import SizeRequirements
from srgan.util import children

_SIDES = (64, 160)  # of what it is measured on: what is fixed drops out of the difference


def measure(path: Path, requirements: SizeRequirements) -> int:
    """Returns the bytes that a pixel of lr takes while the network runs, about; 0 if unknown."""
    sides = [requirements.padded(side, side)[0] for side in _SIDES]
    child = children.run("srgan.convert.memory", path, *sides)
    return int(child.lines[-1]) if child.code == 0 else 0


def _peak() -> int:
    """The most memory that this process has had, in bytes; 0 where the system does not say it."""
    try:
        # Not getrusage, whose peak a process inherits from the one that started it.
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _main(path: Path, *sides: int) -> int:
    engine = engines.open_engine(path)
    peaks = []
    for side in sides:
        engine.run(np.zeros((1, side, side, 3), np.float32))
        peaks.append(_peak())
    return round((peaks[1] - peaks[0]) / (sides[1] ** 2 - sides[0] ** 2))


if __name__ == "__main__":
    sys.stdout.write(str(_main(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
