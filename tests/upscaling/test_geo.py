"""GeoTIFF to GeoTIFF; the rules are those of docs/guides/very-large.md."""

import importlib.util
import pickle

import numpy as np
import pytest

from srgan.io import images
from srgan.io.formats import UnsupportedImage
from srgan.models import loading
from srgan.upscaling import choice, pipeline, strips
from srgan.upscaling.options import UpscaleOptions

rasterio = pytest.importorskip("rasterio", reason="needs srgan[geo]")
GroundControlPoint = pytest.importorskip("rasterio.control").GroundControlPoint
RPC = pytest.importorskip("rasterio.rpc").RPC
Affine, ColorInterp = rasterio.Affine, rasterio.enums.ColorInterp

HEIGHT, WIDTH = 40, 60
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


@pytest.fixture(scope="module")
def model(tiny_model):
    return loading.load(tiny_model)


@pytest.fixture
def make(tmp_path):
    """Writes a GeoTIFF of bands, `(count, height, width)`, and returns its path."""

    def make(bands, colours=(), mask=None, **profile):
        path = tmp_path / "source.tif"
        place = {"crs": "EPSG:32633", "transform": Affine(10, 0, 500_000, 0, -10, 5_200_000)}
        place |= {"driver": "GTiff", "count": len(bands), "dtype": bands.dtype}
        place |= {"height": bands.shape[1], "width": bands.shape[2]}
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"),
            rasterio.open(path, "w", **place | profile) as made,
        ):
            made.write(bands)
            if colours:
                made.colorinterp = colours
            if mask is not None:
                made.write_mask(mask)
            for band in range(1, len(bands) + 1):
                made.set_band_description(band, f"band {band}")
            made.update_tags(MISSION="a satellite")
        return path

    return make


def bands_of(count, low=0.0, high=1.0, dtype=np.uint16):
    values = np.random.default_rng(count).random((count, HEIGHT, WIDTH))
    values[:, 0, 0], values[:, 0, 1] = 0, 1
    return (low + values * (high - low)).astype(dtype)


def upscaled(path, model, **options):
    result = path.with_name("result.tif")
    options = UpscaleOptions(**options)
    notes = pipeline.upscale_file(path, result, model, options, overwrite=True)
    return rasterio.open(result), notes


def test_places_colours_and_descriptions_are_those_of_the_source(make, model):
    colours = (*RGB, ColorInterp.undefined, ColorInterp.undefined)
    path = make(bands_of(5, 100, 9000), colours, nodata=0, photometric="RGB")
    with rasterio.open(path) as source, upscaled(path, model)[0] as result:
        assert result.bounds == source.bounds
        assert result.crs == source.crs
        assert result.res == (5, 5)
        assert result.shape == (2 * HEIGHT, 2 * WIDTH)
        assert result.dtypes == ("uint16",) * 5
        assert result.nodata == 0
        assert result.descriptions == source.descriptions
        assert result.colorinterp == source.colorinterp
        assert result.tags()["MISSION"] == "a satellite"


def test_another_size_lies_on_the_same_place(make, model):
    path = make(bands_of(1, 0, 900))
    with rasterio.open(path) as source, upscaled(path, model, width=90)[0] as result:
        assert result.shape == (60, 90)
        assert result.bounds == pytest.approx(source.bounds)


def test_colours_are_one_picture_and_other_bands_are_grey_ones(make, model):
    bands = bands_of(4, 1000, 9000)
    path = make(bands, (*RGB, ColorInterp.undefined), photometric="RGB")
    result, _ = upscaled(path, model)
    for numbers in ((1, 2, 3), (4,)):
        lr = np.moveaxis(bands[[number - 1 for number in numbers]], 0, 2).astype(np.float32)
        low, high = lr.min(), lr.max()
        sr = model.upscale((lr - low) / (high - low))
        expected = np.floor(np.moveaxis(sr, 2, 0) * (high - low) + low + 0.5)
        # Sums of another order may round to the neighbour.
        assert np.abs(result.read(numbers) - expected).max() <= 1
        assert (result.read(numbers) == expected).mean() > 0.99


@pytest.mark.parametrize(
    ("dtype", "low", "high", "nodata"),
    [("int16", -300, 2000, -32768), ("float32", -5.5, 8000.25, -9999.0), ("uint16", 1, 90, 0)],
)
def test_values_stay_in_the_range_of_the_valid_ones(make, model, dtype, low, high, nodata):
    bands = bands_of(1, low, high, dtype)
    bands[:, 10:20, 10:30] = nodata
    result, _ = upscaled(make(bands, nodata=nodata), model)
    found = result.read(1, masked=True)
    assert found.min() >= low
    assert found.max() <= high
    assert found.max() - found.min() > 0.1 * (high - low)


