"""Models are opened by name and path, say what they are, and upscale without seams."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage import data

from srgan.io import images
from srgan.models import catalogue, engines, loading, tiling
from srgan.models.metadata import Calibration, Metadata
from srgan.models.model import Model
from srgan.models.requirements import NO_REQUIREMENTS, SizeRequirements
from srgan.numeric import clipping, projection, resize
from srgan.util import parallel

GAN_MODELS = [name for name in catalogue.shipped() if "-psnr-" not in name]


@pytest.fixture(scope="module")
def model(tiny_model):
    return loading.load(tiny_model)


@pytest.fixture(scope="module")
def consistent(make_model):
    return loading.load(make_model(consistency_rounds="8"))


def noise(height, width):
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def test_upscale_enlarges_by_the_scale_of_the_metadata(model):
    sr = model.upscale(noise(5, 7))
    assert sr.shape == (10, 14, 3)
    assert sr.dtype == np.float32
    assert 0 <= sr.min() < sr.max() <= 1


@settings(max_examples=50)
@given(height=st.integers(1, 70), width=st.integers(1, 70), tile=st.integers(16, 64))
@example(height=1, width=1, tile=16)
@example(height=5, width=40, tile=16)
@example(height=33, width=47, tile=16)
def test_tiles_leave_no_seams(model, height, width, tile):
    lr = noise(height, width)
    np.testing.assert_allclose(model.upscale(lr, tile), model.upscale(lr, tile=1000), atol=1e-5)


@settings(max_examples=50)
@given(height=st.integers(1, 90), width=st.integers(1, 90), tile=st.integers(16, 64))
@example(height=1, width=1, tile=16)
@example(height=5, width=90, tile=16)
@example(height=33, width=87, tile=16)
def test_tiles_leave_no_seams_with_the_projection(consistent, height, width, tile):
    lr = noise(height, width)
    whole = consistent.upscale(lr, tile=1000)
    np.testing.assert_allclose(consistent.upscale(lr, tile), whole, atol=1e-5)


def test_the_projection_makes_the_result_consistent(model, consistent):
    lr = resize.upscale(noise(6, 6), 4).clip(0.2, 0.8)
    plain, projected = (
        np.abs(resize.downscale(m.upscale(lr), 2) - lr).mean() for m in (model, consistent)
    )
    assert projected < 0.1 * plain


def test_the_projection_is_that_of_the_whole_image(model, consistent):
    lr = noise(40, 30)
    expected = clipping.clip(projection.project(model.upscale(lr), lr, rounds=8), 2)
    np.testing.assert_allclose(consistent.upscale(lr, tile=16), expected, atol=1e-5)


def test_8_bit_images_are_taken_as_they_are(model):
    lr = (noise(9, 9) * 255).astype(np.uint8)
    np.testing.assert_array_equal(model.upscale(lr), model.upscale(lr / np.float32(255)))


def test_8_bit_results_are_the_rounded_ones(model):
    lr = noise(40, 40)
    sr = model.upscale(lr, tile=16, dtype=np.uint8)
    np.testing.assert_array_equal(sr, images.to_uint8(model.upscale(lr, tile=16)))


def test_views_and_float64_are_taken(model):
    lr = noise(12, 8).astype(np.float64)
    expected = model.upscale(np.ascontiguousarray(lr[::2, ::-1]))
    np.testing.assert_allclose(model.upscale(lr[::2, ::-1]), expected)


def test_upscale_leaves_its_input_alone(consistent):
    lr = noise(9, 9)
    before = lr.copy()
    consistent.upscale(lr)
    np.testing.assert_array_equal(lr, before)


def test_engines_give_one_result(make_model):
    path = make_model(consistency_rounds="4")
    one, other = (loading.load(path, kind) for kind in ("onnxruntime", "openvino"))
    np.testing.assert_allclose(one.upscale(noise(33, 47)), other.upscale(noise(33, 47)), atol=1e-6)


@pytest.mark.parametrize(
    ("lr", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"\(height, width, channels\) .* got shape \(4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"got shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int16), "float in .0, 1., uint8 or uint16; got int16"),
        (np.full((4, 4, 3), 255.0), "got 255 to 255. Divide 8-bit values by 255"),
        (np.full((4, 4, 3), -0.1), "got -0.1 to -0.1"),
        (np.full((4, 4, 3), np.nan), "got nan to nan"),
    ],
)
def test_what_is_no_image_is_refused(model, lr, message):
    with pytest.raises(ValueError, match=message):
        model.upscale(lr)


def test_a_model_that_returns_nan_is_named(make_model):
    broken = loading.load(make_model(gain=np.nan, name="broken-x2"))
    with pytest.raises(ValueError, match="model broken-x2 returned values that are not finite"):
        broken.upscale(noise(4, 4))


def test_a_model_of_another_scale_than_it_says_is_named(make_model):
    liar = loading.load(make_model(scale="4", name="liar"))
    with pytest.raises(ValueError, match=r"model liar returned shape \(8, 8, 3\) .*\(16, 16, 3\)"):
        liar.upscale(noise(4, 4))


def test_metadata_survives_a_round_trip(model):
    assert model.metadata.scale == 2
    assert model.metadata.receptive_field == 2
    assert Metadata.from_props(model.metadata.to_props()) == model.metadata


def test_metadata_of_others_is_left_out(model):
    props = model.metadata.to_props() | {"author": "someone", "srgan.certificate": "later"}
    assert Metadata.from_props(props) == model.metadata
    fitted = model.metadata.model_copy(update={"calibration": Calibration(1.5, 0.25, 0)})
    assert Metadata.from_props(fitted.to_props()) == fitted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": None}, r"srgan\.scale: Field required"),
        ({"scale": "0"}, r"srgan\.scale: Input should be greater"),
        ({"receptive_field": "-1"}, r"srgan\.receptive_field: Input should be greater"),
        ({"receptive_field": "999999999"}, r"srgan\.receptive_field: Input should be less"),
        ({"consistency_rounds": "many"}, r"srgan\.consistency_rounds: Input should be a valid int"),
        ({"calibration": "1.5 0.2"}, r"srgan\.calibration: Field required"),
        ({"calibration": "1.5 nan 0"}, r"srgan\.calibration: Input should be a finite number"),
    ],
)
def test_wrong_metadata_is_named(make_model, change, message):
    with pytest.raises(ValueError, match=rf"tiny\.onnx is an ONNX file without valid.*{message}"):
        loading.load(make_model(**change))


def test_load_refuses_an_unknown_name_and_lists_the_shipped_ones():
    names = ", ".join(catalogue.shipped()) or "none"
    with pytest.raises(FileNotFoundError, match=f"no model 'srgan-x9': .*shipped models: {names}"):
        loading.load("srgan-x9")


def test_load_refuses_a_folder_without_a_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no model: it has no ONNX file"):
        loading.load(tmp_path)


def test_shipped_models_open_by_name():
    for name in catalogue.shipped():
        assert loading.load(name).metadata.name == name


@pytest.mark.parametrize("name", GAN_MODELS)
def test_both_models_of_a_pair_are_one_network(name):
    gan = loading.load(name)
    psnr = loading.load(gan.metadata.psnr_model)
    for each in ("scale", "receptive_field", "consistency_rounds"):
        assert getattr(gan.metadata, each) == getattr(psnr.metadata, each)
    assert gan.pixel_bytes == psnr.pixel_bytes  # found in the graph


def assert_tiles_equal_the_whole(name, lr, tile):
    model = loading.load(name)
    whole = model.upscale(lr, tile=10_000)
    np.testing.assert_allclose(model.upscale(lr, tile=tile), whole, atol=1e-5)
    rounded = model.upscale(lr, tile=10_000, dtype=np.uint8).astype(int)
    difference = np.abs(model.upscale(lr, tile=tile, dtype=np.uint8) - rounded)
    assert difference.max() <= 1  # a tie of rounding
    assert np.count_nonzero(difference) <= max(1, whole.size // 1_000_000)


@pytest.mark.parametrize("name", GAN_MODELS)  # and so do those of the same networks
@given(height=st.integers(1, 70), width=st.integers(1, 90), tile=st.integers(16, 64))
@settings(max_examples=8)
@example(height=1, width=1, tile=16)
@example(height=5, width=40, tile=16)
@example(height=33, width=47, tile=16)
def test_tiles_of_shipped_models_leave_no_seams(name, height, width, tile):
    lr = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    assert_tiles_equal_the_whole(name, lr, tile)


@pytest.mark.long
@pytest.mark.slow
def test_tiles_of_a_large_picture_leave_no_seams():
    photo = data.astronaut()[:257, :511]
    assert_tiles_equal_the_whole("srgan-x4", photo / np.float32(255), tile=100)


def test_the_quality_measure_is_not_listed_among_the_models():
    assert all(name.startswith("srgan-") for name in catalogue.shipped())


def test_a_self_ensemble_is_the_mean_of_eight_orientations(tiny_model):
    model, ensemble = loading.load(tiny_model), loading.load(tiny_model, self_ensemble=True)
    lr = noise(9, 14)
    turned = [
        np.rot90(model.upscale(np.rot90(lr, turns)[:, ::step])[:, ::step], -turns)
        for turns in range(4)
        for step in (1, -1)
    ]
    np.testing.assert_allclose(ensemble.upscale(lr), np.mean(turned, axis=0), atol=1e-6)
    np.testing.assert_allclose(ensemble.upscale(lr, tile=5), ensemble.upscale(lr), atol=1e-6)
    assert ensemble.metadata.name == "tiny x8"


def test_16_bits_are_taken_and_given(model):
    deep = np.random.default_rng(0).integers(0, 65536, (9, 12, 3), dtype=np.uint16)
    sr = model.upscale(deep / np.float32(65535))
    np.testing.assert_allclose(model.upscale(deep), sr, atol=1e-6)
    exact = np.floor(sr * np.float32(65535) + np.float32(0.5))
    np.testing.assert_allclose(model.upscale(deep, dtype=np.uint16), exact, atol=1)


def test_an_image_for_one_core_is_cut_for_memory_alone(model):
    assert model.plan(200, 300, workers=1).tiles == 1
    assert model.plan(200, 300, workers=2).tiles == 2
    short = 10 * 2**20
    assert model.plan(200, 300, memory=short, workers=1).area * model.pixel_bytes < short


def test_the_default_tiles_leave_no_seams_and_fit_the_memory(model):
    lr = noise(200, 300)
    cut = model.plan(200, 300, memory=10 * 2**20)
    assert cut.tiles >= 4
    at_once = parallel.available_cores() * cut.size[0] * cut.size[1] * model.pixel_bytes
    assert at_once <= 10 * 2**20
    rows = model.upscale_rows([lr], 200, 300, cut, dtype=np.float32)
    np.testing.assert_allclose(np.concatenate(list(rows)), model.upscale(lr, 1000), atol=1e-5)


class Limited:
    """An engine that runs out of memory beyond so many pixels, and counts those that it runs."""

    def __init__(self, engine, most):
        self._engine, self._most, self.pixels = engine, most, 0
        self.metadata = engine.metadata

    def run(self, images):
        pixels = images.shape[1] * images.shape[2]
        if pixels > self._most:
            raise MemoryError
        self.pixels += pixels
        return self._engine.run(images)


def test_parts_of_tiles_that_are_too_large_overlap_no_more_than_tiles(make_model):
    file, lr, most = make_model(consistency_rounds="8"), noise(300, 300), 5000
    engine, whole = Limited(engines.open_engine(file), most), loading.load(file)
    model = Model(engine, whole.metadata)
    np.testing.assert_allclose(model.upscale(lr, 300), whole.upscale(lr, 300), atol=1e-5)
    halo = whole.plan(300, 300).halo
    assert engine.pixels <= tiling.plan(300, 300, halo, most // 2).work


def test_a_tile_that_is_too_large_in_all_parts_is_refused(tiny_model):
    engine = Limited(engines.open_engine(tiny_model), most=1)
    model = Model(engine, loading.load(tiny_model).metadata)
    with pytest.raises(MemoryError, match="pixels at a time, which is the least possible; close"):
        model.upscale(noise(300, 300))


_SHORT_OF_MEMORY = """
import resource, sys
import numpy as np
from srgan.models import loading

