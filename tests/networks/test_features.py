"""VGG features are checked against a convolution in numpy, and against keras.applications."""

import h5py
import keras
import numpy as np
import pytest

from srgan.networks import features
from srgan.networks.features import vgg

SHAPES = {
    "block1_conv1": (3, 3, 3, 64),
    "block1_conv2": (3, 3, 64, 64),
    "block2_conv1": (3, 3, 64, 128),
}

VGG16 = [(b, i) for b, count in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, count + 1)]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(features.WEIGHTS_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def arrays():
    """The first three convolutions, random but of the right shapes."""
    rng = np.random.default_rng(0)
    made = {}
    for layer, shape in SHAPES.items():
        spread = np.sqrt(2 / np.prod(shape[:3]))
        made[f"{layer}/kernel"] = (spread * rng.standard_normal(shape)).astype(np.float32)
        made[f"{layer}/bias"] = rng.standard_normal(shape[3]).astype(np.float32)
    return made


@pytest.fixture
def npz(arrays, tmp_path):
    np.savez(tmp_path / "vgg.npz", **arrays)
    return tmp_path / "vgg.npz"


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).random((1, 8, 9, 3), np.float32)


def convolve(x, arrays, layer):
    """Zero-padded 3x3 convolution of one image `(height, width, channels)`, by its definition."""
    kernel, bias = arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    return bias + sum(
        padded[dy : dy + height, dx : dx + width] @ kernel[dy, dx]
        for dy in range(3)
        for dx in range(3)
    )


def expected(image, arrays):
    """Features before the ReLU, computed by hand in float64."""
    bgr = 255 * image[0, :, :, ::-1].astype(np.float64) - (103.939, 116.779, 123.68)
    first = convolve(bgr, arrays, "block1_conv1")
    second = convolve(np.maximum(first, 0), arrays, "block1_conv2")
    rectified = np.maximum(second, 0)[:8, :8]  # the pooling leaves out an odd column
    pooled = rectified.reshape(4, 2, 4, 2, 64).max(axis=(1, 3))
    third = convolve(pooled, arrays, "block2_conv1")
    return dict(zip(SHAPES, (first, second, third), strict=True))


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_features_equal_a_convolution_in_numpy(name, npz, arrays, image):
    taps = vgg(name, list(SHAPES), weights=npz)(image)
    for layer, reference in expected(image, arrays).items():
        tap = taps[layer]
        assert tap.shape == (1, *reference.shape)
        np.testing.assert_allclose(tap[0], reference, rtol=1e-4, atol=1e-2)


def test_features_after_activation_are_rectified(npz, arrays, image):
    taps = vgg("vgg19", list(SHAPES), before_activation=False, weights=npz)(image)
    for layer, reference in expected(image, arrays).items():
        np.testing.assert_allclose(taps[layer][0], np.maximum(reference, 0), rtol=1e-4, atol=1e-2)


def test_taps_are_named_as_asked_for_in_keras_style_or_the_papers(npz, image):
    keras_style = vgg("vgg19", ["block1_conv1", "block2_conv1"], weights=npz)(image)
    papers = vgg("vgg19", ["conv2_1", "conv1_1"], weights=npz)(image)
    assert set(papers) == {"conv2_1", "conv1_1"}
    np.testing.assert_array_equal(keras_style["block1_conv1"], papers["conv1_1"])
    np.testing.assert_array_equal(keras_style["block2_conv1"], papers["conv2_1"])


def test_layers_behind_the_deepest_tap_do_not_exist(npz):
    names = [layer.name for layer in vgg("vgg19", ["conv1_1", "conv1_2"], weights=npz).layers]
    assert "block1_conv2" in names
    assert not [name for name in names if name.startswith(("block1_pool", "block2"))]


@pytest.mark.parametrize(("name", "last"), [("vgg16", "5_conv3"), ("vgg19", "5_conv4")])
def test_the_default_is_the_deepest_convolution(name, last, tmp_path):
    counts = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}[name]
    channels, made = 3, {}
    for block, count in enumerate(counts, start=1):
        filters = min(64 * 2 ** (block - 1), 512)
        for i in range(1, count + 1):
            made[f"block{block}_conv{i}/kernel"] = np.zeros((3, 3, channels, filters), np.float16)
            made[f"block{block}_conv{i}/bias"] = np.full(filters, i, np.float16)
            channels = filters
    np.savez(tmp_path / "zeros.npz", **made)
    model = vgg(name, weights=tmp_path / "zeros.npz")
    tap = model(np.zeros((1, 32, 48, 3), np.float32))[f"block{last}"]
    assert tap.shape == (1, 2, 3, 512)
    np.testing.assert_array_equal(tap, int(last[-1]))
    # The convolutions of Keras' networks without top.
    assert model.count_params() == {"vgg16": 14_714_688, "vgg19": 20_024_384}[name]


def test_nothing_is_trainable(npz):
    assert not vgg("vgg19", ["conv2_1"], weights=npz).trainable_weights


def test_the_mixed_policy_is_followed_except_by_the_preprocessing(npz, image):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = vgg("vgg19", ["conv1_1"], weights=npz)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("rescaling").compute_dtype == "float32"
    assert model(image)["conv1_1"].dtype == "bfloat16"


def test_a_saved_network_loads_without_custom_objects(npz, image, tmp_path):
    model = vgg("vgg19", ["conv1_2", "conv2_1"], weights=npz)
    model.save(tmp_path / "features.keras")
    loaded = keras.saving.load_model(tmp_path / "features.keras")
    keras.tree.map_structure(np.testing.assert_array_equal, model(image), loaded(image))


