"""The service beside clients that hang up, stall, or send nothing at all: others notice nothing."""

import contextlib
import socket
import threading
import time

import numpy as np
import pytest
import pyvips

from srgan.util import parallel

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
running = pytest.importorskip("srgan.server.running", exc_type=ImportError)
transfer = pytest.importorskip("srgan.server.transfer", exc_type=ImportError)

PROMISED = 0.25  # seconds, for each answer of /health
HALF = b"POST /v1/upscale HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000)


def received(connection):
    """All that comes until the other side closes."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def test_health_answers_during_hang_ups_time_outs_and_crowds(program, connect, watching, png):
    large, small = png(300, 300), png(24, 24)
    with program("--model", "srgan-x4", "--timeout", "0.5") as (_, port):
        client = connect(port)

        def slowest():
            """Of the answers beside all of this, in seconds; each client got an answer."""
            statuses = []
            with watching(port) as watchdog:
                for job in ("first", "second"):  # in two tiles, of a second or more
                    begun = client.begin(data=large, job=job)
                    client.until(lambda job=job: client.is_running(job))
                    begun.close()
                assert client.ask(data=large)[0] == 504

                def send():
                    statuses.append(client.ask(data=small)[0])

                threads = [threading.Thread(target=send) for _ in range(36)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                client.until(lambda: client.jobs() == 0, seconds=120)
            assert client.ask(data=small)[0] in (200, 504)
            assert set(statuses) <= {200, 503, 504}
            assert len(statuses) == 36
            return watchdog.worst

        # A loop that waits does so each time; a machine with other work does now and then.
        assert any(slowest() < PROMISED for _ in range(3))


def test_what_was_given_up_is_freed_where_it_worked(serving, connect, monkeypatch, png):
    """A generator's `finally` waits for tiles, but not in the event loop if nobody closed it."""
    threads, in_order = [], parallel.in_order

    def watched(*arguments):
        try:
            yield from in_order(*arguments)
        finally:
            threads.append(threading.current_thread().name)

    monkeypatch.setattr(parallel, "in_order", watched)
    monkeypatch.setattr("srgan.models.tiling.closing", contextlib.nullcontext)
    monkeypatch.setattr("srgan.models.model.closing", contextlib.nullcontext)
    monkeypatch.setattr("srgan.upscaling.jobs.closing", contextlib.nullcontext)
    with serving("srgan-fast-x4", tile=16) as port:
        client = connect(port)
        client.until(lambda: client.ask("/readyz")[0] == 200)
        threads.clear()  # of what made the model ready
        begun = client.begin(data=png(400, 400), job="mine")
        client.until(lambda: client.is_running("mine"))
        begun.close()
        client.until(lambda: client.jobs() == 0)
        client.until(lambda: threads)
    assert [name.rpartition("_")[0] for name in threads] == ["srgan-job"]


def test_what_nobody_wants_ends_before_its_tiles_do(serving, connect, png):
    with serving("srgan-x4") as port:
        client = connect(port)
        begun = client.begin(data=png(1000, 1000), job="mine")
        client.until(lambda: client.is_running("mine"))
        begun.close()
        client.until(lambda: client.jobs() == 0, seconds=8)  # its first tiles take 10 s, or more


def test_the_answer_to_a_time_out_does_not_wait_for_the_work(serving, connect, monkeypatch, png):
    ends = threading.Event()
    monkeypatch.setattr("srgan.upscaling.pipeline.UpscaleJob.run", lambda *_: ends.wait(30))
    with serving("srgan-fast-x4", seconds=0.2) as port:
        client = connect(port)
        status, _, body = client.ask(data=png(8, 8))
        assert status == 504
        assert b"longer than the 0.2 seconds" in body
        assert client.jobs() == 1  # which still has its place
        ends.set()
        client.until(lambda: client.jobs() == 0)


def test_pictures_that_stall_take_no_places(serving, connect, tiny_model, png):
    with serving(str(tiny_model), concurrency=1, queue_size=1) as port:
        client = connect(port)
        with contextlib.ExitStack() as stack:
            for _ in range(18):
                stack.enter_context(client.send(HALF))
            assert client.jobs() == 0
            client.until(lambda: client.ask(data=png(8, 8))[0] == 200, seconds=5)


