"""Writes a generator in the formats of other runtimes; `deliver` measures what was written.

A new format is a function here and an entry in `FORMATS`; the least PSNR that it must have is in
`verification.certificate`, and a runtime that is new is opened in `verification.runtimes`.
"""

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
from keras import layers

from srgan.export import onnx_graph, tflite_metadata
from srgan.models.metadata import Metadata
from srgan.networks.consistency import Projection
from srgan.networks.graph import follow
from srgan.util import files


@dataclasses.dataclass(frozen=True)
class ExportTask:
    """What is to be written.

    Attributes:
        generator: As for `export.write_onnx`, in float32.
        metadata: What it says about itself.
        size: Height and width of lr, or None for any. Only for TFLite.
        calibration: lr crops `(height, width, 3)`, float32 in [0, 1], for int8.
    """

    generator: keras.Model
    metadata: Metadata
    size: tuple[int, int] | None
    calibration: Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Format:
    """A way to write a generator.

    Attributes:
        write: Writes a job into a folder; returns what the runtime opens, in it.
        packages: Modules that it needs beside the training half.
        projects: Whether the result has the consistency projection inside.
    """

    write: Callable[[ExportTask, Path], str]
    packages: tuple[str, ...] = ()
    projects: bool = False

    @property
    def distributions(self) -> list[str]:
        """The packages by the names of the package index."""
        return [package.replace("_", "-") for package in self.packages]


def _onnx(job: ExportTask, folder: Path, precision: type = np.float32) -> str:
    model = onnx_graph.translate(job.generator, job.metadata, precision, precision)
    onnx.checker.check_model(model, full_check=True)
    file = f"{job.metadata.name}.onnx"
    files.write_bytes(folder / file, model.SerializeToString(deterministic=True))
    return file


def _onnx_fp16(job: ExportTask, folder: Path) -> str:
    return _onnx(job, folder, np.float16)


