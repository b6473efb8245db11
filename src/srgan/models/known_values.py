"""What an ONNX graph computes from constants and the size of a picture alone.

Exporters write factors and sizes of enlargements so: as casts, parts and products of shapes.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from srgan.models.fuse import with_size

if TYPE_CHECKING:
    import onnx

_MAX_VALUES = 64  # of an array that is computed: sizes have eight numbers at most
_CHEAP = frozenset(
    (
        *("Add", "Cast", "Ceil", "Concat", "Div", "Floor", "Gather", "Identity", "Mod", "Mul"),
        *("Neg", "Reshape", "Round", "Slice", "Sqrt", "Squeeze", "Sub", "Unsqueeze"),
    )
)


class KnownValues:
    """Values by name, as far as they are known for a picture of one size.

    Args:
        model: A network.
        side: Of the square picture, where the network leaves the size open.
    """

    def __init__(self, model: "onnx.ModelProto", side: int = 64) -> None:
        from onnx import numpy_helper

        self._given, self._side = model, side
        self._values = {x.name: numpy_helper.to_array(x) for x in model.graph.initializer}

    @cached_property
    def _model(self) -> "onnx.ModelProto":
        return with_size(self._given, self._side)

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return _shapes(self._model)

    def get(self, name: str) -> np.ndarray | None:
        """Returns a value, or None if it is not known."""
        return self._values.get(name)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Returns the shape of a value, or None if it is not known."""
        return self._shapes.get(name)

    def learn(self, node: "onnx.NodeProto") -> None:
        """Computes what a node makes, if it is cheap, and known what from."""
        import onnx
        from onnx import numpy_helper

        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    self._values[node.output[0]] = numpy_helper.to_array(attribute.t)
                elif attribute.name in ("value_float", "value_int"):
                    number = onnx.helper.get_attribute_value(attribute)
                    self._values[node.output[0]] = np.array(number)
                elif attribute.name in ("value_floats", "value_ints"):
                    kind = np.float32 if attribute.name.endswith("floats") else np.int64
                    numbers = onnx.helper.get_attribute_value(attribute)
                    self._values[node.output[0]] = np.array(numbers, kind)
        elif node.op_type == "Shape":
            shape = self._shapes.get(node.input[0])
            if shape is not None:
                part = {x.name: x.i for x in node.attribute}
                sides = shape[part.get("start", 0) : part.get("end", len(shape))]
                self._values[node.output[0]] = np.array(sides, np.int64)
        elif node.op_type in _CHEAP:
            inputs = {name: self._values.get(name) for name in node.input if name}
            if all(value is not None and value.size <= _MAX_VALUES for value in inputs.values()):
                self._compute(node, inputs)

    def enlarged(self, node: "onnx.NodeProto", shape: tuple[int, ...]) -> None:
        """Learns the shape that a node makes, and those that follow from it."""
        import onnx

        value = onnx.helper.make_tensor_value_info(node.output[0], 1, shape)
        self._model.graph.value_info.append(value)
        self._shapes.update(_shapes(self._model) | {node.output[0]: shape})

    def _compute(self, node: "onnx.NodeProto", inputs: dict[str, Any]) -> None:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        ends = [helper.make_empty_tensor_value_info(name) for name in inputs]
        results = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "one", ends, results)
        model = helper.make_model(graph, opset_imports=list(self._given.opset_import))
        try:
            with np.errstate(all="ignore"):  # as of a division by zero
                found = ReferenceEvaluator(model).run(None, inputs)
        except Exception:  # of whatever does not fit; the value is then not known
            return
        for name, value in zip(node.output, found, strict=True):
            if isinstance(value, np.ndarray | np.generic) and value.size <= _MAX_VALUES:
                self._values[name] = np.asarray(value)


def _shapes(model: "onnx.ModelProto") -> dict[str, tuple[int, ...]]:
    """The shapes that can be inferred, of values by name."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
        graph = model.graph
    shapes = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if dimensions and all(dimension.dim_value for dimension in dimensions):
            shapes[value.name] = tuple(dimension.dim_value for dimension in dimensions)
    return shapes
