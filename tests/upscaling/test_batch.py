"""A plan says what every photo becomes, or what is wrong, before there is any work."""

import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from srgan.io import images
from srgan.io.find import find_images
from srgan.models import loading
from srgan.upscaling import batch, jobs, manifest
from srgan.upscaling.options import DEFAULTS, UpscaleOptions
from srgan.util import parallel


@pytest.fixture
def photos(tmp_path):
    """A tree of files that are images by their names."""
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.png", "summer/a.jpg", "notes.txt", ".hidden.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jpg":
            images.write(path, np.full((8, 8, 3), 100, np.uint8))
        else:
            path.touch()
    return folder


@pytest.fixture
def upscaled(tiny_model):
    """Upscales what a plan says, with the smallest model; `b.png`, which is empty, fails."""
    model = loading.load(tiny_model)

    def run(plan, settings=None, **options):
        return list(batch.run(plan, model, DEFAULTS, settings or {}, **options))

    return run


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


def test_what_is_meant_as_a_folder_may_have_a_dot(photos, tmp_path):
    plan = batch.plan([photos / "a.jpg"], tmp_path / "v1.2", is_folder=True)
    assert list(plan.sources) == [tmp_path / "v1.2" / "a.png"]


def test_a_folder_that_cannot_be_read_is_left_out_and_named(photos, tmp_path, dig):
    dig(photos / "summer")
    plan = batch.plan([photos], tmp_path / "large")
    assert len(plan.sources) == 3
    assert [error.strerror for error in plan.unreadable] == ["File name too long"]
    (photos / "summer" / "a.jpg").unlink()
    for found in (lambda: find_images(photos), lambda: batch.plan([photos / "summer"], tmp_path)):
        with pytest.raises(OSError, match=r"File name too long: '.*deep'"):
            found()


def test_a_folder_keeps_its_subfolders(photos, tmp_path):
    assert batch.plan([photos], tmp_path / "large").sources == {
        tmp_path / "large" / "a.png": photos / "a.jpg",
        tmp_path / "large" / "b.png": photos / "b.png",
        tmp_path / "large" / "summer" / "a.png": photos / "summer" / "a.jpg",
    }


def test_a_photo_that_is_named_twice_is_upscaled_once(photos, tmp_path):
    plan = batch.plan([photos, photos / "a.jpg", photos], tmp_path / "large").sources
    assert len(plan) == 3


def test_earlier_results_beside_the_photos_are_not_upscaled_again(photos, upscaled):
    images.write(photos / "b.png", np.zeros((8, 8, 3), np.uint8), overwrite=True)

    def plan():
        return batch.plan([photos], photos, overwrite=True, name="{stem}-{ext}-x4.png")

    before = plan()
    assert len(before.sources) == 3
    results = upscaled(before)
    assert not any(result.error for result in results)
    assert plan().sources == before.sources
    assert batch.resume(plan(), {}).sources == {}


def test_results_with_their_default_name_are_not_upscaled_again(photos, tmp_path):
    images.write(photos / "b.png", np.zeros((6, 9, 3), np.uint8), overwrite=True)
    images.write(photos / "b_x4.png", np.zeros((24, 36, 3), np.uint8))
    images.write(photos / "a_x4.png", np.zeros((9, 9, 3), np.uint8))  # which is no result of a.jpg
    images.write(photos / "c_x4.png", np.zeros((8, 8, 3), np.uint8))  # of nothing that is there
    plan = batch.plan([photos], tmp_path / "large")
    assert plan.earlier == (photos / "b_x4.png",)
    assert {photos / "a_x4.png", photos / "c_x4.png"} <= {*plan.sources.values()}


def test_a_single_file_that_is_there_is_not_resumed(photos, tmp_path):
    plan = batch.plan([photos / "a.jpg"], tmp_path / "large.png", overwrite=True)
    assert batch.resume(plan, {}) == plan
    (tmp_path / "large.png").touch()
    with pytest.raises(
        FileExistsError, match=r"large\.png exists already, and --resume goes on with folders"
    ):
        batch.resume(plan, {})


