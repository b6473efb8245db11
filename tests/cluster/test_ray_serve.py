"""The service on Ray Serve: a replica that is killed under load loses no request."""

import concurrent.futures
import importlib.util
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from srgan.upscaling import pipeline

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Ray's own code
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

APP = Path(__file__).parents[2] / "deploy" / "ray-serve" / "app.py"


@pytest.fixture
def port(cluster, unused_port, tiny_model, monkeypatch):
    """That of a service with two replicas."""
    import ray
    from ray import serve

    # The replicas read it from there, as from a working directory.
    ray.init(
        cluster.address,
        log_to_driver=False,
        logging_level="error",
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(APP.parent), *sys.path])}},
    )
    monkeypatch.syspath_prepend(str(APP.parent))
    spec = importlib.util.spec_from_file_location("app", APP)
    app = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "app", app)
    spec.loader.exec_module(app)
    serve.start(http_options={"host": "127.0.0.1", "port": unused_port})
    upscaler = app.Upscaler.options(
        num_replicas=2, autoscaling_config=None, ray_actor_options={"num_cpus": 0.5}
    )
    serve.run(
        app.Gate.options(ray_actor_options={"num_cpus": 0}).bind(upscaler.bind(str(tiny_model)))
    )
    yield unused_port
    serve.shutdown()
    ray.shutdown()


def replicas():
    """The processes of replicas, as Ray names them."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            said = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if said.startswith(b"ray::ServeReplica") and b"Upscaler" in said:
            found.append(int(name))
    return found


def test_a_replica_that_is_killed_under_load_loses_no_request(port, photos, tmp_path, tiny_model):
    photo = photos / "photo0.png"
    pipeline.upscale_file(photo, tmp_path / "x.png", str(tiny_model))

    def ask(number):
        if number == 40:
            os.kill(replicas()[0], signal.SIGKILL)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/upscale", photo.read_bytes(), method="POST"
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=280) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                if error.code != 503:  # turned away: it was not accepted
                    raise

    assert len(replicas()) == 2
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(120)))
    assert set(answers) == {(tmp_path / "x.png").read_bytes()}
    assert len(answers) == 120


def test_a_bad_picture_and_a_large_body_are_refused_in_words(port):
    for body, code, said in ((b"no picture", 422, b"expected"), (b"x" * 33_000_000, 413, b"32 MB")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/upscale", body, timeout=280)
        assert caught.value.code == code
        assert said in caught.value.read()
