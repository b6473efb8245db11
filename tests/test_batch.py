"""A plan says what every photo becomes, or what is wrong, before there is any work."""

import pytest

from srgan import batch


@pytest.fixture
def photos(tmp_path):
    """A tree of files that are images by their names; `plan` does not look inside."""
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.png", "summer/a.jpg", "notes.txt", ".hidden.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_one_file_becomes_the_file_that_is_named(photos, tmp_path):
    large = tmp_path / "large.jpg"
    assert batch.plan([photos / "a.jpg"], large).sources == {large: photos / "a.jpg"}


def test_one_file_goes_into_a_folder_if_that_is_what_is_named(photos, tmp_path):
    assert batch.plan([photos / "a.jpg"], tmp_path / "new").sources == {
        tmp_path / "new" / "a.png": photos / "a.jpg"
    }
    there = tmp_path / "x4.dir"
    there.mkdir()
    assert list(batch.plan([photos / "a.jpg"], there).sources) == [there / "a.png"]


def test_a_folder_keeps_its_subfolders(photos, tmp_path):
    assert batch.plan([photos], tmp_path / "large").sources == {
        tmp_path / "large" / "a.png": photos / "a.jpg",
        tmp_path / "large" / "b.png": photos / "b.png",
        tmp_path / "large" / "summer" / "a.png": photos / "summer" / "a.jpg",
    }


def test_a_photo_that_is_named_twice_is_upscaled_once(photos, tmp_path):
    plan = batch.plan([photos, photos / "a.jpg", photos], tmp_path / "large").sources
    assert len(plan) == 3


def test_earlier_results_inside_the_folder_of_photos_are_not_upscaled_again(photos):
    large = photos / "large"
    large.mkdir()
    (large / "a.png").touch()
    assert large / "large" / "a.png" not in batch.plan([photos], large, overwrite=True).sources


def test_results_may_go_above_the_photos(photos, tmp_path):
    assert tmp_path / "b.png" in batch.plan([photos], tmp_path).sources


def test_two_photos_for_one_file_are_both_named(photos, tmp_path):
    (photos / "a.webp").touch()
    with pytest.raises(ValueError, match=r"a\.jpg and .*a\.webp would both become .*large/a\.png"):
        batch.plan([photos], tmp_path / "large", overwrite=True)


def test_a_photo_is_never_overwritten(photos):
    with pytest.raises(ValueError, match=r"b\.png is one of the photos"):
        batch.plan([photos], photos, overwrite=True)


def test_files_that_exist_are_counted(photos, tmp_path):
    large = tmp_path / "large"
    large.mkdir()
    (large / "a.png").touch()
    (large / "b.png").touch()
    with pytest.raises(FileExistsError, match=r"a\.png \(and 1 more\) exists already"):
        batch.plan([photos], large)
    assert len(batch.plan([photos], large, overwrite=True).sources) == 3


def test_a_file_is_no_folder_for_several_results(photos, tmp_path):
    (tmp_path / "large.png").touch()
    with pytest.raises(ValueError, match=r"large\.png is a file; expected a folder"):
        batch.plan([photos], tmp_path / "large.png")


def test_a_missing_input_is_named(photos, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*gone\.jpg"):
        batch.plan([photos, photos / "gone.jpg"], tmp_path / "large")


def test_a_folder_without_images_is_named(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no images in .*empty; expected \.png"):
        batch.plan([photos, tmp_path / "empty"], tmp_path / "large")
