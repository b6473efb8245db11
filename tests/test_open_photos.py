"""The tool that brings listed photos does so from a real repository, and leaves nothing half."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from srgan.io import images

TOOL = Path(__file__).parent.parent / "tools" / "open_photos.py"
LIST = TOOL.parent.parent / "docs" / "open-photos.csv"

pytestmark = pytest.mark.skipif(
    not (TOOL.exists() and shutil.which("git")), reason="needs git, and a clone of the project"
)


@pytest.fixture
def bring(tmp_path):
    """Runs the tool with rows of a list; pictures are those of a repository in a folder."""
    source = tmp_path / "github" / "someone" / "photos"
    source.mkdir(parents=True)
    images.write(source / "a photo.jpg", data.astronaut()[:300, :200])
    images.write(source / "drawn.png", data.chelsea()[:90, :70])

    def git(*arguments):
        who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
        command = ["git", "-C", source, *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    for key in ("uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"):
        git("config", key, "true")
    git("add", ".")
    git("commit", "--quiet", "-m", "photos")
    commit = git("rev-parse", "HEAD")
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "file://{tmp_path}/github/"]\ninsteadOf = https://github.com/\n')
    environment = os.environ | {"GIT_CONFIG_GLOBAL": str(config)}

    def run(*rows):
        with open(tmp_path / "list.csv", "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["name", "repository", "commit", "path", "author", "licence"])
            for name, path in rows:
                writer.writerow([name, "someone/photos", commit, path, "Someone", "CC0-1.0"])
        command = [sys.executable, TOOL, tmp_path / "list.csv", tmp_path / "brought"]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return run


def test_jpeg_is_scaled_down_and_png_kept(bring, tmp_path):
    done = bring(("one.png", "a photo.jpg"), ("two.png", "drawn.png"))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "brought").iterdir()) == ["one.png", "two.png"]
    assert images.read(tmp_path / "brought" / "one.png").shape == (240, 160, 3)
    kept = images.read_uint8(tmp_path / "brought" / "two.png")
    np.testing.assert_array_equal(kept, data.chelsea()[:90, :70])


def test_what_is_there_is_left_alone_and_what_is_missing_is_an_error(bring, tmp_path):
    assert bring(("one.png", "a photo.jpg")).returncode == 0
    file = tmp_path / "brought" / "one.png"
    before = file.stat().st_mtime_ns
    done = bring(("one.png", "a photo.jpg"), ("two.png", "elsewhere.png"))
    assert done.returncode != 0
    assert "elsewhere.png" in done.stderr
    assert file.stat().st_mtime_ns == before
    assert list((tmp_path / "brought").iterdir()) == [file]


def test_every_listed_photo_has_a_name_of_its_own_a_whole_commit_and_a_licence():
    with open(LIST, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["name"] for row in rows}) == len(rows) == 480
    assert len({(row["repository"], row["path"]) for row in rows}) == len(rows)
    for row in rows:
        assert len(row["commit"]) == 40
        assert row["licence"]
        assert row["name"] == Path(row["name"]).name
        assert row["name"].endswith(".png")
