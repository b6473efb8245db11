"""Exports are made from real files, whole or not at all."""

import os
import re
import subprocess
import sys

import keras
import numpy as np
import onnx
import pytest
import yaml

from srgan.export import deliver, onnx_file, onnx_graph
from srgan.export.deliver import export
from srgan.export.exporters import FORMATS
from srgan.io import images
from srgan.models import catalogue, loading
from srgan.models.metadata import Metadata
from srgan.networks.generators import residual
from srgan.networks.graph import receptive_field
from srgan.numeric import projection, resize
from srgan.quality import metrics
from srgan.verification import certificate, runtimes


@pytest.fixture(scope="module")
def run(randomise, tmp_path_factory):
    """The folder of a run with a finished model, without its checkpoints."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    folder.mkdir()
    network = randomise(residual(4, filters=8, blocks=2))
    tail = network.get_layer("tail").kernel
    tail.assign(0.1 * tail)
    metadata = Metadata(
        name="mine",
        scale=4,
        receptive_field=receptive_field(network),
        consistency_rounds=2,
        training_data="9 photos",
        licence="CC0",
        scores="held back: psnr 25.5",
        config_hash="0123",
        psnr_model="model-psnr",
        training="700 steps.",
    )
    onnx_file.write_onnx(network, folder / "model.onnx", metadata)
    return folder


@pytest.fixture(scope="module")
def delivered(run, tmp_path_factory):
    """The folder of an export, and its certificate."""
    folder = tmp_path_factory.mktemp("exports") / "mine"
    return folder, export(run, "tflite-int8", folder)


def test_an_export_is_a_folder_of_the_model_its_certificate_and_its_card(delivered):
    folder, made = delivered
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("mine.tflite", "certificate.json", "reference.npz", "README.md", "LICENSE.md")
    }
    assert (made.format, made.file, made.limit) == ("tflite-int8", "mine.tflite", 40)
    assert made.measured.photos.psnr > 40
    assert set(made.versions) == {"srgan", "tensorflow", "keras", "ai-edge-litert", "python"}
    assert certificate.verify(folder)[0] == made


def test_a_tflite_file_is_verified_without_tensorflow(delivered):
    code = """
