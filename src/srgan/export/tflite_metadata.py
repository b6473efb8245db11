"""TensorFlow Lite's standard metadata: what tools read before they run a .tflite file.

A FlatBuffer of the tables in tensorflow/lite/support/metadata/metadata_schema.fbs, of which the
fields that are used here are named with their numbers.
"""

from flatbuffers import Builder

from srgan.models.metadata import Metadata

NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"  # the version of the schema that all of this is in
_IMAGE, _NORMALISATION, _RGB = 2, 1, 1  # members of unions, and of an enumeration


def standard(metadata: Metadata) -> bytes:
    """Returns the metadata of a file that takes and gives float or int8 RGB in [0, 1]."""
    builder = Builder(1024)
    scale = metadata.scale
    lr = _image(builder, "lr", "The small picture, RGB. Grey levels are divided by 255.")
    sr = _image(builder, "sr", f"The picture, {scale} times as large. Clip it to [0, 1].")
    ends = [_vector(builder, [image]) for image in (lr, sr)]
    subgraph = _table(builder, 10, {2: ends[0], 3: ends[1]})  # inputs, outputs
    texts = {
        0: metadata.name,
        1: f"Enlarges pictures {scale} times.",
        5: metadata.licence,
        7: _PARSER,
    }
    offsets = {slot: builder.CreateString(text) for slot, text in texts.items() if text}
    model = _table(builder, 8, offsets | {3: _vector(builder, [subgraph])})
    builder.Finish(model, _IDENTIFIER)
    return bytes(builder.Output())


def _image(builder: Builder, name: str, description: str) -> int:
    """The table TensorMetadata of a picture."""
    builder.StartObject(2)
    builder.PrependInt8Slot(0, _RGB, 0)  # color_space
    properties = builder.EndObject()
    builder.StartObject(3)
    builder.PrependUint8Slot(0, _IMAGE, 0)  # content_properties_type
    builder.PrependUOffsetTRelativeSlot(1, properties, 0)
    content = builder.EndObject()
    mean, deviation = _floats(builder, 0.0), _floats(builder, 255.0)
    normalisation = _table(builder, 2, {0: mean, 1: deviation})
    builder.StartObject(2)
    builder.PrependUint8Slot(0, _NORMALISATION, 0)  # options_type
    builder.PrependUOffsetTRelativeSlot(1, normalisation, 0)
    units = _vector(builder, [builder.EndObject()])
    most, least = _floats(builder, 1.0), _floats(builder, 0.0)
    stats = _table(builder, 2, {0: most, 1: least})
    texts = builder.CreateString(name), builder.CreateString(description)
    return _table(builder, 7, {0: texts[0], 1: texts[1], 3: content, 4: units, 5: stats})


def _table(builder: Builder, fields: int, offsets: dict[int, int]) -> int:
    builder.StartObject(fields)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return builder.EndObject()


def _vector(builder: Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: Builder, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return builder.EndVector()
