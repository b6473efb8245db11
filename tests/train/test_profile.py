"""The ranges that pictures of one's own were degraded by."""

import json
import tomllib

import numpy as np
import pytest

from srgan.cli import main
from srgan.io import images
from srgan.numeric import resize
from srgan.train import config_file, degradations, profile
from srgan.train.config import Degradation
from srgan.util import resources


@pytest.fixture
def degraded(tmp_path):
    """Makes a folder of pictures that were degraded by known ranges."""

    def make(count=6, **ranges):
        settings = Degradation(**{"clean": 0.0} | ranges)
        for path in sorted(resources.PHOTOS.glob("*.webp")):
            sharp = resize.downscale(images.read_uint8(path), 2)
            for number in range(count):
                picture = degradations.degrade(sharp, 1, settings, f"{path.name} {number}")
                images.write(tmp_path / f"{path.stem}-{number}.png", picture)
        return tmp_path

    return make


def test_blur_and_quality_are_found_again(degraded):
    found = profile.estimate(degraded(blur=(0.5, 1.0), noise=(0, 0), quality=(40, 85)))
    assert (found.pictures, found.left_out, found.unseen) == (24, 0, ("noise",))
    assert found.settings.clean == 0
    np.testing.assert_allclose(found.settings.quality, (42, 83), atol=6)  # nine of ten
    np.testing.assert_allclose(found.settings.blur, (0.5, 0.95), atol=0.25)
    assert found.settings.noise == Degradation().noise  # which JPEG hides


def test_noise_is_found_again_and_hides_blur(degraded):
    found = profile.estimate(degraded(blur=(0, 0.3), noise=(6, 20), quality=(100, 100)))
    np.testing.assert_allclose(found.settings.noise, (6.7, 19.3), atol=1.5)
    assert found.settings.quality == (95, 95)
    assert found.unseen == ("blur",)
    assert found.settings.blur == Degradation().blur


def test_clean_pictures_are_a_share_and_bad_ones_are_left_out(degraded, caplog):
    folder = degraded(count=2, blur=(0, 0), noise=(0, 0), quality=(50, 60), clean=0.5)
    images.write(folder / "grey.png", np.full((64, 64, 3), 128, np.uint8))
    images.write(folder / "small.png", np.zeros((9, 64, 3), np.uint8))
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = profile.estimate(folder)
    assert (found.pictures, found.left_out) == (8, 3)
    photos = [path.name for path in resources.PHOTOS.glob("*.webp")]
    names = [f"{name} {number}" for name in photos for number in range(2)]
    clean = sum(
        degradations.degrade(np.zeros((8, 8, 3), np.uint8), 1, ALL_OR_NOTHING, name).max() == 0
        for name in names
    )
    assert found.settings.clean == pytest.approx(clean / 8, abs=0.01)
    assert 48 <= found.settings.quality[0] <= found.settings.quality[1] <= 62
    for said in ("grey.png is all of one colour", "small.png has less than 48", "damaged.png"):
        assert said in caplog.text


ALL_OR_NOTHING = Degradation(clean=0.5, noise=(255, 255))


def test_the_command_writes_a_table_that_trainings_take(degraded, tmp_path, capsys):
    folder = degraded(count=1, blur=(0, 0), noise=(0, 0), quality=(60, 80))
    target = tmp_path / "profile.toml"
    assert main(["degrade", str(folder), "--profile", str(target), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    table = tomllib.loads(target.read_text())["degradation"]
    assert table == {key: told[key] for key in profile.KEYS}
    assert config_file.read(target).degradation == profile.estimate(folder).settings
    assert main(["degrade", str(folder), "--profile", str(target)]) == 2  # it is there already
    assert main(["degrade", str(folder), "--profile", "a", "--preview", "b"]) == 2
    assert "Name one of -o" in capsys.readouterr().err


def test_no_pictures_at_all_are_refused(tmp_path):
    with pytest.raises(ValueError, match="There are no images in"):
        profile.estimate(tmp_path)
    images.write(tmp_path / "grey.png", np.full((64, 64, 3), 128, np.uint8))
    with pytest.raises(ValueError, match=r"None of the 1 pictures in .* can be measured"):
        profile.estimate(tmp_path)
