"""Models x folders -> scores: real files and networks, resumed, compared, broken."""

import json
import threading

import numpy as np
import pytest
from skimage import data

from srgan.io import images, pairing
from srgan.models import loading
from srgan.numeric import resize
from srgan.quality import datasets, evaluation, methods, metrics, tables
from srgan.quality.results import Evaluation
from srgan.quality.summary import ImageResult

SCALE = 2  # that of the small models made here


def picture(index, height=48, width=60):
    top, left = 60 * (index // 3), 70 * (index % 3)
    return np.ascontiguousarray(data.astronaut()[top : top + height, left : left + width])


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(4):
        images.write(folder / f"p{index}.png", picture(index))
    return folder


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


def evaluate(folder, upscalers, output, lr=(), progress=None, **options):
    sets = datasets.find_datasets([folder] if folder else [], lr)
    options = evaluation.Options(**options)
    return evaluation.evaluate(sets, upscalers, output, options, progress)


def means(found, method, dataset="photos"):
    return found.summaries[dataset].means[method]


def scores(found, method):
    return {r.case.name: r.scores for r in found.results if r.method == method}


# what is scored


def test_16_bits_count_where_both_files_have_them(tmp_path, model):
    hr = picture(0).astype(np.uint16) * 256 + 128
    for name, image in {
        "hr": hr,
        "deep": hr + np.uint16(64),  # a quarter of a level of 8 bits
        "shallow": images.to_uint8(hr),
    }.items():
        (tmp_path / name).mkdir()
        images.write(tmp_path / name / "photo.png", image)
    made = [tmp_path / "deep", tmp_path / "shallow", model]
    found = evaluate(tmp_path / "hr", made, tmp_path / "out")
    psnr = {method.name: scores(found, method.name)["photo"].psnr for method in found.methods}
    luma = 64 / 257 * 219 / 255
    assert psnr["deep"] == pytest.approx(20 * np.log10(255 / luma), abs=1e-6)
    assert psnr["shallow"] == metrics.PSNR_CAP  # 8 bits of both are equal
    assert images.read_integers(tmp_path / "out" / "hr" / "tiny" / "photo.png").dtype == np.uint16
    assert found.hr(found.cases[0]).dtype == np.uint8
    assert found.sr(found.cases[0], "deep").dtype == np.uint8


def test_scores_are_those_of_the_metrics(photos, model, tmp_path):
    found = evaluate(photos, [model], tmp_path / "out")
    assert [method.name for method in found.methods] == ["bicubic", "tiny"]
    network = loading.load(model)
    for case in found.cases:
        hr = images.read_uint8(photos / f"{case.name}.png")
        lr = resize.downscale(hr, SCALE)
        expected = {
            "bicubic": resize.upscale(lr, SCALE),
            "tiny": network.upscale(lr, dtype=np.uint8),
        }
        for method, sr in expected.items():
            expected_scores = metrics.score(hr, lr, sr, SCALE)  # too small for NIQE: NaN
            np.testing.assert_equal(scores(found, method)[case.name], expected_scores)
            np.testing.assert_array_equal(found.sr(case, method), sr)
        np.testing.assert_array_equal(found.lr(case), lr)
        kept = tmp_path / "out" / "photos" / "lr" / f"{case.name}.png"  # for other programs
        np.testing.assert_array_equal(images.read_uint8(kept), lr)
        np.testing.assert_array_equal(found.hr(case), hr)


def test_the_originals_are_scored_in_what_needs_no_reference(photos, model, tmp_path):
    found = evaluate(photos, [model], tmp_path / "out")
    hr = images.read_uint8(photos / "p3.png")
    scores = found.originals[found.cases[3]]
    assert scores.grid == metrics.score(None, resize.downscale(hr, SCALE), hr, SCALE).grid
    assert np.isnan(scores.psnr)
    assert list(found.summaries["photos"].means) == ["bicubic", "tiny", "HR"]
    again = evaluate(photos, [model], tmp_path / "out")
    assert again.to_json()["originals"] == found.to_json()["originals"]


def test_originals_are_cropped_to_a_multiple_of_the_scale(tmp_path, model):
    folder = tmp_path / "odd"
    folder.mkdir()
    odd = picture(0, 49, 61)
    images.write(folder / "odd.png", odd)
    found = evaluate(folder, [model], tmp_path / "out")
    np.testing.assert_array_equal(found.hr(found.cases[0]), odd[:48, :60])
    assert not any(result.error for result in found.results)


def test_given_small_versions_are_taken(photos, model, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for path in photos.iterdir():
        lr = resize.downscale(images.read_uint8(path), SCALE)
        images.write(small / f"{path.stem}x2.png", 255 - lr)  # something else than would be made
    found = evaluate(photos, [model], tmp_path / "out", lr=[small])
    case = found.cases[0]
    np.testing.assert_array_equal(
        found.lr(case), 255 - resize.downscale(images.read_uint8(photos / "p0.png"), SCALE)
    )
    assert scores(found, "bicubic")["p0"].psnr < 15


def test_small_versions_alone_are_scored_without_reference(photos, model, tmp_path):
    found = evaluate(None, [model], tmp_path / "out", lr=[photos])
    tiny = scores(found, "tiny")["p0"]
    assert np.isnan(tiny.psnr)
    assert np.isnan(tiny.lpips)
    assert tiny.lr_psnr > 0
    assert found.hr(found.cases[0]) is None
    assert (
        json.loads((tmp_path / "out" / "evaluation.json").read_text())["images"][0]["scores"][
            "psnr"
        ]
        is None
    )


def test_a_folder_with_hr_and_lr_is_one_dataset(photos, tmp_path):
    whole = tmp_path / "Set2"
    (whole / "LR_bicubic").mkdir(parents=True)
    photos.rename(whole / "HR")
    (found,) = datasets.find_datasets([whole])
    assert found == datasets.Dataset("Set2", whole / "HR", whole / "LR_bicubic")
    (found,) = datasets.find_datasets([whole / "HR"])
    assert found == datasets.Dataset("Set2", whole / "HR", None)


def test_datasets_of_one_name_are_told_apart(tmp_path):
    for name in ("a/x", "b/x"):
        (tmp_path / name).mkdir(parents=True)
    found = datasets.find_datasets([tmp_path / "a/x", tmp_path / "b/x"])
    assert [dataset.name for dataset in found] == ["x (a)", "x (b)"]
    found = datasets.find_datasets([tmp_path / "a/x", tmp_path / "a/x"])
    assert len({dataset.name for dataset in found}) == 2


def test_results_of_other_programs_are_scored_as_they_are(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    for path in photos.iterdir():
        images.write(made / f"{path.stem}_out.png", images.read_uint8(path))
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE)
    assert all(s.psnr == 100 and s.lpips == 0 for s in scores(found, "program").values())
    assert means(found, "program").psnr == 100


def test_one_place_in_several_spellings_is_one_method(photos, model, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    for path in photos.iterdir():
        images.write(made / path.name, images.read_uint8(path))
    (tmp_path / "again").symlink_to(made)
    spelt = [str(made), f"{tmp_path}/./program/", tmp_path / "again", str(model), model]
    found = evaluate(photos, spelt, tmp_path / "out", scale=SCALE)
    assert len(found.methods) == 3
    assert [method.name for method in found.methods][:2] == ["bicubic", "program"]


def test_results_of_several_datasets_may_lie_in_subfolders(photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    images.write(other / "p0.png", picture(5))
    made = tmp_path / "program"
    for dataset in (photos, other):
        (made / dataset.name).mkdir(parents=True)
        for path in dataset.iterdir():
            images.write(made / dataset.name / path.name, images.read_uint8(path))
    sets = datasets.find_datasets([photos, other])
    found = evaluation.evaluate(sets, [made], tmp_path / "out", evaluation.Options(scale=SCALE))
    assert means(found, "program", "other").lpips == 0


def test_network_interpolations_are_methods_of_one_curve(photos, make_model, tmp_path):
    (tmp_path / "soft.onnx").write_bytes(make_model(gain=0.5).read_bytes())
    sharp = tmp_path / "sharp.onnx"
    sharp.write_bytes(make_model(gain=2.0, psnr_model="soft").read_bytes())
    found = evaluate(photos, [sharp, make_model()], tmp_path / "out", realism=[0, 0.5])
    assert [tuple(method) for method in found.methods] == [
        ("bicubic", "bicubic"),
        ("tiny (sharp) @ 0", "tiny (sharp)"),
        ("tiny (sharp) @ 0.5", "tiny (sharp)"),
        ("tiny (sharp)", "tiny (sharp)"),
        ("tiny (tiny)", "tiny (tiny)"),  # has no PSNR model
    ]
    case = found.cases[0]
    expected = loading.load(tmp_path / "soft.onnx").upscale(found.lr(case), dtype=np.uint8)
    np.testing.assert_array_equal(found.sr(case, "tiny (sharp) @ 0"), expected)


def test_the_protocol_is_applied_and_named(photos, model, tmp_path):
    found = evaluate(photos, [model], tmp_path / "out", protocol="rgb-crop1")
    hr = images.read_uint8(photos / "p1.png")
    expected = metrics.psnr(hr, found.sr(found.cases[1], "tiny"), 1, "rgb")
    assert scores(found, "tiny")["p1"].psnr == expected
    assert found.to_json()["protocol"] == "rgb-crop1"


# what is kept


def test_an_interrupted_evaluation_goes_on_where_it_stopped(photos, model, tmp_path, monkeypatch):
    whole = evaluate(photos, [model], tmp_path / "whole")
    lock, calls = threading.Lock(), []
    score = metrics.assess

    def stop_after_five(*arguments, **options):
        with lock:
            calls.append(1)
            if len(calls) == 6:
                raise KeyboardInterrupt
        return score(*arguments, **options)

    monkeypatch.setattr(metrics, "assess", stop_after_five)
    with pytest.raises(KeyboardInterrupt):
        evaluate(photos, [model], tmp_path / "out")
    kept = (tmp_path / "out" / "scores.jsonl").read_text().count("\n")
    assert kept >= 5

    def count(*arguments, **options):
        calls.append(1)
        return score(*arguments, **options)

    calls.clear()
    monkeypatch.setattr(metrics, "assess", count)
    found = evaluate(photos, [model], tmp_path / "out")
    assert len(calls) == 12 - kept
    np.testing.assert_equal(found.results, whole.results)


def test_what_has_changed_is_scored_again(photos, model, make_model, tmp_path, monkeypatch):
    evaluate(photos, [model], tmp_path / "out")
    calls = []
    score = metrics.assess
    monkeypatch.setattr(metrics, "assess", lambda *a, **o: (calls.append(1), score(*a, **o))[1])

    def count(**options):
        calls.clear()
        evaluate(photos, [options.pop("model", model)], tmp_path / "out", **options)
        return len(calls)

    assert count() == 0
    images.write(photos / "p2.png", picture(7), overwrite=True)
    assert count() == 3  # bicubic, the model and the original, of one photo
    assert count(model=make_model(gain=0.5)) == 4  # the rest is known
    assert count(protocol="rgb") == 12


def test_damaged_lines_of_the_file_are_scored_again(photos, model, tmp_path):
    first = evaluate(photos, [model], tmp_path / "out")
    file = tmp_path / "out" / "scores.jsonl"
    lines = file.read_text().splitlines()
    lines[0] = '{"key": 3}'
    lines[1] = lines[1].replace('"psnr"', '"pnsr"')
    file.write_text("\n".join(lines)[:-40])  # the last one is cut short
    again = evaluate(photos, [model], tmp_path / "out")
    np.testing.assert_equal(again.results, first.results)


def test_a_lost_picture_is_made_again(photos, model, tmp_path):
    found = evaluate(photos, [model], tmp_path / "out")
    before = found.sr(found.cases[0], "tiny")
    (tmp_path / "out" / "photos" / "tiny" / "p0.png").unlink()
    again = evaluate(photos, [model], tmp_path / "out")
    np.testing.assert_array_equal(again.sr(again.cases[0], "tiny"), before)


def test_progress_reaches_the_end(photos, model, tmp_path):
    seen = []
    evaluate(photos, [model], tmp_path / "out", progress=lambda *state: seen.append(state))
    assert seen == [(2, 8), (4, 8), (6, 8), (8, 8)]


# means and differences


def made_of(table, tmp_path, reference="bicubic"):
    """An evaluation of made-up PSNRs: a column a method; NaN has no score, None has failed."""
    names = ["bicubic", *"abc"[: len(table[0]) - 1]]
    cases = [datasets.Case("set", str(number)) for number in range(len(table))]
    blank = metrics.Scores(*[float("nan")] * len(metrics.Scores._fields))
    results = [
        ImageResult(case, name, None, "lost", {})
        if value is None
        else ImageResult(case, name, blank._replace(psnr=float(value)), "", {})
        for case, row in zip(cases, table, strict=True)
        for name, value in zip(names, row, strict=True)
    ]
    named = [methods.Method(name, name) for name in names]
    return Evaluation("y", 2, reference, named, cases, results, {}, {}, {}, {}, tmp_path)


def test_means_are_over_the_photos_that_all_methods_have(tmp_path):
    # "b" is the twin of "a", but has no result of the hardest photo.
    found = made_of([[20, 20, None], [30, 31, 31], [30, 31, 31]], tmp_path).summaries["set"]
    assert found.means["a"].psnr == found.means["b"].psnr == 31
    assert found.photos["psnr"] == 2
    assert found.left_out == {"0": ["b"]}


def test_a_method_without_any_result_leaves_the_means_of_others_alone(tmp_path):
    found = made_of([[30, 31, None], [32, 33, None]], tmp_path)
    summary = found.summaries["set"]
    assert summary.means["a"].psnr == 32
    assert np.isnan(summary.means["b"].psnr)
    assert summary.left_out == {}
    lost = [d for d in found.differences if d.method == "b"]
    assert [(d.photos, d.verdict) for d in lost] == [(0, "too few photos to tell")]


def test_photos_without_any_result_have_no_means(tmp_path):
    found = made_of([[None, None], [None, None]], tmp_path)
    assert np.isnan(found.summaries["set"].means["a"].psnr)
    assert found.differences == []
    json.dumps(found.to_json(), allow_nan=False)


def test_photos_without_error_count_as_100_db_and_are_counted(tmp_path):
    table = [[30, 100], [30, 100], [30, 100], [30, 100], [30, 30]]
    found = made_of(table, tmp_path)
    assert found.summaries["set"].means["a"].psnr == 86
    assert found.summaries["set"].capped == {"a": {"psnr": 4}}
    assert found.differences[0].mean == pytest.approx(56)


def test_differences_are_those_of_paired_photos(tmp_path):
    rng = np.random.default_rng(1)
    base, gain = rng.normal(30, 5, 200), rng.normal(0.5, 1, 200)
    (found,) = made_of(np.stack([base, base + gain], axis=1), tmp_path).differences
    half = 1.972 * gain.std(ddof=1) / np.sqrt(200)  # the spread of the photos does not matter
    assert found[:5] == ("set", "a", "bicubic", "psnr", 200)
    assert found.mean == pytest.approx(gain.mean())
    assert found.low == pytest.approx(gain.mean() - half, abs=0.02)
    assert found.high == pytest.approx(gain.mean() + half, abs=0.02)
    assert found.verdict == "higher"


def test_differences_are_taken_to_the_reference(tmp_path):
    table = np.random.default_rng(0).normal(30, 5, (5, 3))
    found = made_of(table, tmp_path, reference="a").differences
    assert [(d.method, d.other) for d in found] == [("bicubic", "a"), ("b", "a")]


def test_differences_are_corrected_for_their_number(tmp_path):
    gain = np.array([0.9, 1.1, 1.0, 1.3, 0.7]) - 0.7
    alone = made_of(np.stack([gain * 0, gain], axis=1), tmp_path).differences[0]
    assert alone.verdict == "higher"
    among = made_of(np.stack([gain * 0, gain, gain, gain], axis=1), tmp_path).differences
    assert [d.p for d in among] == pytest.approx([3 * alone.p] * 3)
    assert {d.verdict for d in among} == {"no difference shown"}
    assert among[0].low == alone.low > 0  # the interval is of the one comparison


def test_four_photos_are_too_few_to_tell(tmp_path):
    (found,) = made_of([[30, 31], [30, 31.1], [30, 31], [30, 31]], tmp_path).differences
    assert found.verdict == "too few photos to tell"
    assert found.mean == pytest.approx(1.025)
    assert np.isnan([found.low, found.high, found.p]).all()


def test_photos_without_a_measure_are_left_out_of_its_means_and_differences(tmp_path):
    found = made_of([[30, 31], [31, np.nan], [32, 33], [33, 34]], tmp_path)
    assert means(found, "a", "set").psnr == pytest.approx(98 / 3)
    assert means(found, "bicubic", "set").psnr == pytest.approx(95 / 3)
    assert found.differences[0].mean == pytest.approx(1)
    assert found.to_json()["images"][3]["scores"]["psnr"] is None
    json.dumps(found.to_json(), allow_nan=False)


def test_a_flat_photo_is_scored_and_does_not_hide_the_others(photos, model, tmp_path):
    images.write(photos / "white.png", np.full((48, 48, 3), 255, np.uint8))
    found = evaluate(photos, [model], tmp_path / "out")
    assert all(np.isfinite(means(found, "bicubic")._replace(niqe=0)))  # too small for NIQE
    assert scores(found, "bicubic")["white"].psnr == 100
    assert {row.measure for row in found.differences} == {*metrics.Scores._fields} - {"niqe"}
    assert found.summaries["photos"].photos["sharpness"] == 4
    assert found.summaries["photos"].capped["bicubic"] == {"psnr": 1, "lr_psnr": 1}
    flat = found.result(datasets.Case("photos", "white"), "bicubic")
    assert "flat" in flat.reasons["sharpness"]


def test_a_measure_that_does_not_apply_leaves_the_others(tmp_path, model):
    folder = tmp_path / "small"
    folder.mkdir()
    images.write(folder / "dot.png", picture(0, 28, 40))
    images.write(folder / "large.png", picture(1))
    for _ in range(2):  # the second time from what was kept
        found = evaluate(folder, [model], tmp_path / "out")
        assert not any(result.error for result in found.results)
        dot = found.result(found.cases[0], "tiny")
        assert np.isnan(dot.scores.lpips)
        assert np.isfinite([dot.scores.psnr, dot.scores.ssim, dot.scores.grid]).all()
        assert dot.reasons.keys() == {"lpips", "niqe"}
        assert dot.reasons["lpips"] == "LPIPS needs 31x31 pixels; got 40x28. Score a larger image."
    summary = found.summaries["small"]
    assert (summary.photos["psnr"], summary.photos["lpips"]) == (2, 1)
    stored = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    (image,) = (i for i in stored["images"] if (i["name"], i["method"]) == ("dot", "tiny"))
    assert image["scores"]["lpips"] is None
    assert "31x31" in image["reasons"]["lpips"]


@pytest.mark.parametrize(
    ("upscalers", "options", "expected"),
    [
        (["model"], {}, "bicubic"),
        (["model", "program"], {}, "tiny"),
        (["bicubic", "model", "program"], {}, "bicubic"),
        (["model", "program"], {"reference": "program"}, "program"),
    ],
)
def test_the_reference_is_what_is_asked_for_or_the_first(
    photos, model, tmp_path, upscalers, options, expected
):
    made = tmp_path / "program"
    made.mkdir()
    for path in photos.iterdir():
        images.write(made / path.name, images.read_uint8(path))
    given = {"model": model, "program": made, "bicubic": "bicubic"}
    found = evaluate(photos, [given[name] for name in upscalers], tmp_path / "out", **options)
    assert found.reference == expected
    assert {row.other for row in found.differences} == {expected}
    assert [method.name for method in found.methods].count("bicubic") == 1


# what is paired


def test_results_are_listed_where_names_tell_nothing(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    lines = ["photo,file"]
    for number, path in enumerate(sorted(photos.iterdir()), start=7):
        images.write(made / f"frame{number}.png", images.read_uint8(path))
        lines.append(f"photos/{path.name},program/frame{number}.png")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"no result for any photo.*Without partner: p0, p1, p2"):
        evaluate(photos, [made], tmp_path / "out", scale=SCALE)
    pairs = pairing.read_pairs(tmp_path / "pairs.csv")
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE, pairs=pairs)
    assert means(found, "program").psnr == 100


@pytest.mark.parametrize("suffix", ["", "_out"])
def test_a_result_of_another_photo_is_refused_whatever_its_name(photos, tmp_path, suffix):
    made = tmp_path / "program"
    made.mkdir()
    for index, other in enumerate((0, 3, 2, 1)):
        images.write(made / f"p{index}{suffix}.png", picture(other))
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE)
    assert set(errors(found)) == {("p1", "program"), ("p3", "program")}
    assert f"p1{suffix}.png does not look like p1" in errors(found)["p1", "program"]


@pytest.mark.parametrize("grey", [1, 128])
def test_a_flat_result_is_scored_whatever_its_grey(photos, tmp_path, grey):
    made = tmp_path / "program"
    made.mkdir()
    for path in photos.iterdir():
        images.write(made / path.name, np.full_like(images.read_uint8(path), grey))
    assert not errors(evaluate(photos, [made], tmp_path / "out", scale=SCALE))


def test_photos_of_one_colour_are_not_alike_by_that(tmp_path):
    rng = np.random.default_rng(0)
    for folder, order in (("photos", (0, 1, 2)), ("program", (0, 2, 1))):
        (tmp_path / folder).mkdir()
        for index, seed in enumerate(order):
            red = np.full((48, 48, 3), (200, 40, 30), np.uint8)
            red[..., :] += rng.integers(0, 2, red.shape, np.uint8)
            red[8 * seed : 8 * seed + 16, 10:40] += 40  # a band, elsewhere in each
            images.write(tmp_path / folder / f"p{index}.png", red)
    found = evaluate(tmp_path / "photos", [tmp_path / "program"], tmp_path / "out", scale=SCALE)
    assert set(errors(found)) == {("p1", "program"), ("p2", "program")}


def test_a_photo_without_result_is_told_with_what_was_tried(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    for name, seed in (("p0", 0), ("somewhere", 1), ("p2", 2)):
        images.write(made / f"{name}.png", picture(seed))
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE)
    told = errors(found)["p1", "program"]
    assert "has no result for p1. Names were compared as they are" in told
    assert "Without partner: p1, p3 (photos), somewhere.png (there)" in told
    assert "--pairs" in told


def test_results_of_no_photo_are_told(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    for index in range(4):
        images.write(made / f"p{index}.png", picture(index))
        images.write(made / f"zz{index}.png", picture(index))
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE)
    note = "program: of no photo are zz0.png, zz1.png, zz2.png and 1 more."
    assert note in tables.notes(found)


def test_a_reference_may_be_named_as_its_folder_was(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    for index in range(4):
        images.write(made / f"p{index}.png", picture(index))
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE, reference=str(made))
    assert found.reference == "program"


def test_rows_of_a_table_that_match_nothing_are_named(photos, tmp_path):
    made, elsewhere = tmp_path / "program", tmp_path / "elsewhere"
    for folder in (made, elsewhere):
        folder.mkdir()
        for index in range(4):
            images.write(folder / f"frame{index}.png", picture(index))
    rows = [(photos / f"p{index}.png", made / f"frame{index}.png") for index in range(4)]
    pairs = {photo: [file] for photo, file in rows}
    evaluate(photos, [made], tmp_path / "out", scale=SCALE, pairs=pairs)
    for extra in (
        {elsewhere / "frame0.png": [made / "frame0.png"]},  # no photo that is scored
        {rows[0][0]: [rows[0][1], elsewhere / "frame0.png"]},  # no folder that is scored
    ):
        with pytest.raises(ValueError, match=r"1 of 5 rows .* match nothing: \S+ with \S+frame0"):
            evaluate(photos, [made], tmp_path / "out", scale=SCALE, pairs=pairs | extra)


def test_folders_of_one_name_are_told_apart_by_their_places(photos, make_model, tmp_path):
    made = [tmp_path / "ours" / "x2", tmp_path / "theirs" / "x2", tmp_path / "bicubic"]
    for folder in made:
        folder.mkdir(parents=True)
        for index in range(4):
            images.write(folder / f"p{index}.png", picture(index))
    found = evaluate(photos, made, tmp_path / "out", scale=SCALE)
    assert [method.name for method in found.methods] == [
        *("bicubic", "x2 (ours)", "x2 (theirs)", "bicubic (2)")
    ]


def test_transparent_pixels_are_said_to_lie_on_white(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    for index in range(4):
        hr = picture(index)
        alpha = np.full((*hr.shape[:2], 1), 128 if index == 2 else 255, np.uint8)
        images.write(made / f"p{index}.png", np.concatenate([hr, alpha], axis=2))
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE)
    assert "program: transparent pixels were laid on white, in p2.png." in tables.notes(found)
    assert scores(found, "program")["p1"].psnr == 100
    assert scores(found, "program")["p2"].psnr < 30
    white = evaluate(made, ["bicubic"], tmp_path / "out", scale=SCALE)
    assert any(
        note.startswith("program: transparent pixels of photos were laid on")
        for note in tables.notes(white)
    )


# provenance


def test_the_json_names_versions_and_hashes(photos, model, tmp_path):
    found = evaluate(photos, [model], tmp_path / "out", command="srgan evaluate")
    stored = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert stored == json.loads(json.dumps(found.to_json()))
    assert stored["schema"] == 2
    assert stored["provenance"]["command"] == "srgan evaluate"
    assert stored["provenance"]["data"]["photos"]["lr"] == {"MATLAB's bicubic": 4}
    assert len(stored["provenance"]["models"]["tiny"]["sha256"]) == 64
    assert stored["provenance"]["data"]["photos"]["images"] == 4
    assert {"srgan", "numpy", "onnxruntime", "python"} <= set(stored["provenance"]["versions"])
    before = stored["provenance"]["data"]["photos"]["sha256"]
    images.write(photos / "p0.png", picture(8), overwrite=True)
    again = evaluate(photos, [model], tmp_path / "out")
    assert again.provenance["data"]["photos"]["sha256"] != before


# what goes wrong


def errors(found):
    return {(r.case.name, r.method): r.error for r in found.results if r.error}


def test_a_damaged_photo_is_listed_and_the_rest_is_scored(photos, model, tmp_path):
    (photos / "p1.png").write_bytes((photos / "p1.png").read_bytes()[:200])
    found = evaluate(photos, [model], tmp_path / "out")
    assert set(errors(found)) == {("p1", "bicubic"), ("p1", "tiny")}
    assert "p1.png is damaged or cut short" in errors(found)["p1", "tiny"]
    assert len(found.results) == 8
    assert found.sr(found.cases[1], "tiny") is None
    assert np.isfinite(means(found, "tiny").psnr)


def test_a_missing_result_is_named(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    images.write(made / "p0.png", picture(0))
    found = evaluate(photos, [made], tmp_path / "out", scale=SCALE)
    assert "program has no result for p3" in errors(found)["p3", "program"]


def test_a_missing_small_version_is_named(photos, model, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for path in sorted(photos.iterdir())[1:]:
        lr = resize.downscale(images.read_uint8(path), SCALE)
        images.write(small / path.name, lr)
    found = evaluate(photos, [model], tmp_path / "out", lr=[small])
    assert errors(found)["p0", "tiny"] == f"{photos / 'p0.png'} has no LR image in {small}."
    assert len(errors(found)) == 2


def test_a_pair_of_wrong_sizes_names_both(photos, model, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for path in photos.iterdir():
        images.write(small / path.name, picture(0, 20, 30))
    found = evaluate(photos, [model], tmp_path / "out", lr=[small])
    assert errors(found)["p0", "bicubic"] == (
        f"{photos / 'p0.png'} is 60x48 and {small / 'p0.png'} 30x20; expected 30x24, 1/2 of it. "
        "Are these files a pair, and is scale=2 right?"
    )


def test_lr_images_of_another_scale_are_one_error(photos, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for path in photos.iterdir():
        images.write(small / path.name, resize.downscale(images.read_uint8(path), 2))
    with pytest.raises(ValueError, match=r"are 1/2 of the HR images, and the scale is 4\. Pass"):
        evaluate(photos, ["bicubic"], tmp_path / "out", lr=[small], scale=4)
    evaluate(photos, ["bicubic"], tmp_path / "out", lr=[small], scale=2)
    with pytest.raises(ValueError, match=r"small are 1/2 of the HR images; expected the same size"):
        evaluate(photos, [small], tmp_path / "out", scale=2)


def test_results_of_another_scale_are_one_error(photos, tmp_path):
    with pytest.raises(ValueError, match=r"photos are 1 times as large .* pass scale=1"):
        evaluate(None, [photos], tmp_path / "out", lr=[photos], scale=2)


@pytest.mark.parametrize("upscalers", [["bicubic"], ["folder"], ["model"]])
def test_interpolation_without_a_model_that_has_any_is_an_error(photos, model, tmp_path, upscalers):
    given = {"bicubic": "bicubic", "folder": photos, "model": model}
    with pytest.raises(ValueError, match="realism goes from a GAN model to the PSNR model"):
        evaluate(photos, [given[n] for n in upscalers], tmp_path / "o", scale=SCALE, realism=[0.5])


@pytest.fixture
def uncropped(tmp_path):
    """An original of odd size, and a program's result of that size."""
    folder, made = tmp_path / "odd", tmp_path / "program"
    for path in (folder, made):
        path.mkdir()
        images.write(path / "odd.png", picture(0, 49, 61))
    return folder, made


def test_a_result_of_the_uncropped_size_is_refused_with_the_remedy(uncropped, tmp_path):
    folder, made = uncropped
    found = evaluate(folder, [made], tmp_path / "out", scale=SCALE)
    assert errors(found)["odd", "program"] == (
        f"{made / 'odd.png'} is 61x49 and the HR image of odd 60x48. Add --crop to compare the "
        "common part, from the top left."
    )
    cropped = evaluate(folder, [made], tmp_path / "out", scale=SCALE, crop=True)
    assert errors(cropped) == {}
    assert scores(cropped, "program")["odd"].psnr == 100
    assert cropped.sr(cropped.cases[0], "program").shape == (48, 60, 3)


def test_a_result_of_another_size_names_both(uncropped, tmp_path):
    folder, made = uncropped
    images.write(made / "odd.png", picture(0, 40, 60), overwrite=True)
    found = evaluate(folder, [made], tmp_path / "out", scale=SCALE, crop=True)
    assert errors(found)["odd", "program"] == (
        f"{made / 'odd.png'} is 60x40 and the HR image of odd 60x48. Is it of this photo, and "
        "enlarged 2 times?"
    )


def test_nan_from_a_model_is_named_and_scored_as_failed(photos, make_model, tmp_path):
    found = evaluate(photos, [make_model(gain=float("nan"))], tmp_path / "out")
    assert "returned values that are not finite" in errors(found)["p0", "tiny"]
    assert np.isnan(means(found, "tiny").psnr)
    assert np.isfinite(means(found, "bicubic").psnr)
    assert not (tmp_path / "out" / "photos" / "tiny" / "p0.png").exists()


def test_hashes_of_results_change_with_them(photos, tmp_path):
    made = tmp_path / "program"
    made.mkdir()
    images.write(made / "p0.png", picture(0))

    def digest():
        found = evaluate(photos, [made], tmp_path / "out", scale=SCALE)
        return found.provenance["results"]["program"]["sha256"]

    before = digest()
    assert before == digest()
    images.write(made / "p0.png", picture(5), overwrite=True)
    assert digest() != before


def test_lr_images_that_papers_do_not_use_are_named(photos, model, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for path in photos.iterdir():
        hr = images.read_uint8(path)
        images.write(small / path.name, hr[::2, ::2])
    found = evaluate(photos, [model], tmp_path / "out", lr=[small])
    way = "every 2nd pixel, without a filter"
    assert found.provenance["data"]["photos"]["lr"] == {way: 4}
    assert any(way in note for note in tables.notes(found))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"upscalers": ["nowhere.onnx"]}, "There is no model 'nowhere.onnx'"),
        ({"protocol": "psnr"}, "There is no protocol 'psnr'"),
        ({"reference": "best"}, "no method 'best' .*expected one of bicubic, tiny"),
        ({"scale": 3}, r"All models must have one scale; got \[2, 3\]"),
    ],
)
def test_what_is_wrong_with_all_of_it_is_an_error(photos, model, tmp_path, change, message):
    with pytest.raises((ValueError, OSError), match=message):
        evaluate(photos, **{"upscalers": [model], "output": tmp_path / "out"} | change)


def test_an_empty_set_is_an_error(tmp_path, model):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no images in .*empty; expected \.png"):
        evaluate(tmp_path / "empty", [model], tmp_path / "out")


def test_a_folder_without_any_result_is_an_error(photos, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(
        ValueError, match=r"other has no result for any photo\. .*other has no pictures"
    ):
        evaluate(photos, [tmp_path / "other"], tmp_path / "out")


@pytest.mark.parametrize(
    ("data_folders", "lr_folders", "message"),
    [
        ([], [], "nothing to score"),
        (["photos", "photos"], ["photos"], "Got 2 folders of HR images and 1 of LR images"),
        (["nowhere"], [], "nowhere is not a folder"),
    ],
)
def test_wrong_folders_are_named(photos, data_folders, lr_folders, message):
    with pytest.raises((ValueError, NotADirectoryError), match=message):
        datasets.find_datasets(
            [photos.parent / name for name in data_folders],
            [photos.parent / name for name in lr_folders],
        )


def test_a_model_cannot_name_a_place_outside(make_model):
    for name in ("../../evil", "/etc/x", "..", "a\\b", "a\nb"):
        with pytest.raises(ValueError, match=r"srgan\.name"):
            loading.load(make_model(name=name))
