"""TensorFlow Serving's REST interface, as its documentation and its types have it."""

import base64
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from srgan.models import loading

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)

CLIENT = Path(__file__).parents[2] / "deploy" / "tensorflow-serving" / "client.py"


@pytest.fixture(scope="module")
def port(serving, tiny_model):
    with serving(str(tiny_model), megapixels=0.5) as port:
        yield port


@pytest.fixture
def ask(connect, port):
    """Returns the status and the JSON of an answer."""

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        status, _, found = connect(port).ask(f"/v1/models/{path}", data)
        return status, json.loads(found)

    return ask


@pytest.fixture(scope="module")
def model(tiny_model):
    return loading.load(tiny_model)


LR = np.random.default_rng(0).random((2, 5, 7, 3)).astype(np.float32)


def file_of(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    "body",
    [
        {"instances": LR.tolist()},
        {"signature_name": "serving_default", "instances": [{"lr": lr} for lr in LR.tolist()]},
        {"inputs": LR.tolist()},
        {"inputs": {"lr": LR.tolist()}},
    ],
)
@pytest.mark.parametrize("path", ["tiny:predict", "tiny/versions/1:predict"])
def test_floats_by_row_and_by_column_are_what_the_model_makes(ask, model, body, path):
    status, found = ask(path, body)
    assert (status, set(found)) == (200, {"predictions" if "instances" in body else "outputs"})
    (values,) = found.values()
    expected = [model.upscale(lr) for lr in LR]
    assert np.abs(np.asarray(values) - expected).max() < 1e-6


@pytest.mark.parametrize("named", [True, False])
def test_files_are_what_upscale_makes(ask, connect, port, png, named):
    pictures = [png(9, 12), png(16, 8)]
    values = [file_of(data) for data in pictures]
    values = [{"images_bytes": value} for value in values] if named else values
    status, found = ask("tiny:predict", {"signature_name": "serve_images", "instances": values})
    assert status == 200
    for value, data in zip(found["predictions"], pictures, strict=True):
        assert base64.b64decode(value["b64"]) == connect(port).ask(data=data)[2]


def test_base64_may_have_lines(ask, png):
    whole = file_of(png(9, 12))
    lines = {"b64": base64.encodebytes(png(9, 12)).decode()}
    assert lines["b64"].count("\n") > 1
    assert ask("tiny:predict", {"instances": [lines]}) == ask(
        "tiny:predict", {"instances": [whole]}
    )


def test_the_client_of_tensorflow_serving_can_point_here(port, connect, png):
    spec = importlib.util.spec_from_file_location("tfs_client", CLIENT)
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    (found,) = client.rest(f"127.0.0.1:{port}", "tiny", [png(9, 12)])
    assert found == connect(port).ask(data=png(9, 12))[2]


def test_status_and_signatures_have_the_types_of_tensorflow_serving(ask):
    pytest.importorskip("tensorflow_serving", reason="needs tensorflow-serving-api")
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

    for path in ("tiny", "tiny/versions/1"):
        found = json_format.ParseDict(ask(path)[1], get_model_status_pb2.GetModelStatusResponse())
        (version,) = found.model_version_status
        assert (version.version, version.state, version.status.error_code) == (1, 30, 0)
    found = ask("tiny/metadata")[1]
    signatures = json_format.ParseDict(
        found["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    ).signature_def
    assert set(signatures) == {"serving_default", "serve_images"}
    sizes = [dim.size for dim in signatures["serving_default"].inputs["lr"].tensor_shape.dim]
    assert sizes == [-1, -1, -1, 3]
    assert found["model_spec"]["name"] == "tiny"
    assert ask("tiny/versions/1/metadata")[1] == found
    assert ask("tiny/versions/2/metadata")[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        ("none:predict", {"instances": []}, 404, "There is no model 'none' here"),
        (
            "tiny/versions/2:predict",
            {"instances": []},
            404,
            "no version 2 of tiny here; expected 1",
        ),
        ("tiny:predict", {}, 422, "Expected either instances or inputs"),
        ("tiny:predict", {"instances": [], "inputs": []}, 422, "Expected either"),
        ("tiny:predict", {"instances": []}, 422, "from 1 to 64 pictures; got 0"),
        ("tiny:predict", {"instances": [1]}, 422, "rows of pixels"),
        ("tiny:predict", {"instances": [[[[0.0, 0.0, 2.0]]]]}, 422, "got 0 to 2. Divide 8-bit"),
        ("tiny:predict", {"instances": [[[[0.0, 0.0, float("nan")]]]]}, 422, "got nan to nan"),
        ("tiny:predict", {"instances": [[[["0.5", "0.5", "0.5"]]]]}, 422, "which are numbers"),
        ("tiny:predict", {"instances": [[[[True, False, True]]]]}, 422, "which are numbers"),
        ("tiny:predict", {"instances": [[[[None, 0.5, 0.5]]]]}, 422, "which are numbers"),
        ("tiny:predict", {"instances": [[[[0.0, 0.0]]]]}, 422, "got the shape (1, 1, 2)"),
        ("tiny:predict", {"instances": [[[[0, 0, 0]], [[0, 0]]]]}, 422, "rows of pixels"),
        ("tiny:predict", {"instances": [{"b64": "?"}]}, 422, "not in Base64"),
        ("tiny:predict", {"instances": [file_of(b"no")]}, 422, "not an image"),
        ("tiny:predict", {"instances": [{"b64": 1}]}, 422, "the file in Base64"),
        ("tiny:predict", {"signature_name": "x", "instances": [1]}, 422, "no signature 'x'"),
        (
            "tiny:predict",
            {"signature_name": "serve_images", "instances": [[[[0, 0, 0]]]]},
            422,
            "takes files",
        ),
        ("tiny:predict", {"instances": np.zeros((1, 400, 400, 3)).tolist()}, 413, "0.6 megapixels"),
        ("tiny:predict", {"instances": [1], "more": 1}, 422, "more: There is no such parameter"),
    ],
)
def test_what_is_wrong_is_said_as_its_clients_expect(ask, path, body, code, words):
    status, found = ask(path, body)
    assert status == code
    assert words in found["detail"]
    assert found["error"] == found["detail"]


@pytest.mark.parametrize("path", ["none", "none/metadata", "none/versions/1", "tiny/versions/2"])
def test_a_model_that_is_not_there_is_said_as_its_clients_expect(connect, port, path):
    status, _, body = connect(port).ask(f"/v1/models/{path}")
    found = json.loads(body)
    assert status == 404
    assert "There is no" in found["error"]
    assert found["error"] == found["detail"]


def test_what_is_no_json_is_said(connect, port):
    status, _, body = connect(port).ask("/v1/models/tiny:predict", b"{")
    assert status == 422
    assert "Invalid JSON" in json.loads(body)["error"]


def test_nothing_is_left_of_a_prediction(serving, connect, tiny_model, png, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with serving(str(tiny_model)) as port:
        for value in (file_of(png(8, 8)), file_of(b"no")):
            connect(port).ask(
                "/v1/models/tiny:predict", json.dumps({"instances": [value]}).encode()
            )
        assert [path.name for path in tmp_path.glob("srgan-serve-*/*")] == ["lock"]