class _Served(tf.Module):
    """The two signatures of a SavedModel, projection and clipping included."""

    def __init__(self, generator: keras.Model, metadata: Metadata) -> None:
        super().__init__()
        self._generator = generator
        self._projection = Projection(metadata.scale, metadata.consistency_rounds)

    def upscale(self, lr: tf.Tensor) -> tf.Tensor:
        sr = self._projection([self._generator(lr, training=False), lr])
        return tf.clip_by_value(sr, 0.0, 1.0)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, "lr")])
    def serve(self, lr: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sr": self.upscale(lr)}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "images_bytes")])
    def serve_images(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        def enlarge(file: tf.Tensor) -> tf.Tensor:
            lr = tf.io.decode_image(file, channels=3, expand_animations=False)
            lr = tf.ensure_shape(lr, (None, None, 3))
            sr = self.upscale(tf.cast(lr, tf.float32)[None] / 255.0)[0]
            return tf.io.encode_png(tf.cast(tf.floor(255.0 * sr + 0.5), tf.uint8))

        # One after the other, each on all cores: where the first two began at once, TensorFlow 2.21
        # with oneDNN returned noise, or crashed, in about a third of fresh processes.
        enlarged = tf.map_fn(enlarge, encoded, fn_output_signature=tf.string, parallel_iterations=1)
        return {"images_bytes": enlarged}


def _saved_model(job: ExportTask, folder: Path) -> str:
    served: Any = _Served(job.generator, job.metadata)
    signatures = {"serving_default": served.serve, "serve_images": served.serve_images}
    version = "1"  # TensorFlow Serving looks for folders that are numbers
    tf.saved_model.save(served, str(folder / version), signatures)
    return version


def _tflite(
    job: ExportTask, folder: Path, configure: Callable[[Any], None] = lambda _: None
) -> str:
    """Writes a .tflite file of the operations that mobile delegates have."""
    spec = tf.TensorSpec((1, *(job.size or (None, None)), 3), tf.float32, "lr")
    # Weights as constants: variables would become operations of their own.
    weights = [(variable, tf.constant(variable.numpy())) for variable in job.generator.variables]

    def upscale(lr: tf.Tensor) -> dict[str, tf.Tensor]:
        with keras.StatelessScope(state_mapping=weights):
            return {"sr": follow(job.generator, lr, _mobile)}

    module: Any = tf.Module()
    module.upscale = tf.function(upscale, input_signature=[spec], autograph=False)
    concrete = module.upscale.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    configure(converter)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        data = converter.convert()
    file = f"{job.metadata.name}.tflite"
    takes_int8 = converter.inference_input_type == tf.int8
    numbers = "int8, quantised RGB" if takes_int8 else "float32 RGB"
    height, width = job.size or ("height", "width")
    lr = f"{numbers} in [0, 1], (1, {height}, {width}, 3)"
    described = job.metadata.model_dump() | {"lr": lr, "sr": "as lr; clip it"}
    entries = {
        "srgan": json.dumps(described).encode(),
        tflite_metadata.NAME: tflite_metadata.standard(job.metadata),
    }
    files.write_bytes(folder / file, _with_metadata(data, entries))
    return file


def _mobile(layer: Any, inputs: list[tf.Tensor]) -> tf.Tensor:
    """Computes a layer without PReLU, sizes taken at run time, or more than four dimensions."""
    match layer:
        case layers.PReLU():
            slope = tf.convert_to_tensor(layer.alpha)
            return tf.nn.relu(inputs[0]) - slope * tf.nn.relu(-inputs[0])
        case layers.UpSampling2D(size=(scale, _)):
            return tf.nn.depth_to_space(tf.concat(inputs * scale**2, -1), scale)
    return layer(inputs if len(inputs) > 1 else inputs[0])


def _tflite_fp16(job: ExportTask, folder: Path) -> str:
    def configure(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return _tflite(job, folder, configure)


def _tflite_int8(job: ExportTask, folder: Path) -> str:
    def configure(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([lr[None]] for lr in job.calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8

    return _tflite(job, folder, configure)


def _with_metadata(model: bytes, entries: dict[str, bytes]) -> bytes:
    """Adds entries to the metadata of a .tflite file."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for name, content in entries.items():
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = list(content)
        entry.name, entry.buffer = name, len(tree.buffers)
        tree.buffers.append(buffer)
        tree.metadata = [*(tree.metadata or []), entry]
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _openvino(job: ExportTask, folder: Path, half: bool = False, quantised: bool = False) -> str:
    import openvino
    from openvino.frontend import FrontEndManager

    model = onnx_graph.translate(job.generator, job.metadata)
    frontend = FrontEndManager().load_by_framework("onnx")
    graph = frontend.convert(frontend.load(io.BytesIO(model.SerializeToString())))
    if quantised:
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        # By default, the range of an activation is a mean over the pictures, and what is beyond it
        # is cut off: 9 dB were lost.
        ranges = nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it draws progress bars
            graph = nncf.quantize(
                graph,
                nncf.Dataset([lr[None] for lr in job.calibration]),
                preset=nncf.QuantizationPreset.MIXED,  # LeakyReLU gives negative values, too
                subset_size=len(job.calibration),
                fast_bias_correction=False,
                advanced_parameters=ranges,
            )
    for key, value in job.metadata.model_dump().items():
        graph.set_rt_info(str(value), ["srgan", key])
    file = f"{job.metadata.name}.xml"
    openvino.save_model(graph, folder / file, compress_to_fp16=half)
    return file


def _openvino_fp16(job: ExportTask, folder: Path) -> str:
    return _openvino(job, folder, half=True)


def _openvino_int8(job: ExportTask, folder: Path) -> str:
    return _openvino(job, folder, quantised=True)


_LITERT = ("ai_edge_litert",)

FORMATS = {
    "onnx": Format(_onnx),
    "onnx-fp16": Format(_onnx_fp16),
    "savedmodel": Format(_saved_model, projects=True),
    "tflite": Format(_tflite, _LITERT),
    "tflite-fp16": Format(_tflite_fp16, _LITERT),
    "tflite-int8": Format(_tflite_int8, _LITERT),
    "openvino": Format(_openvino, ("openvino",)),
    "openvino-fp16": Format(_openvino_fp16, ("openvino",)),
    "openvino-int8": Format(_openvino_int8, ("openvino", "nncf")),
}
