"""Training data: right pairs, the same batches every time, and errors that name the file."""

import os
import shutil

import numpy as np
import pytest
from skimage import data as photos

from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.train import batches, data, degradations, inputs, pairs
from srgan.train.config import Degradation

DEGRADED = Degradation(versions=3, clean=0.0)


@pytest.fixture
def folder(tmp_path):
    """Three real photos, one of them deeper in the tree, of sizes that no scale divides."""
    root = tmp_path / "photos"
    (root / "deeper").mkdir(parents=True)
    images.write(root / "astronaut.png", photos.astronaut()[:150, :203])
    images.write(root / "cat.png", photos.chelsea()[100:250, 100:251])
    images.write(root / "deeper" / "coffee.png", photos.coffee()[:161, 200:401])
    return root


@pytest.fixture
def prepared(folder, tmp_path):
    return data.prepare(folder, tmp_path / "cache", scale=4)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_lr_is_the_downscale_of_the_whole_photo(folder, tmp_path, scale):
    prepared = data.prepare(folder, tmp_path / "cache", scale)
    for pair, name in zip(prepared, ("astronaut.png", "cat.png", "deeper/coffee.png"), strict=True):
        hr = resize.crop_to_multiple(images.read_uint8(folder / name), scale)
        np.testing.assert_array_equal(pair.hr, hr)
        np.testing.assert_array_equal(pair.lr, resize.downscale(hr, scale))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_crops_of_lr_and_hr_show_the_same_place(folder, tmp_path, scale):
    prepared = data.prepare(folder, tmp_path / "cache", scale, minimum=12)
    lr, hr = batches.batch(prepared, k=0, seed=0, batch_size=8, hr_patch=12 * scale)
    inside = slice(3, -3)  # further out, the downscale of a crop lacks what lies outside it
    for small, large in zip(lr, hr, strict=True):
        made = resize.downscale(large, scale)
        np.testing.assert_allclose(small[inside, inside], made[inside, inside], atol=3 / 255)