def test_no_data_become_blocks_of_no_data_and_leave_no_trace_around(make, model):
    bands = np.full((1, HEIGHT, WIDTH), 500, np.int16)
    bands[:, ::2] = 700
    smooth = bands.copy()
    bands[:, 10:20, 10:30] = -32768
    hole = bands[0] == -32768
    result, _ = upscaled(make(bands, nodata=-32768), model)
    found = result.read(1)
    np.testing.assert_array_equal(found == -32768, hole.repeat(2, 0).repeat(2, 1))
    whole, _ = upscaled(make(smooth, nodata=-32768), model)
    outside = ~hole.repeat(2, 0).repeat(2, 1)
    # An edge of 33,000 would be seen by all that is near; what was filled in differs by less.
    assert np.abs(found.astype(int) - whole.read(1))[outside].max() < 200


def test_no_valid_sample_becomes_no_data(make, model):
    bands = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    bands[:, ::3] = 255  # of which the network makes zeros in between
    bands[:, 5:8, 5:8] = 1
    path = make(np.maximum(bands, 1), nodata=0)
    result, _ = upscaled(path, model)
    assert result.read(1).min() >= 1


def test_nan_stay_nan_where_there_is_no_value_for_no_data(make, model):
    bands = bands_of(1, 0, 1, np.float32)
    bands[:, 5:9, 3:6] = np.nan
    result, _ = upscaled(make(bands), model)
    expected = np.isnan(bands[0]).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(np.isnan(result.read(1)), expected)


def test_masks_and_transparency_become_blocks(make, model):
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[4:9, 6:20] = 0
    expected = mask.repeat(2, 0).repeat(2, 1)
    bands = bands_of(3, 0, 255, np.uint8)
    result, _ = upscaled(make(bands, mask=mask, photometric="RGB"), model)
    np.testing.assert_array_equal(result.dataset_mask(), expected)
    alpha = (*RGB, ColorInterp.alpha)
    path = make(np.concatenate([bands, mask[None]]), alpha, photometric="RGB", alpha="YES")
    result, _ = upscaled(path, model)
    assert result.colorinterp == alpha
    np.testing.assert_array_equal(result.read(4), expected)


def test_colours_of_8_bits_are_those_of_the_plain_picture(make, model):
    path = make(bands_of(3, 0, 255, np.uint8), photometric="RGB")
    plain = path.with_name("plain.png")
    pipeline.upscale_file(path, plain, model)
    result, _ = upscaled(path, model)
    found = images.read_uint8(plain)
    np.testing.assert_array_equal(np.moveaxis(result.read(), 0, 2), found)


def test_what_is_filled_does_not_depend_on_how_many_rows_are_read(make, monkeypatch):
    from srgan.io import geotiff

    bands = np.random.default_rng(3).integers(1, 900, (2, 300, WIDTH)).astype(np.int16)
    bands[:, 90:170, 5:50] = bands[0, 200:] = 0
    path = make(bands, nodata=0)

    def read(rows):
        monkeypatch.setattr(geotiff, "ROWS", rows)
        return [np.concatenate(list(one.rows())) for one in geotiff.GeoTiff(path).pictures]

    for whole, parts in zip(read(300), read(37), strict=True):
        assert whole.min() >= 0
        assert whole.max() <= 1
        np.testing.assert_array_equal(whole, parts)


def test_a_pyramid_is_a_valid_cloud_optimised_geotiff(make, model):
    cogeo = pytest.importorskip("rio_cogeo.cogeo")
    bands = np.random.default_rng(4).integers(1, 900, (1, 400, 300)).astype(np.uint16)
    bands[:, 50:90] = 0
    path = make(bands, nodata=0)
    plain = upscaled(path, model)[0].read()
    result, _ = upscaled(path, model, pyramid=True)
    is_valid, errors, warnings = cogeo.cog_validate(result.name, quiet=True)
    assert (is_valid, errors, warnings) == (True, [], [])
    assert result.overviews(1) == [2]
    assert result.nodata == 0
    np.testing.assert_array_equal(result.read(), plain)
    assert [file.name for file in path.parent.iterdir() if "partial" in file.name] == []


