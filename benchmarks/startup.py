"""Measures how long `srgan --help` and `import srgan` take, Python's own start included.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time


def main() -> None:
    for title, command in (
        ("python", ["-c", "pass"]),
        ("import srgan", ["-c", "import srgan"]),
        ("srgan --help", ["-m", "srgan", "--help"]),
    ):
        times = []
        for _ in range(11):
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - began)
        print(f"{title:13} {1000 * statistics.median(times):4.0f} ms")


if __name__ == "__main__":
    main()
