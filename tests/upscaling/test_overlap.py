"""Deep networks of other projects: tiles overlap by what changes the picture, and no more."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srgan.io import images
from srgan.models import loading
from srgan.models.model import Model
from srgan.upscaling import jobs, overlap, pipeline
from srgan.upscaling.options import UpscaleOptions
from srgan.util import parallel

DEPTH = 80  # convolutions, of which each sees one pixel to each side
SEES = DEPTH + 1  # the enlargement, too


@pytest.fixture(scope="session")
def deep(tmp_path_factory):
    """The file of a x2 network that sees 80 pixels to each side, and looks at some 20 of them."""
    mix = np.zeros((3, 3, 3, 3), np.float32)
    for channel in range(3):
        mix[channel, channel] = np.outer([1, 2, 1], [1, 2, 1]) / 16
    sharp = -3 * mix  # of what is blurred, the picture is sharpened
    sharp[range(3), range(3), 1, 1] += 4
    nodes, x = [], "lr"
    for number in range(DEPTH):
        kernel = "mix" if number % 10 else "sharp"
        nodes.append(helper.make_node("Conv", [x, kernel], [f"t{number}"], pads=[1, 1, 1, 1]))
        x = f"t{number}"
    nodes.append(helper.make_node("Resize", [x, "", "scales"], ["sr"], mode="nearest"))
    weights = {"mix": mix, "sharp": sharp, "scales": np.float32([1, 1, 2, 2])}
    graph = helper.make_graph(
        nodes,
        "deep",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("sr", TensorProto.FLOAT, ["n", 3, "y", "x"])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    path = tmp_path_factory.mktemp("deep") / "deep.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.fixture
def photo(tmp_path):
    """A file of noise, 240x200, with a calm left half."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 240, 3), np.uint8)
    noise[:, :120] = 128 + noise[:, :120] // 32
    images.write(tmp_path / "photo.png", noise)
    return tmp_path / "photo.png"


def test_the_error_falls_with_the_overlap_until_nothing_is_left(deep, photo):
    model = loading.load(deep)
    assert model.metadata.receptive_field == SEES
    found = overlap.measure(model, images.read_uint8(photo), (2, 8, 24, SEES))
    errors = [one.error for one in found]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 1
    assert errors[-1] < 0.01


def test_the_smallest_overlap_that_nobody_sees_is_enough(deep, photo):
    model, lr = loading.load(deep), images.read_uint8(photo)
    found = overlap.enough(model, lr)
    assert found
    assert found.error < 1
    smaller = [pixels for pixels in overlap._CANDIDATES if pixels < found.pixels]
    assert all(one.error >= 1 for one in overlap.measure(model, lr, tuple(smaller)))


def test_a_picture_that_would_be_mostly_halo_gets_less_and_is_told(
    deep, photo, tmp_path, monkeypatch
):
    whole = loading.load(deep)(images.read_uint8(photo))
    monkeypatch.setattr(parallel, "available_memory", lambda: 3 * 64**2 * whole_bytes(deep))
    job = pipeline.prepare(photo, tmp_path / "large.png", deep)
    assert job.overlap
    assert job.tiles > 1
    assert job.cuts[0].halo == job.overlap.pixels < SEES
    (note,) = (note for note in job.notes if "tiles overlap by" in note)
    assert f"not by the {SEES} that they depend on" in note
    job.run()
    off = np.abs(255 * images.read(tmp_path / "large.png") - 255 * np.clip(whole, 0, 1))
    assert np.quantile(off, 0.999) < 1 + 0.5  # and what rounding takes


def whole_bytes(deep):
    return int(loading.load(deep).pixel_bytes)


def test_what_an_overlap_that_was_asked_for_costs_is_said(deep, photo, tmp_path):
    errors = []
    for pixels in (4, 24):
        options = UpscaleOptions(overlap=pixels, tile=64)
        job = pipeline.prepare(photo, tmp_path / "large.png", deep, options)
        assert job.cuts[0].halo == job.overlap.pixels == pixels
        assert job.notes[0].startswith(f"tiles overlap by {pixels} pixels, and not by the {SEES} ")
        errors.append(job.overlap.error)
    assert errors[0] > 1 > errors[1]


def test_one_tile_has_no_cut_and_nothing_is_said(deep, photo, tmp_path):
    job = pipeline.prepare(photo, tmp_path / "large.png", deep, UpscaleOptions(overlap=4))
    assert (job.tiles, job.overlap) == (1, None)
    assert not [note for note in job.notes if "overlap" in note]


def test_what_is_exact_or_cut_by_hand_is_not_measured(deep, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "MUCH", 0)
    for options in (UpscaleOptions(overlap=SEES), UpscaleOptions(tile=64)):
        job = pipeline.prepare(photo, tmp_path / "large.png", deep, options)
        assert not job.overlap
        assert job.cuts[0].halo == SEES
    assert pipeline.prepare(photo, tmp_path / "large.png", deep).overlap


