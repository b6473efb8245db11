"""The client of `deploy/tensorflow-serving` against a stand-in that runs the real SavedModel.

The stand-in speaks TensorFlow Serving's two protocols as documented; the server is not at hand.
"""

import base64
import http.server
import importlib.util
import json
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest

from srgan.io import images
from srgan.models import catalogue, loading
from srgan.util import resources

tf = pytest.importorskip("tensorflow", reason="needs TensorFlow")
DEPLOY = Path(__file__).parents[1] / "deploy" / "tensorflow-serving"


def load_client():
    spec = importlib.util.spec_from_file_location("client", DEPLOY / "client.py")
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    return client


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The signatures of a shipped model, exported."""
    from srgan.export import exporters, onnx_file

    folder = tmp_path_factory.mktemp("serving")
    generator = onnx_file.read_generator(catalogue.path("srgan-x4"))
    job = exporters.ExportTask(generator, loading.load("srgan-x4").metadata, None, [])
    model = tf.saved_model.load(str(folder / exporters.FORMATS["savedmodel"].write(job, folder)))
    yield model.signatures
    del model


@pytest.fixture
def photo(tmp_path):
    path = sorted(resources.PHOTOS.glob("*.webp"))[0]
    images.write(tmp_path / "photo.png", images.read_uint8(path)[:24, :37])
    return tmp_path / "photo.png"


@pytest.fixture
def rest_server(answering, served):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/models/srgan:predict":
                self._answer(404, {"error": f"Servable not found for request: {self.path}"})
                return
            ((name, values),) = asked["inputs"].items()
            tensor = tf.constant([base64.b64decode(value["b64"]) for value in values])
            ((name, found),) = served[asked["signature_name"]](**{name: tensor}).items()
            assert name.endswith("_bytes")  # else the server would not encode it
            encoded = [{"b64": base64.b64encode(value).decode()} for value in found.numpy()]
            self._answer(200, {"outputs": encoded})

        def _answer(self, code, content):
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, format, *args):
            pass

    with answering(Handler) as address:
        yield address


@pytest.fixture
def grpc_server(served):
    grpc = pytest.importorskip("grpc")
    pytest.importorskip("tensorflow_serving", reason="needs tensorflow-serving-api")
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802 - the protocol's name
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            found = served[request.model_spec.signature_name](
                **{name: tf.constant(array) for name, array in inputs.items()}
            )
            answer = predict_pb2.PredictResponse()
            for name, tensor in found.items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
            return answer

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_the_client_gets_what_srgan_makes_of_the_file(protocol, photo, request):
    server = request.getfixturevalue(f"{protocol}_server")
    encoded = [photo.read_bytes()] * 2
    answers = getattr(load_client(), protocol)(server, "srgan", encoded)
    assert len(answers) == 2
    expected = loading.load("srgan-x4").upscale(images.read_uint8(photo), dtype=np.uint8)
    photo.write_bytes(answers[1])
    assert np.abs(images.read_uint8(photo).astype(int) - expected).max() <= 1


def test_the_client_says_what_the_server_refused(rest_server, photo):
    with pytest.raises(SystemExit, match=r"The server refused: .*Servable not found"):
        load_client().rest(rest_server, "other", [photo.read_bytes()])
