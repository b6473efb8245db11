"""Hostile and damaged files end in one line on stderr, in bounded time and memory."""

import gc
import io
import os
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import onnx
import pytest
import tifffile
from onnx import helper, numpy_helper
from PIL import Image

from srgan import cli
from srgan.io import formats, images
from srgan.io.stream import Picture
from srgan.models import loading

resource = pytest.importorskip("resource", reason="needs a POSIX system")

PHOTO = np.zeros((24, 32, 3), np.uint8)


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, kind, **options)
    return file.getvalue()


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(height, width, *extra, data=b"0"):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), *extra, png_chunk(b"IDAT", zlib.compress(data))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png_chunk(b"IEND", b"")


def tiff(directories, last=0, **changes):
    """Directories of one grey picture each; `changes` are tags as "t256" and (type, count, value).

    Args:
        directories: How many.
        last: Where the last says that the next one is.
        changes: Of all.
    """
    side = (4, 1, 4)
    entries = {256: side, 257: side, 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    entries |= {273: (4, 1, 8), 277: (3, 1, 1), 278: side, 279: (4, 1, 16)}
    entries |= {int(tag[1:]): entry for tag, entry in changes.items()}
    table = struct.pack("<H", len(entries))
    for tag, entry in sorted(entries.items()):
        table += struct.pack("<HHII", tag, *entry)
    places = [8 + k * (len(table) + 4) for k in range(1, directories)] + [last]
    return b"II*\0\x08\0\0\0" + b"".join(table + struct.pack("<I", place) for place in places)


def gif(height, width, frames, size=(1, 1)):
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    frame = b"\x21\xf9\x04" + bytes(5) + b"," + struct.pack("<HHHHB", 0, 0, *size[::-1], 0)
    return head + (frame + b"\x02\x02\x44\x01\x00") * frames + b";"


def resized(data, marker, offset, form, *size):
    """A file whose header claims another size."""
    place = data.index(marker) + offset
    return data[:place] + struct.pack(form, *size) + data[place + struct.calcsize(form) :]


def webp(height, width):
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    head = b"VP8X\x0a\0\0\0\x02\0\0\0" + canvas + b"ANIM\x06\0\0\0" + bytes(6)
    part = encoded("WEBP", lossless=True)[12:]
    frame = bytes(6) + b"\x1f\0\0\x17\0\0" + bytes(4) + part
    body = b"WEBP" + head + 2 * (b"ANMF" + struct.pack("<I", len(frame)) + frame)
    return b"RIFF" + struct.pack("<I", len(body)) + body


BOMBS = {
    "huge.png": (png(60_000, 60_000), "claims 60000x60000 pixels"),
    "huge.jpg": (
        resized(encoded("JPEG"), b"\xff\xc0", 5, ">HH", 65_500, 65_500),
        "claims 65500x65500 pixels",
    ),
    "progressive.jpg": (
        resized(encoded("JPEG", progressive=True), b"\xff\xc2", 5, ">HH", 65_500, 65_500),
        "claims 65500x65500 pixels",
    ),
    "huge.gif": (gif(65_535, 65_535, 1, (65_535, 65_535)), "claims 65535x65535 pixels"),
    "frames.gif": (gif(1000, 1000, 2000, (1000, 1000)), "claims 1000x2000000 pixels"),
    "huge.webp": (webp(16_383, 16_383), "claims 16383x32766 pixels"),
    "huge.avif": (resized(encoded("AVIF"), b"ispe", 8, ">II", 60_000, 60_000), "claims 60000x"),
    "huge.tif": (tiff(1, t256=(4, 1, 60_000), t257=(4, 1, 60_000)), "claims 60000x60000 pixels"),
    "wide.tif": (tiff(1, t256=(4, 1, 2**31 - 1)), "is damaged or cut short"),
    "strips.tif": (tiff(1, t273=(4, 2**31 - 1, 8), t279=(4, 2**31 - 1, 8)), "is damaged"),
    "rows.tif": (tiff(1, t257=(4, 1, 10**6), t278=(4, 1, 1)), "is damaged or cut short"),
    "pages.tif": (tiff(70_000), "has more than 10,000 pages"),
}


@pytest.fixture
def refused(tmp_path, tiny_model, capfd):
    """Upscales a file that must fail with one line; returns that line."""

    def run(name, content=None, code=2, **options):
        source, large = tmp_path / name, tmp_path / options.pop("output", "large.png")
        if content is not None:
            source.write_bytes(content)
        before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        command = ["upscale", source, "-o", large, "--model", options.pop("model", tiny_model)]
        command += [part for key, value in options.items() for part in (f"--{key}", value)]
        assert cli.main([str(part) for part in command]) == code
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        after = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        assert after == before
        return err

    return run


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_decoded(refused, name):
    content, expected = BOMBS[name]
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert expected in refused(name, content, output=f"large{name[-4:]}")
    assert time.monotonic() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


def test_the_limit_of_pixels_may_be_moved(refused, tmp_path, tiny_model):
    refused("a.png", encoded("PNG"), **{"max-megapixels": 24 * 31 / 1e6})
    assert Picture(tmp_path / "a.png", max_pixels=24 * 32).width == 32
    with pytest.raises(formats.UnsupportedImage, match="claims 32x24 pixels; expected at most 767"):
        Picture(tmp_path / "a.png", max_pixels=767)


def test_a_chain_of_pages_that_has_no_end_is_read_once(tmp_path):
    for last, frames in ((8, 2), (122, 2)):
        assert Picture(tiff(2, last=last)).frames == frames


@pytest.mark.parametrize("tag", ["t34675", "t700", "t33723", "t34377", "t270", "t34665", "t330"])
def test_tags_of_huge_counts_are_left_out(tag):
    for kind in (1, 4, 7):
        picture = Picture(tiff(1, **{tag: (kind, 2**31 - 1, 8)}))
        assert sum(len(rows) for rows in picture.rows()) == 4


def test_texts_that_unpack_to_much_are_left_out():
    text = zlib.compress(bytes(10**8), 9)
    data = bytes(4 * 13)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for extra in (b"zTXtk\0\0", b"iCCPk\0\0", b"iTXtXML:com.adobe.xmp\0\1\0\0\0"):
        chunk = png_chunk(extra[:4], extra[4:] + text)
        rows = Picture(png(4, 4, *[chunk] * 5, data=data)).rows()
        assert sum(len(row) for row in rows) == 4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "GIF"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_files_cut_short_are_refused(refused, kind, part):
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file, kind)
    data = file.getvalue()[: int(part * len(file.getvalue()))]
    assert ("is empty" if not data else "is damaged or cut short") in refused("cut", data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "GIF"])
