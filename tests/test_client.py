"""The clients of the service, against the service and its description."""

import asyncio
import contextlib
import re
import socket
import threading
import typing
from dataclasses import fields

import numpy as np
import pytest

import srgan

httpx = pytest.importorskip("httpx")
client = pytest.importorskip("srgan.client")

access = pytest.importorskip("srgan.server.access", reason="needs fastapi", exc_type=ImportError)

TOKEN, HASH = access.new_token()


@pytest.fixture(scope="module")
def address(serving, tiny_model):
    with serving("srgan-fast-x4", str(tiny_model), tokens={"alice": HASH}) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def described(address):
    return httpx.get(f"{address}/openapi.json").json()


@pytest.fixture
def picture(tmp_path):
    srgan.write(tmp_path / "photo.png", np.full((8, 12, 3), 0.5))
    return tmp_path / "photo.png"


def test_the_options_are_those_of_the_description(described):
    types = {"string": {str}, "number": {float}, "integer": {int}, "boolean": {bool}}
    wanted = typing.get_type_hints(client.Options)
    for path in ("/v1/upscale", "/v1/jobs"):
        found = {}
        for parameter in described["paths"][path]["post"]["parameters"]:
            kinds = parameter["schema"].get("anyOf", [parameter["schema"]])
            kinds = [kind["type"] for kind in kinds if kind["type"] != "null"]
            if parameter["in"] == "query" and not parameter["schema"].get("deprecated"):
                found[parameter["name"]] = types[kinds[0]]
        assert {name: {kind} for name, kind in wanted.items()} == {
            name: kind for name, kind in found.items() if name not in ("job", "work")
        }


def test_a_job_has_the_fields_of_the_description(described):
    schema = described["components"]["schemas"]["JobStatus"]
    assert [field.name for field in fields(client.Job)] == [*schema["properties"]]
    states = typing.get_args(typing.get_type_hints(client.Job)["state"])
    assert set(states) == set(schema["properties"]["state"]["enum"])


def test_a_result_is_told_without_its_bytes():
    result = client.Result(b"PNG", "image/png", "srgan-x4", "")
    assert repr(result) == "Result(media_type='image/png', model='srgan-x4', notes='')"


def test_each_method_asks_what_is_described(described, picture):
    calls = [
        client._post("/v1/upscale", picture, {}),
        client._post("/v1/error-map", picture, {}),
        client._post("/v1/jobs", picture, {}),
        client._get("/v1/models"),
        client._get("/v1/jobs/{job}"),
        client._get("/v1/jobs/{job}", "DELETE"),
        client._get("/v1/jobs/{job}/result"),
    ]
    for call in calls:
        assert call["method"].lower() in described["paths"][call["url"]]
    public = {name for name in vars(client.Client) if not name.startswith("_")}
    assert public == {name for name in vars(client.AsyncClient) if not name.startswith("_")}


def test_a_client_enlarges_and_says_what_was_refused(address, picture, tmp_path):
    with srgan.Client(address, TOKEN) as service:
        assert service.models()[0]["name"] == "srgan-fast-x4"
        result = service.upscale(picture, model="tiny", srgb=True, format="webp", scale=1.5)
        assert (result.media_type, result.model, result.notes) == ("image/webp", "tiny", "")
        result.save(tmp_path / "large.webp")
        assert srgan.read(tmp_path / "large.webp").shape == (12, 18, 3)
        with pytest.raises(srgan.ServiceError, match="not an image") as refused:
            service.upscale(b"no picture")
        assert (refused.value.code, refused.value.retry_after) == (422, None)
        with pytest.raises(srgan.ServiceError, match="tiny") as refused:
            service.error_map(picture, "tiny")
        with pytest.raises(FileNotFoundError):
            service.upscale(tmp_path / "none.png")
    with (
        srgan.Client(address) as stranger,
        pytest.raises(srgan.ServiceError, match="needs a token") as refused,
    ):
        stranger.models()
    assert refused.value.code == 401


def test_a_client_submits_jobs_and_takes_their_results(address, picture):
    with srgan.Client(address, TOKEN) as service:
        with pytest.raises(ValueError, match="printable ASCII characters alone; got 'ü'"):
            service.submit(picture, key="ü", model="tiny")
        job = service.submit(picture, key="one", model="tiny")
        assert service.submit(picture, key="one", model="tiny").id == job.id
        assert service.wait(job.id).state == "done"
        assert service.result(job.id) == service.upscale(picture, model="tiny")
        assert service.cancel(job.id).state == "cancelled"
        with pytest.raises(srgan.ServiceError, match="the job is cancelled"):
            service.result(job.id)
        with pytest.raises(srgan.ServiceError) as refused:
            service.job("../models")  # is the name of a job, and nothing else
        assert refused.value.code == 404


