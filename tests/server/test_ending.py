"""The end of the service, by SIGTERM and by SIGKILL: nothing that was accepted is lost or left."""

import contextlib
import signal
import socket
import time

import pytest

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
if not hasattr(signal, "SIGKILL"):
    pytest.skip("needs the signals of a POSIX system", allow_module_level=True)

GRACE = 3 + 5  # seconds, as promised, and for a busy machine


def left(folder):
    return sorted(path.name for path in folder.glob("srgan-*"))


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_what_was_accepted_is_finished_after_sigterm(program, connect, png, tmp_path):
    with program("--model", "srgan-x4", "--tile", 64) as (service, port):
        client = connect(port)
        begun = client.begin(data=png(100, 100), job="mine")
        client.until(lambda: client.is_running("mine"))
        service.send_signal(signal.SIGTERM)
        with contextlib.closing(begun):
            answer = begun.getresponse()
            assert answer.status == 200
            assert answer.read().startswith(b"\x89PNG")
        _, log = service.communicate(timeout=30)
        assert service.returncode == 0
    assert "Traceback" not in log
    assert left(tmp_path) == []


def test_what_takes_too_long_after_sigterm_is_given_up(program, connect, png, tmp_path):
    with (
        contextlib.ExitStack() as stack,
        program("--model", "srgan-x4", "--drain", 0.5, "--concurrency", 1) as (service, port),
    ):
        client = connect(port)
        large = png(1000, 1000)  # in tiles of seconds
        begun = [client.begin(data=large, job="running")]
        client.until(lambda: client.is_running("running"))
        begun.append(client.begin(data=large, job="waiting"))
        client.until(lambda: client.jobs() == 2)
        head = b"POST /v1/upscale?job=coming HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 9\r\n\r\n"
        coming = stack.enter_context(client.send(head))
        client.until(lambda: client.ask("/v1/jobs/coming")[0] == 200)
        service.send_signal(signal.SIGTERM)
        told = time.monotonic()
        for connection in begun:
            stack.enter_context(contextlib.closing(connection))
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert b"about to end" in answer.read()
        assert coming.recv(100).startswith(b"HTTP/1.1 503")
        _, log = service.communicate(timeout=30)
        assert service.returncode == 0
        assert time.monotonic() - told < 0.5 + GRACE
    assert "Traceback" not in log
    assert left(tmp_path) == []


def test_a_second_signal_gives_up_what_is_left_at_once(program, connect, png, tmp_path):
    with program("--model", "srgan-x4") as (service, port):
        client = connect(port)
        begun = client.begin(data=png(1000, 1000), job="mine")
        client.until(lambda: client.is_running("mine"))
        service.send_signal(signal.SIGINT)
        client.until(lambda: not listens(port))
        told = time.monotonic()
        service.send_signal(signal.SIGINT)
        answer = begun.getresponse()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        begun.close()
        _, log = service.communicate(timeout=30)
        assert time.monotonic() - told < GRACE
    assert "Traceback" not in log
    assert left(tmp_path) == []


def test_work_that_nobody_wants_does_not_delay_the_end(program, connect, png, tmp_path):
    pytest.importorskip("openvino", reason="needs the engine whose tiles cannot be ended")
    with program("--model", "srgan-x4", "--engine", "openvino") as (service, port):
        client = connect(port)
        begun = client.begin(data=png(600, 600), job="mine", self_ensemble=True)
        client.until(lambda: client.is_running("mine"))
        time.sleep(1.5)  # until its first tile runs, which takes half a minute
        begun.close()
        service.send_signal(signal.SIGTERM)
        told = time.monotonic()
        service.communicate(timeout=30)
        assert service.returncode == 0
        assert time.monotonic() - told < GRACE
    assert left(tmp_path) == []


def test_the_next_start_removes_what_a_kill_left_and_nothing_else(
    program, connect, png, tmp_path, tiny_model
):
    somebody_s = tmp_path / "srgan-serve-notes"
    somebody_s.mkdir()
    (somebody_s / "notes.txt").write_text("mine")
    with program("--model", str(tiny_model)) as (_, port):
        assert connect(port).ask("/health")[0] == 200  # from now on it has its folder
        (living,) = set(left(tmp_path)) - {somebody_s.name}
        with program("--model", "srgan-x4") as (service, other):
            client = connect(other)
            begun = client.begin(data=png(1000, 1000), job="mine")
            client.until(lambda: client.is_running("mine"))
            (killed,) = set(left(tmp_path)) - {somebody_s.name, living}
            service.kill()
            service.wait()
            begun.close()
        assert list((tmp_path / killed).glob("*/"))  # the kill left it
        with program("--model", str(tiny_model)) as (_, again):
            assert connect(again).ask(data=png(8, 8))[0] == 200
            assert (tmp_path / living / "lock").exists()
            assert not (tmp_path / killed).exists()
            assert len(left(tmp_path)) == 3
        assert connect(port).ask(data=png(8, 8))[0] == 200
    assert (somebody_s / "notes.txt").read_text() == "mine"


def test_a_log_that_nobody_reads_keeps_nobody_waiting(program, connect, tiny_model, tmp_path):
    with program("--model", str(tiny_model)) as (service, port):
        client = connect(port)
        for _ in range(50):  # more than a pipe holds
            assert client.ask("/v1/jobs/" + 4000 * "x")[0] == 422
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=30) == 0
    assert left(tmp_path) == []
