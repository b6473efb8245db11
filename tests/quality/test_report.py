"""The report is one file that holds all scores and pictures, harmless and small."""

import base64
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from srgan.io import images
from srgan.numeric import color, resize
from srgan.quality import artifacts, measures, metrics, report
from srgan.quality.report import crops, pictures
from srgan.util import files

HOSTILE = "</script><img src=x onerror=pwned=1>$style.png"


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def write(tmp_path):
    """Writes a report, and returns its text, its data and the bytes of its pictures."""

    def written(found):
        path = tmp_path / "report.html"
        report.write(found, path, overwrite=True)
        text = path.read_text(encoding="utf-8")
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
        encoded = re.findall(
            r'<script type="text/plain" id="picture-(\d+)">data:image/webp;base64,(.*?)</script>',
            text,
        )
        assert data
        assert [int(number) for number, _ in encoded] == list(range(len(encoded)))
        return text, json.loads(data[1]), [base64.b64decode(body) for _, body in encoded]

    return written


@pytest.fixture
def decode(tmp_path):
    def decoded(webp):
        (tmp_path / "picture.webp").write_bytes(webp)
        return images.read_uint8(tmp_path / "picture.webp")

    return decoded


def test_every_score_has_a_row_in_the_table_of_measures():
    assert tuple(measures.MEASURES) == metrics.Scores._fields
    for measure in measures.MEASURES.values():
        assert re.fullmatch(r"[A-Z][^.]*(\.\d[^.]*)*\.", measure.meaning)  # one sentence


def test_the_page_loads_nothing(make_evaluation, write):
    text, _, _ = write(make_evaluation())
    assert set(re.findall(r"\w+://[\w./]+", text)) == {"http://www.w3.org/2000/svg"}  # a name
    assert not re.search(r"@import|\burl\(|\bfetch\(|XMLHttpRequest|\bimport\(", text)
    assert all(
        target.startswith(("#", "data:")) for target in re.findall(r'\b(?:src|href)="(.*?)"', text)
    )


def test_only_the_style_and_the_script_of_the_report_are_obeyed(make_evaluation, write):
    text, _, _ = write(make_evaluation())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_pictures_that_fit_are_those_of_the_evaluation_without_loss(make_evaluation, write, decode):
    found = make_evaluation()
    _, data, files = write(found)
    for case, row in zip(found.cases, data["cases"], strict=True):
        assert row["quality"] is None
        assert row["region"] == [0, 0, 96, 144]
        np.testing.assert_array_equal(decode(files[row["lr"]]), found.lr(case))
        np.testing.assert_array_equal(decode(files[row["hr"]]), found.hr(case))
        for method, picture in zip(found.methods, row["sr"], strict=True):
            np.testing.assert_array_equal(decode(files[picture]), found.sr(case, method.name))
        assert decode(files[row["thumbnail"]]).shape == (96, 144, 3)
        assert [decode(files[number]).shape for number in row["maps"]] == [(48, 72, 3)] * 2


def test_maps_show_how_far_a_result_overshoots(make_evaluation, write, decode, monkeypatch):
    monkeypatch.setattr(artifacts, "overshoot", lambda hr, sr, scale: np.full(hr.shape[:2], 8.0))
    _, data, files = write(make_evaluation(cases=[("Made", "one")]))
    assert data["overshoot_peak"] == 32
    for number in data["cases"][0]["maps"]:
        np.testing.assert_allclose(decode(files[number]), 8 / 32 * 255, atol=2)


def test_scores_are_those_of_the_evaluation(make_evaluation, write):
    found = make_evaluation()
    _, data, _ = write(found)
    assert [measure["key"] for measure in data["measures"]] == list(metrics.Scores._fields)
    listed = [scores for row in data["cases"] for scores in row["scores"]]
    np.testing.assert_allclose(listed, [result.scores for result in found.results])
    for dataset in data["datasets"]:
        for method, scores in found.summaries[dataset["name"]].means.items():
            np.testing.assert_allclose(dataset["means"][method], scores)


def test_numbers_that_json_does_not_have_are_kept_apart(make_evaluation, write):
    found = make_evaluation(cases=[("Made", "one")])
    odd = found.results[0].scores._replace(psnr=np.inf, ssim=np.nan, lr_psnr=-np.inf)
    found.results[0] = found.results[0]._replace(scores=odd)
    _, data, _ = write(found)
    shown = dict(zip(metrics.Scores._fields, data["cases"][0]["scores"][0], strict=True))
    assert (shown["psnr"], shown["ssim"], shown["lr_psnr"]) == ("inf", None, "-inf")


