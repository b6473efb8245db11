"""What `deploy/service` names, the service has."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from srgan.cli import app

pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
yaml = pytest.importorskip("yaml")

DEPLOY = Path(__file__).parents[2] / "deploy" / "service"
OPTIONS = {option.name for option in typer.main.get_command(app).commands["serve"].params}
TEXTS = {
    path.name: path.read_text()
    for path in DEPLOY.rglob("*")
    if path.is_file() and path.suffix != ".md"
}


@pytest.fixture(scope="module")
def port(serving, tiny_model):
    with serving(str(tiny_model)) as port:
        yield port


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "srgan.service"])
def test_variables_of_the_environment_are_options(name):
    found = re.findall(r"SRGAN_SERVE_([A-Z_]+)", TEXTS[name])
    assert found
    assert {variable.lower() for variable in found} <= OPTIONS


def test_the_file_of_settings_has_options():
    assert {name.replace("-", "_") for name in tomllib.loads(TEXTS["serve.toml"])} <= OPTIONS


def manifests():
    return {entry["kind"]: entry for entry in yaml.safe_load_all(TEXTS["srgan.yaml"])}


def test_the_manifests_give_options_and_ask_paths_that_there_are(port, connect):
    (container,) = manifests()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    flags = [word for word in container["args"] if word.startswith("--")]
    assert {flag[2:].replace("-", "_") for flag in flags} <= OPTIONS
    client = connect(port)
    client.until(lambda: client.ask("/readyz")[0] == 200)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert client.ask(container[probe]["httpGet"]["path"])[0] == 200
    assert "http://127.0.0.1:8000/readyz" in TEXTS["Dockerfile"]


def test_the_service_has_the_time_to_end_that_it_takes():
    drain = 25 + 3  # by default, and for the last answers
    spec = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= drain
    assert yaml.safe_load(TEXTS["compose.yaml"])["services"]["srgan"]["stop_grace_period"] == "30s"
    assert "TimeoutStopSec=30" in TEXTS["srgan.service"]


def test_what_is_mounted_is_there():
    compose = yaml.safe_load(TEXTS["compose.yaml"])
    sources = [
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
    ]
    for source in sources:
        assert source in compose["volumes"] or (DEPLOY / source).is_file()


def test_alerts_and_dashboard_ask_for_metrics_that_there_are(port, connect, png):
    client = connect(port)
    client.ask(data=png(8, 8))
    # A request is counted once its answer is on its way.
    client.until(lambda: b"srgan_request_seconds_bucket" in client.ask("/metrics")[2])
    told = client.ask("/metrics")[2].decode()
    alerts = yaml.safe_load(TEXTS["alerts.yml"])["groups"][0]["rules"]
    board = json.loads(TEXTS["srgan.json"])
    asked = [rule["expr"] for rule in alerts]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    names = {name for one in asked for name in re.findall(r"(?:srgan|process)_[a-z_]+", one)}
    assert len(names) > 5
    for name in names:
        assert re.search(rf"^{name}[ {{]", told, re.MULTILINE), name


def test_the_unit_starts_the_command():
    (line,) = re.findall(r"^ExecStart=(.*)$", TEXTS["srgan.service"], re.MULTILINE)
    assert shlex.split(line)[1:3] == ["serve", "--config"]
