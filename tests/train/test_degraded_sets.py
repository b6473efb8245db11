"""Degraded photos to look at and to measure on are those of a training."""

import json

import numpy as np
import pytest
import tomli_w
from skimage import data as photos

from srgan import cli
from srgan.io import images
from srgan.numeric import resize
from srgan.train import config, data, degradations, degraded_sets

SETTINGS = config.Config(
    projection=0, degradation=config.Degradation(versions=1, order=2, clean=0.0)
)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    images.write(root / "cat.png", photos.chelsea()[:150, :203])
    images.write(root / "coffee.png", photos.coffee()[:161, 200:401])
    return root


def test_a_test_set_has_one_degraded_version_of_each_photo(folder, tmp_path):
    told = []
    count = degraded_sets.write(
        folder, tmp_path / "set", SETTINGS, progress=lambda *done: told.append(done)
    )
    assert count == 2
    assert told == [(1, 2), (2, 2)]
    for name in ("cat.png", "coffee.png"):
        hr = resize.crop_to_multiple(images.read_uint8(folder / name), 4)
        np.testing.assert_array_equal(images.read_uint8(tmp_path / "set" / "HR" / name), hr)
        lr = degradations.degrade(hr, 4, SETTINGS.degradation, name)
        np.testing.assert_array_equal(images.read_uint8(tmp_path / "set" / "LR" / name), lr)


def test_a_sheet_shows_the_clean_middle_and_what_a_training_would_make_of_it(folder, tmp_path):
    middle = images.read_uint8(folder / "cat.png")[:148, :200]
    sheet = degraded_sets.sheet(folder / "cat.png", SETTINGS)
    assert sheet.shape == (4 * 148, 4 * 200, 3)
    versions = sheet[::4, ::4].reshape(4, 37, 4, 50, 3).swapaxes(1, 2).reshape(16, 37, 50, 3)
    np.testing.assert_array_equal(versions[0], resize.downscale(middle, 4))
    (tmp_path / "one").mkdir()
    images.write(tmp_path / "one" / "cat.png", middle)
    degradation = SETTINGS.degradation.model_copy(update={"versions": 15})
    trained = data.prepare(tmp_path / "one", tmp_path / "cache", 4, degradation=degradation)
    for version, pair in zip(versions[1:], trained, strict=True):
        np.testing.assert_array_equal(version, pair.lr)


def test_a_large_photo_is_shown_in_part(tmp_path):
    images.write(tmp_path / "large.png", photos.astronaut())
    assert degraded_sets.sheet(tmp_path / "large.png", SETTINGS).shape == (1024, 1024, 3)


def test_photos_that_would_overwrite_each_other_are_refused(folder, tmp_path):
    (folder / "more").mkdir()
    images.write(folder / "more" / "cat.png", photos.chelsea()[:60, :60])
    with pytest.raises(ValueError, match=r"1 photos in .* have the name of another"):
        degraded_sets.write(folder, tmp_path / "set", SETTINGS)
    assert not (tmp_path / "set").exists()


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path):
        file = tmp_path / "run.toml"
        file.write_text(tomli_w.dumps(SETTINGS.model_dump(mode="json")))
        return file

    def test_writes_a_sheet_with_the_ranges_of_a_configuration(self, folder, file, tmp_path):
        sheet = tmp_path / "sheet.png"
        command = ["degrade", folder / "cat.png", "--preview", sheet, "--config", file]
        assert cli.main(list(map(str, command))) == 0
        expected = degraded_sets.sheet(folder / "cat.png", SETTINGS)
        np.testing.assert_array_equal(images.read_uint8(sheet), expected)
        assert cli.main(list(map(str, command))) == 2  # it is there

    def test_writes_a_test_set_and_says_where(self, folder, tmp_path, capsys):
        output = tmp_path / "set"
        assert cli.main(["degrade", str(folder), "-o", str(output), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"output": str(output), "photos": 2}
        assert len([*output.rglob("*.png")]) == 4

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ([], "Name one of -o, a folder for a test set, --preview"),
            (["--preview", "sheet.png"], "is a folder; --preview shows versions of one photo"),
        ],
    )
    def test_explains_what_it_cannot_do(self, folder, options, expected, capsys):
        assert cli.main(["degrade", str(folder), *options]) == 2
        assert expected in capsys.readouterr().err