def test_a_batch_is_a_function_of_seed_and_number(prepared):
    def batch(k, seed):
        return batches.batch(prepared, k, seed, batch_size=4, hr_patch=64)

    for first, second in zip(batch(5, 1), batch(5, 1), strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(batch(5, 1)[0], batch(6, 1)[0])
    assert not np.array_equal(batch(5, 1)[0], batch(5, 2)[0])


def test_batches_are_float_images_of_the_patch(prepared):
    lr, hr = batches.batch(prepared, k=0, seed=0, batch_size=3, hr_patch=64)
    assert lr.shape == (3, 16, 16, 3)
    assert hr.shape == (3, 64, 64, 3)
    assert lr.dtype == hr.dtype == np.float32
    assert 0 <= hr.min() < hr.max() <= 1


def test_all_eight_orientations_come_up(folder, tmp_path):
    # A photo of exactly the patch leaves only the orientation to chance.
    alone = tmp_path / "alone"
    alone.mkdir()
    images.write(alone / "a.png", photos.astronaut()[:64, :64])
    prepared = data.prepare(alone, tmp_path / "cache", 4)
    _, hr = batches.batch(prepared, k=0, seed=0, batch_size=100, hr_patch=64)
    assert len({crop.tobytes() for crop in hr}) == 8


def test_a_photo_is_chosen_in_proportion_to_its_area(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    images.write(root / "black.png", np.zeros((64, 64, 3), np.uint8))
    images.write(root / "white.png", np.full((64, 192, 3), 255, np.uint8))
    prepared = data.prepare(root, tmp_path / "cache", 4)
    lr, _ = batches.batch(prepared, k=0, seed=0, batch_size=1000, hr_patch=16)
    assert lr.mean() == pytest.approx(0.75, abs=0.05)


def test_of_several_crops_the_one_with_the_most_detail_is_taken(tmp_path):
    # A quarter of all pixels is noise; the best of k crops misses it in 0.75^k of all cases.
    root = tmp_path / "photos"
    root.mkdir()
    images.write(root / "flat.png", np.full((64, 192, 3), 128, np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    images.write(root / "noise.png", noise)
    prepared = data.prepare(root, tmp_path / "cache", 4)

    def share(candidates):
        _, hr = batches.batch(prepared, 0, 0, 1000, hr_patch=16, candidates=candidates)
        return np.mean(hr.std(axis=(1, 2, 3)) > 0.1)

    for candidates in (1, 2, 4):
        assert share(candidates) == pytest.approx(1 - 0.75**candidates, abs=0.05)


def test_crops_that_were_chosen_are_pairs_too(prepared):
    lr, hr = batches.batch(prepared, k=0, seed=0, batch_size=8, hr_patch=64, candidates=3)
    inside = slice(3, -3)
    for small, large in zip(lr, hr, strict=True):
        made = resize.downscale(large, 4).clip(0, 1)
        np.testing.assert_allclose(small[inside, inside], made[inside, inside], atol=3 / 255)


def test_detail_is_what_lies_within_the_pixels_of_lr():
    photo = photos.astronaut()[:120, :120]
    blocks = photo[:, :, 1].astype(float).reshape(30, 4, 30, 4)
    expected = blocks.var(axis=(1, 3)).mean()
    assert batches.detail(photo, 4) == pytest.approx(expected, rel=1e-4)


def test_the_cache_is_used_until_a_source_changes(folder, tmp_path):
    cache = tmp_path / "cache"
    first = data.prepare(folder, cache, 4)
    written = list(cache.rglob("*.bin"))
    again = data.prepare(folder, cache, 4)
    assert list(cache.rglob("*.bin")) == written
    assert again.fingerprint == first.fingerprint
    images.write(folder / "cat.png", photos.chelsea()[:150, :151], overwrite=True)
    changed = data.prepare(folder, cache, 4)
    assert changed.fingerprint != first.fingerprint
    np.testing.assert_array_equal(changed[1].hr, photos.chelsea()[:148, :148])
    assert len(list(cache.rglob("*.bin"))) == len(written) == 2


def test_runs_of_other_patches_scales_and_degradations_share_a_cache(folder, tmp_path, monkeypatch):
    cache, decoded = tmp_path / "cache", []
    load = pairs.load
    monkeypatch.setattr(pairs, "load", lambda *job: decoded.append(job) or load(*job))
    images.write(folder / "small.png", photos.astronaut()[:60, :60])
    for _ in range(2):
        large = data.prepare(folder, cache, 4, minimum=16)
        small = data.prepare(folder, cache, 4, minimum=15)
        other = data.prepare(folder, cache, 2)
        degraded = data.prepare(folder, cache, 4, degradation=DEGRADED)
        assert (len(large), len(small), len(other), len(degraded)) == (3, 4, 4, 12)
        assert large.skipped == [
            ("small.png", "60x60 usable pixels are fewer than 64x64, the least")
        ]
    assert len(decoded) == 3 * 4


def test_the_fingerprint_is_of_the_pixels_not_of_the_files(folder, tmp_path):
    first = data.prepare(folder, tmp_path / "one", 4)
    for path in find_images(folder):
        os.utime(path, (1, 1))
    assert data.prepare(folder, tmp_path / "two", 4).fingerprint == first.fingerprint


@pytest.mark.parametrize("lost", ["index.json", "hr-*.bin"])
def test_an_incomplete_cache_is_built_again(folder, tmp_path, lost):
    cache = tmp_path / "cache"
    first = data.prepare(folder, cache, 4)
    gone = next(cache.rglob(lost))
    gone.unlink()
    gone.with_name("hr-of-a-killed-run.bin").write_bytes(b"half")
    assert data.prepare(folder, cache, 4).fingerprint == first.fingerprint
    assert len(list(cache.rglob("*.bin"))) == 2


def test_a_run_keeps_its_photos_when_another_one_renews_the_cache(folder, tmp_path):
    first = data.prepare(folder, tmp_path / "cache", 4)
    crops = [batches.batch(first, k, seed=0, batch_size=4, hr_patch=32) for k in range(3)]
    images.write(folder / "cat.png", photos.chelsea()[:150, :151], overwrite=True)
    other = data.prepare(folder, tmp_path / "cache", 4)
    assert other.fingerprint != first.fingerprint
    for k, crop in enumerate(crops):
        for before, after in zip(crop, batches.batch(first, k, 0, 4, 32), strict=True):
            np.testing.assert_array_equal(before, after)


def test_two_runs_that_fill_a_cache_at_once_both_get_their_photos(folder, tmp_path):
    cache, others = tmp_path / "cache", []

    def overtake(done, total):
        if done == total:
            others.append(data.prepare(folder, cache, 4))

    slow = data.prepare(folder, cache, 4, progress=overtake)
    alone = data.prepare(folder, tmp_path / "alone", 4)
    assert slow.fingerprint == alone.fingerprint == others[0].fingerprint
    for found in (slow, *others):
        np.testing.assert_array_equal(found[0].hr, alone[0].hr)
    assert data.prepare(folder, cache, 4).fingerprint == alone.fingerprint


def test_a_cache_that_could_not_be_filled_leaves_nothing(tmp_path):
    images.write(tmp_path / "tiny.png", photos.astronaut()[:20, :20])
    with pytest.raises(ValueError, match="None of the 1 images"):
        data.prepare(tmp_path, tmp_path / "cache", 4, minimum=16)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_unusable_files_are_listed_and_skipped(folder, tmp_path):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff but no photo")
    (folder / "text.png").write_text("no image at all")
    images.write(folder / "tiny.png", photos.astronaut()[:20, :20])
    seen = []
    prepared = data.prepare(
        folder, tmp_path / "cache", 4, minimum=16, progress=lambda *done: seen.append(done)
    )
    assert len(prepared) == 3
    assert {entry.file for entry in prepared.skipped} == {"broken.jpg", "text.png", "tiny.png"}
    reasons = {entry.file: entry.reason for entry in prepared.skipped}
    assert "20x20 usable pixels are fewer than 64x64, the least" in reasons["tiny.png"]
    assert seen == [(i, 6) for i in range(1, 7)]


def test_grey_and_transparent_photos_are_used(tmp_path):
    import pyvips

    root = tmp_path / "photos"
    root.mkdir()
    pyvips.Image.new_from_array(photos.camera()[:64, :64]).write_to_file(str(root / "grey.png"))
    rgba = np.dstack([photos.astronaut()[:64, :64], np.full((64, 64), 255, np.uint8)])
    pyvips.Image.new_from_array(rgba).write_to_file(str(root / "rgba.png"))
    prepared = data.prepare(root, tmp_path / "cache", 4)
    np.testing.assert_array_equal(prepared[0].hr, np.dstack([photos.camera()[:64, :64]] * 3))
    np.testing.assert_array_equal(prepared[1].hr, photos.astronaut()[:64, :64])


def test_a_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="There are no images in"):
        data.prepare(tmp_path, tmp_path / "cache", 4)


def test_a_folder_of_unusable_images_says_why(tmp_path):
    images.write(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(ValueError, match=r"None of the 1 images .* dot\.png: 1x1 pixels"):
        data.prepare(tmp_path, tmp_path / "cache", 4, minimum=8)


class TestPairedFolders:
    @pytest.fixture
    def lr_folder(self, folder, tmp_path):
        root = tmp_path / "small"
        (root / "deeper").mkdir(parents=True)
        for path in find_images(folder):
            hr = resize.crop_to_multiple(images.read_uint8(path), 4)
            images.write(path, hr, overwrite=True)
            name = path.relative_to(folder)
            images.write(root / name.with_stem(name.stem + "x4"), resize.downscale(hr, 4))
        return root

    def test_pairs_equal_those_made_from_the_photos(self, folder, lr_folder, tmp_path):
        paired = data.prepare(folder, tmp_path / "paired", 4, lr_folder)
        made = data.prepare(folder, tmp_path / "made", 4)
        assert paired.fingerprint == made.fingerprint

    def test_a_wrong_size_is_named(self, folder, lr_folder, tmp_path):
        images.write(folder / "cat.png", photos.chelsea()[:152, :152], overwrite=True)
        with pytest.raises(ValueError, match=r"cat\.png is 152x152 and .*catx4\.png 37x37"):
            data.prepare(folder, tmp_path / "cache", 4, lr_folder)

    def test_a_missing_counterpart_is_named(self, folder, lr_folder, tmp_path):
        (lr_folder / "catx4.png").unlink()
        with pytest.raises(ValueError, match=r"cat\.png has no lr counterpart"):
            data.prepare(folder, tmp_path / "cache", 4, lr_folder)

    def test_a_superfluous_lr_file_is_named(self, folder, lr_folder, tmp_path):
        (folder / "cat.png").unlink()
        with pytest.raises(ValueError, match=r"catx4\.png has no hr counterpart"):
            data.prepare(folder, tmp_path / "cache", 4, lr_folder)

    def test_a_shifted_pair_is_named_with_its_shift(self, folder, lr_folder, tmp_path):
        path = lr_folder / "catx4.png"
        images.write(path, np.roll(images.read_uint8(path), 1, axis=1), overwrite=True)
        with pytest.raises(ValueError, match=r"catx4\.png is shifted against .*\(0, -1\)"):
            data.prepare(folder, tmp_path / "cache", 4, lr_folder)


def test_held_back_photos_are_not_trained_on(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(20):
        images.write(root / f"{i:02d}.png", np.full((16, 16, 3), 10 * i, np.uint8))
    kept, held = data.prepare(root, tmp_path / "cache", 4).hold_back(8)
    levels = [{int(pair.hr[0, 0, 0]) for pair in part} for part in (kept, held)]
    assert len(levels[1]) == 2
    assert levels[0] | levels[1] == {10 * i for i in range(20)}
    assert not levels[0] & levels[1]
    lr, _ = batches.batch(kept, 0, 0, batch_size=200, hr_patch=16)
    assert {round(float(x) * 255) for x in lr[:, 0, 0, 0]} == levels[0]


class TestVersions:
    """Photos whose LR images are degraded, each in several ways."""

    def test_versions_of_a_photo_share_what_they_should_become(self, folder, tmp_path):
        prepared = data.prepare(folder, tmp_path / "cache", 4, degradation=DEGRADED)
        assert prepared.names == ["astronaut.png", "cat.png", "deeper/coffee.png"]
        assert len(prepared) == 9
        for index, pair in enumerate(prepared):
            name = prepared.names[index // 3]
            hr = resize.crop_to_multiple(images.read_uint8(folder / name), 4)
            np.testing.assert_array_equal(pair.hr, hr)
            expected = degradations.degrade(hr, 4, DEGRADED, f"{name} {index % 3}")
            np.testing.assert_array_equal(pair.lr, expected)
        assert len({pair.lr.tobytes() for pair in prepared}) == 9
        sizes = {file.name[:2]: file.stat().st_size for file in (tmp_path / "cache").rglob("*.bin")}
        assert 3 * sizes["hr"] == 16 * sizes["lr"]

    def test_all_versions_are_trained_on(self, folder, tmp_path):
        prepared = data.prepare(folder, tmp_path / "cache", 4, degradation=DEGRADED)
        lr, hr = batches.batch(prepared, k=0, seed=0, batch_size=300, hr_patch=16)
        small = hr.reshape(300, 4, 4, 4, 4, 3).mean((2, 4))
        errors = np.abs(lr - small).mean((1, 2, 3))
        assert len(np.unique(errors.round(3))) > 9

    def test_other_ranges_make_other_versions_in_the_same_cache(self, folder, tmp_path):
        cache = tmp_path / "cache"
        found = [
            data.prepare(folder, cache, 4, degradation=wanted).fingerprint
            for wanted in (
                DEGRADED,
                DEGRADED,
                Degradation(versions=3, clean=0.0, noise=(9, 9)),
                DEGRADED,
            )
        ]
        assert found[0] == found[1] == found[3] != found[2]

    def test_photos_held_back_are_so_in_all_versions(self, tmp_path):
        root = tmp_path / "photos"
        root.mkdir()
        for i in range(20):
            images.write(root / f"{i:02d}.png", np.full((16, 16, 3), 10 * i, np.uint8))
        prepared = data.prepare(root, tmp_path / "cache", 4, degradation=DEGRADED)
        kept, held = prepared.hold_back(8)
        assert (len(kept), len(held)) == (18 * 3, 2)
        assert {*kept.names}.isdisjoint(held.names)

    def test_small_photos_that_are_given_are_not_degraded(self, folder, tmp_path):
        with pytest.raises(ValueError, match=r"used as they are; set degradation\.versions to 0"):
            data.prepare(folder, tmp_path / "cache", 4, folder, degradation=DEGRADED)


@pytest.mark.parametrize("count", [1, 2])
def test_a_single_photo_that_also_validates_is_told(photo_folder, tiny, tmp_path, caplog, count):
    few = tmp_path / "few"
    few.mkdir()
    for photo in sorted(photo_folder.iterdir())[:count]:
        shutil.copy(photo, few)
    chosen = inputs.choose(few, None, None, None, tmp_path, None)
    trained, validated = inputs.prepare(chosen, tiny, lambda _: None)
    assert trained
    assert len(trained) == len(validated) == 1
    assert ("00.png is the only photo" in caplog.text) == (count == 1)
