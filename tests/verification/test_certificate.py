"""Certificates are issued and verified for real files, by a model whose results are known."""

import json
import shutil
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srgan.io import images
from srgan.verification import certificate, probes, runtimes


def repeat(lr):
    return lr.repeat(2, 1).repeat(2, 2)


def write_model(path, offset=0.0):
    """Writes a model that repeats pixels 2 x 2 times, and adds `offset`."""
    nodes = [
        helper.make_node("Resize", ["lr", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Add", ["large", "offset"], ["sr"]),
    ]
    nodes[0].attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
    nodes[0].attribute.append(helper.make_attribute("nearest_mode", "floor"))
    images = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, None, 3])
        for name in ("lr", "sr")
    ]
    scales, added = (np.asarray(x, np.float32) for x in ((1, 2, 2, 1), offset))
    initialisers = [
        numpy_helper.from_array(scales, "scales"),
        numpy_helper.from_array(added, "offset"),
    ]
    graph = helper.make_graph(nodes, "repeat", images[:1], images[1:], initialisers)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def prepare(folder, offset=0.0, **options):
    """Makes a folder of a model and its reference, which repeats pixels."""
    folder.mkdir()
    batches = probes.make(2, **options)
    results = {name: repeat(lr) for name, lr in batches.items() if name != probes.TIMED}
    probes.write_reference(folder, batches, results)
    write_model(folder / "model.onnx", offset)
    return folder


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """A folder with a certificate, for a model that adds 1/255, and the certificate."""
    folder = prepare(tmp_path_factory.mktemp("issued") / "model", offset=1 / 255)
    return folder, certificate.certify(folder, "model.onnx", "onnx", 40, {"keras": "3"})


@pytest.fixture
def copy(issued, tmp_path):
    return shutil.copytree(issued[0], tmp_path / "copy")


def test_figures_are_the_arithmetic_of_a_constant_error(issued):
    figures = issued[1].measured.photos
    assert figures.max_difference == pytest.approx(1, abs=0.01)
    assert figures.mean_difference == pytest.approx(1, abs=0.02)  # where nothing is clipped
    assert figures.psnr == pytest.approx(20 * np.log10(255), abs=0.1)
    assert issued[1].measured.extremes.mean_difference < 0.7  # a third is white, and clipped


def test_equal_results_score_a_hundred_decibels(tmp_path):
    measured = certificate.measure(prepare(tmp_path / "equal"), "model.onnx")
    assert measured.photos.psnr == 100
    assert measured.photos.max_difference < 0.003  # the reference's rounding
    assert measured.seconds_per_megapixel > 0
    assert set(measured.versions) == {"onnxruntime", "numpy", "python"}


def test_a_certificate_names_size_and_hash_of_every_file(issued):
    folder, made = issued
    assert set(made.sha256) == {"model.onnx", "reference.npz"}
    assert made.bytes == (folder / "model.onnx").stat().st_size
    stored = json.loads((folder / "certificate.json").read_text())
    assert stored == json.loads(made.model_dump_json())


def test_probes_are_photos_of_odd_and_even_sizes_and_extremes_in_batches_of_one_and_three():
    batches = probes.make(4)
    photos = [lr for name, lr in batches.items() if name.startswith("photos")]
    extremes = [lr for name, lr in batches.items() if name.startswith("extremes")]
    assert {len(lr) for lr in photos} == {1, 3}
    assert {side % 2 for lr in photos for side in lr.shape[1:3]} == {0, 1}
    for black, white, noise in extremes:
        assert black.max() == 0
        assert white.min() == 1
        assert noise.std() > 0.2
    for lr in (*photos, *extremes):
        assert lr.dtype == np.float32
        np.testing.assert_array_equal(lr, np.round(255 * lr) / np.float32(255))
    assert len({lr.tobytes() for batch in photos for lr in batch}) == sum(map(len, photos))


def test_probes_of_a_fixed_size_have_no_other():
    for name, lr in probes.make(4, (130, 50)).items():
        assert lr.shape[1:] == (130, 50, 3)
        if name.startswith("photos"):
            assert lr.std() > 0.05  # mirrored where the photo ends


def test_crops_are_the_middle_of_a_photo():
    photo = np.arange(5 * 7).reshape(5, 7, 1)
    np.testing.assert_array_equal(probes.crop(photo, 3, 1)[..., 0], [[10], [17], [24]])
    assert probes.crop(photo, 12, 20).shape == (12, 20, 1)