@pytest.mark.parametrize("suffix", formats.FORMATS)
def test_a_wrong_suffix_changes_nothing(tmp_path, kind, suffix):
    (tmp_path / f"a{suffix}").write_bytes(encoded(kind))
    assert images.read(tmp_path / f"a{suffix}").shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"RIFF\x64\0\0\0WAVE" + bytes(100), "is not an image in a known format"),
        (b"\0\0\0\x18ftypmp42" + bytes(100), "is not an image in a known format"),
        (b"%PDF-1.7", "is not an image in a known format"),
        (b"<svg width='9' height='9'/>", "is not an image in a known format"),
        (b"8BPS\0\1" + bytes(100), "is not an image in a known format"),
        (b"\n<!DOCTYPE html>", "It is a web page: download the file"),
    ],
)
def test_other_formats_are_refused_whatever_the_library_knows(refused, content, expected):
    assert expected in refused("a.png", content)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"photometric": "icclab"}, "has ICC Lab samples; expected grey, RGB, CMYK or CIE Lab"),
        ({"photometric": "ycbcr"}, "has YCbCr samples; expected grey"),
        ({"photometric": "rgb", "dtype": np.float64}, "of a rare kind"),
        ({"photometric": "rgb", "dtype": np.int16}, "has 3 channels of short samples"),
        ({"photometric": "rgb", "dtype": np.uint32}, "has 3 channels of uint samples"),
        ({"photometric": "rgb", "dtype": np.complex64}, ""),
    ],
    ids=str,
)
def test_colours_that_would_be_mistaken_are_refused(refused, options, expected):
    dtype = options.pop("dtype", np.uint8)
    file = io.BytesIO()
    tifffile.imwrite(file, PHOTO.astype(dtype), metadata=None, **options)
    assert expected in refused("a.tif", file.getvalue())


