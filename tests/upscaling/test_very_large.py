"""Pictures with more pixels than memory, and their layouts."""

import numpy as np
import pytest
import pyvips
import tifffile

from srgan.io import images
from srgan.models import loading
from srgan.upscaling.options import UpscaleOptions
from srgan.upscaling.pipeline import upscale_file
from srgan.util import parallel


def test_pyramids_have_tiles_and_levels_of_half_the_size(tmp_path, tiny_model):
    model = loading.load(tiny_model)
    source, result, plain = (tmp_path / name for name in ("lr.png", "sr.tif", "plain.tif"))
    images.write(source, np.random.default_rng(1).integers(0, 256, (300, 700, 3), np.uint8))
    upscale_file(source, result, model, UpscaleOptions(pyramid=True))
    upscale_file(source, plain, model)
    np.testing.assert_array_equal(images.read_uint8(result), images.read_uint8(plain))
    with tifffile.TiffFile(result) as file:
        assert [page.shape for page in file.pages] == [
            (600, 1400, 3),
            (300, 700, 3),
            (150, 350, 3),
        ]
        assert {page.tile[:2] for page in file.pages} == {(512, 512)}
        assert [page.is_reduced for page in file.pages] == [False, True, True]
        half = file.pages[1].asarray().astype(float)
    expected = images.read_uint8(plain).reshape(300, 2, 700, 2, 3).mean((1, 3))
    assert np.abs(half - expected).max() <= 1


def test_pyramids_and_bigtiff_are_read_at_their_largest_level(tmp_path, tiny_model):
    model = loading.load(tiny_model)
    pixels = np.random.default_rng(2).integers(0, 256, (700, 600, 3), np.uint8)
    plain, large = tmp_path / "plain.png", tmp_path / "large.tif"
    images.write(plain, pixels)
    layout = {"tile": True, "pyramid": True, "bigtiff": True}
    pyvips.Image.new_from_array(pixels).tiffsave(str(large), **layout)
    for source in (plain, large):
        upscale_file(source, source.with_suffix(".out.png"), model)
    found, expected = (images.read_uint8(p.with_suffix(".out.png")) for p in (large, plain))
    np.testing.assert_array_equal(found, expected)


def test_only_tiff_of_one_picture_holds_a_pyramid(tmp_path, tiny_model):
    source = tmp_path / "pages.tif"
    pixels = np.zeros((2, 20, 30, 3), np.uint8)
    tifffile.imwrite(source, pixels, photometric="rgb")
    options = UpscaleOptions(pyramid=True)
    with pytest.raises(ValueError, match=r"Only \.tif files hold a pyramid"):
        upscale_file(source, tmp_path / "x.png", tiny_model, options)
    with pytest.raises(ValueError, match="2 pages, and a pyramid holds one picture"):
        upscale_file(source, tmp_path / "x.tif", tiny_model, options)


def test_rows_that_wait_take_at_most_a_third_of_what_is_left(tiny_model, monkeypatch):
    model, heights = loading.load(tiny_model), []
    for megabytes in (24, 48):
        monkeypatch.setattr(parallel, "available_memory", lambda free=megabytes: free * 2**20)
        cut = model.plan(4000, 20_000, 3)
        assert 2 * model.scale**2 * cut.width * 3 * cut.size[0] <= megabytes / 3 * 2**20
        heights.append(cut.size[0])
    assert heights[0] < heights[1]
