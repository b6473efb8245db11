"""The clients of the service, against the service and its description."""

import asyncio
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
