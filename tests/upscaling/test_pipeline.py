"""From file to file: the picture is the model's, and every fault leaves the folder as it was."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from srgan.io import formats, images, stream
from srgan.models import loading
from srgan.numeric import resize
from srgan.quality import uncertainty
from srgan.upscaling import error_map, pipeline
from srgan.upscaling.options import DEFAULTS, UpscaleOptions


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    images.write(path, np.random.default_rng(0).random((30, 20, 3)))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_holds_what_the_model_returns(photo, tiny_model, tmp_path):
    pipeline.upscale_file(photo, tmp_path / "large.png", tiny_model)
    expected = loading.load(tiny_model).upscale(images.read(photo), dtype=np.uint8)
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "large.png"), expected)
    assert names(tmp_path) == ["large.png", "photo.png"]


def test_a_model_may_be_loaded_once_for_many_files(photo, tiny_model, tmp_path):
    model, seen = loading.load(tiny_model), []
    for name in ("a.jpg", "b.webp"):
        pipeline.upscale_file(
            photo,
            tmp_path / name,
            model,
            UpscaleOptions(tile=64),
            progress=lambda *now: seen.append(now),
        )
        assert images.read(tmp_path / name).shape == (60, 40, 3)
    assert seen == [(1, 1), (1, 1)]


def test_an_existing_file_stays_unless_overwritten(photo, tiny_model, tmp_path):
    images.write(tmp_path / "large.png", np.zeros((1, 1, 3)))
    with pytest.raises(FileExistsError, match=r"large\.png exists already"):
        pipeline.upscale_file(photo, tmp_path / "large.png", tiny_model)
    pipeline.upscale_file(photo, tmp_path / "large.png", tiny_model, overwrite=True)
    assert images.read(tmp_path / "large.png").shape == (60, 40, 3)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("photo.png", FileExistsError),
        ("large.bmp", formats.UnsupportedImage),
        ("gone/large.png", FileNotFoundError),
    ],
)
def test_a_wrong_destination_is_found_before_anything_is_read(tmp_path, photo, name, error):
    # Neither the source nor the model exists: had one been looked for first, it would be named.
    with pytest.raises(error, match=name):
        pipeline.upscale_file("gone.jpg", tmp_path / name, "gone.onnx")


def test_a_result_too_large_for_its_format_is_found_before_the_work(tmp_path, tiny_model):
    images.write(tmp_path / "wide.png", np.zeros((1, 9000, 3), np.uint8))
    seen = []
    with pytest.raises(formats.UnsupportedImage, match=r"large\.webp.*18000x2"):
        pipeline.upscale_file(
            tmp_path / "wide.png",
            tmp_path / "large.webp",
            tiny_model,
            progress=lambda *now: seen.append(now),
        )
    assert not seen


def test_a_missing_source_is_named(tmp_path, tiny_model):
    with pytest.raises(FileNotFoundError, match=r"gone\.png does not exist"):
        pipeline.upscale_file(tmp_path / "gone.png", tmp_path / "large.png", tiny_model)


def test_a_broken_model_writes_nothing(photo, make_model, tmp_path):
    with pytest.raises(ValueError, match="model tiny returned values that are not finite"):
        pipeline.upscale_file(photo, tmp_path / "large.png", make_model(gain=np.nan))
    assert names(tmp_path) == ["photo.png"]


def test_an_interrupted_run_writes_nothing(photo, tiny_model, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.upscale_file(photo, tmp_path / "large.png", tiny_model, progress=interrupt)
    assert names(tmp_path) == ["photo.png"]


def test_photos_are_upscaled_from_any_format(shared_data, tiny_model, tmp_path):
    for suffix in ("benchmarks/Set5/**/*.png", "train/research/*.jpg", "benchmarks/**/*.webp"):
        path = next(shared_data.glob(suffix))
        pipeline.upscale_file(path, tmp_path / "large.png", tiny_model, overwrite=True)
        height, width, _ = images.read(path).shape
        assert images.read(tmp_path / "large.png").shape == (2 * height, 2 * width, 3)


@pytest.mark.parametrize(
    ("options", "model"),
    [
        (UpscaleOptions(), "srgan-x4"),
        (UpscaleOptions(scale=2.01), "srgan-x4"),
        (UpscaleOptions(scale=2), "srgan-x2"),
        (UpscaleOptions(scale=1.5, width=30), "srgan-x2"),
        (UpscaleOptions(width=30), "srgan-x4"),  # how much that is depends on the photo
    ],
)
def test_up_to_twice_each_side_the_model_for_it_is_the_default(options, model, photo, tmp_path):
    by_default = made(photo, tmp_path, None, options)
    np.testing.assert_array_equal(by_default, made(photo, tmp_path, model, options))


def made(photo, tmp_path, model, options=DEFAULTS):
    pipeline.upscale_file(photo, tmp_path / "large.png", model, options, overwrite=True)
    return images.read_uint8(tmp_path / "large.png").astype(int)


def test_a_smaller_size_is_the_models_result_scaled_down(photo, tiny_model, tmp_path):
    model = loading.load(tiny_model)
    large = made(photo, tmp_path, model, UpscaleOptions(scale=1.5))
    sr = model.upscale(images.read(photo))
    expected = images.to_uint8(resize.bicubic(sr, 45, 30))
    assert large.shape == (45, 30, 3)
    assert np.abs(large - expected).max() <= 1
    assert np.mean(large != expected) < 0.01  # of 16 bits between the two steps


def test_a_larger_size_takes_a_second_pass(photo, tiny_model, tmp_path):
    model = loading.load(tiny_model)
    twice = model.upscale(model.upscale(images.read(photo)))
    for scale, expected in ((4, twice), (3, resize.bicubic(twice, 90, 60))):
        large = made(photo, tmp_path, model, UpscaleOptions(scale=scale, tile=16))
        assert np.abs(large - images.to_uint8(expected)).max() <= 1


def test_a_size_below_the_photos_needs_no_model(photo, tiny_model, tmp_path):
    small = made(photo, tmp_path, tiny_model, UpscaleOptions(width=10))
    expected = images.to_uint8(resize.bicubic(images.read(photo), 15, 10))
    assert np.abs(small - expected).max() <= 1


def test_more_than_two_passes_are_refused(photo, tiny_model, tmp_path):
    with pytest.raises(
        ValueError, match=r"have 5 times as many pixels a side .* at most 4 times as many"
    ):
        made(photo, tmp_path, tiny_model, UpscaleOptions(scale=5))


@pytest.mark.parametrize("tile", [None, 16])
def test_16_bits_stay_16_bits_where_the_format_has_them(tiny_model, tmp_path, tile):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 30, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb")
    model = loading.load(tiny_model)
    expected = model.upscale(deep)
    for name, levels in (("a.tif", 65535), ("a.png", 65535), ("a.webp", 255)):
        options = UpscaleOptions(tile=tile)
        pipeline.upscale_file(tmp_path / "deep.tif", tmp_path / name, model, options)
        picture = stream.Picture(tmp_path / name)
        assert picture.dtype == (np.uint16 if levels == 65535 else np.uint8)
        if levels == 65535:
            found = np.concatenate(list(picture.rows()))
            np.testing.assert_array_equal(found, np.floor(expected * 65535 + np.float32(0.5)))


def test_each_frame_is_upscaled_alone(tiny_model, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    first, *more = [Image.fromarray(frame) for frame in frames]
    options = {"save_all": True, "append_images": more, "lossless": True, "loop": 3}
    first.save(tmp_path / "a.webp", duration=[40, 80, 120], **options)
    model = loading.load(tiny_model)
    pipeline.upscale_file(tmp_path / "a.webp", tmp_path / "large.tif", model)
    found = tifffile.imread(tmp_path / "large.tif")
    np.testing.assert_array_equal(found, [model.upscale(f, dtype=np.uint8) for f in frames])


def test_a_job_is_known_before_the_work(photo, tiny_model, tmp_path):
    model = loading.load(tiny_model)
    options = UpscaleOptions(scale=3, tile=16)
    job = pipeline.prepare(photo, tmp_path / "large.png", model, options)
    assert (job.height, job.width, job.frames) == (90, 60, 1)
    assert [(cut.height, cut.width) for cut in job.cuts] == [(30, 20), (60, 40)]
    assert job.tiles == sum(cut.tiles for cut in job.cuts)
    assert job.work == sum(cut.work for cut in job.cuts)
    assert job.memory > 0
    assert job.pixels == 600 * (4 + 16)
    assert not (tmp_path / "large.png").exists()
    seen = []
    job.run(lambda *now: seen.append(now))
    assert seen[-1] == (job.tiles, job.tiles)
    assert images.read(tmp_path / "large.png").shape == (90, 60, 3)
    assert pipeline.speed(model) > 0


def test_a_halo_of_ones_own_replaces_that_of_the_network(photo, tiny_model, tmp_path):
    model = loading.load(tiny_model)
    whole = made(photo, tmp_path, model)
    for halo, same in ((model.metadata.receptive_field, True), (0, False)):
        found = made(photo, tmp_path, model, UpscaleOptions(tile=16, overlap=halo))
        assert np.array_equal(found, whole) == same


def test_what_an_open_model_is_not_cannot_be_asked_of_it(photo, tmp_path, tiny_model):
    model = loading.load(tiny_model)
    for options in (UpscaleOptions(realism=0.5), UpscaleOptions(self_ensemble=True)):
        with pytest.raises(ValueError, match="but the model was opened with"):
            pipeline.prepare(photo, tmp_path / "large.png", model, options)
    ensemble = loading.load(tiny_model, self_ensemble=True)
    pipeline.prepare(photo, tmp_path / "a.png", ensemble, UpscaleOptions(self_ensemble=True))


def test_a_name_that_contradicts_the_format_is_refused(photo, tmp_path, tiny_model):
    with pytest.raises(ValueError, match=r"large\.png does not have the suffix of a webp file"):
        pipeline.prepare(photo, tmp_path / "large.png", tiny_model, UpscaleOptions(format="webp"))
    pipeline.prepare(photo, tmp_path / "a.jpeg", tiny_model, UpscaleOptions(format="jpeg"))


def test_bytes_are_a_source_too(photo, tiny_model, tmp_path):
    large = made(photo, tmp_path, tiny_model)
    np.testing.assert_array_equal(made(photo.read_bytes(), tmp_path, tiny_model), large)
    with pytest.raises(formats.UnsupportedImage, match="The input is not an image"):
        made(b"nothing of the kind", tmp_path, tiny_model)


_PEAK = """
import resource, sys
from srgan.upscaling import pipeline
from srgan.upscaling.options import UpscaleOptions
pipeline.upscale_file(*sys.argv[1:4], UpscaleOptions(tile=256))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_height_of_a_picture(tiny_model, tmp_path):
    peaks = []
    for height in (2000, 16_000):
        noise = np.random.default_rng(0).integers(0, 256, (height, 800, 3), dtype=np.uint8)
        images.write(tmp_path / f"{height}.tif", noise)
        arguments = [tmp_path / f"{height}.tif", tmp_path / f"{height}-large.png", tiny_model]
        run = subprocess.run(
            [sys.executable, "-c", _PEAK, *map(str, arguments)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(run.stdout))
    assert peaks[1] < 1.25 * peaks[0]  # MiB; the larger result alone has 146


def test_the_map_of_a_file_is_that_of_its_arrays(tmp_path):
    photo = data.cat()[100:150, 200:240]
    images.write(tmp_path / "photo.png", photo)
    error_map.map_file(tmp_path / "photo.png", tmp_path / "map.png", "srgan-x4", tile=20)
    sr, psnr_sr = (
        loading.load(name).upscale(photo, dtype=np.uint8) for name in ("srgan-x4", "srgan-psnr-x4")
    )
    calibration = loading.load("srgan-x4").metadata.calibration
    expected = error_map.draw(uncertainty.expected_error(sr, psnr_sr, calibration))
    found = images.read_uint8(tmp_path / "map.png")
    np.testing.assert_array_equal(found[:200], expected)
    np.testing.assert_array_equal(found[200:], error_map.legend(160))


def test_a_map_is_drawn_by_the_engine_asked_for(photo, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    error_map.prepare(photo, tmp_path / "openvino.png", engine="openvino").run()
    error_map.map_file(photo, tmp_path / "onnxruntime.png")
    found, expected = (
        images.read_uint8(tmp_path / f"{name}.png").astype(int)
        for name in ("openvino", "onnxruntime")
    )
    assert np.abs(found - expected).max() <= 8  # steps of colour, where both round differently
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModuleNotFoundError, match="openvino"):
        error_map.prepare(photo, tmp_path / "none.png", engine="openvino")


def test_a_map_needs_a_gan_model_that_knows_its_errors(photo, tiny_model, make_model, tmp_path):
    with pytest.raises(ValueError, match="does not name the PSNR model"):
        error_map.map_file(photo, tmp_path / "map.png", tiny_model)
    gan = make_model(psnr_model=str(tiny_model.stem), consistency_rounds="4")
    with pytest.raises(ValueError, match=r"tiny has no error map: .* does not say how far it errs"):
        error_map.map_file(photo, tmp_path / "map.png", gan)
    with pytest.raises(
        ValueError, match=r"srgan-photo-x4 has no error map: .* do not give lr back"
    ):
        error_map.map_file(photo, tmp_path / "map.png", "srgan-photo-x4")
