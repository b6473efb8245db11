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


SET5 = ["baby", "bird", "butterfly", "head", "woman"]


def matched(wanted, folder):
    return {name: path.stem for name, path in pairing.match(wanted, folder).files.items()}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["a", "a_1", "a_2"], ["a_out", "a_1_out", "a_2_out"]),
        (["img_001_SRF_4_HR", "img_002_SRF_4_HR"], ["img_001_SRF_4_LR", "img_002_SRF_4_LR"]),
        (["Canon_001_HR", "Canon_002_HR"], ["Canon_001_LR4", "Canon_002_LR4"]),
        (["Canon_001_HR", "Nikon_001_HR"], ["Canon_001_LR4", "Nikon_001_LR4"]),
        (SET5, [f"4x_{name}" for name in SET5]),
        (SET5, [f"{name}X4" for name in SET5]),
        (SET5, [f"{name}x4" for name in SET5]),
        (SET5, [name.upper() for name in SET5]),
        (SET5, [f"my results/{name}-SRGAN (2)" for name in SET5]),
        ([f"{name}_HR" for name in SET5], SET5),
        (["1", "2", "11", "12"], ["1_x4", "2_x4", "11_x4", "12_x4"]),
        (["größe_1", "größe_2"], ["GRÖßE_1-sr", "größe_2-sr"]),
        (["cat", "bat"], ["cat_out", "bat_out"]),
        (["0801", "0802"], ["0801x4m", "0802x4m"]),
        (["0", "1", "10"], ["0000", "0001", "0010"]),
        (["frame001", "frame012"], ["1_out", "12_out"]),
    ],
)
def test_names_pair_without_what_those_of_a_folder_share(folder, wanted, found):
    made = folder(*(f"{name}.png" for name in found))
    last = [name.rpartition("/")[2] for name in found]
    assert matched(wanted, made) == dict(zip(wanted, last, strict=True))


@pytest.mark.parametrize("file", ["babyface.png", "baby2.png", "the.png"])
def test_another_word_is_another_name(folder, file):
    assert matched(["baby"], folder(file)) == {}


def test_the_very_name_comes_first(folder):
    assert matched(["img", "img_1"], folder("img.png", "img_1.png", "img_1_x4.png")) == {
        "img": "img",
        "img_1": "img_1",
    }


def test_what_was_made_of_another_photo_is_not_taken(folder):
    # What is left for "img" is only what was made of "img_1".
    assert matched(["img", "img_1"], folder("img_1.png", "img_1_x4.png")) == {"img_1": "img_1"}


def test_some_results_are_paired_and_some_files_left_over(folder):
    found = pairing.match(SET5, folder("baby_sr.png", "head_sr.png", "notes.png"))
    assert {name: path.stem for name, path in found.files.items()} == {
        "baby": "baby_sr",
        "head": "head_sr",
    }
    assert [path.name for path in found.left_over] == ["notes.png"]
    assert "Without partner: bird, butterfly, woman (photos), notes.png (there)" in found.tried


def test_a_photos_number_is_not_taken_off(folder):
    numbers = [str(number) for number in range(1, 101)]
    assert matched(numbers, folder("frame_12_v1.png", "frame_12_v2.png")) == {}


def test_leading_zeros_tell_apart_where_nothing_else_does(folder):
    assert matched(["1", "01"], folder("1.png", "01.png")) == {"1": "1", "01": "01"}


def test_two_files_of_one_number_are_no_pair(folder):
    assert matched(["1", "2"], folder("1_a.png", "01_a.png", "2_a.png")) == {"2": "2_a"}


def test_numbers_are_not_cut(folder):
    made = folder("11_out.png", "12_out.png")
    assert matched(["1", "2", "11", "12"], made) == {"11": "11_out", "12": "12_out"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (SET5, [f"{name}_{way}" for name in SET5 for way in "ab"]),
        (["a", "a_1"], ["a_1_out"]),
        (["baby"], ["baby_a", "baby_b"]),
        (["a", "b"], ["x_a", "b_y"]),
    ],
)
def test_what_is_not_clear_is_refused(folder, wanted, found):
    with pytest.raises(ValueError, match=r"not clear which files .*\.png to .*, or .*--pairs"):
        pairing.match(wanted, folder(*(f"{name}.png" for name in found)))


