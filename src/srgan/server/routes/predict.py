"""TensorFlow Serving's REST interface, so that its clients can point here.

https://www.tensorflow.org/tfx/serving/api_rest: signatures and names are those of the SavedModel
that `srgan export` writes.
"""

import base64
import binascii
import json
import shutil
import tempfile
from pathlib import Path as File
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.convertors import Convertor, register_url_convertor

from srgan.server.errors import documented, fault_of
from srgan.server.queue import Ticket
from srgan.server.requests import UpscaleRequest
from srgan.server.routes.pictures import REFUSALS
from srgan.server.service import Service
from srgan.server.transfer import wait_for_disconnect

_FLOATS = "serving_default"
_FILES = "serve_images"
_NAMES = {_FLOATS: ("lr", "sr"), _FILES: ("images_bytes", "images_bytes")}
_INSTANCES = 64
_MEGAPIXELS = 2.0  # of results in floats, of which each takes thirty bytes of JSON
_DIGITS = 7  # after the point: all that float32 in [0, 1] has

_Name = Annotated[str, Path(description="From /v1/models.")]
_Version = Annotated[int, Path(description="There is one.")]
_VERSION = 1


class _Model(Convertor[str]):
    """The name of a model in a path, which ends where `:predict` begins."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("model", _Model())


class PredictRequest(BaseModel):
    """Pictures by row (`instances`) or by column (`inputs`)."""

    model_config = ConfigDict(extra="forbid")

    signature_name: str = Field(
        default="", description=f"{_FLOATS} for floats, {_FILES} for files; by default what fits."
    )
    instances: list[Any] | None = Field(
        default=None,
        description='Each {"b64": a file in Base64}, or rows of pixels [red, green, blue] in '
        "[0, 1]; or an object that has this under the name of the input.",
    )
    inputs: Any = Field(
        default=None, description="The same as a list, or that under the name of the input."
    )


class PredictResponse(BaseModel):
    """Enlarged pictures, in the form in which they came."""

    predictions: list[Any] | None = Field(default=None, description="Of instances.")
    outputs: list[Any] | None = Field(default=None, description="Of inputs.")


def add(app: FastAPI, service: Service) -> None:
    """Adds it."""

    @app.post(
        "/v1/models/{name:model}:predict",
        response_model=PredictResponse,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": PredictRequest.model_json_schema()}},
            }
        },
        responses=documented(404, *REFUSALS, 504),
    )
    async def predict(request: Request, name: _Name) -> Response:
        r"""Enlarges pictures in JSON, as TensorFlow Serving does.

        `echo "{\"instances\": [{\"b64\": \"$(base64 < photo.jpg | tr -d '\n')\"}]}" |
        curl -d @- http://127.0.0.1:8000/v1/models/MODEL:predict`
        """
        try:
            return await _predict(request, service, name)
        except Exception as error:
            return _refuse(service, error)

    @app.get(
        "/v1/models/{name:model}",
        response_model=dict[str, Any],
        responses=documented(401, 404, 422),
    )
    async def show_versions(name: _Name) -> Response:
        """Whether a model can be asked for, as TensorFlow Serving tells it."""
        status = {"error_code": "OK", "error_message": ""}
        told = [{"version": str(_VERSION), "state": "AVAILABLE", "status": status}]
        return _tell(service, name, {"model_version_status": told})

    @app.get(
        "/v1/models/{name:model}/metadata",
        response_model=dict[str, Any],
        responses=documented(401, 404, 422),
    )
    async def show_signatures(name: _Name) -> Response:
        """The signatures of a model, as TensorFlow Serving tells them."""
        told = {
            "model_spec": {"name": name, "signature_name": "", "version": str(_VERSION)},
            "metadata": {"signature_def": {"signature_def": _signatures()}},
        }
        return _tell(service, name, told)

    @app.get("/v1/models/{name:model}/versions/{version:int}/metadata", include_in_schema=False)
    async def show_signatures_of_version(name: _Name, version: _Version) -> Response:
        return _unknown(service, name, version) or await show_signatures(name)

    @app.post("/v1/models/{name:model}/versions/{version:int}:predict", include_in_schema=False)
    async def predict_version(request: Request, name: _Name, version: _Version) -> Response:
        return _unknown(service, name, version) or await predict(request, name)

    @app.get("/v1/models/{name:model}/versions/{version:int}", include_in_schema=False)
    async def show_version(name: _Name, version: _Version) -> Response:
        return _unknown(service, name, version) or await show_versions(name)


def _refuse(service: Service, error: Exception) -> Response:
    fault = fault_of(error)
    text = service.without_folders(fault.detail)
    # "error" is what clients of TensorFlow Serving look for, and "detail" what ours do.
    return JSONResponse({"error": text, "detail": text}, fault.code, fault.headers)


def _tell(service: Service, name: str, told: dict[str, Any]) -> Response:
    """Answers with what is told of a model, if there is that model."""
    try:
        _check(service, name)
    except HTTPException as error:
        return _refuse(service, error)
    return JSONResponse(told)


def _unknown(service: Service, name: str, version: int) -> Response | None:
    """What is answered to a request for a version that no model has."""
    if version == _VERSION:
        return None
    text = f"There is no version {version} of {name} here; expected {_VERSION}, or none."
    return _refuse(service, HTTPException(404, text))


def _check(service: Service, name: str) -> None:
    if name not in service.catalogue.described:
        raise HTTPException(404, f"There is no model {name!r} here; GET /v1/models lists them.")


async def _predict(request: Request, service: Service, name: str) -> Response:
    _check(service, name)
    service.queue.check()
    body = await service.uploads.read(request)
    ticket = Ticket()

    def work() -> bytes:
        folder = File(tempfile.mkdtemp(dir=service.folder))
        try:
            answer = _enlarge(service, name, body, folder, ticket)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        ticket.finish()
        return answer

    answer = await service.queue.run(ticket, work, wait_for_disconnect(request))
    return Response(answer, media_type="application/json", headers={"Srgan-Model": name})


def _enlarge(service: Service, name: str, body: bytes, folder: File, ticket: Ticket) -> bytes:
    asked = PredictRequest.model_validate_json(body)
    values, signature = _values(asked)
    if signature == _FILES:
        found = [_enlarge_file(service, name, value, folder, ticket) for value in values]
    else:
        images = [_image(value) for value in values]
        scale = service.catalogue.described[name]["scale"]
        pixels = sum(image.shape[0] * image.shape[1] for image in images) * scale**2
        if pixels > 1e6 * _MEGAPIXELS:
            raise HTTPException(
                413,
                f"The results would have {pixels / 1e6:.1f} megapixels; expected at most "
                f'{_MEGAPIXELS:g} as floats. Send files as {{"b64": ...}}.',
            )
        found = [_floats(service.worker.upscale_array(name, one, ticket)) for one in images]
    kind = "predictions" if asked.instances is not None else "outputs"
    return json.dumps({kind: found}, separators=(",", ":")).encode()


def _values(asked: PredictRequest) -> tuple[list[Any], str]:
    """What is to be enlarged, without names, and the signature that fits it."""
    if (asked.instances is None) == (asked.inputs is None):
        raise ValueError("Expected either instances or inputs.")
    if asked.signature_name not in ("", *_NAMES):
        raise ValueError(
            f"There is no signature {asked.signature_name!r}; expected {' or '.join(_NAMES)}."
        )
    values = asked.instances if asked.instances is not None else _unnamed(asked.inputs)
    values = values if isinstance(values, list) else [values]
    values = [_unnamed(value) for value in values]
    if not 0 < len(values) <= _INSTANCES:
        raise ValueError(f"Expected from 1 to {_INSTANCES} pictures; got {len(values)}.")
    found = _FILES if isinstance(values[0], dict) else _FLOATS
    if asked.signature_name not in ("", found):
        raise ValueError(
            f"The signature {asked.signature_name} takes "
            + ('rows of pixels, not {"b64": ...}.' if found == _FILES else 'files: {"b64": ...}.')
        )
    return values, found


def _unnamed(value: Any) -> Any:
    """A value that may be under the name of an input."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if name in ("lr", "images_bytes"):
            return inner
    return value


