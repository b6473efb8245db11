"""The demo's photos are what their README says; its files and scores are those of the models."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.quality import metrics
from srgan.upscaling import demo
from srgan.util import resources

TOOL = Path(__file__).parents[2] / "tools" / "demo_photos.py"


@pytest.fixture(scope="module")
def one_photo():
    """The demo with a single photo, for speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "_ZOOMS", {"cat": demo._ZOOMS["cat"]})
        yield


@pytest.fixture(scope="module")
def two_models(make_model):
    return [make_model(name="flat", gain=0.1), make_model(name="sharp")]


@pytest.fixture(scope="module")
def shown(one_photo, two_models, tmp_path_factory):
    """A run of the demo: its folder, what it returned, and its progress."""
    folder, calls = tmp_path_factory.mktemp("demo") / "new", []
    results = demo.run(folder, two_models, progress=lambda *call: calls.append(call))
    return folder, results, calls


def test_the_photos_are_made_by_the_tool_from_those_of_scikit_image():
    made = runpy.run_path(str(TOOL))["photos"]()
    assert set(made) == set(demo._ZOOMS)
    for name, photo in made.items():
        np.testing.assert_array_equal(images.read_uint8(resources.PHOTOS / f"{name}.webp"), photo)


def test_every_photo_has_its_origin_stated():
    readme = (resources.PHOTOS / "README.md").read_text()
    for path in resources.PHOTOS.iterdir():
        assert path.name in readme or path.name == "README.md"


def test_every_zoom_lies_inside_its_photo():
    for top, left in demo._ZOOMS.values():
        assert 0 <= top <= 288 - 72
        assert 0 <= left <= 448 - 112


def test_results_are_in_the_order_of_the_columns(shown):
    _, results, calls = shown
    assert [r.method for r in results] == ["nearest", "bicubic", "flat", "sharp"]
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_files_are_what_the_methods_make_of_the_small_photo(shown, two_models):
    folder, results, _ = shown
    hr = images.read_uint8(resources.PHOTOS / "cat.webp")
    lr = images.read_uint8(folder / "cat-lr.png")
    np.testing.assert_array_equal(lr, resize.downscale(hr, 2))
    expected = {
        "nearest": np.kron(lr, np.ones((2, 2, 1), np.uint8)),
        "bicubic": resize.upscale(lr, 2),
        "sharp": loading.load(two_models[1]).upscale(lr, dtype=np.uint8),
    }
    for method, sr in expected.items():
        np.testing.assert_array_equal(images.read_uint8(folder / f"cat-{method}.png"), sr)
    assert {r.path.name for r in results} <= {path.name for path in folder.iterdir()}


def test_scores_are_those_of_the_files(shown):
    folder, results, _ = shown
    hr = images.read_uint8(resources.PHOTOS / "cat.webp")
    lr = images.read_uint8(folder / "cat-lr.png")
    for result in results:
        sr = images.read_uint8(result.path)
        assert result.scores == metrics.score(hr, lr, sr, 2)


def test_the_picture_shows_each_column_whole_and_enlarged(shown):
    folder, _, _ = shown
    picture = images.read_uint8(folder / "comparison.png")
    label, gap = 22, 8
    assert picture.shape == (label + gap + 288 + gap + 288, 5 * 448 + 4 * gap, 3)
    hr = images.read_uint8(resources.PHOTOS / "cat.webp")
    original = picture[:, 4 * (448 + gap) :]
    whole, enlarged = original[label + gap :][:288], original[-288:]
    np.testing.assert_array_equal(whole, hr)
    top, left = demo._ZOOMS["cat"]
    np.testing.assert_array_equal(enlarged[::4, ::4], hr[top : top + 72, left : left + 112])
    np.testing.assert_array_equal(enlarged[::4, ::4], enlarged[3::4, 3::4])


def test_the_mean_is_taken_over_photos():
    def result(photo, method, psnr):
        return demo.DemoResult(
            photo, method, metrics.Scores(psnr, *[0.5] * (len(metrics.Scores._fields) - 1)), Path()
        )

    means = demo.mean([result("a", "x", 20.0), result("a", "y", 30.0), result("b", "x", 22.0)])
    assert means["x"].psnr == 21
    assert means["y"].psnr == 30


def test_nothing_is_overwritten_unasked(shown, two_models):
    folder, _, _ = shown
    before = (folder / "comparison.png").stat().st_mtime_ns
    with pytest.raises(FileExistsError, match=r"comparison\.png exists already"):
        demo.run(folder, two_models)
    assert (folder / "comparison.png").stat().st_mtime_ns == before


def test_missing_models_are_named_before_anything_is_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model 'gone'"):
        demo.run(tmp_path / "demo", ["gone"])
    assert not (tmp_path / "demo").exists()


def test_models_of_two_scales_are_not_compared(tiny_model, make_model, tmp_path):
    with pytest.raises(ValueError, match="must have one scale"):
        demo.run(tmp_path, [tiny_model, make_model(scale="3")])