def test_names_of_no_format_are_found_before_the_work(photos, tmp_path):
    with pytest.raises(ValueError, match=r"the suffix '\.xyz' names no known format"):
        batch.plan([photos], tmp_path / "large", name="{stem}.xyz")


def test_earlier_results_inside_the_folder_of_photos_are_not_upscaled_again(photos):
    large = photos / "large"
    large.mkdir()
    (large / "a.png").touch()
    assert large / "large" / "a.png" not in batch.plan([photos], large, overwrite=True).sources


def test_results_may_go_above_the_photos(photos, tmp_path):
    assert tmp_path / "b.png" in batch.plan([photos], tmp_path).sources


def test_two_photos_for_one_file_are_both_named(photos, tmp_path):
    images.write(photos / "a.webp", np.full((8, 8, 3), 100, np.uint8))
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


def test_patterns_choose_photos_by_name_or_path(photos, tmp_path):
    def chosen(**patterns):
        plan = batch.plan([photos], tmp_path / "large", **patterns)
        return sorted(path.relative_to(photos).as_posix() for path in plan.sources.values())

    assert chosen(include=["*.jpg"]) == ["a.jpg", "summer/a.jpg"]
    assert chosen(exclude=["summer/*"]) == ["a.jpg", "b.png"]
    assert chosen(include=["*.jpg", "b.*"], exclude=["a.jpg"]) == ["b.png"]
    with pytest.raises(ValueError, match=r"None of the 3 images in .* fits the patterns"):
        chosen(include=["*.gif"])


def test_a_file_that_is_no_picture_takes_no_name_from_one(photos, tmp_path):
    (photos / "a.png").write_bytes(b"no picture")
    plan = batch.plan([photos], tmp_path)
    assert plan.sources[tmp_path / "a.png"] == photos / "a.jpg"
    assert plan.sources[tmp_path / "a-png.png"] == photos / "a.png"


def test_names_follow_a_pattern(photos, tmp_path):
    plan = batch.plan([photos], tmp_path, name="{stem}-{ext}-{model}.webp", model_of=lambda _: "x4")
    made = {path.relative_to(tmp_path).as_posix() for path in plan.sources}
    assert made == {"a-jpg-x4.webp", "b-png-x4.webp", "summer/a-jpg-x4.webp"}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("{stem.__class__}.png", r"\{stem.__class__\}"),
        ("../{stem}", "a folder"),
        ("{stem", "a { without its other half"),
        ("{stem}}.png", "a } without its other half"),
    ],
)
def test_a_wrong_pattern_is_named(photos, tmp_path, name, wrong):
    with pytest.raises(ValueError, match=f"hold {wrong}; expected a file name with {{stem}}"):
        batch.plan([photos], tmp_path, name=name)


