"""What those who run a service see of it, and how they set it."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from srgan import cli

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)


@pytest.fixture(scope="module")
def port(serving, tiny_model):
    with serving(str(tiny_model)) as port:
        yield port


def metrics(client):
    """Samples by name and labels."""
    status, headers, body = client.ask("/metrics")
    assert (status, headers.get_content_type()) == (200, "application/openmetrics-text")
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_metrics_count_requests_seconds_and_megapixels(port, connect, png):
    client = connect(port)
    client.ask(data=png(10, 20))
    client.ask(data=b"no picture")
    client.ask("/v1/nothing/of/the/kind")
    client.ask(f"/v1/jobs/{'0' * 32}")
    found = metrics(client)

    def requests(**labels):
        return found[("srgan_requests_total", *sorted(labels.items()))]

    assert requests(method="POST", path="/v1/upscale", code="200", model="tiny") == 1
    assert requests(method="POST", path="/v1/upscale", code="422", model="") == 1
    assert requests(method="", path="other", code="404", model="") == 1
    assert requests(method="GET", path="/v1/jobs/{job}", code="404", model="") == 1
    assert found[("srgan_request_seconds_count", ("path", "/v1/upscale"))] == 2
    assert found[("srgan_megapixels_total", ("model", "tiny"))] == pytest.approx(800e-6)
    assert (found[("srgan_working",)], found[("srgan_waiting",)]) == (0, 0)
    if sys.platform == "linux":
        assert found[("process_resident_memory_bytes",)] > 1e7


def test_it_is_ready_when_its_models_are_and_before_its_end(serving, connect, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr("srgan.server.work.Worker.warm", lambda self: go.wait(30))
    with serving("srgan-fast-x4") as port:
        client = connect(port)
        assert client.ask("/livez")[0] == 200
        status, _, body = client.ask("/readyz")
        assert (status, b"made ready" in body) == (503, True)
        go.set()
        client.until(lambda: client.ask("/readyz")[0] == 200)


def test_what_a_client_makes_up_is_no_label(port, connect):
    client = connect(port)
    for method in ("BREW", "WHEN"):
        with client.send(f"{method} /health HTTP/1.1\r\nHost: [::1]\r\n\r\n".encode()) as sent:
            assert sent.recv(100).startswith(b"HTTP/1.1 405")
    methods = {value for key in metrics(client) for name, value in key[1:] if name == "method"}
    assert methods <= {"", "GET", "POST"}


def test_models_that_do_not_run_keep_it_from_being_ready(serving, connect, monkeypatch, caplog):
    def fail(self):
        raise RuntimeError("no such instruction")

    monkeypatch.setattr("srgan.server.work.Worker.warm", fail)
    with serving("srgan-fast-x4") as port:
        client = connect(port)
        client.until(lambda: "could not be made ready" in caplog.text)
        assert client.ask("/readyz")[0] == 503
        assert client.ask("/livez")[0] == 200


def test_a_request_keeps_its_id_or_gets_one(port, connect):
    client = connect(port)
    assert client.ask("/health", headers={"X-Request-ID": "a-1"})[1]["X-Request-ID"] == "a-1"
    for bad in ("", "x" * 200, "a b", "ü"):
        given = client.ask("/health", headers={"X-Request-ID": bad.encode()})[1]["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", given)
    refused = client.ask("/health", headers={"Host": "evil.example", "X-Request-ID": "a-2"})
    assert (refused[0], refused[1]["X-Request-ID"]) == (403, "a-2")


@pytest.mark.parametrize("kind", ["text", "json"])
def test_the_log_tells_of_each_answer_and_nothing_of_the_picture(
    kind, program, connect, tiny_model, png
):
    with program("--model", tiny_model, "--log-format", kind) as (service, port):
        client, data = connect(port), png(8, 8)
        client.ask(data=data, headers={"X-Request-ID": "mine"}, scale=1.5)
        client.ask("/a%0Ab")
        service.terminate()
        _, log = service.communicate(timeout=30)
    assert "IHDR" not in log
    assert "GET /a%0Ab HTTP/1.1" in log
    (line,) = (line for line in log.splitlines() if "POST /v1/upscale" in line)
    if kind == "text":
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO 127\.0\.0\.1:\d+ - "
            r'"POST /v1/upscale HTTP/1\.1" 200 \d+\.\d{3} s id=mine',
            line,
        )
    else:
        told = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        (told,) = (one for one in told if one["request_id"] == "mine")
        assert (told["path"], told["code"], told["model"]) == ("/v1/upscale", 200, "tiny")
        assert 0 < told["seconds"] < 60


@contextlib.contextmanager
def serving_with(arguments, environment):
    command = [sys.executable, "-m", "srgan", "serve", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as service:
        try:
            address = service.stdout.readline().strip()
            yield urllib.parse.urlsplit(address).port, service
        finally:
            service.kill()


def limits_of(port):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as it:
        it.request("GET", "/v1/models")
        found = json.loads(it.getresponse().read())
        return [model["name"] for model in found["models"]], found["limits"]


def test_an_option_counts_before_the_environment_and_that_before_the_file(tmp_path, tiny_model):
    config = tmp_path / "serve.toml"
    config.write_text(
        f'model = ["{tiny_model}", "srgan-fast-x4"]\nport = 0\nqueue-size = 1\n'
        "max-megapixels = 2\nmax_megabytes = 3\n"
    )
    environment = {"SRGAN_SERVE_CONFIG": str(config), "SRGAN_SERVE_MAX_MEGAPIXELS": "4"}
    environment["SRGAN_SERVE_MAX_MEGABYTES"] = "5"
    environment["SRGAN_SERVE_PROT"] = "9000"
    with serving_with(["--max-megabytes", 6], environment) as (port, service):
        names, limits = limits_of(port)
        told, origins = service.stderr.readline(), service.stderr.readline()
    assert "from the environment: SRGAN_SERVE_MAX_MEGAPIXELS, SRGAN_SERVE_CONFIG;" in origins
    assert origins.endswith(f"from {config}: model, port, queue-size.\n")
    assert told.startswith("SRGAN_SERVE_PROT has no effect: srgan serve has no such option. ")
    assert "Is SRGAN_SERVE_PORT meant?" in told
    assert names == ["tiny", "srgan-fast-x4"]
    assert limits["queue_size"] == 1
    assert limits["megapixels"] == 4
    assert limits["megabytes"] == 6


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MAX_JOBS", "abc", "Input should be a valid integer"),
        ("ENGINE", "steam", "is not one of"),
        ("TILE", "3", "at least 16 pixels"),
        ("CONFIG", "/none.toml", "/none.toml cannot be read"),
    ],
)
def test_a_wrong_value_of_the_environment_is_said_to_come_from_there(
    name, value, words, monkeypatch, capsys
):
    monkeypatch.setenv(f"SRGAN_SERVE_{name}", value)
    assert cli.main(["serve"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        f"error: Invalid value for SRGAN_SERVE_{name}={value}, from the environment: "
    )
    assert words in told


def test_a_wrong_option_is_named_whatever_the_environment_says(monkeypatch, capsys):
    monkeypatch.setenv("SRGAN_SERVE_PORT", "8000")
    assert cli.main(["serve", "--port", "many"]) == 2
    assert "Invalid value for '--port': Input should be a valid integer" in capsys.readouterr().err


def test_a_file_of_options_may_give_one_value_where_several_may_be(tmp_path):
    config = tmp_path / "serve.toml"
    config.write_text('model = "srgan-fast-x4"\nport = 0\n')
    with serving_with(["--config", config], {}) as (port, _):
        assert limits_of(port)[0] == ["srgan-fast-x4"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "has prot, which srgan serve does not know; expected some of"),
        ("max-job = 1", "has max-job, which srgan serve does not know; expected some of"),
        ("max-job = 1", ", max-frames, max-jobs, max-megabytes, "),
        ("port = ", "is not a TOML file"),
        ('port = "many"', "has port = 'many': Input should be a valid integer"),
        ("concurrency = 0", "has concurrency = 0: Input should be greater than or equal to 1"),
        ("state = 5", "has state = 5: Input is not a valid path"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_options_that_is_wrong_is_said(tmp_path, text, words):
    config = tmp_path / "serve.toml"
    if text is not None:
        config.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "srgan", "serve", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