def test_the_slowest_picture_makes_room(serving, connect, tiny_model, monkeypatch):
    monkeypatch.setattr(transfer, "_YOUNG", 0)
    with serving(str(tiny_model), concurrency=1, queue_size=0) as port:  # two may be on their way
        client = connect(port)
        with client.send(HALF[:200]) as slow, client.send(HALF) as fast:
            client.until(lambda: client.ask(data=b"no picture")[0] == 422, seconds=5)
            assert b"others had to wait for it" in received(slow)
            fast.sendall(bytes(50_000))
            assert received_status(fast) == b"422"


def received_status(connection):
    return connection.recv(4096)[9:12]


@pytest.mark.parametrize("data", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: [::1]\r\n"])
def test_headers_that_do_not_come_are_not_waited_for(serving, connect, tiny_model, data):
    with serving(str(tiny_model), header_timeout=0.5) as port, connect(port).send(data) as silent:
        assert received(silent) == b""


def test_headers_that_trickle_are_not_waited_for(serving, connect, tiny_model):
    with serving(str(tiny_model), header_timeout=0.5) as port:
        with connect(port).send(b"GET /health HTTP/1.1\r\n") as slow:
            slow.settimeout(0.1)
            for number in range(100):
                try:
                    slow.sendall(b"X-%d: 1\r\n" % number)
                    slow.recv(100)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
                break
        assert 4 < number < 50


def test_a_client_that_reads_slowly_gets_the_whole_result(serving, connect, tiny_model, png):
    data = png(700, 700)
    with serving(str(tiny_model), header_timeout=1.5) as port, socket.socket() as slow:
        expected = connect(port).ask(data=data, format="tiff")[2]
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(10)
        slow.connect(("127.0.0.1", port))
        slow.sendall(
            b"POST /v1/upscale?format=tiff HTTP/1.0\r\nHost: [::1]\r\n"
            b"Content-Length: %d\r\n\r\n" % len(data)
        )
        slow.sendall(data)
        got = bytearray()
        began = time.monotonic()
        while part := slow.recv(2**16):
            got += part
            time.sleep(len(part) / 9e5)
        assert bytes(got).endswith(expected), bytes(got[:200])
        assert time.monotonic() - began > 4.5  # much longer than a client may read nothing
        assert len(expected) > 2e6


def test_health_answers_beside_any_number_of_silent_connections(serving, connect, tiny_model):
    with serving(str(tiny_model), header_timeout=60) as port, contextlib.ExitStack() as stack:
        client = connect(port)
        silent = [
            stack.enter_context(client.send(b"" if number % 2 else b"GET /hea"))
            for number in range(running._CONNECTIONS + 44)
        ]
        assert client.jobs() == 0
        assert received(silent[0]) == b""  # the oldest made room
        silent[-1].sendall(b"GET /health HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        assert received_status(silent[-1]) == b"200"


def test_a_body_in_a_million_parts_holds_nobody_up(program, connect, watching, tiny_model):
    parts = b"1\r\nx\r\n" * 200_000
    head = b"POST /v1/upscale HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n"
    with program("--model", tiny_model) as (_, port):

        def slowest():
            with (
                watching(port) as watchdog,
                connect(port).send(head + parts + b"0\r\n\r\n") as connection,
            ):
                assert received_status(connection) == b"422"
            return watchdog.worst

        assert any(slowest() < PROMISED for _ in range(3))  # as above


def test_an_animation_of_too_many_frames_is_refused(serving, connect, tiny_model):
    shades = np.arange(20, dtype=np.uint8).reshape(20, 1)
    image = pyvips.Image.new_from_array(shades).copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", 1)
    frames = image.webpsave_buffer(lossless=True)
    with serving(str(tiny_model), frames=10) as port:
        status, _, body = connect(port).ask(data=frames, format="webp")
    assert status == 413
    assert b"expected at most 10" in body
