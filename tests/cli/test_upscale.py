"""`srgan upscale` names results by itself, and leaves out nothing in silence."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srgan import cli
from srgan.io import contents, images


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photos" / "photo.png"
    path.parent.mkdir()
    images.write(path, np.random.default_rng(0).random((12, 20, 3)))
    return path


@pytest.fixture
def fails(capsys):
    """Runs a command that must fail with exit code 2 and one line; returns that line."""

    def run(*arguments):
        assert cli.main([str(argument) for argument in arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return err

    return run


def test_without_a_place_the_result_goes_beside_the_photo(photo, tiny_model, capsys, fails):
    command = ["upscale", str(photo), "--model", str(tiny_model)]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == f"{photo.with_name('photo_x2.png')}\n"
    assert cli.main([*command, "--scale", "1.5", "--format", "jpg"]) == 0
    assert images.read(photo.with_name("photo_x1.5.jpg")).shape == (18, 30, 3)
    assert cli.main([*command, "--width", "30"]) == 0
    assert photo.with_name("photo_large.png").exists()
    capsys.readouterr()
    assert "photo_x2.png exists already" in fails(*command)
    assert "is a folder; name a folder for the results" in fails(
        "upscale", photo.parent, "--model", tiny_model
    )
    assert "name a file, as -o" in fails("upscale", "-", "--model", tiny_model)


@pytest.fixture
def moving(photo):
    """An animation of three frames, and a photo with a gain map."""
    frames = [Image.new("RGB", (8, 6), (shade, 0, 0)) for shade in (0, 90, 180)]
    frames[0].save(photo.with_name("moving.gif"), save_all=True, append_images=frames[1:])
    return photo.with_name("moving.gif")


def test_what_a_result_lacks_is_said_on_the_run_and_before(moving, tiny_model, tmp_path, capsys):
    note = "2 of its 3 pictures are left out: .png files hold one"
    command = ["upscale", moving, "-o", tmp_path / "a.png", "--model", tiny_model, "--overwrite"]
    command = [str(argument) for argument in command]
    for more in ([], ["--dry-run"]):
        assert cli.main([*command, *more]) == 0
        assert f"note: {moving}: {note}" in capsys.readouterr().err
        assert cli.main([*command, *more, "--json"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines[0]["notes"][0].startswith(note)
    assert cli.main([*command[:2], "-o", str(tmp_path / "a.webp"), *command[4:]]) == 0
    assert "note" not in capsys.readouterr().err


def test_through_pipes_what_a_result_lacks_is_said_too(
    moving, tiny_model, tmp_path, capfdbinary, monkeypatch
):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(moving.read_bytes())))
    command = ["upscale", "-", "-o", str(tmp_path / "a.png"), "--model", str(tiny_model)]
    assert cli.main(command) == 0
    assert b"note: stdin: 2 of its 3 pictures are left out" in capfdbinary.readouterr().err
    command = ["upscale", str(moving), "-o", "-", "--model", str(tiny_model), "--format", "same"]
    assert cli.main(command) == 0
    with Image.open(io.BytesIO(capfdbinary.readouterr().out)) as large:
        assert (large.format, large.n_frames) == ("GIF", 3)


def test_what_is_left_out_of_a_folder_is_named(photo, tiny_model, tmp_path, capsys):
    for name in ("a.svg", "b.txt"):
        photo.with_name(name).touch()
    photo.with_name("old.jxl").write_bytes(b"\xff\x0a" + bytes(20))
    try:
        photo.with_name("gone.png").symlink_to(photo.with_name("nowhere.png"))
    except OSError:
        pytest.skip("this file system has no links")
    command = ["upscale", photo.parent, "-o", tmp_path / "large", "--model", tiny_model]
    for more in (["--dry-run"], []):
        assert cli.main([str(argument) for argument in [*command, *more]]) == 1
        err = capsys.readouterr().err
        assert "old.jxl is a JPEG XL file, which is not read here" in err
        assert "by: djxl photo.jxl photo.png" in err
        assert f"note: 2 files not read, by the suffix: {photo.with_name('a.svg')}, " in err
        assert "left out: This is a link to a file that is not there: " in err
    for more in (["--dry-run"], []):
        arguments = [*command, "--json", "--overwrite", *more]
        assert cli.main([str(argument) for argument in arguments]) == 1
        last = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert [Path(path).name for path in last["others"]] == ["a.svg", "b.txt"]


def test_errors_of_the_system_name_the_file(photo, tiny_model, tmp_path, fails, monkeypatch):
    def fail(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setitem(contents.BY_KIND, "PNG", fail)
    error = fails("upscale", photo, "-o", tmp_path / "a.png", "--model", tiny_model)
    assert f"Invalid argument: {photo}. " in error
