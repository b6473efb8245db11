"""What is said of files that a download brought in place of another."""

import pytest

from srgan.io import images
from srgan.models import loading, state_dict

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 67040989\n"
PAGE = b"<!DOCTYPE html><html><body>Not found</body></html>"


@pytest.mark.parametrize(
    ("content", "advice"),
    [(POINTER, "fetch that with git lfs pull"), (PAGE, "download the file that the page offers")],
)
@pytest.mark.parametrize(
    ("name", "read"),
    [("a.png", images.read), ("a.onnx", loading.load), ("a.pth", state_dict.read_state_dict)],
)
def test_a_pointer_and_a_page_are_told_from_damage(tmp_path, name, read, content, advice):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=advice):
        read(tmp_path / name)