import sys
sys.modules.update(dict.fromkeys(["tensorflow", "keras"]))  # which makes their import fail
from srgan import cli
sys.exit(cli.main(["verify", sys.argv[1]]))
"""
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code, str(delivered[0] / "mine.tflite")],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("mine.tflite is as its certificate says.\n")


def test_a_network_of_ones_own_is_exported_from_the_keras_file_beside_it(run, tmp_path):
    keras.utils.set_random_seed(0)
    lr = keras.Input((None, None, 3))
    x = keras.layers.UpSampling2D(4)(keras.layers.Conv2D(8, 3, padding="same")(lr))
    network = keras.Model(lr, keras.layers.Conv2D(3, 3, padding="same")(x), name="theirs")
    metadata = loading.load(run / "model.onnx").metadata
    facts = {"receptive_field": receptive_field(network)}
    onnx_file.write_onnx(network, tmp_path / "model.onnx", metadata.model_copy(update=facts))
    with pytest.raises(ValueError, match=r"holds the network 'theirs'"):
        export(tmp_path / "model.onnx", "tflite", tmp_path / "out")
    network.save(tmp_path / "model.keras")
    issued = export(tmp_path / "model.onnx", "tflite", tmp_path / "out")
    assert issued.measured.photos.psnr > certificate.MIN_PSNR["tflite"]


def test_metadata_that_contradict_the_network_are_named(run, tmp_path):
    model = onnx.load(run / "model.onnx")
    for entry in model.metadata_props:
        if entry.key == "srgan.scale":
            entry.value = "2"
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=r"says that its scale is 2, and holds 'residual_x4'"):
        export(tmp_path / "x.onnx", "onnx", tmp_path / "out")


def test_the_reference_is_what_keras_makes_of_the_probes(delivered, run):
    network = onnx_file.read_generator(run / "model.onnx")
    with np.load(delivered[0] / "reference.npz") as stored:
        lr, sr = stored["photos1/lr"], stored["photos1/sr"]
    expected = np.clip(network(lr / np.float32(255)), 0, 1)
    np.testing.assert_allclose(sr / 65535, expected, atol=2e-5)


def test_the_card_begins_with_the_front_matter_of_hugging_face(delivered):
    text = (delivered[0] / "README.md").read_text()
    front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1]
    stated = yaml.safe_load(front)
    assert stated["license"] == "other"  # which needs a name and a link
    assert stated["license_name"] == "see-model-card"
    assert stated["license_link"] == "LICENSE.md"  # the Hub takes no other name, but a URL
    assert "CC0" in (delivered[0] / "LICENSE.md").read_text()
    assert stated["pipeline_tag"] == "image-to-image"
    assert stated["library_name"] == "tflite"
    assert "super-resolution" in stated["tags"]


def test_the_card_says_what_the_issue_of_trust_needs(delivered):
    folder, made = delivered
    text = (folder / "README.md").read_text()
    for expected in (
        "## Intended use",
        "9 photos\n\nLineage: it began with the weights of `model-psnr`.",
        "Licence: CC0",
        "held back: psnr 25.5",
        "Training: 700 steps. Running:",
        f"| photos | {made.measured.photos.psnr:.1f} |",
        f"| `mine.tflite` | `{made.sha256['mine.tflite']}` |",
        "residual_x4, of 22,267 parameters",
        "(2 rounds): left to the program",
        "int8, quantised RGB in [0, 1], `(1, height, width, 3)`",
    ):
        assert expected in text
    assert "pretrain," not in text  # no steps of it


@pytest.mark.parametrize(
    "kind", ["onnx", pytest.param("savedmodel", marks=pytest.mark.slow), "openvino-fp16"]
)
def test_other_formats_are_certified_in_a_process_of_their_own(kind, run, tmp_path):
    made = export(run / "model.onnx", kind, tmp_path / "out")
    assert made.measured.photos.psnr >= certificate.MIN_PSNR[kind]
    assert (tmp_path / "out" / made.file).exists()
    hashed = {*made.sha256, certificate.NAME, "README.md", "LICENSE.md"}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "out").as_posix() for path in files} == hashed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    inside = "(2 rounds): included" in (tmp_path / "out" / "README.md").read_text()
    assert inside == FORMATS[kind].projects


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if not kind.endswith("int8")])
@pytest.mark.parametrize("name", ["srgan-x4", "srgan-fast-x4", "srgan-x2"])
def test_every_shipped_network_is_exported_to_every_format(name, kind, tmp_path):
    made = export(name, kind, tmp_path / "out")  # measured in a process of its own
    assert made.measured.photos.psnr >= certificate.MIN_PSNR[kind]


@pytest.mark.long
@pytest.mark.slow  # minutes
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind.endswith("int8")])
@pytest.mark.parametrize("name", [name for name in catalogue.shipped() if "psnr" not in name])
def test_int8_costs_every_shipped_gan_model_little(name, kind, shared_data, tmp_path):
    made = export(name, kind, tmp_path / "out")
    assert made.measured.photos.psnr >= certificate.MIN_PSNR[kind]
    photos = shared_data / "validation" / "Kodak24"
    model = loading.load(name)
    scale, rounds = model.metadata.scale, model.metadata.consistency_rounds
    runtime = runtimes.open_runtime(tmp_path / "out" / made.file)
    losses = []
    for path in sorted(photos.glob("*.*"))[::12]:
        hr = images.read_uint8(path)
        lr = resize.downscale(hr, scale) / np.float32(255)
        sr = projection.project(runtime.run(lr[None])[0], lr, rounds)
        exact, rounded = model.upscale(lr, dtype=np.uint8), images.to_uint8(np.clip(sr, 0, 1))
        scores = [(metrics.psnr(hr, x, scale), metrics.lpips(hr, x)) for x in (exact, rounded)]
        losses.append(np.subtract(*scores))
    psnr, lpips = np.mean(losses, axis=0)
    assert psnr <= 0.3
    assert -lpips <= 0.02


def test_a_fixed_size_is_certified_at_that_size(run, tmp_path):
    made = export(run, "tflite", tmp_path / "out", size=(40, 21))
    assert made.measured.photos.psnr > 60
    with np.load(tmp_path / "out" / "reference.npz") as stored:
        assert {stored[name].shape[1:] for name in stored if name.endswith("lr")} == {(40, 21, 3)}
    assert "`(1, 40, 21, 3)`" in (tmp_path / "out" / "README.md").read_text()


def test_calibration_photos_of_ones_own_are_used(run, photo_folder, delivered, tmp_path):
    made = export(run, "tflite-int8", tmp_path / "out", calibration=photo_folder)
    assert made.sha256["mine.tflite"] != delivered[1].sha256["mine.tflite"]
    assert made.sha256["reference.npz"] == delivered[1].sha256["reference.npz"]


def nothing_but(folder, *names):
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_result_below_the_limit_is_not_left_behind(run, tmp_path, monkeypatch):
    wrong = onnx_graph.translate

    def translate(generator, *rest):
        copy = residual(4, filters=8, blocks=2)
        copy.set_weights([0.9 * weight for weight in generator.get_weights()])
        return wrong(copy, *rest)

    monkeypatch.setattr(onnx_graph, "translate", translate)
    with pytest.raises(RuntimeError, match=r"dB from the Keras model on photos .* at least 60 dB"):
        export(run, "onnx", tmp_path / "out")
    assert nothing_but(tmp_path)


def test_an_unknown_format_is_named_with_those_there_are(run, tmp_path):
    with pytest.raises(
        ValueError, match=r"no format 'caffe'; expected one of onnx, .*openvino-int8"
    ):
        export(run, "caffe", tmp_path / "out")


def test_a_folder_that_exists_is_left_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError, match="out exists already"):
        export(run, "onnx", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export(run, "onnx", tmp_path / "none" / "out")


def test_a_run_without_finished_weights_is_named(run, tmp_path):
    (tmp_path / "run" / "pretrain").mkdir(parents=True)
    (tmp_path / "run" / "config.toml").touch()
    for folder in (tmp_path / "run", tmp_path / "run" / "pretrain"):
        with pytest.raises(FileNotFoundError, match=r"no finished weights: .* --resume"):
            export(folder, "onnx", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="is no model: it has no ONNX file"):
        export(tmp_path, "onnx", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="There is no model 'nothing'"):
        export("nothing", "onnx", tmp_path / "out")
    assert nothing_but(tmp_path, "run")


def test_a_missing_package_is_named_before_the_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr(deliver.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ModuleNotFoundError, match=r'needs nncf|openvino.*pip install "srgan\[export'
    ):
        export(run, "openvino-int8", tmp_path / "out")
    assert nothing_but(tmp_path)


def test_a_calibration_folder_without_images_is_named(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no images to calibrate with"):
        export(run, "tflite-int8", tmp_path / "out", calibration=tmp_path / "empty")
    (tmp_path / "empty" / "x.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="empty has no images to calibrate with"):
        export(run, "tflite-int8", tmp_path / "out", calibration=tmp_path / "empty")
    with pytest.raises(NotADirectoryError):
        export(run, "tflite-int8", tmp_path / "out", calibration=tmp_path / "none")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("onnx", {"size": (64, 64)}, "fixed size is for tflite"),
        ("tflite", {"size": (8, 64)}, "from 16 to 512 pixels; got 64x8"),
        ("tflite", {"calibration": images}, "Calibration photos are for int8"),
    ],
)
def test_options_of_other_formats_are_named(kind, options, message, run, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(run, kind, tmp_path / "out", **options)


def test_calibration_takes_at_most_64_crops_and_black_and_white(tmp_path):
    for i in range(70):
        images.write(tmp_path / f"{i:02}.png", np.full((12, 12, 3), i / 255))
    crops = deliver._calibration(tmp_path, 4, None)
    assert len(crops) <= 66
    assert {crop.shape for crop in crops} == {(64, 64, 3)}
    assert (crops[-2].max(), crops[-1].min()) == (0, 1)
    assert max(crop.mean() for crop in crops[:-1]) > 68 / 255  # from all of the folder
