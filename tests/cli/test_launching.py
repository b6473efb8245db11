"""Processes of one machine that train together."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from srgan.cli import launching


def test_each_worker_is_told_of_all_and_has_a_gpu_of_its_own(tmp_path, monkeypatch):
    """The command that each runs is Python's, which writes what it was told."""
    told = tmp_path / "told"
    told.mkdir()
    script = (
        "import os, sys, pathlib; place = os.environ['TF_CONFIG'];"
        f"pathlib.Path({str(told)!r}, str(os.getpid())).write_text("
        "place + '\\n' + os.environ['CUDA_VISIBLE_DEVICES']); sys.exit('\"index\": 1' in place)"
    )
    program = tmp_path / "srgan.py"
    program.write_text(script)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert launching.launch(["train"], 3) == 1  # that of worker 1
    found = sorted(file.read_text().splitlines()[::-1] for file in told.iterdir())
    assert [device for device, _ in found] == ["3", "5", "7"]
    places = [json.loads(place) for _, place in found]
    assert [place["task"]["index"] for place in places] == [0, 1, 2]
    (addresses,) = {tuple(place["cluster"]["worker"]) for place in places}
    assert len({*addresses}) == 3


def test_more_workers_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(ValueError, match=r"--workers 2 needs a GPU for each, and there are 1"):
        launching.launch(["train"], 2)


def test_the_slurm_script_tells_each_task_where_it_is(tmp_path):
    """With commands in place of SLURM's, which start tasks one after another."""
    tools = {
        "scontrol": "printf 'one\\ntwo\\n'",
        "srun": 'echo "$SRUN_CPUS_PER_TASK" >> cores; shift 2;'
        ' for k in 0 1 2 3; do SLURM_PROCID=$k "$@" || exit; done',
        "srgan": 'echo "$TF_CONFIG" | tr -d "\\n" >> told; echo " $@" >> told;'
        " mkdir -p run; [ -e run/config.toml ] || { touch run/config.toml; exit 3; }",
    }
    for name, body in tools.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script = Path(__file__).parents[2] / "deploy/slurm/train.sbatch"
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "one,two",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_CPUS_PER_TASK": "8",
    }
    subprocess.run(
        ["bash", script, "run", "photos", "--recipe", "own-x4"],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert (tmp_path / "cores").read_text().split() == ["8", "8"]
    begun, *resumed = (tmp_path / "told").read_text().splitlines()
    assert begun.endswith("train -o run photos --recipe own-x4")
    assert all(line.endswith("train -o run photos --recipe own-x4 --resume") for line in resumed)
    places = [json.loads(line.partition(" train")[0]) for line in resumed]
    assert [place["task"]["index"] for place in places] == [0, 1, 2, 3]
    addresses = places[0]["cluster"]["worker"]
    assert addresses == ["one:20007", "one:20008", "two:20007", "two:20008"]
