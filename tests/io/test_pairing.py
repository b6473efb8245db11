"""Files are matched by name, as programs name what they make."""

import pytest

from srgan.io import pairing


@pytest.fixture
def folder(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def test_names_are_paths_without_suffix(folder):
    found = pairing.names(folder("b.png", "a.JPG", "sub/c.webp", "notes.txt"))
    assert {name: path.name for name, path in found.items()} == {
        "a": "a.JPG",
        "b": "b.png",
        "sub/c": "c.webp",
    }


def test_two_files_of_one_name_are_refused(folder):
    with pytest.raises(ValueError, match=r"a\.jpg and .*a\.png have one name"):
        pairing.names(folder("a.jpg", "a.png"))


@pytest.mark.parametrize(
    "file",
    ["baby.webp", "babyx4.png", "baby_x4.png", "baby-out.jpg", "baby (2).png", "baby.SR.png"],
)
def test_a_result_may_add_something_to_the_name(folder, file):
    assert pairing.match(["baby"], folder(file, "other.png"))["baby"].name == file


@pytest.mark.parametrize("file", ["babyface.png", "baby2.png", "my_baby.png", "sub/baby.png"])
def test_another_word_is_another_name(folder, file):
    assert pairing.match(["baby"], folder(file)) == {}


def test_the_very_name_comes_first_and_belongs_to_one_alone(folder):
    made = folder("img.png", "img_1.png", "img_1_x4.png")
    assert {k: v.name for k, v in pairing.match(["img", "img_1"], made).items()} == {
        "img": "img.png",
        "img_1": "img_1.png",
    }
    (made / "img.png").unlink()
    # What is left for "img" is only what was made of "img_1".
    assert pairing.match(["img", "img_1"], made)["img_1"].name == "img_1.png"


def test_two_candidates_are_no_match(folder):
    assert pairing.match(["baby"], folder("baby_a.png", "baby_b.png")) == {}


def test_names_with_dots_and_brackets_are_taken_literally(folder):
    made = folder("a.b[1]_x4.png", "aXb1_x4.png")
    assert pairing.match(["a.b[1]"], made)["a.b[1]"].name == "a.b[1]_x4.png"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(NotADirectoryError, match="nowhere is not a folder"):
        pairing.match(["a"], tmp_path / "nowhere")


def test_partners_are_in_order_with_what_is_left_over(folder):
    made = folder("hr/b.png", "hr/a.png", "hr/c.png", "lr/bx4.png", "lr/a.png", "lr/z.png")
    paths = [made / "hr" / name for name in ("b.png", "c.png", "a.png")]
    assert pairing.partners(paths, made / "hr", made / "lr") == (
        [made / "lr" / "bx4.png", None, made / "lr" / "a.png"],
        [made / "lr" / "z.png"],
    )
