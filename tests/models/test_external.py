"""Models of other projects: every layout, type, range and size is found by trying, and tiled."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srgan import cli
from srgan.io import images
from srgan.models import catalogue, loading
from srgan.models.adapted import Values
from srgan.models.metadata import Metadata
from srgan.models.windows import Windowed
from srgan.numeric import resize
from srgan.upscaling.choice import Models

SCALE = 2


@pytest.fixture
def make(tmp_path):
    """Writes a x2 model that enlarges by repeated pixels, and adds a little of a 5x5 mean.

    Args of the returned function:
        first: Channels come first.
        channels: Of input and output.
        half: float16 in and out.
        taken, given: Factor and offset of the values, against [0, 1].
        size: Fixed height and width.
        multiple: Factor by which it scales down and up again inside.
        extra: Node kind in the middle.
        batched: There is a dimension for the batch.
        integer: uint8 in and out.
        last: Channels of the result come last, whatever those of the input do.
        turned: The result has blue first.
    """

    def write(
        first=True,
        channels=3,
        half=False,
        taken=(1.0, 0.0),
        given=(1.0, 0.0),
        size=("h", "w"),
        multiple=1,
        extra="Identity",
        batched=True,
        integer=False,
        last=False,
        turned=False,
    ):
        kind, dtype = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
        mean = np.zeros((channels, channels, 5, 5), dtype)
        mean[range(channels), range(channels)] = 0.2 / 25
        mean[range(channels), range(channels), 2, 2] += 0.8
        weights = {
            "mean": mean,
            "scales": np.array([1, 1, SCALE, SCALE], np.float32),
            "in_offset": np.array(taken[1], dtype),
            "in_factor": np.array(taken[0], dtype),
            "out_factor": np.array(given[0], dtype),
            "out_offset": np.array(given[1], dtype),
            "bias": np.full(channels, 0.02, dtype),  # without one, any range would do
        }
        nodes, x = [], "lr"

        def add(operation, *inputs, **attributes):
            nonlocal x
            target = f"t{len(nodes)}"
            nodes.append(helper.make_node(operation, [x, *inputs], [target], **attributes))
            x = target

        if integer:
            add("Cast", to=TensorProto.FLOAT)
        if not batched:
            weights["front"] = np.array([0])
            add("Unsqueeze", "front")
        if not first:
            add("Transpose", perm=[0, 3, 1, 2])
        add("Sub", "in_offset")
        add("Div", "in_factor")
        add("Conv", "mean", "bias", pads=[2, 2, 2, 2])
        if extra == "Attention":  # what a global average does to a picture is little, but global
            before = x
            add("GlobalAveragePool")
            add("Mul", "tiny")
            weights["tiny"] = np.array(0.01, dtype)
            add("Add", before)
        if multiple > 1:
            add("SpaceToDepth", blocksize=multiple)
            add("DepthToSpace", blocksize=multiple)
        add("Resize", "", "scales", mode="nearest")
        add("Mul", "out_factor")
        add("Add", "out_offset")
        if turned:
            weights["order"] = np.array([2, 1, 0])
            add("Gather", "order", axis=1)
        if last or not first:
            add("Transpose", perm=[0, 2, 3, 1])
        if not batched:
            add("Squeeze", "front")
        if integer:
            weights |= {"black": np.array(0, dtype), "white": np.array(255, dtype)}
            add("Round")
            add("Clip", "black", "white")
            add("Cast", to=TensorProto.UINT8)
            kind = TensorProto.UINT8
        shape = [1] * batched + ([channels, *size] if first else [*size, channels])
        graph = helper.make_graph(
            nodes,
            "foreign",
            [helper.make_tensor_value_info("lr", kind, shape)],
            [helper.make_tensor_value_info(x, kind, None)],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = tmp_path / "foreign.onnx"
        onnx.save(model, path)
        return path

    return write


@pytest.fixture
def lr():
    return resize.bicubic(np.random.default_rng(0).random((9, 12, 3), dtype=np.float32), 45, 61)[
        :, :, :
    ].clip(0, 1)


def expected(lr):
    """What the made model does, whole."""
    padded = np.pad(lr, [(2, 2), (2, 2), (0, 0)])
    height, width = lr.shape[:2]
    total = sum(padded[y : y + height, x : x + width] for y in range(5) for x in range(5))
    sr = (0.02 + 0.8 * lr + 0.2 / 25 * total).clip(0, 1)
    return sr.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("taken", "given"),
    [
        ((1.0, 0.0), (1.0, 0.0)),
        ((255.0, 0.0), (255.0, 0.0)),
        ((1.0, 0.0), (2.0, -1.0)),
        ((255.0, 0.0), (1.0, 0.0)),
    ],
)
def test_layout_and_ranges_are_found(make, lr, first, taken, given):
    model = loading.load(make(first=first, taken=taken, given=given))
    assert model.metadata.scale == SCALE
    assert model.metadata.consistency_rounds == 0
    np.testing.assert_allclose(model.upscale(lr, tile=16), expected(lr), atol=2e-5)


def test_what_was_found_is_said(make):
    model = loading.load(make(first=False, taken=(255.0, 0.0), given=(255.0, 0.0)))
    assert model.specification == (
        "x2, RGB, channels last, float32, takes 0..255, gives 0..255, halo 3"
    )


def test_half_precision_is_taken(make, lr):
    model = loading.load(make(half=True))
    assert "float16" in model.specification
    np.testing.assert_allclose(model.upscale(lr, tile=16), expected(lr), atol=2e-3)


def test_a_luma_model_leaves_colour_to_bicubic(make, lr):
    sr = loading.load(make(channels=1)).upscale(lr)
    weights = np.array([0.299, 0.587, 0.114])
    inside = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose((sr @ weights)[inside], (expected(lr) @ weights)[inside], atol=0.02)
    grey = np.repeat(lr[..., :1], 3, axis=2)
    np.testing.assert_allclose(
        loading.load(make(channels=1)).upscale(grey), expected(grey), atol=1e-5
    )


def test_a_model_of_one_size_is_fed_tiles_of_that_size(make, lr):
    model = loading.load(make(size=(24, 32)))
    assert model.requirements.fixed == (24, 32)
    found = model.upscale(lr)
    np.testing.assert_allclose(found[6:-6, 6:-6], expected(lr)[6:-6, 6:-6], atol=1e-5)
    assert model.upscale(lr[:5, :7]).shape == (10, 14, 3)  # smaller than the size


def test_sizes_are_padded_to_multiples_and_tiles_begin_at_them(make, lr):
    model = loading.load(make(multiple=4))
    assert model.requirements.multiple == 4
    whole = model.upscale(lr, tile=512)
    assert whole.shape == (90, 122, 3)
    np.testing.assert_allclose(model.upscale(lr, tile=16), whole, atol=1e-6)


def test_a_model_that_sees_everything_runs_whole(make, lr):
    model = loading.load(make(extra="Attention"))
    assert "GlobalAveragePool may mix" in model.requirements.whole.replace(" ()", "")
    assert "whole pictures only" in model.specification
    steps = []
    small = model.upscale(lr, tile=16, progress=lambda *state: steps.append(state))
    assert steps == [(1, 1)]
    np.testing.assert_array_equal(small, model.upscale(lr, tile=512))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("batched", [True, False])
def test_integers_with_and_without_a_batch_are_taken(make, lr, first, batched):
    ranges = {"taken": (255.0, 0.0), "given": (255.0, 0.0)}
    model = loading.load(make(first=first, batched=batched, integer=True, **ranges))
    assert "uint8, takes 0..255, gives 0..255" in model.specification
    difference = 255 * np.abs(model.upscale(lr, tile=16) - expected(lr))
    assert difference.max() <= 1.001  # of what was rounded twice


def test_a_result_may_have_its_channels_elsewhere_than_the_input(make, lr):
    model = loading.load(make(first=True, last=True))
    np.testing.assert_allclose(model.upscale(lr, tile=16), expected(lr), atol=2e-5)


@pytest.mark.parametrize(
    ("options", "near"), [({"extra": "Attention"}, 0.02), ({"size": (7, 6)}, 0.09)]
)
def test_windows_of_one_size_are_blended(make, lr, options, near):
    model = loading.load(make(**{"size": (24, 32)} | options))
    said = re.search(r"blended .* less than ([\d.]+) grey levels, on a photo", model.specification)
    assert 0 < float(said[1]) < 16
    whole = model.upscale(lr, tile=512)
    np.testing.assert_allclose(
        model.upscale(lr, tile=model.requirements.multiple), whole, atol=1e-6
    )
    np.testing.assert_allclose(whole[6:-6, 6:-6], expected(lr)[6:-6, 6:-6], atol=near)


def test_windows_of_what_sees_little_give_what_the_whole_gives(make, lr):
    engine = loading.load(make(size=(24, 32)))._engine
    windowed = Windowed(engine, (24, 32), SCALE)
    assert (windowed.step, windowed.reach) == (18, 36)
    picture = np.pad(lr, [(0, 9), (0, 11), (0, 0)])[None]
    found = windowed.run(picture)[0, :90, :122]
    # Beside a window's edge, half a kernel sees zeros; there a window has little weight.
    np.testing.assert_allclose(found[8:-8, 8:-8], expected(lr)[8:-8, 8:-8], atol=0.03)
    assert 0 < windowed.deviation(picture) < 16


@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_a_file_beside_the_model_says_what_cannot_be_tried(make, lr, order):
    path = make(taken=(2.0, -1.0), given=(2.0, -1.0))
    before = catalogue.sha256(path)
    path.with_suffix(".toml").write_text(f'range = "-1..1"\nchannels = "{order}"\n')
    assert catalogue.sha256(path) != before
    model = loading.load(path)
    assert f"{order.upper()}, channels first, float32, takes -1..1" in model.specification
    np.testing.assert_allclose(model.upscale(lr), expected(lr), atol=1e-5)


@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_options_say_what_cannot_be_tried_and_go_before_a_file(make, lr, order, tmp_path, capsys):
    path = make(taken=(2.0, -1.0), given=(2.0, -1.0))
    other = {"bgr": "rgb", "rgb": "bgr"}[order]
    path.with_suffix(".toml").write_text(f'range = "0..1"\nchannels = "{other}"\n')
    images.write(tmp_path / "lr.png", lr)
    arguments = ["upscale", str(tmp_path / "lr.png"), "--model", str(path)]
    assert cli.main([*arguments, "--model-range", "-1..1", "--model-channels", order]) == 0
    assert f"{order.upper()}, channels first, float32, takes -1..1" in capsys.readouterr().err


def test_options_for_values_are_refused_for_models_that_say_their_own(lr, tmp_path, capsys):
    images.write(tmp_path / "lr.png", lr)
    for model in ("srgan-fast-x4", "auto"):
        arguments = ["upscale", str(tmp_path / "lr.png"), "--model", model]
        assert cli.main([*arguments, "--model-range", "0..255"]) == 2
        assert "takes no --model-range" in capsys.readouterr().err


def test_a_folder_is_resumed_with_the_values_it_was_begun_with(make):
    path = str(make())
    plain, bgr = Models(path), Models(path, values=Values(channels="bgr"))
    assert plain.fingerprint != bgr.fingerprint
    assert plain.fingerprint == catalogue.fingerprint(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('range = "0..1023"', "has range = '0..1023'; expected of channels: rgb, bgr"),
        ("scale = 2", "has scale = 2; expected"),
        ("range = [", "is not a TOML file"),
        ('channels = ["rgb"]', "has channels = "),
    ],
)
def test_what_a_file_beside_the_model_gets_wrong_is_said(make, text, message):
    path = make()
    path.with_suffix(".toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        loading.load(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 4}, r"takes 1x4x\?x\?; expected a picture of 1 or 3 channels"),
        ({"given": (0.0, 0.3)}, "does not make a picture that resembles"),
        ({"given": (np.nan, 0.0)}, r"makes no numbers of a picture \(NaN\)"),
        ({"turned": True}, "another picture of a photo: red and blue are exchanged.*toml"),
        ({"given": (0.6, 0.2)}, "another picture of a photo: its colours move by .* contrast"),
    ],
)
def test_what_cannot_be_used_says_why(make, options, message):
    with pytest.raises(ValueError, match=message):
        loading.load(make(**options))


def test_a_model_that_does_not_enlarge_by_a_whole_factor_is_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("MaxPool", ["lr"], ["sr"], kernel_shape=[2, 2], strides=[2, 2])],
        "pool",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("sr", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "pool.onnx")
    with pytest.raises(ValueError, match="makes 32x32 of 64x64 pixels; expected one that is"):
        loading.load(tmp_path / "pool.onnx")


def test_it_takes_no_realism(make):
    with pytest.raises(ValueError, match="a model of another project"):
        loading.load(make(), realism=0.5)


def test_the_command_line_says_what_it_found(make, lr, tmp_path, capsys):
    images.write(tmp_path / "small.png", lr)
    arguments = ["upscale", str(tmp_path / "small.png"), "-o", str(tmp_path / "large.png")]
    assert cli.main([*arguments, "--model", str(make())]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'large.png'}\n"
    assert "foreign: x2, RGB, channels first, float32, takes 0..1" in err


@pytest.mark.parametrize(
    ("options", "takes"),
    [({"size": (24, 32)}, "32x24 pixels alone"), ({"extra": "Attention"}, "whole pictures")],
)
def test_a_tile_that_cannot_be_obeyed_is_said(make, lr, tmp_path, capsys, options, takes):
    images.write(tmp_path / "small.png", lr)
    arguments = ["upscale", str(tmp_path / "small.png"), "--tile", "16", "--dry-run"]
    assert cli.main([*arguments, "--model", str(make(**options))]) == 0
    assert f"--tile 16 has no effect: the model takes {takes}" in "".join(capsys.readouterr())


def test_a_converted_model_of_one_size_runs_in_windows_too(make, lr):
    path = make(first=False, size=(24, 24), extra="Attention")
    model = onnx.load(path)
    said = Metadata(
        name="converted",
        scale=SCALE,
        receptive_field=1024,
        consistency_rounds=0,
        training_data="unknown",
        licence="unknown",
        scores="",
        config_hash="",
        architecture="Attention",
        size_fixed=24,
    )
    helper.set_model_props(model, said.to_props())
    onnx.save(model, path)
    opened = loading.load(path)
    assert "Attention; author" in opened.specification
    assert "in windows of 24x24 blended" in opened.specification
    assert opened.requirements.multiple == 18
    whole = opened.upscale(lr, tile=512)
    np.testing.assert_allclose(opened.upscale(lr, tile=18), whole, atol=1e-6)
    np.testing.assert_allclose(whole[6:-6, 6:-6], expected(lr)[6:-6, 6:-6], atol=0.02)
