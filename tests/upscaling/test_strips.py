import pickle

import numpy as np
import pytest

from srgan.io import images, tiff
from srgan.models import loading
from srgan.upscaling import pipeline, strips
from srgan.upscaling.options import UpscaleOptions


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    images.write(path, np.random.default_rng(1).integers(0, 256, (150, 70, 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def model(tiny_model):
    return loading.load(tiny_model)


def upscale_apart(job, model, tile_rows):
    """As other processes would: only pickles go to them, and come back."""
    for strip in strips.split(job, tile_rows):
        strip = pickle.loads(pickle.dumps(strip))
        yield pickle.loads(pickle.dumps(strips.upscale(strip, model)))


@pytest.mark.parametrize(
    "options",
    [{}, {"scale": 1.5}, {"scale": 4}, {"scale": 3}, {"scale": 0.5}, {"scale": 1}],
    ids=["one pass", "smaller", "two passes", "two passes, smaller", "no pass", "as it is"],
)
@pytest.mark.parametrize("tile_rows", [1, 2])
def test_strips_are_joined_to_the_very_file_of_a_run(tmp_path, photo, model, options, tile_rows):
    options = UpscaleOptions(tile=20, **options)
    whole, joined = tmp_path / "whole.png", tmp_path / "joined.png"
    pipeline.upscale_file(photo, whole, model, options)
    job = pipeline.prepare(photo, joined, model, options)
    strips.join(job, upscale_apart(job, model, tile_rows))
    assert joined.read_bytes() == whole.read_bytes()


def test_pages_of_several_sizes_are_joined_to_the_very_file_of_a_run(tmp_path, model):
    rng, pages = np.random.default_rng(2), []
    for size in ((40, 30), (40, 30), (25, 50)):
        pages.append(tmp_path / f"{len(pages)}.tif")
        images.write(pages[-1], rng.integers(0, 256, (*size, 3), np.uint8))
    for page in pages[1:]:
        tiff.append(pages[0], page)
    whole, joined = tmp_path / "whole.tif", tmp_path / "joined.tif"
    options = UpscaleOptions(tile=16)
    pipeline.upscale_file(pages[0], whole, model, options)
    job = pipeline.prepare(pages[0], joined, model, options)
    assert job.frames == 3
    strips.join(job, upscale_apart(job, model, 1))
    assert joined.read_bytes() == whole.read_bytes()


def test_a_strip_carries_only_the_rows_that_it_depends_on(photo, model, tmp_path):
    job = pipeline.prepare(photo, tmp_path / "x2.png", model, UpscaleOptions(tile=20))
    halo = job.cuts[0].halo
    found = list(strips.split(job))
    assert [len(strip.lr) for strip in found] == [len(found[0].lr)] * len(found)
    assert len(found[0].lr) == 20 + 2 * halo
    assert sum(strip.tiles for strip in found) == job.tiles


def test_nothing_is_left_if_a_strip_fails(tmp_path, photo, model):
    job = pipeline.prepare(photo, tmp_path / "x2.png", model, UpscaleOptions(tile=20))

    def failing():
        yield strips.upscale(next(strips.split(job)), model)
        raise RuntimeError("A worker died.")

    with pytest.raises(RuntimeError, match="A worker died"):
        strips.join(job, failing())
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