def test_animations_keep_their_frames_in_a_format_that_has_them(photos, tmp_path):
    frames = [Image.new("RGB", (4, 4), (shade, 0, 0)) for shade in (0, 200)]
    frames[0].save(photos / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(photos / "pages.tif", save_all=True, append_images=frames[1:])
    frames[0].save(photos / "still.gif")
    made = {path.name for path in batch.plan([photos], tmp_path / "large").sources}
    assert {"moving.webp", "pages.tif", "still.png"} < made
    named = batch.plan([photos], tmp_path / "large", name="{stem}-{ext}").sources
    assert {"moving-gif.webp", "pages-tif.tif", "still-gif.png", "a-jpg.png"} < {
        path.name for path in named
    }


def test_the_same_format_is_the_photos_own_or_png(photos, tmp_path):
    still = Image.new("RGB", (4, 4))
    still.save(photos / "still.gif")
    still.save(photos / "old.bmp")
    still.save(photos / "gif called.jpg", "GIF")
    images.write(photos / "deep.TIFF", np.zeros((4, 4, 3), np.uint8))
    plan = batch.plan([photos], tmp_path / "large", options=UpscaleOptions(format="same"))
    made = {path.relative_to(tmp_path / "large").as_posix() for path in plan.sources}
    expected = {"a.jpg", "summer/a.jpg", "still.gif", "old.png", "gif called.gif", "deep.tiff"}
    assert made == expected | {"b.png"}


def test_results_go_beside_photos_if_no_place_is_named(photos):
    plan = batch.plan([photos / "a.jpg", photos / "summer" / "a.jpg"], None, name="{stem}_x4")
    assert set(plan.sources) == {photos / "a_x4.png", photos / "summer" / "a_x4.png"}
    (photos / "a_x4.png").touch()
    with pytest.raises(FileExistsError, match=r"a_x4\.png exists already"):
        batch.plan([photos / "a.jpg"], None, name="{stem}_x4")
    with pytest.raises(ValueError, match="is a folder; name a folder for the results"):
        batch.plan([photos], None, name="{stem}_x4")


def test_results_in_a_subfolder_are_not_upscaled_again(photos, tmp_path, upscaled):
    large = photos / "large"
    (large / "summer").mkdir(parents=True)
    upscaled(batch.plan([photos], large))
    (large / "new.jpg").write_bytes((photos / "a.jpg").read_bytes())
    plan = batch.plan([photos], tmp_path / "other")
    assert plan.earlier == (large / "a.png", large / "summer" / "a.png")
    assert large / "new.jpg" in plan.sources.values()
    assert not {large / "a.png", large / "summer" / "a.png"} & set(plan.sources.values())
    # Whoever names the folder of results itself wants them enlarged.
    again = batch.plan([large], tmp_path / "other")
    assert large / "a.png" in again.sources.values()


def test_nothing_in_a_folder_is_passed_over_in_silence(photos, tmp_path):
    (photos / "drawing.svg").touch()
    try:
        (photos / "gone.png").symlink_to(photos / "nowhere.png")
    except OSError:
        pytest.skip("this file system has no links")
    plan = batch.plan([photos], tmp_path / "large")
    assert [path.name for path in plan.others] == ["drawing.svg", "notes.txt"]
    assert [error.filename for error in plan.unreadable] == [str(photos / "gone.png")]
    with pytest.raises(FileNotFoundError, match="a link to a file that is not there"):
        find_images(photos)


def test_cores_are_shared_among_the_photos(tmp_path):
    def shares(count):
        sources = {tmp_path / f"{number}.png": tmp_path for number in range(count)}
        return batch.BatchPlan(sources, [], None).workers

    cores = parallel.available_cores()
    assert shares(0) == shares(1) == cores  # one photo is cut for all of them
    assert shares(cores) == shares(100) == 1


def test_files_that_are_there_are_left_out_if_asked(photos, tmp_path):
    large = tmp_path / "large"
    large.mkdir()
    (large / "a.png").touch()
    plan = batch.plan([photos], large, skip_existing=True)
    assert plan.skipped == [large / "a.png"]
    assert large / "a.png" not in plan.sources
    assert len(plan.sources) == 2


def test_results_come_with_what_went_wrong(photos, tmp_path, upscaled):
    plan = batch.plan([photos], tmp_path)
    (tmp_path / "summer").mkdir()
    seen = []
    results = upscaled(plan, progress=lambda done, source: seen.append(done))
    assert {result.source for result in results} == set(plan.sources.values())
    (error,) = (result.error for result in results if result.error)
    assert re.search(r"b\.png is empty", str(error))
    assert sorted(seen) == [1, 2]


def test_when_nobody_asks_any_more_what_runs_is_given_up_at_its_next_tile(
    photos, tmp_path, tiny_model, monkeypatch
):
    ended = []

    def run(job, progress):
        if job.destination.name == "b.png":
            return
        for _ in range(10_000):
            time.sleep(0.001)
            try:
                progress(1, 2)
            except Exception as error:
                ended.append(str(error))
                raise

    monkeypatch.setattr(jobs.UpscaleJob, "run", run)
    plan = batch.plan([photos], tmp_path)
    (tmp_path / "summer").mkdir()
    results = batch.run(plan, loading.load(tiny_model), DEFAULTS, {})
    assert next(results).source == photos / "b.png"
    results.close()
    assert ended
    assert all(line.endswith("was given up before its end.") for line in ended)


def test_a_resumed_run_does_what_is_left_or_was_changed(photos, tmp_path, upscaled):
    (tmp_path / "summer").mkdir()
    plan = batch.plan([photos], tmp_path)
    upscaled(plan, {"scale": 2})

    def left(**settings):
        again = batch.plan([photos], tmp_path, overwrite=True)
        sources = batch.resume(again, settings).sources.values()
        return sorted(path.relative_to(photos).as_posix() for path in sources)

    assert left(scale=2) == ["b.png"]  # it was bad
    assert left(scale=3) == ["a.jpg", "b.png", "summer/a.jpg"]
    (photos / "a.jpg").write_bytes(b"another")
    assert left(scale=2) == ["a.jpg", "b.png"]
    (tmp_path / "summer" / "a.png").unlink()
    assert left(scale=2) == ["a.jpg", "b.png", "summer/a.jpg"]


def test_a_manifest_cut_short_by_a_kill_is_no_hindrance(photos, tmp_path, upscaled):
    (tmp_path / "summer").mkdir()
    upscaled(batch.plan([photos], tmp_path))
    journal = tmp_path / manifest.MANIFEST
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([*lines, '{"destination": "a.p']))
    again = batch.resume(batch.plan([photos], tmp_path, overwrite=True), {})
    assert list(again.sources.values()) == [photos / "b.png"]