def test_the_folders_habits_are_told_where_names_do_not_pair(folder):
    found = pairing.match(["a_HR", "b_HR", "c_HR"], folder("d_LR4.png", "e_LR4.png", "f_LR4.png"))
    assert found.files == {}
    assert 'without "..." and "..._hr" (photos), without "..." and "..._lr4" (there)' in found.tried


@pytest.fixture
def table(folder):
    made = folder("hr/a.png", "hr/b.png", "sr/7.png", "sr/8.png")

    def write(text):
        (made / "pairs.csv").write_text(text)
        return made / "pairs.csv"

    return write


def test_a_table_says_what_belongs_together(table):
    file = table("photo,file\nhr/a.png,sr/8.png\nhr/b.png,sr/7.png\n")
    pairs = pairing.read_pairs(file)
    photos = {name: file.parent / "hr" / f"{name}.png" for name in "ab"}
    found = pairing.listed(pairs, photos, file.parent / "sr")
    assert {name: path.name for name, path in found.files.items()} == {"a": "8.png", "b": "7.png"}
    assert pairing.listed(pairs, photos, file.parent / "hr") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", r"has the columns a, b; expected photo and file"),
        ("", r"has the columns nothing; expected photo and file"),
        ("photo,file\nhr/a.png,sr/9.png\n", r"line 2: there is no file .*9\.png"),
        ("photo,file\nhr/a.png\n", r"line 2: expected a photo and a file"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(table, text, message):
    with pytest.raises(ValueError, match=message):
        pairing.read_pairs(table(text))


def test_two_files_of_one_photo_in_a_table_are_refused(table):
    file = table("photo,file\nhr/a.png,sr/7.png\nhr/a.png,sr/8.png\n")
    photos = {"a": file.parent / "hr" / "a.png"}
    with pytest.raises(ValueError, match=r"has 2 files of a in .*7\.png and 8\.png"):
        pairing.listed(pairing.read_pairs(file), photos, file.parent / "sr")


@pytest.mark.parametrize("data", [b"photo,file\n\xff\xfe", "photo,file".encode("utf-16")])
def test_a_table_that_is_no_text_is_named(tmp_path, data):
    (tmp_path / "pairs.csv").write_bytes(data)
    with pytest.raises(ValueError, match=r"pairs\.csv is no table; expected CSV in UTF-8"):
        pairing.read_pairs(tmp_path / "pairs.csv")
    with pytest.raises(ValueError, match="is no table"):
        pairing.read_pairs(tmp_path)


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


def test_the_very_name_is_kept_beside_a_habit_of_the_others(folder):
    made = folder("baby.png", "bird_x4.png", "head_x4.png")
    assert matched(["baby", "bird", "head"], made) == {
        "baby": "baby",
        "bird": "bird_x4",
        "head": "head_x4",
    }


def test_a_photo_with_its_very_name_and_one_by_habit_is_refused(folder):
    made = folder("baby.png", "baby_out.png", "bird_out.png", "head_out.png")
    with pytest.raises(ValueError, match=r"Two files in .* the photo baby: baby and baby_out"):
        pairing.match(["baby", "bird", "head"], made)


def test_a_table_has_one_file_for_each_photo_and_no_file_twice(folder):
    made = folder("hr/a.png", "hr/b.png", "sr/one.png", "sr/two.png")
    photos = {name: made / "hr" / f"{name}.png" for name in "ab"}
    table = made / "pairs.csv"
    for rows, wrong in (
        ("hr/a.png,sr/one.png\nhr/a.png,sr/two.png", r"2 files of a in .*: one\.png and two\.png"),
        ("hr/a.png,sr/one.png\nhr/b.png,sr/one.png", r"has one\.png for a and for b"),
    ):
        table.write_text(f"photo,file\n{rows}\n")
        with pytest.raises(ValueError, match=wrong):
            pairing.listed(pairing.read_pairs(table), photos, made / "sr")


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    found = pairing.match(["a"], tmp_path)
    assert (found.files, found.left_over) == ({}, [])
    assert "has no pictures" in found.tried
