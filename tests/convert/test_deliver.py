"""`srgan convert` writes what its source computes and says what it is, or nothing."""

import importlib.util
import json
import sys

import numpy as np
import onnx
import pytest

from srgan import cli
from srgan.convert import (
    credit,
    facts,
    memory,
    ncnn,
    ncnn_graph,
    onnx_file,
    torch_export,
    torch_worker,
)
from srgan.io import images
from srgan.models import engines, loading
from srgan.models.requirements import NO_REQUIREMENTS
from srgan.util import children
from srgan.verification import certificate, probes

VALUES = np.zeros((3, 3), np.float32)
needs_ncnn = pytest.mark.skipif(not importlib.util.find_spec("ncnn"), reason="needs ncnn")
needs_torch = pytest.mark.skipif(
    not (importlib.util.find_spec("torch") and importlib.util.find_spec("spandrel")),
    reason="needs torch and spandrel",
)


def fails(capsys, *arguments):
    """The error of a command that ends with exit code 2, in one line."""
    assert cli.main(["convert", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    return line


def test_a_network_of_ncnn_becomes_a_model(make_compact, tmp_path, capsys):
    path, compute = make_compact(half=True)
    out = tmp_path / "mine.onnx"
    assert cli.main(["convert", str(path), "-o", str(out), "--licence", "MIT", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["facts"]["architecture"] == "SRVGGNetCompact"
    model = loading.load(out)
    assert (model.scale, model.metadata.receptive_field) == (2, 4)
    assert model.metadata.licence == "MIT"
    assert model.metadata.author == "unknown"
    assert "6 channels" in model.metadata.architecture
    lr = np.random.default_rng(0).random((9, 13, 3)).astype(np.float32)
    expected = np.clip(compute(lr.transpose(2, 0, 1)).transpose(1, 2, 0), 0, 1)
    np.testing.assert_allclose(model.upscale(lr), expected, atol=1e-4)
    stored = {tensor.data_type for tensor in onnx.load(out).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in stored


def test_an_unknown_licence_is_said_at_once_and_on_each_use(make_compact, tmp_path, capsys):
    path, _ = make_compact()
    out = tmp_path / "mine.onnx"
    assert cli.main(["convert", str(path), "-o", str(out)]) == 0
    printed = capsys.readouterr()
    assert "licence: unknown" in printed.out
    assert "its licence is unknown" in printed.err
    images.write(tmp_path / "photo.png", np.full((8, 8, 3), 0.5))
    large = tmp_path / "large.png"
    assert (
        cli.main(["upscale", str(tmp_path / "photo.png"), "-o", str(large), "--model", str(out)])
        == 0
    )
    assert "author: unknown; licence: unknown" in capsys.readouterr().err
    assert cli.main(["models", str(out)]) == 0
    assert "licence: unknown" in capsys.readouterr().out


@needs_ncnn
def test_an_rrdbnet_computes_what_ncnn_does(make_rrdbnet, tmp_path):
    path, _ = make_rrdbnet()
    assert children.run("srgan.convert.ncnn_worker", path, tmp_path, 4).code == 0
    model, _ = ncnn_graph.to_onnx(ncnn.read(path))
    onnx.save(model, tmp_path / "net.onnx")
    engine = engines.open_engine(tmp_path / "net.onnx")
    reference, _ = probes.read_reference(tmp_path / probes.REFERENCE)
    assert len(reference) == 5
    for _, lr, expected in reference:
        np.testing.assert_allclose(np.clip(engine.run(lr), 0, 1), expected, atol=1e-4)


@needs_ncnn
def test_a_folder_gets_a_certificate_that_it_computes_what_ncnn_does(make_compact, tmp_path):
    path, _ = make_compact()
    out = tmp_path / "mine"
    assert cli.main(["convert", str(path), "-o", str(out), "--licence", "MIT"]) == 0
    issued, measured = certificate.verify(out)
    assert issued.source == "ncnn"
    assert measured.photos.psnr > 80
    assert "license: mit" in (out / "README.md").read_text()
    assert loading.load(out).metadata.name == "mine"  # the folder stands for the model in it


def test_the_card_beside_a_model_is_taken_and_has_to_fit(make_compact, tmp_path, capsys):
    path, _ = make_compact()
    card = {"scale": 2, "architecture": "compact", "license": "CC0-1.0", "author": "someone"}
    path.with_suffix(".json").write_text(json.dumps(card))
    out = tmp_path / "mine.onnx"
    assert cli.main(["convert", str(path), "-o", str(out)]) == 0
    assert loading.load(out).metadata.licence == "CC0-1.0"
    assert loading.load(out).metadata.author == "someone"
    path.with_suffix(".json").write_text(json.dumps(card | {"scale": 4}))
    capsys.readouterr()
    assert "enlarges 4 times" in fails(capsys, path, "-o", tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def test_nothing_is_written_on_error(make_compact, tmp_path, capsys):
    path, _ = make_compact()
    path.with_suffix(".bin").write_bytes(b"\0" * 100)
    before = sorted(tmp_path.iterdir())
    for out in ("mine.onnx", "mine"):
        assert "does not hold the weights" in fails(capsys, path, "-o", tmp_path / out)
    assert sorted(tmp_path.iterdir()) == before


def test_what_exists_is_kept(make_compact, tmp_path, capsys):
    path, _ = make_compact()
    out = tmp_path / "mine.onnx"
    out.write_bytes(b"precious")
    assert "exists already" in fails(capsys, path, "-o", out)
    assert out.read_bytes() == b"precious"
    assert cli.main(["convert", str(path), "-o", str(out), "--overwrite"]) == 0
    assert loading.load(out).scale == 2


def test_bad_files_are_refused_without_pytorch(written, tmp_path, capsys):
    run = b"cbuiltins\nopen\n" + written.pickled(("x", "w"), {}) + b"R"
    code = written.zipped(tmp_path / "code.pth", {"a": VALUES, "b": run})
    assert "could run code" in fails(capsys, code, "-o", tmp_path / "x.onnx")
    lying = written.safetensors(
        tmp_path / "lying.safetensors", {"a": VALUES}, a={"data_offsets": [0, 2**40]}
    )
    assert "cut short" in fails(capsys, lying, "-o", tmp_path / "x.onnx")
    assert "There is no model" in fails(capsys, tmp_path / "none.pth", "-o", tmp_path / "x.onnx")


def test_a_bin_file_of_pytorch_is_no_half_of_an_ncnn_network(written, tmp_path, capsys):
    path = written.zipped(
        tmp_path / "pytorch_model.bin", {"a": np.full((3, 3), np.nan, np.float32)}
    )
    assert "not numbers" in fails(capsys, path, "-o", tmp_path / "x.onnx")


def test_missing_packages_are_named(written, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    good = written.zipped(tmp_path / "a.pth", {"a": VALUES})
    line = fails(capsys, good, "-o", tmp_path / "x.onnx")
    assert line == (
        "error: Converting models of PyTorch needs torch, which is missing. "
        'Run: pip install "srgan[convert]"'
    )


@pytest.mark.parametrize("command", ["upscale", "models"])
def test_weights_given_as_a_model_name_the_command_that_converts(
    written, tmp_path, capsys, command
):
    path = written.zipped(tmp_path / "my model.pth", {"a": VALUES})
    photo = tmp_path / "photo.png"
    images.write(photo, np.full((8, 8, 3), 0.5))
    arguments = [str(photo), "-o", str(tmp_path / "out.png"), "--model", str(path)]
    assert cli.main([command, *(arguments if command == "upscale" else [str(path)])]) == 2
    assert f"srgan convert '{path}' -o 'my model.onnx'" in capsys.readouterr().err


def test_a_folder_without_one_model_is_no_model(tmp_path, tiny_model):
    with pytest.raises(FileNotFoundError, match="it has no ONNX file"):
        loading.load(tmp_path)
    (tmp_path / "a.onnx").write_bytes(tiny_model.read_bytes())
    assert loading.load(tmp_path).scale == 2
    (tmp_path / "b.onnx").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"it has a\.onnx, b\.onnx"):
        loading.load(tmp_path)
    (tmp_path / "model.onnx").write_bytes(tiny_model.read_bytes())
    assert loading.load(tmp_path).scale == 2


def test_sizes_that_a_model_says_it_takes_are_kept(make_model):
    path = make_model(
        architecture="made up", size_multiple="8", size_minimum="16", pixel_bytes="12345"
    )
    model = loading.load(path)
    assert model.requirements.padded(3, 17) == (16, 24)
    assert model.pixel_bytes == 12345
    assert "made up; author: ; licence: CC0" in model.specification
    assert model.upscale(np.zeros((3, 17, 3), np.float32)).shape == (6, 34, 3)


def test_a_model_whose_results_are_no_pictures_is_refused(make_compact, tmp_path, capsys):
    path, _ = make_compact(gain=50)
    assert "does not resemble it" in fails(capsys, path, "-o", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_a_model_of_zeros_is_refused(make_compact, tmp_path, capsys):
    path, _ = make_compact()
    path.with_suffix(".bin").write_bytes(bytes(path.with_suffix(".bin").stat().st_size))
    assert "nothing but zeros for weights" in fails(capsys, path, "-o", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize("suffix", [".tflite", ".xml", ".mlpackage", ".safetensors"])
def test_a_result_of_another_format_is_refused(make_compact, tmp_path, capsys, suffix):
    path, _ = make_compact()
    line = fails(capsys, path, "-o", tmp_path / f"mine{suffix}")
    assert "name it mine.onnx, or a folder" in line
    assert not (tmp_path / f"mine{suffix}").exists()


def test_a_folder_to_convert_is_told_what_is_in_it(make_compact, tmp_path, capsys):
    make_compact()
    assert "name one of net.param" in fails(capsys, tmp_path, "-o", tmp_path / "x.onnx")
    (tmp_path / "empty").mkdir()
    line = fails(capsys, tmp_path / "empty", "-o", tmp_path / "x.onnx")
    assert "a folder without a model: there is no file .safetensors, .pth" in line


def test_a_child_ends_when_what_listens_fails():
    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        children.run("this", on_line=stop)


def test_of_a_child_that_fails_the_last_complaint_is_known():
    ended = children.run("json.tool", "/nowhere")
    assert ended.code != 0
    assert "/nowhere" in ended.complaint


@pytest.fixture
def save_compact(tmp_path):
    """Writes random weights of an SRVGGNetCompact x2 as PyTorch does, and changes of them."""

    def save(name="net.pth", dtype="float32", **changes):
        import torch

        torch_worker.import_spandrel()
        from spandrel.architectures import Compact

        torch.manual_seed(0)
        net = Compact.Compact(num_feat=8, num_conv=2, upscale=2)
        state = net.state_dict()
        state["body.6.weight"] *= 0.1
        state = {key: value.to(getattr(torch, dtype)) for key, value in state.items()}
        net.load_state_dict({key: value.float() for key, value in state.items()})
        state = {key: value for key, value in (state | changes).items() if value is not None}
        torch.save({"params_ema": state}, tmp_path / name)

        def compute(lr):
            with torch.inference_mode():
                planes = torch.tensor(lr).permute(2, 0, 1)[None]
                return net(planes)[0].permute(1, 2, 0).numpy()

        return tmp_path / name, compute

    return save


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_weights_of_pytorch_become_a_model(save_compact, tmp_path, capsys, dtype):
    path, compute = save_compact(dtype=dtype)
    out = tmp_path / "mine"
    assert cli.main(["convert", str(path), "-o", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["facts"]["architecture"] == "SRVGGNetCompact"
    assert report["facts"]["precision"] == dtype
    model = loading.load(out)
    lr = np.random.default_rng(0).random((33, 17, 3)).astype(np.float32)
    np.testing.assert_allclose(model.upscale(lr), np.clip(compute(lr), 0, 1), atol=1e-4)
    issued, _ = certificate.verify(out)
    assert issued.source == "PyTorch"
    assert issued.measured.photos.psnr > 80


@needs_torch
@pytest.mark.slow
def test_weights_that_do_not_fit_are_named(save_compact, written, tmp_path, capsys):
    import torch

    out = tmp_path / "x.onnx"
    line = fails(capsys, save_compact(**{"body.2.bias": None})[0], "-o", out)
    assert "body.2.bias" in line
    line = fails(capsys, save_compact(**{"body.9.more": torch.zeros(3)})[0], "-o", out)
    assert "body.9" in line
    line = fails(capsys, save_compact(**{"body.6.weight": torch.zeros(48, 8, 3, 3)})[0], "-o", out)
    assert "48" in line
    other = written.zipped(
        tmp_path / "other.pth", {"layer.0.made_up": np.zeros((3, 3), np.float32)}
    )
    line = fails(capsys, other, "-o", out)
    assert "lacks a part of its weights: it has 1, from layer.0.made_up (3, 3)" in line
    near = {"conv_first.weight": np.zeros((64, 3, 3, 3), np.float32)}
    line = fails(capsys, written.zipped(tmp_path / "near.pth", near), "-o", out)
    assert "nearest is" in line
    path, _ = save_compact(**{"body.0.weight": None})
    assert "nearest is SRVGGNetCompact, of which it lacks body.0.weight" in fails(
        capsys, path, "-o", out
    )
    assert not out.exists()


@needs_torch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter, to whoever calls it
@pytest.mark.parametrize(("factor", "scale"), [(2, 2), (4, 1)])
def test_networks_that_begin_with_a_pixel_unshuffle_are_exact_in_tiles(tmp_path, factor, scale):
    import torch

    spandrel = torch_worker.import_spandrel()
    from spandrel.architectures import ESRGAN

    torch.manual_seed(0)
    sizes = {"in_nc": 3 * factor**2, "out_nc": 3, "num_blocks": 1, "num_filters": 8}
    net = ESRGAN.ESRGAN(scale=4, shuffle_factor=factor, **sizes)
    found = spandrel.ModelLoader().load_from_state_dict(net.state_dict())
    found.float().eval()
    path, network = tmp_path / "net.onnx", torch_export.network_of(found)
    requirements, _ = torch_export.write(found, network, path, lambda step: None)
    assert requirements.multiple % factor == 0
    network_facts = facts.NetworkFacts(
        **{"architecture": "ESRGAN", "scale": scale, "described": "", "precision": "float32"},
        **{"parameters": 0, "multiple": requirements.multiple, "minimum": requirements.minimum},
    )
    onnx_file.describe(path, network_facts, credit.Credit(), "")
    model = loading.load(path)
    lr = np.random.default_rng(0).random((403, 157, 3)).astype(np.float32)
    assert model.plan(403, 157, tile=16).tiles >= 12
    whole = model.upscale(lr, tile=512)
    assert whole.std() > 0.001
    np.testing.assert_allclose(model.upscale(lr, tile=16), whole, atol=1e-5)
    padded = np.pad(lr, ((0, -403 % 4), (0, -157 % 4), (0, 0)), "edge")[None]
    expected = network(padded)[0, : 403 * scale, : 157 * scale]
    np.testing.assert_allclose(whole, np.clip(expected, 0, 1), atol=1e-4)


@needs_torch
@pytest.mark.slow
def test_pytorch_gets_no_more_time_than_allowed(save_compact, tmp_path, capsys):
    path, _ = save_compact()
    line = fails(capsys, path, "-o", tmp_path / "x.onnx", "--minutes", "0.02")
    assert "more than 0.02 minutes of processor time" in line


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_memory_of_a_pixel_is_that_of_the_network_and_not_of_this_process(
    make_compact, tmp_path
):
    path, _ = make_compact(channels=64)
    model, _ = ncnn_graph.to_onnx(ncnn.read(path))
    onnx.save(model, tmp_path / "net.onnx")
    features = 4 * 64  # bytes of one layer's results; two are in use at once
    assert features < memory.measure(tmp_path / "net.onnx", NO_REQUIREMENTS) < 30 * features