def test_a_manifest_of_version_0_1_is_resumed(photos, tmp_path, upscaled):
    options = UpscaleOptions(scale=1.5, strip_metadata=True)
    settings = manifest.settings_of("0123456789abcdef", "float32", options)
    (tmp_path / "summer").mkdir()
    upscaled(batch.plan([photos], tmp_path), settings)
    journal = tmp_path / manifest.MANIFEST
    old = {
        "model": "0123456789abcdef",
        "realism": None,
        "self_ensemble": False,
        "precision": "float32",
        "size": [1.5, None, None, None],
        "metadata": False,
        "srgb": False,
    }
    lines = [json.loads(line) | {"settings": old} for line in journal.read_text().splitlines()]
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    again = batch.plan([photos], tmp_path, overwrite=True)
    assert list(batch.resume(again, settings).sources.values()) == [photos / "b.png"]
    other = manifest.settings_of("0123456789abcdef", "float32", UpscaleOptions(scale=1.5))
    assert len(batch.resume(again, other).sources) == 3


def test_options_without_influence_on_the_pixels_are_not_in_the_settings():
    tiled = UpscaleOptions(tile=64, max_megapixels=3)
    assert manifest.settings_of("0", "float32", tiled) == manifest.settings_of(
        "0", "float32", DEFAULTS
    )


def test_the_format_that_is_asked_for_names_the_files(photos, tmp_path):
    plan = batch.plan([photos / "a.jpg"], tmp_path / "large", options=UpscaleOptions(format="webp"))
    assert list(plan.sources) == [tmp_path / "large" / "a.webp"]


def test_resuming_never_replaces_what_no_run_has_made(photos, tmp_path):
    (tmp_path / "b.png").write_bytes(b"precious")
    plan = batch.plan([photos], tmp_path, overwrite=True)
    with pytest.raises(FileExistsError, match=r"b\.png exists already, and no earlier run"):
        batch.resume(plan, {})