def _enlarge_file(
    service: Service, name: str, value: Any, folder: File, ticket: Ticket
) -> dict[str, str]:
    if not isinstance(value, dict) or not isinstance(value.get("b64"), str):
        raise ValueError('Expected each picture as {"b64": the file in Base64}.')
    try:
        data = base64.b64decode("".join(value["b64"].split()), validate=True)  # it may have lines
    except binascii.Error as error:
        raise ValueError(f"A picture is not in Base64: {error}.") from error
    result = service.worker.upscale(UpscaleRequest(model=name), data, folder, ticket)
    return {"b64": base64.b64encode(result.path.read_bytes()).decode()}


def _image(value: Any) -> np.ndarray:
    image: np.ndarray
    try:
        image = np.asarray(value)
    except ValueError:  # rows of several lengths
        image = np.empty(())
    if image.ndim != 3 or image.shape[2] != 3 or not image.size or image.dtype.kind not in "iuf":
        raise ValueError(
            "Expected each picture as rows of pixels [red, green, blue] in [0, 1], which are "
            f"numbers{f'; got the shape {image.shape}' if image.size and image.ndim else ''}."
        )
    if not (image.min() >= 0 and image.max() <= 1):
        raise ValueError(
            f"Expected pixels in [0, 1]; got {image.min():g} to {image.max():g}. Divide 8-bit "
            "values by 255."
        )
    return image.astype(np.float32)


def _floats(sr: np.ndarray) -> list[Any]:
    return sr.astype(np.float64).round(_DIGITS).tolist()


def _signatures() -> dict[str, Any]:
    def tensor(name: str, is_file: bool) -> dict[str, Any]:
        sizes = ["-1"] if is_file else ["-1", "-1", "-1", "3"]
        shape = {"dim": [{"size": size, "name": ""} for size in sizes], "unknown_rank": False}
        dtype = "DT_STRING" if is_file else "DT_FLOAT"
        return {name: {"dtype": dtype, "tensor_shape": shape, "name": name}}

    return {
        signature: {
            "inputs": tensor(given, signature == _FILES),
            "outputs": tensor(returned, signature == _FILES),
            "method_name": "tensorflow/serving/predict",
        }
        for signature, (given, returned) in _NAMES.items()
    }
