"""Enlarges a photo by a TensorFlow Serving server: sends the file, and writes what comes back.

python client.py photo.jpg photo_x4.png
python client.py photo.jpg photo_x4.png --grpc     # needs: pip install tensorflow-serving-api
"""

import argparse
import base64
import json
import urllib.error
import urllib.request
from pathlib import Path

_NAME = "images_bytes"  # the server sends what ends so as base64, and other strings as text


def rest(server: str, model: str, files: list[bytes]) -> list[bytes]:
    """Enlarges PNG or JPEG files by the REST API; `server` is host:port."""
    encoded = [{"b64": base64.b64encode(file).decode()} for file in files]
    request = urllib.request.Request(
        f"http://{server}/v1/models/{model}:predict",
        json.dumps({"signature_name": "serve_images", "inputs": {_NAME: encoded}}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            outputs = json.load(response)["outputs"]  # without a name, since there is only one
    except urllib.error.HTTPError as error:
        raise SystemExit(f"The server refused: {error.read().decode()}") from error
    return [base64.b64decode(output["b64"]) for output in outputs]


def grpc(server: str, model: str, files: list[bytes]) -> list[bytes]:
    """Enlarges PNG or JPEG files by gRPC; `server` is host:port."""
    import grpc
    import tensorflow
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, "serve_images"
    request.inputs[_NAME].CopyFrom(tensorflow.make_tensor_proto(files))
    unlimited = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(server, unlimited) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return list(service.Predict(request, timeout=600).outputs[_NAME].string_val)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path, help="PNG or JPEG")
    parser.add_argument("output", type=Path, help="PNG")
    parser.add_argument("--grpc", action="store_true", help="in place of REST")
    parser.add_argument("--server", help="[localhost:8501, or 8500 for gRPC]")
    parser.add_argument("--model", default="srgan")
    arguments = parser.parse_args()
    server = arguments.server or f"localhost:{8500 if arguments.grpc else 8501}"
    call = grpc if arguments.grpc else rest
    (enlarged,) = call(server, arguments.model, [arguments.photo.read_bytes()])
    arguments.output.write_bytes(enlarged)


if __name__ == "__main__":
    main()