def test_a_model_below_the_limit_gets_no_certificate(tmp_path):
    folder = prepare(tmp_path / "far", offset=0.1)
    with pytest.raises(RuntimeError, match=r"onnx model is 20\.\d dB .* at least 40 dB"):
        certificate.certify(folder, "model.onnx", "onnx", 40, {})
    assert not (folder / certificate.NAME).exists()


def test_a_model_that_does_not_run_gets_no_certificate(tmp_path):
    folder = prepare(tmp_path / "broken")
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match="does not run in a process of its own: ValueError"):
        certificate.certify(folder, "model.onnx", "onnx", 40, {})


@pytest.mark.parametrize("name", ["", "model.onnx"])
def test_a_folder_or_its_model_is_verified(issued, name):
    made, measured = certificate.verify(issued[0] / name)
    assert made == issued[1]
    assert measured.photos == made.measured.photos


@pytest.mark.parametrize("name", ["model.onnx", "reference.npz"])
def test_a_file_changed_after_its_certificate_was_written_is_named(copy, name):
    with (copy / name).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=f"{name} was changed after its certificate was written"):
        certificate.verify(copy)


def test_a_missing_file_is_named(copy):
    (copy / "reference.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"reference\.npz is missing"):
        certificate.verify(copy)


def edit(folder, **changes):
    content = json.loads((folder / certificate.NAME).read_text())
    (folder / certificate.NAME).write_text(json.dumps(content | changes))


def test_a_certificate_that_demands_more_is_not_met(copy):
    edit(copy, limit=60)
    with pytest.raises(RuntimeError, match=r"48\.\d dB .* at least 60 dB"):
        certificate.verify(copy)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd"])
def test_a_certificate_may_name_only_files_beside_it(copy, name):
    edit(copy, sha256={name: "0"})
    with pytest.raises(ValueError, match="names files outside its folder"):
        certificate.verify(copy)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "\ufffd{"])
def test_a_damaged_certificate_is_named(copy, content):
    (copy / certificate.NAME).write_text(content)
    with pytest.raises(ValueError, match=r"certificate\.json is no certificate of srgan"):
        certificate.verify(copy)


def test_what_has_no_certificate_is_named(tiny_model, copy, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tiny\.onnx has no certificate\.json beside it"):
        certificate.verify(tiny_model)
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        certificate.verify(tmp_path / "nothing.onnx")
    shutil.copy(tiny_model, copy)
    with pytest.raises(ValueError, match=r"is not about tiny\.onnx, but model\.onnx"):
        certificate.verify(copy / "tiny.onnx")


def test_a_reference_that_is_none_is_named(tmp_path, monkeypatch):
    folder = prepare(tmp_path / "damaged")
    (folder / "reference.npz").write_bytes(b"PK\3\4")
    with pytest.raises(ValueError, match=r"reference\.npz is no reference of srgan"):
        certificate.measure(folder, "model.onnx")
    monkeypatch.setattr(probes, "_LARGEST", 2**20)
    np.savez_compressed(folder / "reference.npz", bomb=np.zeros(2**20, np.uint8))
    with pytest.raises(ValueError, match="larger than any reference"):
        certificate.measure(folder, "model.onnx")


@pytest.mark.parametrize("name", ["model.tflite", "model.xml", "model.onnx"])
def test_a_file_that_its_runtime_cannot_read_is_named(name, tmp_path):
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(ValueError, match=rf"{name} cannot be read by [\w-]+ \(.*Export it again"):
        runtimes.open_runtime(tmp_path / name)


def test_what_is_no_exported_model_is_named(tmp_path):
    images.write(tmp_path / "photo.png", np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"photo\.png is no exported model; expected an \.onnx"):
        runtimes.open_runtime(tmp_path / "photo.png")
    with pytest.raises(FileNotFoundError, match=r"no exported model .*none\.onnx"):
        runtimes.open_runtime(tmp_path / "none.onnx")


def test_a_missing_runtime_is_named_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    (tmp_path / "x.tflite").write_bytes(b"")
    with pytest.raises(ModuleNotFoundError, match="Run: pip install ai-edge-litert"):
        runtimes.open_runtime(tmp_path / "x.tflite")