model = loading.load("srgan-psnr-x4")
side, megabytes = map(int, sys.argv[1:])
lr = np.random.default_rng(0).random((side, side, 3), dtype=np.float32)
model.upscale(lr[:64, :64])
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + megabytes * 2**20, -1))
sr = model.upscale(lr, tile=side, dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_AS, (2**40, -1))
whole = loading.load("srgan-psnr-x4").upscale(lr, tile=side, dtype=np.uint8)
difference = np.abs(sr.astype(int) - whole)
print(difference.max() <= 1, np.mean(difference > 0) <= 1e-6)  # ties may round the other way
"""


def short_of_memory(side, megabytes):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", _SHORT_OF_MEMORY, str(side), str(megabytes)],
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_where_memory_is_short_tiles_are_halved():
    done = short_of_memory(side=500, megabytes=200)  # the whole needs about 600
    assert (done.stdout, done.returncode) == ("True True\n", 0), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_where_there_is_no_memory_at_all_that_is_said():
    done = short_of_memory(side=300, megabytes=2)  # the result alone has 4
    assert "MemoryError" in done.stderr


def test_a_model_is_called_as_a_function_and_says_what_it_is(tiny_model):
    model = loading.load(tiny_model)
    lr = noise(9, 7)
    np.testing.assert_array_equal(model(lr), model.upscale(lr))
    assert repr(model) == "<srgan.Model tiny: x2, 0.00 M parameters, CC0>"
    assert "srgan-x4: x4, 1.37 M parameters" in repr(loading.load("srgan-x4"))


def test_a_model_without_requirements_takes_every_size():
    assert NO_REQUIREMENTS.padded(5, 7) == (5, 7)
    assert NO_REQUIREMENTS.divisible


def test_a_picture_is_padded_to_what_a_network_takes():
    assert SizeRequirements(multiple=4).padded(5, 8) == (8, 8)
    assert SizeRequirements(fixed=(24, 32)).padded(5, 40) == (24, 40)
    assert not SizeRequirements(whole="it sees all").divisible
