"""Workers find each other, or are told who is missing."""

import logging
import os
import signal
import socket
import threading
import time

import pytest

from srgan.networks import meeting


@pytest.fixture
def addresses():
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    named = [f"127.0.0.1:{one.getsockname()[1]}" for one in opened]
    for one in opened:
        one.close()
    return named


def _start(addresses, rank, met):
    def go():
        meeting.meet(addresses, rank, seconds=20)
        met.append(rank)

    thread = threading.Thread(target=go)
    thread.start()
    return thread


def test_workers_meet_in_any_order_and_leave_the_port_free(addresses):
    met = []
    threads = [_start(addresses, rank, met) for rank in (2, 1)]
    threads[0].join(0.5)
    assert met == []  # the first one is not here yet
    threads.append(_start(addresses, 0, met))
    for thread in threads:
        thread.join()
    assert sorted(met) == [0, 1, 2]
    host, port = addresses[0].split(":")
    socket.create_server((host, int(port))).close()


def test_who_comes_and_ends_again_is_missing_and_strangers_do_not_count(addresses):
    met = []
    first, other = (_start(addresses, rank, met) for rank in (0, 1))
    for said in (b"srgan worker 2\n", b"GET / HTTP/1.1\r\n\r\n"):
        guest = _connect(addresses[0], said)
        time.sleep(0.3)  # it is counted as here, but does not answer
        guest.close()
    first.join(0.6)
    assert met == []
    for thread in (_start(addresses, 2, met), first, other):
        thread.join()
    assert sorted(met) == [0, 1, 2]


def _connect(address, said):
    host, port = address.split(":")
    while True:
        try:
            guest = socket.create_connection((host, int(port)))
        except ConnectionRefusedError:
            continue
        guest.sendall(said)
        return guest


@pytest.mark.parametrize(
    ("rank", "missing"),
    [(0, "worker 1 ({1}) and worker 2 ({2})"), (1, "worker 0 ({0})")],
)
def test_who_is_missing_is_said_and_ends_it_in_time(addresses, caplog, rank, missing):
    named = missing.format(*addresses)
    with caplog.at_level(logging.WARNING), pytest.raises(TimeoutError) as raised:
        meeting.meet(addresses, rank, seconds=1.5, remind=0.3)
    assert f"Waiting for {named}, at most 1 seconds more." in caplog.messages
    assert str(raised.value).startswith(f"{named} did not come within 1.5 seconds.")


def test_waiting_for_others_can_be_interrupted(addresses):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    try:
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            meeting.meet(addresses, 0, seconds=20)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_port_in_use_is_named(addresses, monkeypatch):
    monkeypatch.setattr(meeting, "_FREED", 0.1)
    port = int(addresses[0].split(":")[1])
    with socket.create_server(("", port)), pytest.raises(OSError, match=f"Port {port}, at which"):
        meeting.meet(addresses, 0, seconds=1)
