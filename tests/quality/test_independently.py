"""What `srgan evaluate` prints is found again by scikit-image and SciPy, from the files alone."""

import csv
import io
import json

import numpy as np
import pytest
from scipy import ndimage, stats
from skimage import color, data
from skimage.io import imread, imsave
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from srgan import cli


def psnr_and_ssim(hr, sr, scale):
    """Of the luma of BT.601 without `scale` pixels at the edges, as papers define them."""
    inside = slice(scale, -scale)
    pair = [color.rgb2ycbcr(image)[inside, inside, 0] for image in (hr, sr)]
    options = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5}
    _, whole = structural_similarity(*pair, use_sample_covariance=False, full=True, **options)
    # scikit-image pads; papers take the SSIM where the 11x11 window fits.
    return peak_signal_noise_ratio(*pair, data_range=255), whole[5:-5, 5:-5].mean()


@pytest.fixture
def evaluated(tmp_path, tiny_model, capsys):
    """The command on eight photos, with a model and the results of another program."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "program").mkdir()
    rng = np.random.default_rng(0)
    for index in range(8):
        top, left = 50 * (index // 4), 60 * (index % 4)
        hr = data.astronaut()[top : top + 48, left : left + 56]
        imsave(tmp_path / "photos" / f"Img_{index}_HR.png", hr, check_contrast=False)
        noisy = np.clip(hr + rng.normal(0, 4 + index, hr.shape), 0, 255).astype(np.uint8)
        imsave(tmp_path / "program" / f"img_{index}_ours.png", noisy, check_contrast=False)
    arguments = [
        "evaluate",
        "--data",
        tmp_path / "photos",
        "-o",
        tmp_path / "out",
        "--table",
        "csv",
    ]
    arguments += ["--model", tiny_model, tmp_path / "program"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    return tmp_path, {(row["method"], row["measure"]): row for row in rows}


def test_means_and_differences_are_found_again(evaluated):
    folder, rows = evaluated
    made = {"tiny": folder / "out" / "photos" / "tiny", "program": folder / "program"}
    found = {
        method: np.array(
            [
                psnr_and_ssim(imread(folder / "photos" / f"Img_{k}_HR.png"), imread(path), 2)
                for k, path in enumerate(sorted(below.iterdir()))
            ]
        )
        for method, below in made.items()
    }
    for place, measure in enumerate(("psnr", "ssim")):
        for method, scores in found.items():
            assert float(rows[method, measure]["mean"]) == pytest.approx(
                scores[:, place].mean(), abs=1e-6
            )
        test = stats.ttest_rel(found["program"][:, place], found["tiny"][:, place])
        row = rows["program", measure]
        assert row["reference"] == "tiny"
        interval = test.confidence_interval(0.95)
        assert float(row["low"]) == pytest.approx(interval.low, abs=1e-6)
        assert float(row["high"]) == pytest.approx(interval.high, abs=1e-6)
        assert float(row["p"]) >= test.pvalue  # after the correction


def luma(image):
    return color.rgb2ycbcr(image)[..., 0]


def artifacts(hr, sr, scale):
    """The other measures of a pair, by SciPy's filters, as docs/guides/measure.md defines them."""
    y_hr, y_sr = luma(hr), luma(sr)
    fine = y_sr - ndimage.gaussian_filter(y_sr, 1.0, radius=4)
    phases = [fine[8:-8, 8:-8][i::scale, j::scale] for i in range(scale) for j in range(scale)]
    energy = np.array([np.mean(phase**2) for phase in phases])
    steps = np.zeros(y_hr.shape)
    steps[1:] = np.abs(np.diff(y_hr, axis=0))
    steps[:, 1:] = np.maximum(steps[:, 1:], np.abs(np.diff(y_hr, axis=1)))
    level = y_sr - np.median(y_sr - y_hr)

    def excess(reach, edges, plain):
        size = 2 * reach + 1
        high, low = ndimage.maximum_filter(y_hr, size), ndimage.minimum_filter(y_hr, size)
        near = ndimage.maximum_filter(steps, 2 * edges + 1) >= 32
        where = near & (high - low <= plain)
        beyond = np.maximum(np.maximum(level - high, low - level), 0)
        return beyond[where].mean() if where.any() else 0.0

    def energy_of_gradient(y):
        return np.mean(np.diff(y, axis=0) ** 2) + np.mean(np.diff(y, axis=1) ** 2)

    return {
        "delta_e": color.deltaE_ciede2000(color.rgb2lab(hr), color.rgb2lab(sr)).mean(),
        "grid": energy.std() / energy.mean(),
        "checkerboard": np.std([phase.mean() for phase in phases]),
        "sharpness": energy_of_gradient(y_sr) / energy_of_gradient(y_hr),
        "ringing": excess(scale, 2 * scale, np.inf),
        "echo": excess(3, 4 * scale, 12),
    }