def test_many_pictures_go_at_once_by_asyncio(address, picture):
    async def run():
        async with srgan.AsyncClient(address, TOKEN) as service:
            assert len(await service.models()) == 2
            jobs = await asyncio.gather(*(service.submit(picture) for _ in range(4)))
            ended = [await service.wait(job.id) for job in jobs]
            assert [job.state for job in ended] == ["done"] * 4
            results = [await service.result(job.id) for job in jobs]
            assert set(results) == {await service.upscale(picture)}
            assert (await service.job(jobs[0].id)).state == "done"
            assert (await service.cancel(jobs[0].id)).state == "cancelled"
            with pytest.raises(srgan.ServiceError):
                await service.error_map(picture, "tiny")

    asyncio.run(run())


def test_an_answer_that_is_not_the_service_s_is_told():
    def answer(request):
        return httpx.Response(502, text="<html>", headers={"Retry-After": "7"})

    with (
        srgan.Client("http://proxy", transport=httpx.MockTransport(answer)) as service,
        pytest.raises(srgan.ServiceError, match="502 Bad Gateway") as failed,
    ):
        service.models()
    assert failed.value.retry_after == 7


@contextlib.contextmanager
def answering(sent):
    """A server that sends the same to whoever asks, and then nothing more; or only takes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    taken, _ = listening.accept()
                    kept.append(taken)
                    if sent is not None:
                        taken.recv(65536)
                        taken.sendall(sent)
                        taken.close()

        kept = []
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        for taken in kept:
            taken.close()


def failure(address, timeout=30.0):
    """What both clients raise of a service: the same, but for the reason of the system."""
    with (
        srgan.Client(address, timeout=timeout) as service,
        pytest.raises(srgan.ServiceError) as found,
    ):
        service.upscale(b"a picture")

    async def run():
        async with srgan.AsyncClient(address, timeout=timeout) as service:
            await service.upscale(b"a picture")

    with pytest.raises(srgan.ServiceError) as failed:
        asyncio.run(run())
    first, second = (re.sub(r" \(.*?\)", "", str(one.value)) for one in (found, failed))
    assert (first, found.value.code) == (second, failed.value.code)
    return found.value


def test_a_service_that_is_not_there_is_said():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    error = failure(address)
    assert error.code == 0
    assert str(error).startswith(f"Nothing answers at {address} (")
    assert "Expected srgan serve there: start it, or correct the address." in str(error)
    assert isinstance(error.__cause__, httpx.ConnectError)


def test_a_service_that_is_too_slow_is_said():
    with answering(None) as address:
        error = failure(address, timeout=0.3)
    assert error.code == 0
    assert f"{address} gave no answer within 0.3 seconds." in str(error)
    assert "submit the picture as a job" in str(error)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nPNG"])
def test_a_connection_that_breaks_is_said(sent):
    with answering(sent) as address:
        error = failure(address)
    assert error.code == 0
    assert f"The connection to {address} broke before the answer was there" in str(error)


def test_a_server_that_is_another_one_is_said():
    html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
    with answering(html) as address:
        told = "does not answer as srgan serve does: got text/html. Is the address right?"
        assert told in str(failure(address))
        with srgan.Client(address) as service:
            for ask in (service.models, lambda: service.job("1"), lambda: service.submit(b"")):
                with pytest.raises(srgan.ServiceError, match="does not answer as srgan serve does"):
                    ask()
    moved = b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://photos.example/\r\n"
    with answering(moved + b"Content-Length: 0\r\n\r\n") as address:
        assert "the service is at https://photos.example/. Use that" in str(failure(address))


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "localhost", "ftp://host", "http://", ""])
def test_an_address_that_is_none_is_refused_at_once(address):
    for kind in (srgan.Client, srgan.AsyncClient):
        with pytest.raises(ValueError, match=r"as http://127\.0\.0\.1:8000; got"):
            kind(address)


def test_a_token_may_have_the_end_of_its_line_and_nothing_else(address):
    with srgan.Client(address, f"{TOKEN}\n") as service:
        assert service.models()
    for token in ("wröng", "two\nlines"):
        with pytest.raises(ValueError, match="printable ASCII characters alone"):
            srgan.Client(address, token)


def test_pictures_beyond_the_rate_and_the_quota_say_when_to_come_again(serving, picture):
    with (
        serving("srgan-fast-x4", rate=1) as port,
        srgan.Client(f"http://127.0.0.1:{port}") as service,
    ):
        service.upscale(picture)
        with pytest.raises(srgan.ServiceError) as refused:
            service.upscale(picture)
    assert refused.value.code == 429
    assert 0 < refused.value.retry_after <= 60
    with (
        serving("srgan-fast-x4", quota=1e-9, queue_size=0, jobs=0) as port,
        srgan.Client(f"http://127.0.0.1:{port}") as service,
        pytest.raises(srgan.ServiceError, match="0 jobs wait already") as refused,
    ):
        service.submit(picture)
    assert (refused.value.code, refused.value.retry_after) == (503, 5)
    with (
        serving("srgan-fast-x4", quota=1e-9) as port,
        srgan.Client(f"http://127.0.0.1:{port}") as service,
        pytest.raises(srgan.ServiceError, match="more than all jobs together") as refused,
    ):
        service.submit(picture)
    assert refused.value.code == 507
