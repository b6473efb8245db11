"""The audit finds what was put into a folder on purpose, and nothing in a folder of good photos."""

import json
import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest
from skimage import data

from srgan import cli
from srgan.audit import alignment, audit, defects, duplicates, features, findings
from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.quality import degradation, softness

PHOTOS = {
    "astronaut": lambda: data.astronaut(),
    "cat": lambda: data.chelsea(),
    "coffee": lambda: data.coffee()[:, :500],
}


def jpeg(image, quality):
    coded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1]


def halved(image):
    return resize.bicubic(image, image.shape[0] // 2, image.shape[1] // 2)


def narrowed(photo, share=0.75):
    """Of a share of its width."""
    return resize.bicubic(photo, photo.shape[0], round(share * photo.shape[1]))


def lowered(photo, share):
    """Of a share of its height."""
    return resize.bicubic(photo, round(share * photo.shape[0]), photo.shape[1])


def quarter(image):
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return image[height // 3 :, width // 2 :][:height, :width]


def luma(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def write(folder, **photos):
    folder.mkdir(exist_ok=True)
    for name, photo in photos.items():
        images.write(folder / f"{name}.png", np.ascontiguousarray(photo))
    return folder


def kinds(report):
    return [finding.kind for finding in report.findings]


@pytest.fixture(scope="module")
def tests(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tests"), **{n: make() for n, make in PHOTOS.items()})


# the same picture twice


def test_good_photos_have_no_findings(tests):
    report = audit.check(tests)
    assert report == findings.Report(3, 0, [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda photo: photo, "has the same pixels"),
        (lambda photo: jpeg(photo, 80), "shows the same"),
        (lambda photo: photo[:, ::-1], "shows the same, mirrored"),
        (halved, "shows the same"),
        (lambda photo: np.rot90(photo), "shows the same, turned by -90 degrees"),
        (quarter, "shows the same, cropped to 2"),
        (lambda photo: jpeg(quarter(photo)[:, ::-1], 80), "mirrored, cropped to 2"),
        (lambda photo: 255 - photo, "shows the same, inverted"),
        (lambda photo: narrowed(photo), "shows the same, squeezed to 75% on one side"),
        (lambda photo: 255 - narrowed(photo)[:, ::-1], "mirrored, inverted, squeezed to 75%"),
        (lambda photo: narrowed(photo, 0.5), "shows the same, squeezed to 50% on one side"),
        (lambda photo: lowered(photo, 0.5), "shows the same, squeezed to 50% on one side"),
        (lambda photo: narrowed(photo, 2.0), "shows the same, squeezed to 50% on one side"),
        (lambda photo: lowered(photo, 0.5)[:, ::-1], "mirrored, squeezed to 50% on one side"),
    ],
    ids=[
        *("same", "jpeg", "mirrored", "halved", "turned", "cropped", "all"),
        *("inverted", "narrowed", "inverted-narrowed"),
        *("half-width", "half-height", "double-width", "mirrored-half-height"),
    ],
)
def test_a_leak_is_found_whatever_was_done_to_it(tests, tmp_path, change, words):
    photos = write(tmp_path / "photos", rocket=data.rocket(), holiday=change(data.chelsea()))
    report = audit.check(photos, [tests])
    leaks = [finding for finding in report.findings if finding.kind == "leak"]
    assert [(leak.file, leak.other) for leak in leaks] == [
        (photos / "holiday.png", tests / "cat.png")
    ]
    assert words in leaks[0].detail
    assert 0.8 < leaks[0].score <= 1


def test_copies_within_the_photos_are_found(tmp_path):
    cat = data.chelsea()
    photos = write(tmp_path / "photos", a=cat, b=cat, c=cat[:, ::-1], rocket=data.rocket())
    found = {(f.kind, f.file.stem, f.other.stem) for f in audit.check(photos).findings if f.other}
    assert found == {("duplicate", "b", "a"), ("near-duplicate", "c", "a")}


@pytest.mark.parametrize(("mirrored", "inverted"), [(True, False), (False, True), (True, True)])
def test_the_features_of_a_changed_picture_need_no_second_description(mirrored, inverted):
    cat = data.chelsea()
    changed = cat[:, ::-1] if mirrored else cat
    changed = 255 - changed if inverted else changed
    described = features.describe(np.ascontiguousarray(changed))
    expected = features.Variant(mirrored, inverted).features(features.describe(cat))
    x, y = expected.points[:, :1], expected.points[:, 1:]
    apart = np.abs(described.points[:, 0] - x) + np.abs(described.points[:, 1] - y)
    nearest = apart.argmin(axis=1)
    close = apart[np.arange(len(x)), nearest] < 0.2
    difference = np.abs(expected.descriptors.astype(float) - described.descriptors[nearest])
    assert close.mean() > 0.8
    # of 255; two features have the same place if they turn
    assert np.median(difference[close].mean(axis=1)) < 3
    assert np.abs(expected.grey.astype(float) - described.grey).max() <= 1


def test_a_match_tells_what_was_done():
    cat = data.chelsea()
    copy = np.rot90(halved(cat))[:, ::-1]
    pool, tests = [features.describe(np.ascontiguousarray(copy))], [[features.describe(cat)]]
    (match,) = duplicates.find_repeats(pool, tests)
    assert (match.first, match.second, match.mirrored) == (1, 0, True)
    assert not match.inverted
    assert abs(match.angle) == pytest.approx(90, abs=1)
    assert match.aspect == pytest.approx(1, abs=0.02)
    assert match.shown == pytest.approx(1, abs=0.02)


def test_pictures_without_features_match_nothing():
    blank = features.describe(np.zeros((50, 40, 3), np.uint8))
    assert duplicates.find_repeats([blank, blank], [[blank]]) == []
    assert duplicates.find_repeats([], [[blank]]) == []


# faults of a single photo


def test_jpeg_blocks_are_found_where_they_are():
    grid = defects.blocking(luma(jpeg(data.astronaut(), 40)[3:, 5:]))
    assert (grid.down, grid.right) == (5, 3)
    assert grid.excess > 0.1
    assert grid.certainty > 10
    assert defects.blocking(luma(data.astronaut()[3:, 5:])).certainty < 4


def test_the_excess_of_a_grid_is_its_steps_over_the_mean_step():
    steps = np.ones(64)
    steps[7::8] = 3  # from column 7 to 8, 15 to 16, ...
    line = np.cumsum(steps)
    grid = defects.grid((line[:, None] + line).astype(np.uint8), 8)
    assert (grid.down, grid.right) == (7, 7)  # one pixel was lost before the first step
    assert grid.excess == pytest.approx((3 - 1) / steps[1:].mean())


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_repeated_pixels_are_found_with_their_factor(tmp_path, factor):
    small = data.astronaut()[:128, 150:300]
    photos = write(tmp_path / "photos", big=small.repeat(factor, axis=0).repeat(factor, axis=1))
    (finding,) = audit.check(photos).findings
    assert (finding.kind, finding.detail) == ("enlarged", f"{factor} times, by repeated pixels")


@pytest.mark.parametrize("quality", [5, 8, 15])
def test_the_flat_blocks_of_strong_jpeg_are_not_repeated_pixels(quality):
    coded = luma(jpeg(data.rocket()[:200, 100:300], quality))
    assert defects.grid(coded, 2).excess > 0.6  # as that of pixels repeated twice
    assert defects.repeated(coded) is None
    assert defects.blocking(coded).excess > 0.1


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_repeated_pixels_are_found_beneath_jpeg(factor):
    small = data.astronaut()[:128, 150:300]
    large = small.repeat(factor, axis=0).repeat(factor, axis=1)
    found = defects.repeated(luma(jpeg(large, 90)))
    assert found is not None
    assert found[0] == factor


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_enlarged_photos_are_soft(tmp_path, factor):
    small = resize.bicubic(data.astronaut(), 512 // factor, 512 // factor)
    photos = write(tmp_path / "photos", big=resize.upscale(small, factor))
    (finding,) = audit.check(photos).findings
    assert finding.kind == "soft"
    stated = float(finding.detail.removeprefix("its detail would fit into 1/").split()[0])
    assert 1.5 <= stated <= factor


def test_blurred_photos_are_soft_and_a_blurred_background_is_not(tmp_path):
    photo = data.astronaut()
    blurred = cv2.GaussianBlur(photo, (0, 0), 1.5)
    assert softness.detail(luma(blurred)) < 0.2
    sharp_in_part = blurred.copy()
    sharp_in_part[:256, 128:384] = photo[:256, 128:384]
    assert softness.detail(luma(sharp_in_part)) > 0.3


@pytest.mark.parametrize("sigma", [1, 2, 3, 5, 8, 10])
def test_photos_are_soft_however_much_they_are_blurred(tmp_path, sigma):
    photo = data.astronaut()[:256, 100:356]
    photos = write(tmp_path / "photos", blurred=cv2.GaussianBlur(photo, (0, 0), sigma))
    (finding,) = audit.check(photos).findings
    assert finding.kind == "soft"


def test_noisy_photos_are_found(tmp_path):
    photo = data.astronaut()[:256, 100:356]
    noise = np.random.default_rng(0).normal(0, 10, photo.shape)
    noisy = np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)
    photos = write(tmp_path / "photos", noisy=noisy, clean=data.coffee())
    (finding,) = audit.check(photos).findings
    assert (finding.kind, finding.file.stem) == ("noisy", "noisy")
    assert finding.score == pytest.approx(10, rel=0.25)


def test_salt_and_pepper_is_noise(tmp_path):
    photo = data.astronaut()[:256, 100:356]
    drawn = np.random.default_rng(0).random(photo.shape[:2])
    spoilt = photo.copy()
    spoilt[drawn < 0.01], spoilt[drawn > 0.99] = 0, 255
    salted = photo.copy()
    salted[drawn > 0.99] = 255  # as stars, or lights on water
    (finding,) = audit.check(write(tmp_path / "photos", spoilt=spoilt)).findings
    assert finding.kind == "noisy"
    assert finding.detail.startswith("salt and pepper")
    assert 0.01 < finding.score < 0.02  # not where it was dark or light before
    assert defects.impulses(salted) < 0.001
    assert defects.impulses(photo) < 0.001


def test_fur_that_is_all_over_a_picture_is_no_noise():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    depth = 12 + 9 * np.sin(x / 40) * np.sin(y / 30)  # it is not as deep everywhere
    fur = np.clip(128 + depth[:, :, None] * rng.normal(0, 1, (256, 256, 3)), 0, 255)
    even = np.clip(128 + 12 * rng.normal(0, 1, (256, 256, 3)), 0, 255)
    fur, even = fur.astype(np.uint8), even.astype(np.uint8)
    assert degradation.noise(fur) > 3
    assert degradation.noise(fur, 0.75) == 0
    assert degradation.noise(even, 0.75) == degradation.noise(even) > 4


@pytest.mark.parametrize("degrees", [0, 35, 90])
def test_photos_that_were_moved_are_soft(tmp_path, degrees):
    photo = data.rocket()
    length, side = 15, 15
    kernel = np.zeros((side, side), np.float32)
    for k in np.linspace(-length / 2, length / 2, 301):
        across, down = k * np.cos(np.radians(degrees)), -k * np.sin(np.radians(degrees))
        kernel[min(round(7 + down), 14), min(round(7 + across), 14)] += 1 / 301
    moved = cv2.filter2D(photo, -1, kernel)
    assert softness.smear(luma(moved)) < 0.31 < softness.smear(luma(photo))
    (finding,) = audit.check(write(tmp_path / "photos", moved=moved)).findings
    assert finding.kind == "soft"


@pytest.mark.parametrize("deviation", [2, 4])
def test_noise_hides_no_blur(tmp_path, deviation):
    rng = np.random.default_rng(0)
    photo = data.astronaut()[:256, 100:356]
    noise = rng.normal(0, deviation, photo.shape)
    sharp, blurred = (
        np.clip(np.round(image + noise), 0, 255).astype(np.uint8)
        for image in (photo, cv2.GaussianBlur(photo, (0, 0), 2))
    )
    report = audit.check(write(tmp_path / "photos", sharp=sharp, blurred=blurred))
    soft = [finding.file.stem for finding in report.findings if finding.kind == "soft"]
    assert soft == ["blurred"]


@pytest.mark.parametrize("coded", [lambda image: image, lambda image: jpeg(image, 75)])
def test_bars_are_measured_and_what_they_frame_is_judged_without_them(coded):
    framed = np.zeros((300, 256, 3), np.uint8)
    framed[24:280] = data.astronaut()[:256, 100:356]
    assert defects.bars(luma(coded(framed))) == pytest.approx((24, 20, 0, 0), abs=1)
    assert defects.bars(luma(coded(framed.swapaxes(0, 1)))) == pytest.approx((0, 0, 24, 20), abs=1)


def test_a_bar_opposite_another_may_end_aslant():
    framed = np.zeros((300, 256, 3), np.uint8)
    framed[24:280] = data.astronaut()[:256, 100:356]
    for column in range(256):  # by one row in 32 columns
        framed[280 - column // 32 :, column] = 0
    assert defects.bars(luma(framed)) == pytest.approx((24, 20, 0, 0), abs=1)
    framed[:24] = data.astronaut()[256:280, 100:356]
    assert not any(defects.bars(luma(framed)))


def test_a_plain_background_is_no_bar():
    y, x = np.mgrid[0:200, 0:200]
    disc = np.where((x - 100) ** 2 + (y - 100) ** 2 < 80**2, 60, 250).astype(np.uint8)
    assert not any(defects.bars(disc))
    assert not any(defects.bars(luma(data.astronaut())))


def test_letterboxed_photos_are_found(tmp_path):
    framed = np.zeros((300, 256, 3), np.uint8)
    framed[24:280] = data.astronaut()[:256, 100:356]
    (finding,) = audit.check(write(tmp_path / "photos", film=framed)).findings
    assert finding.kind == "bars"
    assert finding.detail == "of one colour: 24 pixels at the top, 20 pixels at the bottom"


def test_blocks_within_bars_are_counted_from_the_edge_of_the_file(tmp_path):
    framed = np.zeros((300, 256, 3), np.uint8)
    framed[20:276] = jpeg(data.astronaut()[:256, 100:356], 10)
    found = audit.check(write(tmp_path / "photos", film=framed)).findings
    (detail,) = [finding.detail for finding in found if finding.kind == "blocking"]
    assert detail.endswith(", from row 4 and column 0")


def test_one_bit_art_is_two_tone_and_nothing_else(tmp_path):
    grey = luma(data.astronaut())[:256, 100:356]
    art = np.where(grey > np.random.default_rng(0).integers(64, 192, grey.shape), 255, 0)
    photos = write(tmp_path / "photos", art=art.astype(np.uint8)[:, :, None].repeat(3, axis=2))
    (finding,) = audit.check(photos).findings
    assert (finding.kind, finding.detail) == ("two-tone", "100% of it are two tones")
    assert defects.tones(luma(data.astronaut())) < 0.7


@pytest.mark.parametrize(("factor", "least"), [(0.12, 0), (0.12, 180)])
def test_dark_and_foggy_photos_are_not_two_tone(tmp_path, factor, least):
    dull = (least + factor * data.astronaut()).round().astype(np.uint8)
    found = audit.check(write(tmp_path / "photos", dull=dull)).findings
    assert "two-tone" not in {finding.kind for finding in found}


def test_small_blank_grey_and_transparent_files_are_no_trouble(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    cat = data.chelsea()[:200, 100:300]
    cv2.imwrite(str(photos / "alpha.png"), np.dstack([cat, np.full(cat.shape[:2], 128, np.uint8)]))
    cv2.imwrite(str(photos / "grey.png"), data.camera())
    write(photos, dot=np.zeros((1, 1, 3), np.uint8), wall=np.full((200, 200, 3), 77, np.uint8))
    found = {(finding.kind, finding.file.stem) for finding in audit.check(photos).findings}
    assert found - {("soft", "alpha")} == {("tiny", "dot"), ("blank", "dot"), ("blank", "wall")}


def test_unreadable_files_are_listed_and_the_rest_goes_on(tests, tmp_path):
    photos = write(tmp_path / "photos", cat=data.chelsea())
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photo")
    (photos / "empty.png").touch()
    report = audit.check(photos, [tests])
    assert kinds(report) == ["unreadable", "unreadable", "leak"]
    assert report.photos == 3
    assert "broken.jpg is damaged" in report.findings[0].detail


# pairs


@pytest.mark.parametrize("moved", [(0, 0), (0.1, 0), (-0.3, 0.2), (2.4, -1.3)])
def test_shift_finds_fractions_of_a_pixel(moved):
    hr = luma(data.astronaut()).astype(np.float32)
    down, right = (4 * shift for shift in moved)
    transform = np.array([[1.0, 0, -right], [0, 1, -down]])
    shifted = cv2.warpAffine(
        hr, transform, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    lr, shifted_lr = (resize.downscale(x[:, :, None], 4)[:, :, 0] for x in (hr, shifted))
    *found, correlation = alignment.shift(shifted_lr, lr)
    assert found == pytest.approx(moved, abs=0.05)
    assert correlation > 0.8


def test_pairs_that_do_not_fit_are_found(tests, tmp_path):
    lr = tmp_path / "lr"
    astronaut = data.astronaut()
    moved = cv2.warpAffine(astronaut, np.array([[1.0, 0, 1.2], [0, 1, 0]]), (512, 512))
    hr = write(tmp_path / "hr", moved=astronaut, right=astronaut[:, ::-1], wrong=data.coffee(),
               wide=data.rocket(), alone=data.chelsea())  # fmt: skip
    write(
        lr,
        movedx4=resize.downscale(moved, 4),
        right=resize.downscale(astronaut[:, ::-1], 4),
        wrong=resize.downscale(resize.crop_to_multiple(data.coffee()[::-1], 4), 4),
        wide=astronaut[:50, :50],
        orphan=astronaut[:50, :50],
    )
    found = {
        f.file.stem: f for f in audit.check(hr, lr_photos=lr).findings if f.file.stem != "right"
    }
    assert {stem: finding.kind for stem, finding in found.items()} == {
        "alone": "unpaired",
        "orphan": "unpaired",
        "wide": "mismatched",
        "wrong": "mismatched",
        "movedx4": "misaligned",
    }
    assert "+0.00 pixels down and -0.30 right" in found["movedx4"].detail.replace("-0.00", "+0.00")
    assert found["movedx4"].score == pytest.approx(0.3, abs=0.05)


# the command


def test_check_lists_findings_by_kind_and_ends_with_code_1(tests, tmp_path, capsys):
    photos = write(tmp_path / "photos", holiday=data.chelsea()[:, ::-1])
    assert cli.main(["check", str(photos), "--against", str(tests)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out == [
        f"leak (1): {findings.ADVICE['leak']}",
        f"  {photos / 'holiday.png'}  shows the same, mirrored: {tests / 'cat.png'}",
        "1 photos checked against 3 test images: 1 leak",
    ]


def test_check_ends_with_code_0_if_nothing_was_found(tests, capsys):
    assert cli.main(["check", str(tests), "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out == {"photos": 3, "tests": 0, "findings": [], "counts": {}}


def test_check_prints_json_for_machines(tests, tmp_path, capsys):
    photos = write(tmp_path / "photos", holiday=data.chelsea(), dot=np.zeros((1, 1, 3)))
    assert cli.main(["check", str(photos), "--against", str(tests), "--json"]) == 1
    out = json.loads(capsys.readouterr().out)
    assert out["counts"] == {"leak": 1, "tiny": 1, "blank": 1}
    assert out["findings"][0] == {
        "kind": "leak",
        "file": str(photos / "holiday.png"),
        "detail": "has the same pixels",
        "other": str(tests / "cat.png"),
        "score": 1.0,
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing"], "missing is not a folder"),
        (["empty"], "There are no images in"),
        (["photos", "--against", "missing"], "missing is not a folder"),
        (["photos", "--lr", "empty"], "There are no images in"),
        (["photos", "--scale", "1"], "--scale"),
    ],
)
def test_bad_usage_is_one_clear_line_and_code_2(arguments, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "photos", dot=np.zeros((1, 1, 3)))
    assert cli.main(["check", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1


def test_a_missing_opencv_is_named_with_what_installs_it(tmp_path):
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "from srgan.cli import main; sys.exit(main(['check', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert done.returncode == 2
    assert 'cv2, which is missing. Run: pip install "srgan[check]"' in done.stderr


# the figures of docs/guides/check.md


@pytest.mark.long
@pytest.mark.slow
def test_bsd100_is_found_in_a_pool_of_photos(shared_data, tmp_path):
    changes = {
        "jpeg": lambda photo: jpeg(photo, 80),
        "mirrored": lambda photo: photo[:, ::-1],
        "halved": halved,
        "cropped": quarter,
    }
    pool, tests = tmp_path / "pool", tmp_path / "tests"
    pool.mkdir()
    tests.mkdir()
    for path in find_images(shared_data / "train" / "research")[::8]:
        (pool / path.name).symlink_to(path)
    originals = {}
    for path in find_images(shared_data / "benchmarks" / "BSD100" / "HR")[::5]:
        (tests / path.name).symlink_to(path)
        photo = images.read_uint8(path)
        for number, (name, change) in enumerate(changes.items()):
            copy = pool / name / f"holiday_{path.stem}_{number}.png"
            copy.parent.mkdir(exist_ok=True)
            images.write(copy, np.ascontiguousarray(change(photo)))
            originals[copy] = tests / path.name
    report = audit.check(pool, [tests])
    leaks = [finding for finding in report.findings if finding.kind == "leak"]
    right = {leak.file for leak in leaks if originals.get(leak.file) == leak.other}
    found = Counter(file.parent.name for file in right)
    assert min(found["jpeg"], found["mirrored"], found["halved"]) >= 19  # of 20
    assert found["cropped"] >= 16
    assert len(leaks) - len(right) <= 1