@pytest.mark.parametrize(
    "measure", ["delta_e", "grid", "checkerboard", "sharpness", "ringing", "echo"]
)
def test_other_measures_are_found_again(evaluated, measure):
    folder, rows = evaluated
    made = {"tiny": folder / "out" / "photos" / "tiny", "program": folder / "program"}
    for method, below in made.items():
        found = [
            artifacts(imread(folder / "photos" / f"Img_{k}_HR.png"), imread(path), 2)[measure]
            for k, path in enumerate(sorted(below.iterdir()))
        ]
        assert float(rows[method, measure]["mean"]) == pytest.approx(np.mean(found), rel=1e-3)


def test_drift_and_consistency_are_found_again(evaluated):
    folder, rows = evaluated
    drifts, errors = [], []
    for path in sorted((folder / "out" / "photos" / "tiny").iterdir()):
        lr, sr = imread(folder / "out" / "photos" / "lr" / path.name), imread(path)
        drifts.append(np.abs(sr.mean(axis=(0, 1)) - lr.mean(axis=(0, 1))).max())
        errors.append(peak_signal_noise_ratio(lr, halved(sr)))
    assert float(rows["tiny", "colour_drift"]["mean"]) == pytest.approx(np.mean(drifts), abs=1e-6)
    assert float(rows["tiny", "lr_psnr"]["mean"]) == pytest.approx(np.mean(errors), abs=1e-6)


def halved(image):
    """MATLAB's bicubic of half the size: 8 taps of the cubic kernel, rounded after each pass."""
    distance = np.abs(np.arange(-3.5, 4) / 2)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = np.where(distance <= 1, near, np.where(distance < 2, far, 0)) / 2
    for axis in (0, 1):
        filtered = ndimage.correlate1d(image.astype(float), taps, axis, mode="nearest", origin=-1)
        kept = filtered.take(np.arange(0, image.shape[axis], 2), axis)
        image = np.clip(np.floor(kept + 0.5), 0, 255).astype(np.uint8)
    return image


def test_the_correction_is_scipys_step_by_step(evaluated):
    folder, _ = evaluated
    stored = json.loads((folder / "out" / "evaluation.json").read_text())
    table = {(i["name"], i["method"]): i["scores"] for i in stored["images"]}
    names = sorted({name for name, _ in table})

    def p_value(row):
        measure = row["measure"]
        both = [[table[name, row[k]][measure] for name in names] for k in ("method", "other")]
        return stats.ttest_rel(*both).pvalue

    def is_main(row):
        return row["measure"] in ("psnr", "ssim", "lpips")

    for family in (True, False):
        rows = [row for row in stored["differences"] if is_main(row) == family]
        alone = np.array([p_value(row) for row in rows])
        order = np.argsort(alone)
        steps = np.maximum.accumulate(alone[order] * np.arange(len(alone), 0, -1))
        expected = np.empty_like(alone)
        expected[order] = np.minimum(steps, 1)
        np.testing.assert_allclose([row["p"] for row in rows], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("Set5", {"psnr": 28.43, "ssim": 0.8111, "lpips": 0.3398}),
        pytest.param(
            "Set14", {"psnr": 26.09, "ssim": 0.7048, "lpips": 0.4385}, marks=pytest.mark.slow
        ),
    ],
)
def test_bicubic_has_the_figures_of_papers(dataset, expected, shared_data, tmp_path, capsys):
    folder = shared_data / "benchmarks" / dataset
    arguments = ["--data", str(folder), "--model", "bicubic", "--json", "-o", str(tmp_path)]
    assert cli.main(["evaluate", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    means = found["summaries"][dataset]["means"]["bicubic"]
    assert {k: round(means[k], 2 if k == "psnr" else 4) for k in expected} == expected
    assert list(found["provenance"]["data"][dataset]["lr"]) == ["MATLAB's bicubic"]