def test_ground_control_points_and_rational_polynomials_are_rescaled(make, model):
    points = [
        GroundControlPoint(row, col, 10.0 * col, -10.0 * row) for row in (0, 40) for col in (0, 60)
    ]
    path = make(bands_of(1, 0, 900), transform=None, gcps=points)
    found, crs = upscaled(path, model)[0].gcps
    assert [(one.row, one.col, one.x) for one in found] == [
        (2 * one.row, 2 * one.col, one.x) for one in points
    ]
    assert crs == "EPSG:32633"
    one = [1.0] + [0.0] * 19
    rpcs = RPC(0, 500, 50, 1, one, one, 20, 40, 10, 1, one, one, 30, 60)
    path = make(bands_of(1, 0, 900), rpcs=rpcs)
    found = upscaled(path, model)[0].rpcs
    assert (found.line_scale, found.samp_scale) == (80, 120)
    assert (found.line_off, found.samp_off) == (40.5, 60.5)  # of pixels' centres


def test_strips_of_a_geotiff_are_joined_to_the_same_bands(make, model):
    bands = bands_of(4, 1, 900)
    bands[:, 10:20, 10:30] = 0
    path = make(bands, (*RGB, ColorInterp.undefined), nodata=0, photometric="RGB")
    whole, _ = upscaled(path, model, tile=16)
    job = pipeline.prepare(path, path.with_name("joined.tif"), model, UpscaleOptions(tile=16))
    found = (pickle.loads(pickle.dumps(strip)) for strip in strips.split(job))
    strips.join(job, (strips.upscale(strip, model) for strip in found))
    with rasterio.open(path.with_name("joined.tif")) as joined:
        np.testing.assert_array_equal(joined.read(), whole.read())


def test_auto_takes_a_model_that_keeps_measurements(make):
    waves = np.sin(np.arange(200) / 9)
    soft = 120 + 60 * np.add.outer(waves, waves)[None]
    assert choice.choose(make(soft.astype(np.uint8)), UpscaleOptions()).model == "srgan-photo-x4"
    assert choice.choose(make(soft.astype(np.int16)), UpscaleOptions()).model == "srgan-x4"


def test_without_rasterio_it_says_how_to_keep_the_georeference(make, model, monkeypatch):
    path = make(bands_of(3, 0, 255, np.uint8), photometric="RGB")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"srgan\[geo\].*--strip-metadata"):
        upscaled(path, model)
    result, options = path.with_name("result.tif"), UpscaleOptions(strip_metadata=True)
    notes = pipeline.upscale_file(path, result, model, options)
    assert "left out: its georeference and nodata" in notes


def test_other_formats_say_that_the_georeference_is_left_out(make, model):
    path = make(bands_of(3, 0, 255, np.uint8), photometric="RGB")
    notes = pipeline.upscale_file(path, path.with_name("result.png"), model)
    assert "left out: its georeference and nodata" in notes


@pytest.mark.parametrize(
    ("dtype", "profile", "said"),
    [
        ("float64", {}, "has float64 samples; expected one of uint8"),
        ("complex64", {}, "has complex64 samples"),
        ("uint8", {"photometric": "PALETTE"}, "has a palette"),
    ],
)
def test_samples_that_cannot_be_enlarged_are_refused(make, model, dtype, profile, said):
    path = make(np.ones((1, 8, 8), dtype), **profile)
    if profile:
        with rasterio.open(path, "r+") as made:
            made.write_colormap(1, {0: (0, 0, 0), 1: (255, 0, 0)})
    with pytest.raises(UnsupportedImage, match=said):
        upscaled(path, model)


def test_claims_and_files_cut_short_are_refused(make, model):
    path = make(bands_of(2, 0, 900), compress="deflate")
    with pytest.raises(UnsupportedImage, match="60x40 pixels; expected at most 1,000"):
        upscaled(path, model, max_megapixels=0.001)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(UnsupportedImage, match="damaged or cut short"):
        upscaled(path, model)
    assert [file.name for file in path.parent.iterdir()] == ["source.tif"]


@pytest.mark.parametrize("pyramid", [False, True])
def test_a_full_disk_leaves_nothing(make, model, full_disk, pyramid):
    bands = np.random.default_rng(5).integers(0, 60_000, (1, 100, 140)).astype(np.uint16)
    path = make(bands, compress="deflate")
    with pytest.raises(OSError, match=r"(No space left|rror).*nothing was written"):
        upscaled(path, model, pyramid=pyramid)
    assert [file.name for file in path.parent.iterdir()] == ["source.tif"]
