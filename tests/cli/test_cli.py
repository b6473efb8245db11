"""The command line does what its help says, and every mistake gets one clear line."""

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest

from srgan import cli
from srgan.io import images
from srgan.models import engines, loading
from srgan.quality import metrics
from srgan.train import config, config_file
from srgan.train.recipes import RECIPES
from srgan.upscaling import demo, manifest
from srgan.util import frameworks, resources
from srgan.verification import certificate, probes

COMMANDS = (
    *("upscale", "demo", "evaluate", "check", "train", "recipes", "models"),
    *("export", "verify", "plan", "diagnose", "runs"),
)
TINY = """
validate_every = 2
precision = "float32"
generator = {filters = 4, blocks = 1}
pretrain = {steps = 4, batch_size = 2, hr_patch = 32, warmup = 1}
adversarial = {steps = 0, hr_patch = 32, window = 32}
"""


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    images.write(path, np.random.default_rng(0).random((12, 20, 3)))
    return path


@pytest.fixture
def fails(capsys):
    """Runs a command that must fail with exit code 2 and one line; returns that line."""

    def run(*arguments, code=2):
        assert cli.main([str(argument) for argument in arguments]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return err

    return run


def start(*arguments):
    """Starts `srgan` as its own process, which hears Ctrl-C even if this one was told not to."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from srgan.cli import main; sys.exit(main())"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # whoever sets it hears TensorFlow
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


# help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_command_with_an_example(command, capsys):
    assert cli.main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: srgan {command}" in " ".join(out.split())
    if command != "train":
        assert "--json" in out


def test_without_arguments_there_is_help(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["enlarge"], "No such command 'enlarge'"),
        (["upscale"], "Missing argument"),
        (["upscale", "a.png", "-o", "b.png", "--tile", "0"], "--tile"),
        (["upscale", "a.png", "-o", "b.png", "--engine", "tea"], "'onnxruntime', 'openvino'"),
    ],
)
def test_bad_usage_points_to_the_help(arguments, expected, fails):
    error = fails(*arguments)
    assert expected in error
    assert "--help" in error


# upscale


def test_upscale_writes_what_the_model_makes(photo, tiny_model, tmp_path, capsys):
    large = tmp_path / "new" / "large.png"
    assert cli.main(["upscale", str(photo), "-o", str(large), "--model", str(tiny_model)]) == 0
    assert capsys.readouterr().out == f"{large}\n"
    expected = loading.load(tiny_model).upscale(images.read(photo), dtype=np.uint8)
    np.testing.assert_array_equal(images.read_uint8(large), expected)


def test_upscale_interpolates_a_gan_model(photo, make_model, tmp_path, capsys):
    (tmp_path / "soft.onnx").write_bytes(make_model(gain=0.5).read_bytes())
    sharp = tmp_path / "sharp.onnx"
    sharp.write_bytes(make_model(gain=2.0, psnr_model="soft").read_bytes())
    large = tmp_path / "large.png"
    base = ["upscale", str(photo), "-o", str(large), "--model"]
    assert cli.main([*base, str(sharp), "--realism", "0.25"]) == 0
    expected = loading.load(sharp, realism=0.25).upscale(images.read(photo), dtype=np.uint8)
    np.testing.assert_array_equal(images.read_uint8(large), expected)
    assert cli.main([*base, str(tmp_path / "soft.onnx"), "--realism", "0.5", "--overwrite"]) == 2
    assert "does not name the PSNR model" in capsys.readouterr().err


def test_upscale_takes_folders_tiles_and_the_other_engine(photo, tiny_model, tmp_path, capsys):
    pytest.importorskip("openvino")
    options = ["--model", tiny_model, "--engine", "openvino", "--tile", 16, "--json"]
    arguments = ["upscale", photo.parent, "-o", tmp_path / "large", *options]
    assert cli.main([str(argument) for argument in arguments]) == 0
    out, err = capsys.readouterr()
    done, summary = map(json.loads, out.splitlines())
    assert err == ""
    assert summary == {"model": "tiny", "done": 1, "failed": 0, "skipped": 0}
    assert done["input"] == str(photo)
    assert done["seconds"] > 0
    large = tmp_path / "large" / "photo.png"
    assert done["output"] == str(large)
    expected = loading.load(tiny_model).upscale(images.read(photo), dtype=np.uint8)
    difference = images.read_uint8(large).astype(int) - expected
    assert np.abs(difference).max() <= 1  # two engines round a value at the border differently


def names(folder):
    """The files in a folder, but for the manifest."""
    return sorted(path.name for path in folder.iterdir() if path.name != manifest.MANIFEST)


def test_a_folder_with_a_dot_is_meant_by_a_slash(photo, tiny_model, tmp_path):
    command = ["upscale", str(photo), "--model", str(tiny_model), "-o", f"{tmp_path}/v1.2/"]
    assert cli.main(command) == 0
    assert names(tmp_path / "v1.2") == ["photo.png"]


def test_a_folder_that_cannot_be_read_does_not_stop_the_others(
    photo, tiny_model, tmp_path, dig, capsys
):
    (photo.parent / "old").mkdir()
    dig(photo.parent / "old")
    large = tmp_path / "large"
    command = ["upscale", str(photo.parent), "-o", str(large), "--model", str(tiny_model)]
    assert cli.main([*command, "--dry-run"]) == 1
    said = capsys.readouterr()
    assert "1 photo, 0 there already" in said.out
    assert "left out: File name too long: " in said.err
    assert cli.main(command) == 1
    assert names(large) == ["photo.png"]
    assert "left out: File name too long: " in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (300, 2, 3)])
def test_upscale_takes_images_of_any_size(shape, tiny_model, tmp_path):
    images.write(tmp_path / "odd.png", np.zeros(shape))
    large = tmp_path / "large.png"
    arguments = ["upscale", tmp_path / "odd.png", "-o", large, "--model", tiny_model]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert images.read(large).shape == (2 * shape[0], 2 * shape[1], 3)


def test_one_bad_file_does_not_stop_the_others(photo, tiny_model, tmp_path, capsys):
    (photo.parent / "a-text.png").write_text("This is no image.")
    data = photo.read_bytes()
    (photo.parent / "cut.png").write_bytes(data[: len(data) // 2])
    large = tmp_path / "large"
    arguments = ["upscale", photo.parent, "-o", large, "--model", tiny_model]
    assert cli.main([str(argument) for argument in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == f"{large / 'photo.png'}\n"
    *errors, count = err.splitlines()
    text, cut = sorted(errors)
    assert "a-text.png is not an image" in text
    assert "cut.png is damaged or cut short" in cut
    assert count == "error: 2 of 3 photos could not be upscaled."
    assert names(large) == ["photo.png"]


def test_faults_of_the_model_name_the_photo(photo, make_model, tmp_path, capsys):
    images.write(tmp_path / "other.png", np.zeros((4, 4, 3)))
    arguments = ["upscale", photo, tmp_path / "other.png", "-o", tmp_path / "large"]
    model = make_model(gain=float("nan"))
    assert cli.main([str(argument) for argument in [*arguments, "--model", model]]) == 1
    *errors, _ = capsys.readouterr().err.splitlines()
    assert {error.partition(": The model")[0] for error in errors} == {
        f"error: {path}" for path in (photo, tmp_path / "other.png")
    }


def test_messages_do_not_command_the_terminal(tmp_path, tiny_model, fails):
    (tmp_path / "red\x1b[31m.png").write_bytes(b"text")
    error = fails("upscale", tmp_path, "-o", tmp_path / "a", "--model", tiny_model)
    assert "red?[31m.png is not an image" in error


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, file names are text")
def test_file_names_that_are_no_text_are_printed_byte_by_byte(photo, tiny_model, tmp_path):
    odd = photo.rename(photo.with_name("caf\udce9.png"))
    arguments = ["upscale", odd, "-o", tmp_path / "large", "--model", tiny_model]
    done = subprocess.run(
        [sys.executable, "-m", "srgan", *arguments],
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},  # as in a UTF-8 locale
        capture_output=True,
    )
    assert done.returncode == 0
    assert done.stdout.endswith(b"large/caf\xe9.png\n")


def test_a_full_disk_ends_the_work(photo, tiny_model, tmp_path, monkeypatch, capsys):
    photo.with_name("second.png").write_bytes(photo.read_bytes())
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(images.os, "fsync", lambda _: (_ for _ in ()).throw(full))
    large = tmp_path / "large"
    arguments = ["upscale", photo.parent, "-o", large, "--model", tiny_model]
    assert cli.main([str(argument) for argument in arguments]) == 1
    err = capsys.readouterr().err
    assert "No space left on device" in err
    assert "Free some space" in err
    assert "2 of 2 photos could not be upscaled" in err
    assert names(large) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"This is no image.", "bad.jpg is not an image"),
        (b"", "bad.jpg is empty"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "bad.jpg is damaged or cut short"),
        (None, "no file or folder"),
    ],
)
def test_a_bad_photo_alone_is_bad_input(content, expected, tiny_model, tmp_path, fails):
    bad, large = tmp_path / "bad.jpg", tmp_path / "large.png"
    if content is not None:
        bad.write_bytes(content)
    assert expected in fails("upscale", bad, "-o", large, "--model", tiny_model)
    assert not large.exists()


def test_a_folder_without_images_is_bad_input(tiny_model, tmp_path, fails):
    (tmp_path / "notes.txt").write_text("Nothing here.")
    assert "no images in" in fails("upscale", tmp_path, "-o", tmp_path / "x", "--model", tiny_model)
    assert not (tmp_path / "x").exists()


def test_an_output_that_exists_is_kept(photo, tiny_model, tmp_path, fails):
    large = tmp_path / "large.png"
    large.write_bytes(b"precious")
    command = ["upscale", photo, "-o", large, "--model", tiny_model]
    assert "--overwrite" in fails(*command)
    assert large.read_bytes() == b"precious"
    assert cli.main([*map(str, command), "--overwrite"]) == 0
    assert images.read(large).shape == (24, 40, 3)


def test_an_unknown_format_is_bad_input(photo, tiny_model, tmp_path, fails):
    error = fails("upscale", photo, "-o", tmp_path / "large.bmp", "--model", tiny_model)
    assert "'.bmp' names no known format" in error


def test_a_folder_that_cannot_be_made_is_bad_input(photo, tiny_model, fails):
    error = fails("upscale", photo, "-o", photo / "large.png", "--model", tiny_model)
    assert f"{photo}" in error


@pytest.mark.parametrize("content", [None, b"no model"])
def test_a_bad_model_is_named_before_a_folder_is_made(content, photo, tmp_path, fails):
    model = tmp_path / "model.onnx"
    if content:
        model.write_bytes(content)
    assert "model.onnx" in fails("upscale", photo, "-o", tmp_path / "new", "--model", model)
    assert not (tmp_path / "new").exists()


def test_a_missing_engine_says_what_to_install(photo, tiny_model, tmp_path, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    error = fails(
        *("upscale", photo, "-o", tmp_path / "x.png", "--model", tiny_model, "--engine", "openvino")
    )
    assert "pip install" in error


def test_ctrl_c_ends_with_130_and_whole_files(tiny_model, tmp_path):
    many, large = tmp_path / "many", tmp_path / "large"
    many.mkdir()
    for i in range(200):
        images.write(many / f"{i:03d}.png", np.zeros((64, 64, 3)))
    process = start("upscale", many, "-o", large, "--model", tiny_model)
    assert process.stdout is not None
    process.stdout.readline()  # the first file is there
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "error: interrupted; every file that was written is complete.\n"
    assert 0 < len(names(large)) < 200
    for name in names(large):
        assert images.read(large / name).shape == (128, 128, 3)


def test_pictures_go_through_pipes(photo, tiny_model, tmp_path, capfdbinary, monkeypatch):
    def run(*arguments):
        with photo.open("rb") as file:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
            assert cli.main(["upscale", *arguments, "--model", str(tiny_model)]) == 0
        return capfdbinary.readouterr().out

    expected = loading.load(tiny_model).upscale(images.read(photo), dtype=np.uint8)
    for arguments in (("-", "-o", "-"), (str(photo), "-o", "-", "--format", "tif")):
        (tmp_path / "piped").write_bytes(run(*arguments))
        np.testing.assert_array_equal(images.read_uint8(tmp_path / "piped"), expected)
    assert run("-", "-o", str(tmp_path / "large.png")) == b""
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "large.png"), expected)


def test_an_unknown_format_for_a_pipe_is_named(photo, tiny_model, fails):
    error = fails("upscale", photo, "-o", "-", "--format", "bmp", "--model", tiny_model)
    assert "--format: Expected png, jpeg, webp, tiff, avif, gif or same; got 'bmp'." in error


def test_a_dry_run_goes_on_after_a_bad_file(photo, tiny_model, tmp_path, capsys):
    (photo.parent / "text.png").write_text("no image")
    arguments = ["upscale", photo.parent, "-o", tmp_path / "large", "--model", tiny_model]
    assert cli.main([*map(str, arguments), "--dry-run"]) == 1
    told = capsys.readouterr()
    assert "photo.png" in told.out
    assert "text.png is not an image" in told.err
    assert "error: 1 of 2 photos cannot be upscaled." in told.err


def test_a_pipe_may_be_tried_mapped_and_listed(photo, tmp_path, capfdbinary, monkeypatch):
    def run(*arguments):
        with photo.open("rb") as file:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
            arguments = ["upscale", "-", "-o", *arguments]
            assert cli.main([str(argument) for argument in arguments]) == 0
        return capfdbinary.readouterr().out.decode()

    large, drawn = tmp_path / "large.png", tmp_path / "map.png"
    assert run("-", "--dry-run").startswith(
        "stdin 20x12 -> stdout.png 80x48: srgan-x4, 1 tile, about "
    )
    assert run(large, "--dry-run").startswith(f"stdin 20x12 -> {large} 80x48: ")
    assert not large.exists()
    line = json.loads(run(large, "--json", "--error-map", drawn))
    assert (line["input"], line["output"]) == ("-", str(large))
    assert images.read(large).shape == (48, 80, 3)
    assert drawn.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-", "photo.png", "-o", "a.png"], "Only one picture goes through a pipe"),
        (["-", "-o", "."], "What comes from stdin has no name"),
        (["-", "-o", "folder"], "What comes from stdin has no name"),
        (["-", "-o", "a.bmp"], "names no known format"),
        (["-", "-o", "a.png", "--resume"], "not pipes"),
        (["photo.png", "-o", "-", "--json"], "Both the picture and --json would go to stdout"),
        (["-", "-o", "a.png"], "There is no stdin to read from"),
    ],
)
def test_pipes_that_cannot_be_are_refused(
    arguments, expected, photo, tiny_model, fails, monkeypatch
):
    monkeypatch.chdir(photo.parent)
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it where it is closed
    assert expected in fails("upscale", *arguments, "--model", tiny_model)
    assert names(photo.parent) == ["photo.png"]


def test_a_picture_is_not_printed_on_a_terminal(photo, tiny_model, monkeypatch, fails):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "stdout is no place for a picture now" in fails(
        "upscale", photo, "-o", "-", "--model", tiny_model
    )


def test_a_dry_run_says_what_it_would_need(photo, tiny_model, tmp_path, capsys):
    large = tmp_path / "large.png"
    arguments = ["upscale", photo, "-o", large, "--model", tiny_model, "--dry-run", "--width", 30]
    assert cli.main([str(argument) for argument in arguments]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        rf"{photo} 20x12 -> {large} 30x18: tiny, \d+ tiles, about \d+ s, \d+ MiB", line
    )
    assert total == "1 photo, 0 there already: 0 s"
    assert cli.main([str(argument) for argument in [*arguments, "--json"]]) == 0
    job = json.loads(capsys.readouterr().out)
    assert (job["width"], job["height"]) == (30, 18)
    assert job["tiles"] > 0
    assert job["bytes"] > 0
    assert not large.exists()


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (["--scale", "1.5"], (30, 18)),
        (["--width", "25"], (25, 15)),
        (["--height", "9"], (15, 9)),
        (["--fit", "100x20"], (33, 20)),
        (["--megapixels", "0.0006"], (32, 19)),
    ],
)
def test_a_result_has_the_size_asked_for(options, size, photo, tiny_model, tmp_path):
    large = tmp_path / "large.png"
    arguments = ["upscale", photo, "-o", large, "--model", tiny_model, *options]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert images.read(large).shape == (size[1], size[0], 3)


def test_the_default_model_is_the_one_for_the_scale_asked_for(photo, tmp_path, capsys):
    arguments = ["upscale", str(photo), "-o", f"{tmp_path}/", "--name", "{model}.png"]
    drawing = ["--error-map", str(tmp_path / "map.png")]
    for options in ([], ["--scale", "2"], ["--scale", "2", "--overwrite", *drawing]):
        assert cli.main([*arguments, *options]) == 0
    made = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert made == ["srgan-x4.png", "srgan-x2.png", "srgan-x2.png"]
    assert images.read(tmp_path / "map.png").shape[1] == 2 * 20


def test_of_several_sizes_the_smallest_counts(photo, tiny_model, tmp_path, fails, capsys):
    arguments = ["upscale", photo, "-o", tmp_path / "x.png", "--model", tiny_model]
    for sizes in (["--scale", 2, "--width", 10], ["--fit", "10x99", "--width", 30]):
        assert cli.main([str(one) for one in [*arguments, *sizes, "--overwrite"]]) == 0
        assert images.read(tmp_path / "x.png").shape == (6, 10, 3)
    capsys.readouterr()
    assert "width x height" in fails(*arguments, "--fit", "3")


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_run_is_resumed(tiny_model, tmp_path, after, capsys):
    many, large = tmp_path / "many", tmp_path / "large"
    many.mkdir()
    for i in range(60):
        images.write(many / f"{i:03d}.png", np.full((64, 64, 3), i, np.uint8))
    process = start("upscale", many, "-o", large, "--model", tiny_model)
    assert process.stdout is not None
    for _ in range(after):
        process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    before = {name: (large / name).stat().st_mtime_ns for name in names(large)}
    done = {name for name in before if not name.startswith(".")}
    assert after <= len(done) < 60
    arguments = ["upscale", str(many), "-o", str(large), "--model", str(tiny_model), "--resume"]
    assert cli.main(arguments) == 0
    assert names(large) == [f"{i:03d}.png" for i in range(60)]  # and nothing half-written
    again = [name for name in done if (large / name).stat().st_mtime_ns != before[name]]
    assert len(again) <= 4  # those that were ended but not noted when the kill came
    for i in range(60):
        assert images.read_uint8(large / f"{i:03d}.png").shape == (128, 128, 3)
    capsys.readouterr()
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 60


def test_a_photo_is_done_again_once_the_model_was_replaced(photo, tiny_model, tmp_path, capsys):
    model = tmp_path / "mine.onnx"
    for version in ("first", "second"):
        changed = onnx.load(tiny_model)
        changed.doc_string = version
        onnx.save(changed, model)
        for done in (1, 0):
            command = ["upscale", photo.parent, "-o", tmp_path / "large", "--model", model]
            assert cli.main([*map(str, command), "--resume", "--json"]) == 0
            assert json.loads(capsys.readouterr().out.splitlines()[-1])["done"] == done


def test_a_map_does_not_replace_the_photo(photo, tiny_model, tmp_path, fails):
    before = photo.read_bytes()
    arguments = ["-o", tmp_path / "large.png", "--error-map", photo, "--overwrite"]
    error = fails("upscale", photo, *arguments, "--model", tiny_model)
    assert f"The map cannot go to {photo}" in error
    assert photo.read_bytes() == before


def test_the_map_is_of_one_photo(photo, tiny_model, tmp_path, fails):
    photo.with_name("second.png").write_bytes(photo.read_bytes())
    arguments = ("upscale", photo.parent, "-o", tmp_path / "large", "--model", tiny_model)
    assert "draws one photo" in fails(*arguments, "--error-map", tmp_path / "map.png")


# faults


def test_only_debug_shows_a_traceback(tmp_path):
    command = ["upscale", tmp_path / "gone.png", "-o", tmp_path / "large.png"]
    plain, debug = start(*command), start(*command, "--debug")
    _, err = plain.communicate(timeout=60)
    assert plain.returncode == 2
    assert "Traceback" not in err
    _, err = debug.communicate(timeout=60)
    assert debug.returncode == 1
    assert "Traceback" in err


def test_a_fault_of_the_program_is_told_from_bad_input(photo, fails, monkeypatch):
    def broken(*_):
        raise KeyError("tile")

    monkeypatch.setattr(loading, "load", broken)
    assert "KeyError: 'tile'" in fails("upscale", photo, "-o", photo.with_suffix(".webp"), code=1)


# demo and models


@pytest.fixture
def two_shipped(make_model, tmp_path, monkeypatch):
    """As if this installation had two models; and one photo in the demo, for speed."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("srgan-psnr-x4", "srgan-x4"):
        (folder / f"{name}.onnx").write_bytes(make_model(name=name).read_bytes())
    for file in resources.WEIGHTS.iterdir():  # those of measures
        if not file.name.startswith("srgan-"):
            (folder / file.name).symlink_to(file)
    monkeypatch.setattr(resources, "WEIGHTS", folder)
    monkeypatch.setattr(demo, "_ZOOMS", {"cat": (0, 0)})


@pytest.mark.usefixtures("two_shipped")
def test_demo_prints_a_table_with_its_protocol(tmp_path, capsys):
    assert cli.main(["demo", "-o", str(tmp_path / "demo")]) == 0
    head, *rows, where = capsys.readouterr().out.splitlines()
    assert "PSNR-Y dB  SSIM-Y   LPIPS  LR-PSNR dB" in head
    assert "y-crop4" in head
    methods = ["nearest", "bicubic", "srgan-psnr-x4", "srgan-x4"]
    assert [row.split()[:2] for row in rows] == [
        [photo, method] for photo in ("cat", "mean") for method in methods
    ]
    assert Path(where.split()[-1]).is_file()


@pytest.mark.usefixtures("two_shipped")
def test_demo_as_json_has_every_score(tmp_path, capsys):
    assert cli.main(["demo", "-o", str(tmp_path / "demo"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 8
    assert list(rows[0]) == ["photo", "method", *metrics.Scores._fields]


def test_the_demo_without_models_says_so(tmp_path, fails, monkeypatch):
    monkeypatch.setattr(resources, "WEIGHTS", tmp_path)
    assert "no model 'srgan-psnr-x4'" in fails("demo", "-o", tmp_path / "demo")


@pytest.fixture
def two_sets(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for index in range(3):
            image = rng.integers(0, 256, (40, 44, 3), dtype=np.uint8)
            images.write(tmp_path / name / f"{index}.png", image)
    return [str(tmp_path / "one"), str(tmp_path / "two")]


def test_evaluate_prints_a_table_and_differences(two_sets, tiny_model, tmp_path, capsys):
    other = tmp_path / "program"
    other.mkdir()
    for index in range(3):
        images.write(other / f"{index}.png", np.full((40, 44, 3), 0.5))
    output = str(tmp_path / "out")
    arguments = ["evaluate", "--model", str(tiny_model), str(other), "--data", *two_sets]
    assert cli.main([*arguments, "-o", output]) == 0
    out = capsys.readouterr().out
    assert "Protocol y-crop2, x2" in out
    rows = [line.split()[:2] for line in out.splitlines()]
    assert "PSNR" in out
    for expected in (["one", "bicubic"], ["one", "tiny"], ["two", "tiny"], ["two", "program"]):
        assert expected in rows
    assert "Differences to tiny" in out
    assert "(too few photos to tell)" in out
    assert (tmp_path / "out" / "evaluation.json").exists()


def test_evaluate_as_json_has_every_score(two_sets, tiny_model, tmp_path, capsys):
    arguments = ["evaluate", "--model", str(tiny_model), "--json", "-o", str(tmp_path / "out")]
    assert cli.main([*arguments, "--data", two_sets[0], "--data", two_sets[1]]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["images"]) == 12
    assert found["summaries"]["one"]["means"]["tiny"]["psnr"] == pytest.approx(
        np.mean(
            [
                image["scores"]["psnr"]
                for image in found["images"]
                if (image["dataset"], image["method"]) == ("one", "tiny")
            ]
        )
    )


def test_evaluate_lists_what_it_could_not_score(two_sets, tiny_model, tmp_path, capsys):
    (tmp_path / "one" / "1.png").write_text("no image")
    arguments = ["evaluate", "--model", str(tiny_model), "--data", two_sets[0]]
    assert cli.main([*arguments, "-o", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert ["one", "tiny"] in [line.split()[:2] for line in out.splitlines()]
    assert "error: one/1, tiny: " in err
    assert "error: 2 of 6 results could not be scored." in err


def test_evaluate_refuses_what_makes_no_sense(two_sets, tiny_model, tmp_path, fails):
    base = ["evaluate", "--model", str(tiny_model), "-o", str(tmp_path / "out")]
    assert "nothing to score with" in fails(*base)
    assert "no protocol 'psnr'" in fails(*base, "--data", *two_sets, "--protocol", "psnr")
    assert "expected one --lr for each" in fails(*base, "--data", *two_sets, "--lr", two_sets[0])
    assert "Missing option '--model'" in fails("evaluate", "--data", two_sets[0])
    base += ["--data", two_sets[0]]
    assert "no method 'best'" in fails(*base, "--reference", "best")
    assert "--sheet needs --crops" in fails(*base, "--sheet", "a.png")
    assert "a.gif is no sheet" in fails(*base, "--sheet", "a.gif", "--crops", "0:0,0,8x8")
    assert "'0' is no window" in fails(*base, "--crops", "0")
    assert "no photo 9" in fails(*base, "--crops", "9:0,0,8x8")
    assert "The window 999x8 at 0,0 is not within" in fails(*base, "--crops", "0:0,0,999x8")
    assert not (tmp_path / "out" / "scores.jsonl").exists()  # nothing was scored before
    assert "There are no figures x9" in fails(*base, "--against", "x9")
    assert "pairs.csv" in fails(*base, "--pairs", str(tmp_path / "pairs.csv"))


def test_evaluate_draws_what_is_asked_for(two_sets, tiny_model, tmp_path, capsys):
    arguments = ["evaluate", "--model", "bicubic", str(tiny_model), "--data", two_sets[0]]
    arguments += ["-o", str(tmp_path / "out"), "--plane", str(tmp_path / "plane.svg")]
    arguments += ["--crops", "one/0:0,0,16x16", "2:8,4,16x16", "--against", "x4"]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "Differences to bicubic" in out
    assert "none of these datasets at x2" in out
    assert (tmp_path / "plane.svg").read_text().startswith("<svg")
    assert images.read_uint8(tmp_path / "out" / "crops.png").shape[0] > 400  # two rows
    assert cli.main(arguments) == 2
    assert "plane.svg exists already" in capsys.readouterr().err


def test_options_with_several_values_may_list_them():
    several = ["evaluate", "--data", "a", "b", "-o", "out", "--model", "c", "d", "--json"]
    assert cli._repeat(several) == [
        *["evaluate", "--data", "a", "--data", "b", "-o", "out"],
        *["--model", "c", "--model", "d", "--json"],
    ]
    single = ["upscale", "--model", "a.onnx", "photo.jpg", "-o", "out.png"]
    assert cli._repeat(single) == single


@pytest.mark.usefixtures("two_shipped")
def test_models_are_listed_with_what_each_is_for(capsys):
    assert cli.main(["models"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["model", "scale", "MB", "for"]
    assert [line.split()[:2] for line in lines] == [["srgan-x4", "2"], ["srgan-psnr-x4", "2"]]
    assert "the default for clean photos" in lines[0]


@pytest.mark.usefixtures("two_shipped")
def test_a_model_tells_its_licence_and_scores(capsys):
    assert cli.main(["models", "srgan-x4"]) == 0
    assert "licence: CC0\n" in capsys.readouterr().out
    assert cli.main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [metadata["name"] for metadata in listed] == ["srgan-x4", "srgan-psnr-x4"]


# recipes and train


def test_recipes_are_listed(capsys):
    assert cli.main(["recipes"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(RECIPES)
    assert cli.main(["recipes", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_printed_recipe_is_a_configuration_file(name, tmp_path, capsys):
    assert cli.main(["recipes", name]) == 0
    (tmp_path / "run.toml").write_text(capsys.readouterr().out)
    assert config_file.read(tmp_path / "run.toml") == RECIPES[name]


def test_an_unknown_recipe_is_answered_with_the_known_ones(fails):
    assert f"expected {' or '.join(RECIPES)}" in fails("recipes", "best").replace("\n", " ")
    assert "no recipe 'best'" in fails("train", "photos", "-o", "run", "--recipe", "best")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sede = 1", "sede"),
        ("[pretrain]\nhr_patch = 30", "pretrain.hr_patch=30 is not a multiple of scale=4"),
        ("seed = ", "not a TOML file"),
    ],
)
def test_a_bad_configuration_is_explained(line, expected, tmp_path, fails):
    file = tmp_path / "run.toml"
    file.write_text(line)
    assert expected in fails("train", "photos", "-o", tmp_path / "run", "--config", file)
    assert not (tmp_path / "run").exists()


def test_recipe_and_configuration_exclude_each_other(fails):
    command = ["train", "photos", "-o", "run", "--recipe", "srgan-paper-x4", "--config", "run.toml"]
    assert "srgan recipes srgan-paper-x4 > run.toml" in fails(*command)


@pytest.mark.parametrize("missing", ["tensorflow", "keras", "h5py"])
def test_without_the_extra_training_says_what_to_install(missing, fails, monkeypatch):
    monkeypatch.setattr(frameworks, "import_tensorflow", lambda: None)
    monkeypatch.delitem(sys.modules, "srgan.train.run", raising=False)
    monkeypatch.setitem(sys.modules, "srgan.train.run", None)

    def absent():
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(frameworks, "import_tensorflow", absent)
    error = fails("train", "photos", "-o", "run")
    assert missing in error
    assert 'pip install "srgan[train]"' in error


def test_without_the_extra_exporting_says_what_to_install(fails, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    error = fails("export", "srgan-x4", "--format", "tflite", "-o", tmp_path / "out")
    assert 'Exporting needs tensorflow, which is missing. Run: pip install "srgan[export]"' in error


@pytest.fixture
def trained(monkeypatch):
    """Replaces the training; returns what it is called with."""
    from srgan.train import run

    called = {}

    def train(photos, folder, settings, **options):
        called.update(photos=photos, folder=folder, settings=settings, **options)
        return folder / "model.onnx"

    monkeypatch.setattr(run, "train", train)
    return called


def test_train_passes_every_option_on(trained, capsys):
    options = ["--recipe", "srgan-paper-x4", "--validation", "v", "--lr-photos", "l", "--init", "i"]
    options += ["--cache", "c", "--vgg-weights", "w", "--generator", "g.keras"]
    assert cli.main(["train", "photos", "-o", "run", *options]) == 0
    assert capsys.readouterr().out == f"{Path('run', 'model.onnx')}\n"
    assert callable(trained.pop("progress"))
    assert trained == {
        "photos": Path("photos"),
        "folder": Path("run"),
        "settings": RECIPES["srgan-paper-x4"],
        "validation": Path("v"),
        "lr_photos": Path("l"),
        "init": "i",
        "cache": Path("c"),
        "vgg_weights": Path("w"),
        "resume": False,
        "generator": Path("g.keras"),
    }


def test_values_are_set_on_top_of_a_recipe_and_a_teacher(trained):
    options = ["--recipe", "esrgan-paper-x4", "--teacher", "t.onnx"]
    options += ["--set", "pretrain.steps=7", "--set", "seed=3"]
    assert cli.main(["train", "photos", "-o", "run", *options]) == 0
    settings, recipe = trained["settings"], RECIPES["esrgan-paper-x4"]
    assert (settings.pretrain.steps, settings.seed, settings.teacher.model) == (7, 3, "t.onnx")
    assert settings.generator == recipe.generator


def test_a_sweep_trains_a_run_for_each_value_and_goes_on_with_those_begun(
    monkeypatch, tmp_path, capsys
):
    from srgan.train import run

    called = {}

    def train(photos, folder, settings, **options):
        called[folder.name] = settings.seed, options["resume"], options["cache"]
        (folder / "pretrain").mkdir(parents=True)
        (folder / "config.toml").write_text(f"seed = {settings.seed}")
        scores = f"step,rank,psnr,lpips,grid\n2,1,{20 + settings.seed},0.3,0.1\n"
        (folder / "pretrain" / "validation.csv").write_text(scores)
        return folder / "model.onnx"

    monkeypatch.setattr(run, "train", train)
    (tmp_path / "seed=2").mkdir()
    (tmp_path / "seed=2" / "config.toml").touch()
    assert cli.main(["train", "photos", "-o", str(tmp_path), "--sweep", "seed=1,2"]) == 0
    cache = tmp_path / "cache"
    assert called == {"seed=1": (1, False, cache), "seed=2": (2, True, cache)}
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert "<td>seed=2" in (tmp_path / "runs.html").read_text()
    drawn = (tmp_path / "plane.svg").read_text()
    assert "seed: Pareto front" in drawn
    assert ">1</text>" in drawn
    assert ">2</text>" in drawn


def test_a_value_that_is_set_by_a_misspelt_key_is_refused(fails):
    error = fails("train", "photos", "-o", "run", "--set", "pretrain.learningrate=1")
    assert "did you mean learning_rate?" in error


def test_a_run_is_resumed_with_its_own_configuration(trained, tmp_path):
    (tmp_path / "config.toml").write_text("seed = 7")
    assert cli.main(["train", "-o", str(tmp_path), "--resume"]) == 0
    assert trained["settings"] == config.Config(seed=7)
    assert trained["resume"]
    assert trained["photos"] is None


def test_a_new_run_without_photos_is_a_mistake(fails):
    assert "A new run needs photos" in fails("train", "-o", "run")


def test_a_stopped_run_tells_all_that_its_resumption_needs(monkeypatch, capsys):
    from srgan.train import run

    def stop(*inputs, **options):
        raise run.Interrupted("Stopped.")

    monkeypatch.setattr(run, "train", stop)
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "photos", "-o", "my run", "--generator", "net.keras"])
    assert ended.value.code == 130
    expected = "Continue with: srgan train --resume -o 'my run' --generator net.keras\n"
    assert capsys.readouterr().err.endswith(expected)


def test_the_default_recipe_is_the_compact_one(trained):
    assert cli.main(["train", "photos", "-o", "run"]) == 0
    assert trained["settings"] == RECIPES["residual-x4"]


@pytest.mark.slow
def test_photos_in_a_model_out_a_larger_photo(tmp_path):
    """The main job, as a user does it: train, press Ctrl-C, resume, upscale."""
    photos, run = tmp_path / "photos", tmp_path / "run"
    photos.mkdir()
    cat = images.read_uint8(resources.PHOTOS / "cat.webp")
    for i in range(12):
        images.write(photos / f"{i}.png", cat[10 * i : 10 * i + 96, 20 * i : 20 * i + 96])
    (photos / "text.png").write_text("This is no image.")
    (tmp_path / "run.toml").write_text(
        TINY.replace("steps = 4", "steps = 60").replace("= 2", "= 10", 1)
    )
    command = ["train", photos, "-o", run, "--config", tmp_path / "run.toml"]

    process = start(*command, "--json")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["stage"] == "pretrain":
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Stopped in pretrain at step" in err
    assert f"Continue with: srgan train --resume -o {run}\n" in err
    assert "Left out text.png" in err
    assert "cuda" not in err.lower()  # TensorFlow is silent

    process = start(*command, "--resume")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert out == f"{run / 'model.onnx'}\n"
    assert "pretrain 60/60" in err

    process = start("upscale", photos / "0.png", "-o", tmp_path, "--model", run / "model.onnx")
    assert process.communicate(timeout=60) == (f"{tmp_path / '0.png'}\n", "")
    assert images.read(tmp_path / "0.png").shape == (384, 384, 3)
    assert tomllib.loads((run / "config.toml").read_text())["pretrain"]["steps"] == 60


# export, verify


@pytest.fixture(scope="module")
def exported(tiny_model, tmp_path_factory):
    """A folder as `srgan export` leaves it, of a model that is its own reference."""
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    folder.mkdir()
    shutil.copy(tiny_model, folder)
    engine = engines.open_engine(tiny_model)
    batches = probes.make(2)
    results = {name: engine.run(lr) for name, lr in batches.items() if name != probes.TIMED}
    probes.write_reference(folder, batches, results)
    certificate.certify(folder, "tiny.onnx", "onnx", 60, {"keras": "3"})
    return folder


def test_verify_measures_again_and_says_so(exported, capsys):
    assert cli.main(["verify", str(exported / "tiny.onnx")]) == 0
    out = capsys.readouterr().out
    assert "onnx, against Keras; at least 60 dB on photos:" in out
    assert re.search(r"photos +100\.0 dB", out)
    assert out.endswith("tiny.onnx is as its certificate says.\n")
    assert cli.main(["verify", str(exported), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["certificate"]["measured"]["photos"] == printed["measured"]["photos"]


def test_verify_says_that_a_file_was_changed(exported, fails, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "copy")
    with (folder / "tiny.onnx").open("ab") as file:
        file.write(b"x")
    assert "was changed after its certificate was written" in fails("verify", folder)


def test_export_names_the_formats_and_how_a_size_is_written(fails, tmp_path):
    error = fails("export", "srgan-x4", "--format", "coreml", "-o", tmp_path / "out")
    assert "no format 'coreml'; expected one of onnx, onnx-fp16, savedmodel, tflite" in error
    command = ["export", "srgan-x4", "--format", "tflite", "-o", tmp_path / "out"]
    error = fails(*command, "--size", "big")
    assert "--size must be width x height, as in 320x180; got 'big'" in error


@pytest.mark.slow
def test_an_export_is_verified_and_runs(tmp_path, capsys):
    out = tmp_path / "out"
    command = ["export", "srgan-x4", "--format", "onnx-fp16", "-o", str(out)]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert "onnx-fp16, against Keras; at least 50 dB on photos" in printed
    assert f"{out / 'srgan-x4.onnx'}, " in printed
    digest = hashlib.sha256((out / "srgan-x4.onnx").read_bytes()).hexdigest()
    assert f"{digest}  srgan-x4.onnx" in printed
    assert cli.main(["verify", str(out)]) == 0
    lr = np.random.default_rng(0).random((12, 20, 3))
    images.write(tmp_path / "lr.png", lr)
    model = str(out / "srgan-x4.onnx")
    command = ["upscale", str(tmp_path / "lr.png"), "-o", str(tmp_path / "sr.png")]
    assert cli.main([*command, "--model", model]) == 0


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_without_the_extra_serving_says_what_to_install(missing):
    code = "import sys; sys.modules[sys.argv.pop()] = None\n"
    code += "from srgan.cli import main; main(['serve'])"
    done = subprocess.run([sys.executable, "-c", code, missing], capture_output=True, text=True)
    words = f'The service needs {missing}, which is missing. Run: pip install "srgan[serve]"'
    assert words in done.stderr


# names of version 0.1


def test_renamed_options_work_and_say_their_new_names(photo, tiny_model, tmp_path, capsys):
    command = ["upscale", str(photo), "--model", str(tiny_model), "--overwrite", "-o"]
    assert cli.main([*command, str(tmp_path / "new.png"), "--strip-metadata"]) == 0
    assert "note:" not in capsys.readouterr().err
    assert cli.main([*command, str(tmp_path / "old.png"), "--strip"]) == 0
    assert "note: --strip is now called --strip-metadata" in capsys.readouterr().err
    assert (tmp_path / "old.png").read_bytes() == (tmp_path / "new.png").read_bytes()


def test_renamed_recipes_are_found(capsys):
    assert cli.main(["recipes", "esrgan-paper-x4"]) == 0
    new = capsys.readouterr().out
    assert cli.main(["recipes", "esrgan-x4"]) == 0
    old = capsys.readouterr()
    assert old.out == new
    assert "note: The recipe esrgan-x4 is now called esrgan-paper-x4" in old.err


def test_a_format_names_the_files_of_a_folder(photo, tiny_model, tmp_path):
    command = ["upscale", str(photo), "-o", f"{tmp_path / 'out'}/", "--model", str(tiny_model)]
    assert cli.main([*command, "--format", "webp"]) == 0
    assert (tmp_path / "out" / "photo.webp").read_bytes()[8:12] == b"WEBP"


def test_a_dry_run_refuses_the_error_map_that_the_run_would(photo, tiny_model, tmp_path, fails):
    error = fails(
        *("upscale", photo, "-o", tmp_path / "large.png", "--model", tiny_model, "--dry-run"),
        *("--error-map", tmp_path / "map.png"),
    )
    assert "does not name the PSNR model" in error


def test_a_box_of_nothing_is_refused(photo, tmp_path, fails):
    error = fails("upscale", photo, "-o", tmp_path / "large.png", "--fit", "0x9")
    assert "expected width x height" in error


def test_a_folder_with_a_model_is_the_model_in_it(photo, tiny_model, tmp_path):
    for name in ("photos", "model"):
        (tmp_path / name).mkdir()
    shutil.copy(photo, tmp_path / "photos")
    shutil.copy(tiny_model, tmp_path / "model")
    arguments = ["evaluate", "--data", tmp_path / "photos", "-o", tmp_path / "scores"]
    assert cli.main([*map(str, arguments), "--model", str(tmp_path / "model")]) == 0
    found = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert "tiny" in json.dumps(found["summaries"])


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends the process there")
def test_sigterm_ends_a_command_with_whole_files(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    images.write(tmp_path / "photo.png", noise)
    command = [sys.executable, "-m", "srgan", "upscale", str(tmp_path / "photo.png")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*command, "-o", str(tmp_path / "large.png"), "--tile", "64"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not any(path.suffix == ".partial" for path in tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.terminate()
        assert "interrupted; every file that was written is complete." in process.stderr.read()
    assert process.returncode == 143
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
