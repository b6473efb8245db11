"""What the service answers is what its OpenAPI description says."""

import contextlib
import http.client
import json
import os
import subprocess
import sys

import pytest

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)


@pytest.fixture(scope="module")
def port(serving, tiny_model):
    with serving("srgan-fast-x4", str(tiny_model)) as port:
        yield port


@pytest.fixture(scope="module")
def described(port, connect):
    return json.loads(connect(port).ask("/openapi.json")[2])


PICTURE = {"401", "408", "413", "422", "429", "503", "507"}
JOB = {"401", "404", "422"}
ERRORS = {
    "/health": set(),
    "/livez": set(),
    "/readyz": {"503"},
    "/metrics": {"401"},
    "/v1/models": {"401"},
    "/v1/upscale": PICTURE | {"504"},
    "/v1/preview": PICTURE | {"504"},
    "/v1/error-map": PICTURE | {"504"},
    "/v1/map": PICTURE | {"504"},
    "/v1/jobs": PICTURE,
    "/v1/jobs/{job}": JOB,
    "/v1/jobs/{job}/events": JOB,
    "/v1/jobs/{job}/result": JOB | {"409", "410", "413", "503", "504", "507"},
    "/v1/models/{name}": JOB,
    "/v1/models/{name}/metadata": JOB,
    "/v1/models/{name}:predict": PICTURE | {"404", "504"},
}


def test_each_error_is_described_with_the_body_that_comes(described):
    problem = {"$ref": "#/components/schemas/Problem"}
    assert set(described["paths"]) == set(ERRORS)
    for path, methods in described["paths"].items():
        for method in methods.values():
            codes = {code for code in method["responses"] if code[0] != "2"}
            assert codes == ERRORS[path] | {"403", "500"}, path
            for code in codes:
                assert method["responses"][code]["content"]["application/json"]["schema"] == problem
    assert set(described["components"]["schemas"]["Problem"]["required"]) == {"detail"}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/jobs/x", "DELETE, GET"),
        ("/v1/upscale", "POST"),
        ("/v1/models/tiny:predict", "POST"),
        ("/v1/models/tiny", "GET"),
        ("/v1/models/tiny/metadata", "GET"),
    ],
)
def test_the_methods_of_a_path_are_told(port, path, methods):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as it:
        for method in {"OPTIONS", "GET", "POST"} - {*methods.split(", ")}:
            it.request(method, path)
            answer = it.getresponse()
            answer.read()
            assert (answer.status, answer.headers["Allow"]) == (405, methods)


def test_the_models_are_named_where_they_can_be_asked_for(described):
    names = {
        path: parameter["schema"]["enum"]
        for path, methods in described["paths"].items()
        for parameter in methods.get("post", {}).get("parameters", ())
        if parameter["name"] == "model"
    }
    assert names["/v1/upscale"] == ["", "srgan-fast-x4", "tiny"]
    assert names["/v1/jobs"] == names["/v1/upscale"]
    assert names["/v1/error-map"] == ["", "srgan-fast-x4"]


def test_the_paths_of_models_name_those_that_are_served(described):
    for path in ("/v1/models/{name}", "/v1/models/{name}/metadata", "/v1/models/{name}:predict"):
        (operation,) = described["paths"][path].values()
        (name,) = (one for one in operation["parameters"] if one["name"] == "name")
        assert name["schema"]["enum"] == ["srgan-fast-x4", "tiny"]
    assert "/v1/models/srgan-fast-x4:predict" in operation["description"]


def test_what_needs_a_token_is_described(serving, connect, tiny_model, described):
    assert described["security"] == [{}, {"token": []}]
    with serving(str(tiny_model), tokens={"me": "0" * 64}) as port:
        client = connect(port)
        found = json.loads(client.ask("/openapi.json")[2])
        assert found["security"] == [{"token": []}]
        for path, methods in found["paths"].items():
            if "get" in methods:
                needs = methods["get"].get("security") != []
                assert (client.ask(path.replace("{name}", "tiny"))[0] == 401) == needs, path


@pytest.mark.slow
def test_schemathesis_finds_nothing(port, tmp_path):
    pytest.importorskip("schemathesis", reason="needs schemathesis")
    address = f"http://127.0.0.1:{port}/openapi.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", address, "--no-color"),
            *("--seed", "1", "--max-examples", "15", "--generation-database", "none"),
            # A picture may be as described, and too small or too large for the size asked for.
            # A job that was cancelled is still known.
            *("--exclude-checks", "positive_data_acceptance,use_after_free"),
        ],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert "Tested: 17" in done.stdout
