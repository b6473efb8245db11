"""Cores are those that may be used; results come in the order of the jobs, a few at a time."""

import os
import subprocess
import sys
import threading

import pytest

from srgan import parallel


def test_cores_are_those_the_process_may_use(tmp_path):
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from srgan import parallel; print(parallel.available_cores())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not bind processes to cores")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize(("share", "cores"), [("100000 100000", 1), ("50000 100000", 1)])
def test_cores_are_those_of_the_container(tmp_path, share, cores):
    (tmp_path / "cpu.max").write_text(share)
    assert parallel.available_cores(tmp_path / "cpu.max") == cores


@pytest.mark.parametrize("text", ["max 100000", "900000000 1000", ""])
def test_a_container_without_limit_changes_nothing(tmp_path, text):
    (tmp_path / "cpu.max").write_text(text)
    unlimited = parallel.available_cores(tmp_path / "gone")
    assert parallel.available_cores(tmp_path / "cpu.max") == unlimited >= 1


def test_results_come_in_the_order_of_the_jobs():
    events = [threading.Event() for _ in range(4)]

    def wait_for_the_next(index):
        if index % 2 == 0:
            assert events[index + 1].wait(10)
        events[index].set()
        return index

    jobs = [(index,) for index in range(4)]
    if parallel.available_cores() > 1:
        assert list(parallel.in_order(wait_for_the_next, jobs)) == [0, 1, 2, 3]


def test_only_a_few_results_wait_at_a_time():
    started = []
    results = parallel.in_order(started.append, ((index,) for index in range(1000)))
    next(results)
    assert len(started) <= 3 * parallel.available_cores() + 1
    results.close()


def test_an_error_of_a_job_is_raised_at_its_place():
    results = parallel.in_order(lambda x: 1 / x, [(1,), (0,), (2,)])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
