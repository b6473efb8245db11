"""The commands of the tutorials do what the text says, on a few small photos and in a few steps."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

import srgan
from srgan import cli
from srgan.io import images

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"


def commands(name):
    """The command lines of a tutorial, in order."""
    blocks = re.findall(r"^```\n(.*?)^```", (TUTORIALS / name).read_text("utf-8"), re.S | re.M)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.mark.long
@pytest.mark.slow
def test_a_large_model_teaches_a_small_one(
    photo_folder, vgg_file, tiny, tiny_model, tmp_path, monkeypatch
):
    from srgan.train import config, config_file
    from srgan.train.recipes import RECIPES

    small = tiny.model_copy(
        update={
            "scale": 2,
            "projection": 0,
            "degradation": config.Degradation(versions=2),
            "teacher": config.Teacher(model="srgan-x2", crops=3, side=32, perceptual=0.5),
            "pretrain": tiny.pretrain.model_copy(update={"hr_patch": 32}),
            "adversarial": tiny.adversarial.model_copy(update={"hr_patch": 32, "window": 32}),
        }
    )
    monkeypatch.setitem(RECIPES, "distil", small)
    monkeypatch.setenv("SRGAN_VGG_WEIGHTS", str(vgg_file))
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "sharp", "photos-to-enlarge"):
        shutil.copytree(photo_folder, folder)
    images.write("photo.jpg", images.read("photos/00.png"))
    shutil.copy(tiny_model, "x4plus.onnx")

    ran = []
    for program, command, *arguments in commands("distil.md"):
        assert program == "srgan"
        if command == "recipes":
            Path(arguments[-1]).write_text(_printed(arguments[0]))
        elif "--resume" not in arguments and command not in ("serve", "convert"):
            if command == "train" and "--config" in arguments:  # the same once more
                arguments[arguments.index("-o") + 1] = "runs/again"
            code = cli.main([command, *arguments])
            assert code == (1 if command == "check" else 0), command  # two crops of one photo
            ran.append(command)
    assert " ".join(ran) == "upscale check train train degrade evaluate upscale export"
    found = config_file.read(Path("runs/small/config.toml"))
    assert found.teacher.model == "x4plus.onnx"
    assert found.teacher.crops == 3
    assert "teacher" in srgan.load("runs/small/model.onnx").metadata.licence
    assert len(list(Path("large").glob("*.png"))) == 9
    assert list(Path("phone").glob("*.tflite"))
    assert Path("report.html").exists()


@pytest.mark.long
@pytest.mark.slow
def test_a_model_learns_from_a_few_pictures(photo_folder, vgg_file, tiny, tmp_path, monkeypatch):
    from srgan.train.recipes import RECIPES

    learned = tiny.model_copy(update={"generator": RECIPES["own-x4"].generator})
    monkeypatch.setitem(RECIPES, "own-x4", learned)
    monkeypatch.setenv("SRGAN_VGG_WEIGHTS", str(vgg_file))
    monkeypatch.chdir(tmp_path)
    for folder in ("pages", "held-out", "KODAK24"):
        shutil.copytree(photo_folder, folder)
    for file in sorted(Path("pages").iterdir())[:3]:
        file.unlink()
    for file in sorted(Path("held-out").iterdir())[3:]:
        file.unlink()

    ran = []
    for program, command, *arguments in commands("transfer.md"):
        assert program == "srgan"
        # A schedule of a few steps, in place of one for a quarter of an hour.
        short = [word for word in arguments if ".steps=" not in word and "warmup" not in word]
        code = cli.main([command, *_without_empty_options(short)])
        assert code == (1 if command == "check" else 0), command  # crops of the same photos
        ran.append(command)
    assert " ".join(ran) == "check plan train diagnose evaluate evaluate"
    assert srgan.load("runs/pages/model.onnx").scale == 4
    assert "srgan-x4" in Path("report.html").read_text()


def _without_empty_options(arguments):
    """The arguments without each --set whose value was taken out."""
    following = [*arguments[1:], "--"]
    return [
        word
        for word, after in zip(arguments, following, strict=True)
        if word != "--set" or not after.startswith("--")
    ]


def _printed(recipe):
    import tomli_w

    from srgan.train.recipes import RECIPES

    return tomli_w.dumps(RECIPES[recipe].model_dump(mode="json"))