@pytest.mark.parametrize("names", [("{}_W_1:0", "{}_b_1:0"), ("{}/kernel:0", "{}/bias:0")])
def test_keras_h5_files_give_the_same_network(names, npz, arrays, image, tmp_path):
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        file.create_group("block1_pool")
        for layer in SHAPES:
            for part, name in zip(("kernel", "bias"), names, strict=True):
                file[f"{layer}/{name.format(layer)}"] = arrays[f"{layer}/{part}"]
    from_h5 = vgg("vgg19", ["conv2_1"], weights=tmp_path / "vgg.h5")(image)
    from_npz = vgg("vgg19", ["conv2_1"], weights=npz)(image)
    np.testing.assert_array_equal(from_h5["conv2_1"], from_npz["conv2_1"])


def test_the_environment_variable_names_the_file_and_the_argument_wins(
    npz, arrays, image, tmp_path, monkeypatch
):
    np.savez(tmp_path / "double.npz", **{key: 2 * value for key, value in arrays.items()})
    monkeypatch.setenv(features.WEIGHTS_VARIABLE, str(tmp_path / "double.npz"))
    doubled = vgg("vgg19", ["conv1_1"])(image)["conv1_1"]
    single = vgg("vgg19", ["conv1_1"], weights=npz)(image)["conv1_1"]
    np.testing.assert_allclose(doubled, 2 * single, rtol=1e-5)


def test_without_a_file_or_network_the_error_says_what_to_fetch(monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure")  # as Keras does

    monkeypatch.setattr(keras.utils, "get_file", fail)
    message = (
        r"(?s)URL fetch failure.*https://storage.googleapis.com/tensorflow/keras-applications/"
        r"vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 .*"
        r"--vgg-weights FILE.*SRGAN_VGG_WEIGHTS"
    )
    with pytest.raises(RuntimeError, match=message):
        vgg("vgg19")


def test_a_file_that_lacks_a_layer_is_refused(npz):
    message = r"vgg.npz has no block2_conv2/kernel, which vgg19 needs in shape \(3, 3, 128, 128\)"
    with pytest.raises(ValueError, match=message):
        vgg("vgg19", ["conv2_2"], weights=npz)


def test_a_file_of_wrong_shapes_is_refused(arrays, tmp_path):
    wrong = arrays | {"block1_conv2/bias": np.zeros(32)}
    np.savez(tmp_path / "wrong.npz", **wrong)
    message = r"block1_conv2/bias in shape \(32,\); vgg19 needs \(64,\)"
    with pytest.raises(ValueError, match=message):
        vgg("vgg19", ["conv2_1"], weights=tmp_path / "wrong.npz")


def test_vgg16_weights_are_refused_as_vgg19_s(arrays, tmp_path):
    whole = dict.fromkeys(f"block{b}_conv{i}/kernel" for b, i in VGG16)
    extra = {key: np.zeros(1, np.float32) for key in whole if key not in arrays}
    np.savez(tmp_path / "vgg16.npz", **(arrays | extra))
    with pytest.raises(ValueError, match=r"is not of vgg19: it lacks block3_conv4"):
        vgg("vgg19", ["conv2_1"], weights=tmp_path / "vgg16.npz")


def test_vgg19_weights_are_refused_as_vgg16_s(arrays, tmp_path):
    # All layers of VGG16 are found in such a file, in the right shapes.
    extra = arrays | {"block3_conv4/kernel": np.zeros((3, 3, 256, 256))}
    np.savez(tmp_path / "vgg19.npz", **extra)
    with pytest.raises(ValueError, match=r"is not of vgg16: it has block3_conv4/kernel"):
        vgg("vgg16", ["conv2_1"], weights=tmp_path / "vgg19.npz")


def test_a_pickled_file_is_refused_unread(tmp_path):
    np.savez(tmp_path / "evil.npz", **{"block1_conv1/kernel": np.array([object()])})
    with pytest.raises(ValueError, match=r"evil.npz cannot be read as VGG weights"):
        vgg("vgg19", ["conv1_1"], weights=tmp_path / "evil.npz")


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_a_broken_file_is_refused(suffix, tmp_path):
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"broken.* cannot be read as VGG weights"):
        vgg("vgg19", ["conv1_1"], weights=path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file of VGG weights at .*absent.npz"):
        vgg("vgg19", ["conv1_1"], weights=tmp_path / "absent.npz")


@pytest.mark.parametrize("layers", [["conv5_5"], ["block5_pool"], []])
def test_an_unknown_layer_is_refused(layers, npz):
    with pytest.raises(ValueError, match=r"convolutions of vgg19, block1_conv1 to block5_conv4"):
        vgg("vgg19", layers, weights=npz)


def test_an_unknown_network_is_refused(npz):
    with pytest.raises(ValueError, match="got 'vgg11'"):
        vgg("vgg11", weights=npz)


def test_vgg16_agrees_with_keras_applications(shared_data, image):
    path = shared_data / "weights" / "vgg16_imagenet_notop.npz"
    taps = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"]
    reference = keras.applications.VGG16(weights=None, include_top=False)
    with np.load(path, allow_pickle=False) as arrays:
        for layer in reference.layers:
            if layer.weights:
                name = layer.name
                layer.set_weights([arrays[f"{name}/kernel"], arrays[f"{name}/bias"]])
    reference = keras.Model(reference.input, [reference.get_layer(tap).output for tap in taps])

    hr = np.random.default_rng(2).random((2, 37, 50, 3), np.float32)
    prepared = keras.applications.vgg16.preprocess_input(255 * hr)
    ours = vgg("vgg16", taps, before_activation=False, weights=path)(hr)
    for tap, other in zip(taps, reference(prepared), strict=True):
        np.testing.assert_allclose(ours[tap], other, rtol=1e-3, atol=1e-3 * np.max(other))
