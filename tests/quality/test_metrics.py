"""Measures are checked by hand, against scikit-image and numpy, and against published scores."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from skimage import data, io
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import srgan
from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import color, resize
from srgan.quality import artifacts, brisque, ciede2000, metrics, niqe, protocols

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pair():
    """A photo of odd size and its bicubic x4 reconstruction."""
    hr = resize.crop_to_multiple(data.astronaut()[10:183, 150:347], 4)
    return hr, resize.upscale(resize.downscale(hr, 4), 4)


def constant(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)


# psnr


def test_psnr_of_black_and_white_is_that_of_the_range_of_luma():
    # Luma goes from 16 to 235 only.
    expected = 20 * np.log10(255 / 219)
    assert metrics.psnr(constant(0), constant(255)) == pytest.approx(expected)


def test_psnr_matches_skimage_on_luma(pair):
    expected = peak_signal_noise_ratio(*map(color.luma, pair), data_range=255)
    assert metrics.psnr(*pair) == pytest.approx(expected)


def test_psnr_matches_skimage_on_rgb(pair):
    expected = peak_signal_noise_ratio(*pair, data_range=255)
    assert metrics.psnr(*pair, colour="rgb") == pytest.approx(expected)


def test_psnr_of_equal_images_is_infinite(pair):
    assert metrics.psnr(pair[0], pair[0]) == float("inf")


@pytest.mark.parametrize("measure", [metrics.psnr, metrics.ssim])
def test_a_border_leaves_out_the_edges(measure, pair):
    hr, sr = pair
    framed = sr.copy()
    framed[:4] = framed[-4:] = 0
    framed[:, :4] = framed[:, -4:] = 0
    assert measure(hr, framed, border=4) == measure(hr, sr, border=4)
    assert measure(hr, framed, border=4) == measure(hr[4:-4, 4:-4], sr[4:-4, 4:-4])
    assert measure(hr, framed) < measure(hr, sr)


# ssim


def test_ssim_of_constants_is_the_luminance_term():
    black, white = 16, 235
    c1 = 2.55**2
    expected = (2 * black * white + c1) / (black**2 + white**2 + c1)
    assert metrics.ssim(constant(0), constant(255)) == pytest.approx(expected)


def test_ssim_matches_skimage_on_luma(pair):
    expected = structural_similarity(
        *map(color.luma, pair),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert metrics.ssim(*pair) == pytest.approx(expected, abs=1e-12)


def test_ssim_of_rgb_is_the_mean_of_the_channels(pair):
    # skimage's own mean over channels; it filters the edges too, which are left out here.
    _, similarity = structural_similarity(
        *pair,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    expected = similarity[5:-5, 5:-5].mean()
    assert metrics.ssim(*pair, colour="rgb") == pytest.approx(expected, abs=1e-9)


def test_the_ssim_of_the_paper_is_computed_by_hand_on_flat_images():
    # Variances are zero: (2 m m' + C1) / (m^2 + m'^2 + C1) everywhere, whatever the weights.
    low, high = 16 + 219 * 100 / 255, 16 + 219 * 150 / 255
    low, high = round(low), round(high)  # daala sees 8-bit lumas
    c1 = (0.01 * 255) ** 2
    expected = (2 * low * high + c1) / (low**2 + high**2 + c1)
    assert metrics.ssim_paper(constant(100), constant(150)) == pytest.approx(expected)


def test_ssim_of_equal_images_is_one(pair):
    assert metrics.ssim(pair[0], pair[0]) == pytest.approx(1)


# lpips


def convolve(x, kernel, bias, stride, padding):
    padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    windows = sliding_window_view(padded, kernel.shape[:2], axis=(0, 1))[::stride, ::stride]
    return np.einsum("yxcij,ijco->yxo", windows, kernel, optimize=True) + bias


def alexnet_features(image, arrays):
    """Unit-length features of the five layers for one uint8 image."""
    x = image.astype(np.float32) / 127.5 - 1
    x = (x - np.float32([-0.030, -0.088, -0.188])) / np.float32([0.458, 0.448, 0.450])
    for i, (stride, padding) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)], start=1):
        if i in (2, 3):
            x = sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(3, 4))
        x = convolve(x, arrays[f"conv{i}/kernel"], arrays[f"conv{i}/bias"], stride, padding)
        x = np.maximum(x, 0)
        yield x / (np.sqrt((x**2).sum(axis=-1, keepdims=True)) + 1e-10)


def lpips_in_numpy(hr, sr, arrays):
    layers = zip(alexnet_features(hr, arrays), alexnet_features(sr, arrays), strict=True)
    return sum(
        np.mean((a - b) ** 2 @ arrays[f"lin{i}"]) for i, (a, b) in enumerate(layers, start=1)
    )


def test_lpips_matches_numpy_in_float32(pair, shared_data):
    with np.load(shared_data / "weights" / "lpips_alex.npz", allow_pickle=False) as file:
        arrays = dict(file)
    odd = tuple(image[:101, :67] for image in pair)
    smallest = tuple(image[:31, :31] for image in pair)
    for hr, sr in (pair, odd, smallest):
        assert metrics.lpips(hr, sr) == pytest.approx(lpips_in_numpy(hr, sr, arrays), abs=1e-4)


def test_lpips_of_a_shipped_photo_stays_as_it_was(pair):
    # From `lpips_in_numpy` with the arrays the ONNX file is made from.
    assert metrics.lpips(*pair) == pytest.approx(0.374735, abs=1e-4)


def test_lpips_is_symmetric_and_zero_for_equal_images(pair):
    hr, sr = pair
    assert metrics.lpips(hr, hr) == 0
    assert metrics.lpips(hr, sr) == pytest.approx(metrics.lpips(sr, hr), rel=1e-5)


def test_lpips_grows_with_noise(pair):
    hr = pair[0].astype(float)
    noise = np.random.default_rng(0).standard_normal(hr.shape)
    distances = [
        metrics.lpips(pair[0], np.clip(hr + sigma * noise, 0, 255).astype(np.uint8))
        for sigma in (2, 8, 32)
    ]
    assert distances == sorted(distances)


def test_lpips_refuses_what_alexnet_cannot_see():
    with pytest.raises(ValueError, match="LPIPS needs 31x31 pixels; got 40x30"):
        metrics.lpips(constant(0, 30, 40), constant(0, 30, 40))


def test_the_lpips_file_is_what_its_tool_writes(shared_data, tmp_path):
    npz = shared_data / "weights" / "lpips_alex.npz"
    tool = ROOT / "tools" / "lpips_to_onnx.py"
    subprocess.run([sys.executable, tool, npz, tmp_path / "made.onnx"], check=True)
    shipped = ROOT / "src" / "srgan" / "weights" / "lpips-alex.onnx"
    assert (tmp_path / "made.onnx").read_bytes() == shipped.read_bytes()


def test_scores_of_equal_images_are_capped_so_that_means_are_finite(pair):
    hr, sr = pair
    lr = resize.downscale(hr, 4)
    same, other = metrics.score(hr, lr, hr, 4), metrics.score(hr, lr, sr, 4)
    assert (same.psnr, same.lr_psnr) == (metrics.PSNR_CAP, metrics.PSNR_CAP)
    assert metrics.mean([same, other]).psnr == pytest.approx((100 + other.psnr) / 2)


def test_a_mean_is_over_the_images_that_have_the_measure():
    blank = metrics.Scores(*[math.nan] * len(metrics.Scores._fields))
    mean = metrics.mean([blank._replace(psnr=30.0), blank._replace(psnr=32.0, grid=0.5), blank])
    assert (mean.psnr, mean.grid) == (31.0, 0.5)
    assert math.isnan(mean.ssim)
    assert math.isnan(metrics.mean([]).psnr)


# lr_psnr


def test_lr_psnr_of_an_image_that_shrinks_to_its_input_is_infinite(pair):
    hr, _ = pair
    assert metrics.lr_psnr(resize.downscale(hr, 4), hr) == float("inf")


def test_lr_psnr_is_taken_over_rgb():
    lr = constant(100, 8, 8)
    lr[:, :, 0] += 6  # the mean square over the channels is 12
    expected = 10 * np.log10(255**2 / 12)
    assert metrics.lr_psnr(lr, constant(100, 16, 16)) == pytest.approx(expected)


@pytest.mark.parametrize("size", [(31, 32), (32, 16), (4, 4)])
def test_lr_psnr_refuses_sizes_that_are_no_multiple(size):
    with pytest.raises(ValueError, match=r"one integer multiple of those of lr; got .* and 8x8"):
        metrics.lr_psnr(constant(0, 8, 8), constant(0, *size))


# 16 bits


def test_errors_below_one_grey_level_count_if_both_images_have_16_bits():
    hr = np.full((40, 40, 3), 30_000, np.uint16)
    sr = hr + np.uint16(64)  # a quarter of a level of 8 bits, about
    expected = 20 * np.log10(65535 / 64)
    assert metrics.psnr(hr, sr, colour="rgb") == pytest.approx(expected)
    assert metrics.lr_psnr(hr, sr.repeat(2, axis=0).repeat(2, axis=1)) == pytest.approx(expected)
    assert 0 < ciede2000.delta_e(hr, sr) < 0.2
    assert artifacts.colour_drift(hr, sr) == pytest.approx(64 / 257)


def test_16_bits_of_one_image_are_rounded_as_the_other_is(pair):
    hr, sr = pair
    hr = np.minimum(hr, 254)
    deep = (hr * np.uint16(257) + 100).astype(np.uint16)  # rounds to the same 8 bits
    np.testing.assert_array_equal(metrics.psnr(deep, sr), metrics.psnr(hr, sr))
    assert metrics.psnr(deep, hr) == float("inf")


def test_8_bits_in_16_score_as_they_do_in_8(pair):
    eight, sixteen = pair, [image.astype(np.uint16) * 257 for image in pair]
    for measure in (metrics.psnr, metrics.ssim, metrics.lpips, ciede2000.delta_e):
        assert measure(*sixteen) == pytest.approx(measure(*eight), rel=1e-6)
    assert artifacts.ringing(*sixteen, 4) == pytest.approx(artifacts.ringing(*eight, 4))


# score


def test_score_is_all_measures_by_the_protocol():
    hr = data.astronaut()[:200, 100:320]  # NIQE needs two blocks
    lr = resize.downscale(hr, 4)
    bicubic = resize.upscale(lr, 4)
    sr = np.roll(bicubic, 1, axis=0)
    assert metrics.score(hr, lr, sr, 4) == metrics.Scores(
        psnr=metrics.psnr(hr, sr, border=4),
        ssim=metrics.ssim(hr, sr, border=4),
        lpips=metrics.lpips(hr, sr),
        delta_e=ciede2000.delta_e(hr, sr),
        niqe=niqe.niqe(sr, border=4),
        brisque=brisque.brisque(sr, border=4),
        lr_psnr=metrics.lr_psnr(lr, sr),
        grid=artifacts.grid(sr, 4),
        checkerboard=artifacts.checkerboard(sr, 4),
        sharpness=artifacts.sharpness(hr, sr),
        sharpening=artifacts.sharpness(bicubic, sr),
        ringing=artifacts.ringing(hr, sr, 4),
        echo=artifacts.echo(hr, sr, 4),
        aliasing=artifacts.aliasing(hr, sr, 4),
        colour_drift=artifacts.colour_drift(lr, sr),
    )


@pytest.mark.parametrize(
    ("name", "psnr", "ssim"),
    [
        ("y-crop4", lambda *p: metrics.psnr(*p, 4), lambda *p: metrics.ssim(*p, 4)),
        ("y", metrics.psnr, metrics.ssim),
        ("rgb", lambda *p: metrics.psnr(*p, 0, "rgb"), lambda *p: metrics.ssim(*p, 0, "rgb")),
        (
            "rgb-crop7",
            lambda *p: metrics.psnr(*p, 7, "rgb"),
            lambda *p: metrics.ssim(*p, 7, "rgb"),
        ),
        ("srgan-paper", lambda *p: metrics.psnr(*p, 4), lambda *p: metrics.ssim_paper(*p, 4)),
    ],
)
def test_a_protocol_decides_on_colour_border_and_ssim(name, psnr, ssim, pair):
    by = protocols.protocol(name)
    assert by.name == name
    scores = metrics.score(pair[0], resize.downscale(pair[0], 4), pair[1], 4, by)
    assert scores.psnr == psnr(*pair)
    assert scores.ssim == ssim(*pair)


def test_the_default_protocol_leaves_out_as_many_pixels_as_the_scale():
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    lr = resize.downscale(image, 3)
    sr = resize.upscale(lr, 3)
    by_default = metrics.score(image, lr, sr, 3)
    assert by_default[:2] == metrics.score(image, lr, sr, 3, protocols.protocol("y-crop3"))[:2]


@pytest.mark.parametrize("name", ["", "y-crop", "Y-crop4", "ycbcr", "rgb-crop-1", "y-crop99999"])
def test_an_unknown_protocol_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"no protocol .*; expected y-crop4, rgb.* srgan-paper"):
        protocols.protocol(name)


def test_without_an_hr_image_only_what_needs_none_is_scored(pair):
    lr = resize.downscale(pair[0], 4)
    scores = metrics.score(None, lr, pair[1], 4)._asdict()
    known = {name for name, value in scores.items() if not np.isnan(value)}
    assert known == {
        *("brisque", "lr_psnr", "grid", "checkerboard", "sharpening", "colour_drift"),
    }  # too small for NIQE
    full = metrics.score(pair[0], lr, pair[1], 4)._asdict()
    assert all(scores[name] == full[name] for name in known)


@pytest.mark.parametrize(
    ("folder", "expected", "grid_of_hr"),
    [
        ("Set5", (28.43, 0.8111, 0.3398, 37.3, 0.43), 0.044),
        pytest.param("Set14", (26.09, 0.7048, 0.4385, 36.6, 0.46), 0.032, marks=pytest.mark.slow),
    ],
)
def test_bicubic_scores_are_those_of_the_protocol(folder, expected, grid_of_hr, shared_data):
    scores, grids = [], []
    for path in sorted((shared_data / "benchmarks" / folder / "HR").iterdir()):
        hr = io.imread(path)
        if hr.ndim == 2:  # Set14's bridge
            hr = np.repeat(hr[:, :, None], 3, axis=2)
        hr = resize.crop_to_multiple(hr, 4)
        lr = resize.downscale(hr, 4)
        scores.append(metrics.score(hr, lr, resize.upscale(lr, 4), 4))
        grids.append(artifacts.grid(hr, 4))
    means = metrics.Scores(*np.mean(scores, axis=0))
    found = (means.psnr, means.ssim, means.lpips, means.lr_psnr, means.grid)
    for mean, published in zip(found, expected, strict=False):
        digits = len(str(published).split(".")[1])
        assert round(mean, digits) == published
    assert round(np.mean(grids), 3) == grid_of_hr


@pytest.mark.parametrize(
    ("folder", "paper"),
    [("Set5", 0.8211), ("Set14", 0.7486)],  # bicubic in table 2 of Ledig et al.
)
def test_the_ssim_of_the_paper_is_that_of_its_bicubic_but_for_a_thousandth(
    folder, paper, shared_data
):
    scores = []
    for path in find_images(shared_data / "benchmarks" / folder / "HR"):
        hr = resize.crop_to_multiple(images.read_uint8(path), 4)
        scores.append(metrics.ssim_paper(hr, resize.upscale(resize.downscale(hr, 4), 4)))
    assert np.mean(scores) == pytest.approx(paper, abs=0.0012)


# all


@pytest.mark.parametrize("measure", [metrics.psnr, metrics.ssim, metrics.lpips])
def test_images_of_different_sizes_are_refused(measure):
    with pytest.raises(ValueError, match="must be of one size; got 32x32 and 32x40"):
        measure(constant(0), constant(0, height=40))


@pytest.mark.parametrize(("measure", "needed"), [(metrics.psnr, "1x1"), (metrics.ssim, "11x11")])
def test_a_border_that_leaves_too_little_is_refused(measure, needed):
    with pytest.raises(ValueError, match=f"border=16 must leave at least {needed} pixels"):
        measure(constant(0), constant(0), border=16)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((32, 32, 3), np.int32),
        np.zeros((32, 32), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
    ],
)
def test_anything_but_rgb_of_8_or_16_bits_or_float_is_refused(image):
    calls = (
        lambda: metrics.psnr(constant(0), image),
        lambda: metrics.ssim(image, image),
        lambda: metrics.lpips(image, image),
        lambda: metrics.lr_psnr(image, constant(0)),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"take RGB images .*; got "):
            call()


def test_importing_metrics_loads_no_engine():
    code = "import sys, srgan.quality.metrics\n"
    code += "assert not {'openvino', 'onnxruntime'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_read_and_upscaled_can_be_scored_as_it_is(tmp_path, tiny_model):
    photo = data.cat()[:64, :64]
    images.write(tmp_path / "hr.png", photo)
    lr = resize.downscale(photo, 2)
    model = srgan.load(tiny_model)
    hr, sr = srgan.read(tmp_path / "hr.png"), model(lr)
    rounded = model.upscale(lr, dtype=np.uint8)
    for measure in (srgan.psnr, srgan.ssim, srgan.lpips):
        assert measure(hr, sr) == measure(photo, rounded) == measure(hr, rounded)
