"""Cores are those that may be used; results come in the order of the jobs, a few at a time."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from srgan.util import parallel


def test_cores_are_those_the_process_may_use(tmp_path):
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from srgan.util import parallel; print(parallel.available_cores())"
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


def test_a_caller_that_stops_asking_ends_the_work():
    begun = []
    with ThreadPoolExecutor(1) as pool:
        results = parallel.in_order(begun.append, ((i,) for i in range(1000)), pool)
        next(results)
        results.close()
        assert len(begun) <= 2 * parallel.available_cores() + 1


def test_pictures_take_turns_in_the_shared_pool():
    cores, go, order = parallel.available_cores(), threading.Event(), []
    begun = threading.Semaphore(0)

    def hold():
        begun.release()
        assert go.wait(30)

    large, other, small = (parallel.SharedPool() for _ in range(3))
    held = [large.submit(hold) for _ in range(cores)]
    for _ in held:
        assert begun.acquire(timeout=30)
    lock = threading.Lock()

    def note(name):
        with lock:
            order.append(name)

    late = [large.submit(note, "large") for _ in range(50)]
    late += [other.submit(note, "other") for _ in range(50)]
    found = small.submit(note, "small")
    go.set()
    for future in [*held, *late, found]:
        future.result(30)
    assert order.index("small") <= 2 + cores  # after one of each, and what began meanwhile
    assert sorted(order) == ["large"] * 50 + ["other"] * 50 + ["small"]


def test_the_shared_pool_raises_and_cancels_as_futures_do():
    pool, go = parallel.SharedPool(), threading.Event()
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(30)
    held = [pool.submit(go.wait, 30) for _ in range(parallel.available_cores())]
    unwanted = pool.submit(pytest.fail)
    assert unwanted.cancel()
    go.set()
    assert all(future.result(30) for future in held)
    assert pool.submit(divmod, 7, 2).result(30) == (3, 1)


def test_items_are_made_one_ahead():
    made = []

    def items():
        for i in range(10):
            made.append(i)
            yield i

    results = parallel.ahead(items())
    assert next(results) == 0
    assert list(results) == list(range(1, 10))
    assert made == list(range(10))


def test_an_error_in_what_is_made_ahead_is_raised():
    def items():
        yield 1
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        list(parallel.ahead(items()))


def test_memory_is_what_the_machine_and_the_container_leave(tmp_path):
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")
    assert parallel.available_memory(machine, tmp_path) == 2**21
    (tmp_path / "memory.max").write_text("max\n")
    assert parallel.available_memory(machine, tmp_path) == 2**21
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert parallel.available_memory(machine, tmp_path) == 600_000
    assert parallel.available_memory(tmp_path / "gone", tmp_path / "gone") == 4 * 2**30


def test_what_runs_is_ended_from_another_thread():
    stop, begun, ended, late = parallel.Stop(), threading.Event(), threading.Event(), []

    def work(index):
        with parallel.ended_by(ended.set):
            begun.set()
            assert ended.wait(30)
            return index

    def end():
        assert begun.wait(30)
        stop()

    thread = threading.Thread(target=end)
    thread.start()
    with ThreadPoolExecutor(1) as pool, stop.ends():
        assert list(parallel.in_order(work, [(1,)], pool)) == [1]
    thread.join()
    with stop.ends(), parallel.ended_by(lambda: late.append(1)):
        assert late == [1]  # what begins after that is ended as well
    with parallel.ended_by(lambda: late.append(2)):
        stop()
    assert late == [1]  # it is other work