def test_a_failed_result_has_its_error_and_no_picture(make_evaluation, write):
    _, data, _ = write(make_evaluation(failed=[("two", "model")]))
    row = data["cases"][1]
    assert row["scores"][1] is None
    assert row["errors"] == ["", "It ran out of memory."]
    assert row["sr"][0] is not None
    assert row["sr"][1] is row["maps"][1] is None


def test_an_image_that_every_method_failed_on_is_still_there(make_evaluation, write, decode):
    failed = [("one", "bicubic"), ("one", "model")]
    found = make_evaluation(cases=[("Made", "one")], failed=failed, referenced=False)
    _, data, files = write(found)
    assert data["cases"][0]["sr"] == [None, None]
    assert decode(files[data["cases"][0]["lr"]]).shape == (24, 36, 3)


def test_small_images_without_originals_have_no_maps_and_no_crops(make_evaluation, write):
    _, data, _ = write(make_evaluation(referenced=False))
    for row in data["cases"]:
        assert row["hr"] is None
        assert row["maps"] == [None, None]
        assert None not in row["sr"]
        assert row["scores"][0][metrics.Scores._fields.index("psnr")] is None
    assert data["crops"]["chosen"] == []


def test_names_cannot_end_the_element_they_are_in(make_evaluation, write):
    harmless, _, _ = write(make_evaluation(cases=[("Made", "one")]))
    text, data, _ = write(make_evaluation(cases=[(HOSTILE, HOSTILE + "\udcff")]))
    assert HOSTILE not in text
    assert len(re.findall("</?script", text)) == len(re.findall("</?script", harmless))
    assert data["cases"][0]["name"] == HOSTILE + "\udcff"


def test_nothing_is_overwritten_unasked(make_evaluation, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=r"report\.html exists already"):
        report.write(make_evaluation(), path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "error"), [("gone/report.html", FileNotFoundError), ("", IsADirectoryError)]
)
def test_places_where_no_file_can_be_are_named(tmp_path, name, error):
    with pytest.raises(error, match="Cannot write"):
        files.check_destination(tmp_path / name)