def test_models_of_srgan_are_always_exact(photo, tmp_path, tiny_model, monkeypatch):
    monkeypatch.setattr(jobs, "MUCH", 0)
    job = pipeline.prepare(photo, tmp_path / "large.png", tiny_model)
    assert not job.overlap
    assert job.cuts[0].halo == loading.load(tiny_model).plan(200, 240).halo


def test_much_more_work_than_the_picture_has_is_told(deep, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "available_memory", lambda: 2**20)
    monkeypatch.setattr(parallel, "tile_memory", lambda: 2**19)
    options = UpscaleOptions(overlap=SEES)
    job = pipeline.prepare(photo, tmp_path / "large.png", deep, options)
    share = job.work / (200 * 240)
    assert share > 2
    assert any(f"that {share:.0f} times the picture is computed" in note for note in job.notes)


def test_small_tiles_that_cost_much_or_save_nothing_are_told(deep, photo, tmp_path):
    def notes(tile, **options):
        options = UpscaleOptions(tile=tile, **options)
        return pipeline.prepare(photo, tmp_path / "large.png", deep, options).notes

    assert any("are small; a larger --tile, or --overlap 16 takes less" in n for n in notes(16))
    assert notes(16, overlap=16)[-1].endswith("tiles are small; a larger --tile takes less time")
    assert any("--tile 150 has no effect: with the 81 pixels" in n for n in notes(150))
    assert not any("--tile" in n for n in notes(250))


def test_advice_to_overlap_less_is_less_than_the_network_needs(deep, photo, tmp_path):
    """Which is 33 pixels for the fast model, of which its network sees 19."""

    def notes(model, tile):
        options = UpscaleOptions(tile=tile)
        return pipeline.prepare(photo, tmp_path / "large.png", model, options).notes

    (told,) = notes("srgan-fast-x4", 16)
    assert "since they depend on 33 pixels to each side and tiles are small; a larger --" in told
    assert "--tile, or --overlap 16 takes less time, and may show seams" in told
    (told,) = notes("srgan-fast-x4", 180)
    assert told.endswith("; --overlap 16 makes it smaller, and may show seams")
    (told,) = notes("srgan-fast-x4", 220)
    assert "with the 33 pixels to each side that a tile depends on, it is the whole pict" in told
    assert told.endswith("it is the whole picture")  # no smaller overlap helps
    (told,) = notes(deep, 150)
    assert told.endswith("; --overlap 32 makes it smaller, and may show seams")


def test_what_is_said_to_be_exact_is(photo, tmp_path):
    """The network of the fast model sees 19 pixels, and its projection on the source some more."""
    whole, tiled = tmp_path / "whole.png", tmp_path / "tiled.png"
    pipeline.upscale_file(photo, whole, "srgan-fast-x4")
    for pixels, is_exact in ((19, False), (33, True)):
        options = UpscaleOptions(tile=48, overlap=pixels)
        job = pipeline.prepare(photo, tiled, "srgan-fast-x4", options, overwrite=True)
        assert any("; --overlap 33 is exact" in note for note in job.notes) != is_exact
        job.run()
        assert (tiled.read_bytes() == whole.read_bytes()) or not is_exact


def test_a_small_picture_is_exact_as_one_tile(deep, tmp_path, monkeypatch):
    images.write(tmp_path / "small.png", np.zeros((60, 90, 3), np.uint8))
    model = loading.load(deep)
    monkeypatch.setattr(model, "calls", 2)  # as of what sees less far
    job = pipeline.prepare(tmp_path / "small.png", tmp_path / "large.png", model)
    assert job.overlap is None


def test_what_an_overlap_costs_is_said_of_models_of_srgan_too(photo, tmp_path, tiny_model):
    options = UpscaleOptions(overlap=1, tile=32)
    job = pipeline.prepare(photo, tmp_path / "large.png", tiny_model, options)
    assert any("overlap by 1 pixels, and not by the 2" in note for note in job.notes)


def test_memory_grows_before_tiles_become_mostly_halo(deep, monkeypatch):
    model: Model = loading.load(deep)
    little = 2 * (2 * SEES + 16) ** 2 * model.pixel_bytes
    monkeypatch.setattr(parallel, "tile_memory", lambda: little)
    monkeypatch.setattr(parallel, "available_memory", lambda: 40 * little)
    assert model.plan(1000, 1000).work < 1.3 * 1000 * 1000
    assert model.plan(1000, 1000, memory=little).work > 2 * 1000 * 1000


def test_tiles_of_what_looks_near_take_no_more_than_before(tiny_model, monkeypatch):
    model = loading.load(tiny_model)
    little = 40**2 * model.pixel_bytes * model.calls
    monkeypatch.setattr(parallel, "tile_memory", lambda: little)
    assert model.plan(300, 300, halo=15).work > 2 * 300 * 300
    assert model.plan(300, 300, halo=15) == model.plan(300, 300, halo=15, memory=little)


def test_one_tile_at_a_time_of_what_looks_far(deep, tiny_model):
    assert loading.load(deep).calls == 1
    assert loading.load(tiny_model).calls == parallel.available_cores()