def test_remarks_of_the_library_while_garbage_is_collected_do_not_end_the_process():
    data = encoded("JPEG")
    place = data.index(b"\xff\xda") + 20
    code = """if True:
        import gc, sys
        from srgan.io import formats, opening
        data = sys.stdin.buffer.read()
        gc.set_threshold(1)
        for _ in range(100):
            image = opening.open_image(data).image
            cycle = [image, image.crop(0, 0, 9, 9)]
            cycle.append(cycle)
            try:
                cycle[1].avg()
            except formats.pyvips.Error:
                pass
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=data[:place] + 8 * b"\xff\xd3" + data[place:],
        env=environment,
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# What is in the way


def test_what_is_no_file_is_named(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "pipe.png is not a file; expected one PNG" in refused("pipe.png")


def test_a_name_of_two_lines_is_said_in_one(refused):
    assert "two" in refused("two\nlines.png", b"")


def test_a_photo_that_may_not_be_read_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    (tmp_path / "a.png").chmod(0)
    user = os.geteuid()
    if user == 0:  # whom permissions do not bind
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match=r"Permission denied: .*a\.png"):
            images.read(tmp_path / "a.png")
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_a_full_disk_is_said_in_one_line(full_disk, tmp_path_factory, tiny_model, capfd, suffix):
    source = tmp_path_factory.mktemp("photos") / "a.png"
    images.write(source, np.random.default_rng(0).random((300, 300, 3)))
    large = full_disk / f"large{suffix}"
    large.write_bytes(b"precious")
    command = ["upscale", source, "-o", large, "--model", tiny_model, "--overwrite"]
    assert cli.main([str(part) for part in command]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"nothing was written to: {large}" in err
    assert [path.name for path in full_disk.iterdir()] == [large.name]
    assert large.read_bytes() == b"precious"
    gc.collect()  # of the frames that errors know, and that hold the file


def test_a_folder_that_may_not_be_written_to_is_said_in_one_line(read_only, tiny_model, capfd):
    source = read_only.parent / "a.png"
    source.write_bytes(encoded("PNG"))
    command = ["upscale", source, "-o", read_only / "large.png", "--model", tiny_model]
    assert cli.main([str(part) for part in command]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "is not writable" in err


def test_a_folder_as_output_gets_the_file(tmp_path, tiny_model, capfd):
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    (tmp_path / "large.png").mkdir()
    command = ["upscale", tmp_path / "a.png", "-o", tmp_path / "large.png", "--model", tiny_model]
    assert cli.main([str(part) for part in command]) == 0
    assert images.read(tmp_path / "large.png" / "a.png").shape == (48, 64, 3)


def test_a_result_that_no_file_can_hold_is_refused_before_the_work(refused):
    assert "at most 16383 pixels a side" in refused(
        "a.png", png(1, 9000, data=bytes(27_001)), output="l.webp"
    )


# Models


def test_a_model_that_is_no_model_is_refused(refused, tmp_path, tiny_model):
    good = tiny_model.read_bytes()
    rng = np.random.default_rng(0)
    bad = {"text.onnx": b"no model", "empty.onnx": b"", "cut.onnx": good[: len(good) // 2]}
    for name, data in (bad | {"noise.onnx": rng.bytes(1000)}).items():
        (tmp_path / name).write_bytes(data)
        error = refused("a.png", encoded("PNG"), model=tmp_path / name)
        assert f"{name} is not an ONNX model, or is cut short" in error


@pytest.mark.parametrize("change", [{"ir_version": 999}, {"opset": 999}])
def test_a_model_of_a_later_version_is_refused(refused, tmp_path, tiny_model, change):
    model = onnx.load(tiny_model)
    model.ir_version = change.get("ir_version", model.ir_version)
    model.opset_import[0].version = change.get("opset", model.opset_import[0].version)
    (tmp_path / "new.onnx").write_bytes(model.SerializeToString())
    error = refused("a.png", encoded("PNG"), model=tmp_path / "new.onnx")
    assert "new.onnx is not an ONNX model that onnxruntime can run" in error
    assert "999" in error
    assert "/onnxruntime" not in error  # where in its source


@pytest.mark.parametrize("place", ["/etc/hostname", "../../secret", "weights.bin"])
def test_a_model_gets_no_other_file(refused, tmp_path, tiny_model, place):
    model = onnx.load(tiny_model)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location=place)
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].ClearField("raw_data")
    (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
    error = refused("a.png", encoded("PNG"), model=tmp_path / "outside.onnx")
    assert "keeps weights in '" in error or "keeps its weights in a file weights.bin" in error


def test_a_model_larger_than_any_is_not_read(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(2**40)  # of which the disk holds nothing
    with pytest.raises(ValueError, match=r"has 1024\.0 GiB; expected at most 2"):
        loading.load(tmp_path / "large.onnx")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def resizing(scales):
    """A model that only repeats pixels."""
    graph = helper.make_graph(
        [helper.make_node("Resize", ["lr", "", "scales"], ["sr"], mode="nearest")],
        "resize",
        [helper.make_tensor_value_info("lr", onnx.TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [helper.make_tensor_value_info("sr", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(scales, np.float32), "scales")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def test_a_model_that_would_fill_the_memory_is_not_run(refused, tmp_path):
    (tmp_path / "bomb.onnx").write_bytes(resizing([1, 1, 2**18, 2]))
    error = refused("a.png", encoded("PNG"), model=tmp_path / "bomb.onnx")
    assert "bomb.onnx needs 6 MiB for each pixel of a picture; expected at most 1" in error


@pytest.mark.parametrize("own", [True, False])
def test_a_model_that_makes_no_picture_is_refused(refused, tmp_path, tiny_model, own):
    model = onnx.load(tiny_model)
    last = model.graph.node[-1]
    last.output[0] = "all"
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero"))
    model.graph.node.append(helper.make_node("Slice", ["all", "zero", "zero", "zero"], ["sr"]))
    if not own:
        model.ClearField("metadata_props")
    (tmp_path / "none.onnx").write_bytes(model.SerializeToString())
    error = refused("a.png", encoded("PNG"), model=tmp_path / "none.onnx")
    assert ("returned shape (0, " if own else "makes no picture in colour of 64x64") in error


def test_a_model_that_makes_no_numbers_is_named_and_nothing_written(refused, make_model):
    error = refused("a.png", encoded("PNG"), model=make_model(gain=np.nan))
    assert "model tiny returned values that are not finite" in error


@pytest.mark.parametrize("own", [True, False])
def test_a_model_of_values_that_would_become_infinite_is_refused(refused, make_model, own):
    path = make_model(consistency_rounds="8")
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "small"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(3e38), "huge"))
    model.graph.node.append(helper.make_node("Mul", ["small", "huge"], ["sr"]))
    if not own:
        model.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString())
    expected = "returned values that are not finite" if own else "does not make a picture"
    assert expected in refused("a.png", encoded("PNG"), model=path)