def test_progress_counts_the_images(make_evaluation, tmp_path):
    calls = []
    report.write(make_evaluation(), tmp_path / "r.html", progress=lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_a_hundred_images_of_four_methods_would_stay_below_60_mb(
    make_evaluation, write, monkeypatch
):
    count, fewer = 25, 20  # images; how many times fewer pixels they have than a usual one
    budget = pictures.BUDGET * count / 100 / fewer
    monkeypatch.setattr(pictures, "BUDGET", budget)
    monkeypatch.setattr(crops, "score", lambda *_: [])  # which takes long, and no space
    cases = [("Made", f"image {number}") for number in range(count)]
    offsets = {"bicubic": 9, "one": 3, "two": 6, "three": 0}
    text, data, files = write(make_evaluation(cases, offsets, size=(72, 108), noise=20))
    size = sum(map(len, files))
    assert budget / 2 < size <= budget
    assert {row["quality"] for row in data["cases"]} != {None}
    page = (len(text) - size * 4 / 3) * 100 / count
    assert size * 4 / 3 * 100 / count * fewer + page < 60_000_000


def test_what_small_images_leave_goes_to_the_large_one(make_evaluation, write, monkeypatch):
    found = make_evaluation(cases=[("Made", "large"), ("Made", "a"), ("Made", "b")], noise=20)
    whole = found._original

    def original(case):
        return whole(case) if case.name == "large" else whole(case)[:32, :32]

    monkeypatch.setattr(found, "_original", original)
    alone = sum(len(images.encode_webp(whole(found.cases[0]))) for _ in range(4))
    monkeypatch.setattr(pictures, "BUDGET", 2 * alone)
    _, data, _ = write(found)
    assert [row["quality"] for row in data["cases"]] == [None] * 3


def test_pictures_get_worse_with_their_share_and_then_smaller(rng, pool):
    hr = rng.integers(0, 256, (240, 320, 3), np.uint8)
    lr = resize.downscale(hr, 4)
    # Together they need 241 kB without loss, 98 kB at quality 98, and 77 kB at 88.
    shares = (270_000, 110_000, 92_000, 40_000, 10)
    ways = [pictures.encode(lr, [hr], [], 4, share, pool) for share in shares]
    qualities = [way.quality for way in ways]
    assert qualities[0] is None
    assert 88 <= qualities[2] < qualities[1] <= 98
    assert [way.region[2:] for way in ways[:3]] == [(240, 320)] * 3
    assert ways[3].region.height < 240
    assert ways[4].region[2:] == (96, 96)
    for way, share in zip(ways[:4], shares[:4], strict=True):
        assert len(way.lr) + len(way.large[0]) <= share


def test_the_part_shown_is_where_the_methods_differ(rng, pool, decode):
    hr = rng.integers(0, 256, (256, 384, 3), np.uint8)
    sr = hr.copy()
    sr[150:190, 300:340] ^= 64
    way = pictures.encode(resize.downscale(hr, 4), [hr, sr], [], 4, 10, pool)
    top, left, height, width = way.region
    assert top <= 150
    assert left <= 300
    assert top + height >= 190
    assert left + width >= 340
    assert not any(length % 4 for length in way.region)
    shown = resize.downscale(hr, 4)[top // 4 :, left // 4 :][: height // 4, : width // 4]
    np.testing.assert_array_equal(decode(way.lr), shown)


def test_all_pictures_of_an_image_show_the_same_part(rng, pool, decode):
    hr = rng.integers(0, 256, (240, 360, 3), np.uint8)
    maps = [np.zeros((240, 360))]
    way = pictures.encode(resize.downscale(hr, 4), [hr, hr[::-1]], maps, 4, 10, pool)
    assert [decode(file).shape for file in way.large] == [(96, 96, 3)] * 2
    assert decode(way.maps[0]).shape == (48, 48, 3)
    assert decode(way.lr).shape == (24, 24, 3)


def test_pictures_too_long_for_the_format_are_cut(pool):
    hr = np.zeros((8, 16_384, 3), np.uint8)
    assert pictures.encode(hr[::4, ::4], [hr], [], 4, 1e9, pool).region[2:] == (8, 2048)


def test_crops_are_scored_as_images_of_their_own(rng, pool):
    hr = rng.integers(0, 256, (200, 300, 3), np.uint8)
    sr = np.clip(hr + rng.normal(0, 20, hr.shape), 0, 255).astype(np.uint8)
    overshoot = rng.random((200, 300))
    scored = crops.score(hr, sr, 4, overshoot, pool)
    assert [region[:2] for region, _ in scored] == [
        *((0, 0), (0, 96), (0, 192)),
        *((96, 0), (96, 96), (96, 192)),
    ]
    region, values = scored[4]
    part = slice(96, 192), slice(96, 192)
    assert region.of(hr).tobytes() == hr[part].tobytes()
    pair = hr[part], sr[part]
    assert values.keys() == crops.MEASURES.keys()
    assert values["psnr"].value == metrics.psnr(*pair)
    assert values["ssim"].value == metrics.ssim(*pair)
    assert values["lpips"].value == pytest.approx(metrics.lpips(*pair))
    assert values["overshoot"].value == pytest.approx(overshoot[part].mean())
    assert values["aliasing"].value == artifacts.aliasing(*pair, 4)
    assert values["colour_drift"].value == artifacts.colour_drift(*pair)
    assert values["grid"] == (artifacts.grid(pair[1], 4), artifacts.grid(pair[0], 4))


def test_the_worst_crop_by_echoes_is_that_with_dots_beside_its_edges(pool):
    hr = np.full((96, 288, 3), 30, np.uint8)
    hr[:, 48::96] = 220  # a bar in each of three squares
    hr[:, 49::96] = 220
    sr = hr.copy()
    sr[::4, 150:170:4] += 25  # in the square in the middle
    scored = crops.score(hr, sr, 4, artifacts.overshoot(hr, sr, 4), pool)
    worst = max(scored, key=lambda square: square[1]["echoes"].value)
    assert worst[0] == (0, 96, 96, 96)
    assert worst[1]["echoes"].value > 0.1
    assert [values["echoes"].value for _, values in scored][::2] == [0, 0]


def test_flat_parts_are_no_crops(rng, pool):
    hr = np.full((96, 192, 3), 100, np.uint8)
    hr[:, 96:] = rng.integers(0, 256, (96, 96, 3), np.uint8)
    scored = crops.score(hr, hr, 4, np.zeros((96, 192)), pool)
    assert [region for region, _ in scored] == [(0, 96, 96, 96)]


def test_tiny_images_are_one_crop_with_the_measures_that_have_room(rng, pool):
    hr = rng.integers(0, 256, (20, 24, 3), np.uint8)
    ((region, values),) = crops.score(hr, hr, 4, np.zeros((20, 24)), pool)
    assert region == (0, 0, 20, 24)
    assert values["psnr"].value == np.inf
    assert values["ssim"].value == 1
    assert {crop.measure for crop in crops.extremes(0, 0, [(region, values)])} == {
        *(key for key in crops.MEASURES if key != "lpips")
    }


@pytest.mark.parametrize("scale", [2, 3, 5, 8])
def test_squares_have_sides_of_whole_lr_pixels(rng, pool, scale):
    hr = rng.integers(0, 256, (24 * scale, 25 * scale, 3), np.uint8)
    scored = crops.score(hr, hr, scale, np.zeros(hr.shape[:2]), pool)
    assert scored
    for region, values in scored:
        assert all(side % scale == 0 for side in region)
        assert values["aliasing"].value == pytest.approx(0, abs=1e-9)


def test_what_hr_has_too_is_no_artifact(rng, pool):
    hr = rng.integers(0, 256, (96, 192, 3), np.uint8)
    hr[::4, :96:4] = 255  # a fence on the grid of the scale
    sr = hr.copy()
    sr[::4, 96::4] = 255
    squares = crops.extremes(0, 0, crops.score(hr, sr, 4, np.zeros((96, 192)), pool))
    worst, best = (crop for crop in squares if crop.measure == "checkerboard")
    assert (worst.region.left, best.region.left) == (96, 0)
    assert worst.value == pytest.approx(best.value, rel=0.2)
    assert best.lack == 0


def made_worse(hr, way):
    """A result that has one artifact, and hardly another."""
    sr = hr.astype(float)
    if way == "checkerboard":
        sr[::4, ::4] += 12
        sr -= 12 / 16
    elif way == "colour_drift":
        sr[..., 0] += 9
    elif way == "sharpness":
        padded = np.pad(sr, [(6, 6), (6, 6), (0, 0)], "reflect")
        window = color.gaussian(radius=6, sigma=2.0)
        sr = np.stack([color.blur(plane, window) for plane in np.moveaxis(padded, 2, 0)], axis=2)
    elif way == "echoes":
        sr[::4, 54:64:4] += 12  # beside the bar
    return np.clip(np.round(sr), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("way", ["checkerboard", "colour_drift", "sharpness", "echoes"])
def test_the_page_opens_on_the_artifact_in_which_a_method_is_worst(rng, pool, way):
    hr = rng.integers(80, 160, (96, 96, 3), np.uint8)
    if way == "echoes":
        hr[:] = 60
        hr[:, 48:52] = 200
    sr = made_worse(hr, way)
    scored = crops.score(hr, sr, 4, artifacts.overshoot(hr, sr, 4), pool)
    chosen = crops.choose(crops.extremes(0, 2, scored))
    assert crops.worst_artifacts(chosen) == {2: way}


def test_the_crops_shown_are_the_extremes_at_most_one_an_image():
    region = pictures.Region(0, 0, 96, 96)
    found = [
        crops.Crop(case, 0, measure, region, float(10 * case + k), np.nan)
        for case in range(6)
        for measure in ("psnr", "lpips")
        for k in (0, 9)
    ]
    chosen = {
        (kind, measure): [
            crop.value for k, crop in crops.choose(found) if (k, crop.measure) == (kind, measure)
        ]
        for kind in ("worst", "best")
        for measure in ("psnr", "lpips")
    }
    assert chosen["worst", "psnr"] == chosen["best", "lpips"] == [0, 10, 20, 30]
    assert chosen["best", "psnr"] == chosen["worst", "lpips"] == [59, 49, 39, 29]


def test_the_parts_of_the_page_are_in_the_package():
    folder = Path(report.__file__).parent / "web"
    assert {path.suffix for path in folder.glob("page.*")} == {".html", ".css", ".js"}
