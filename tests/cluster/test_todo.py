"""No two pictures get one result, in a run or over several."""

import pytest

from srgan.cluster import owners
from srgan.cluster.manifest import Manifest
from srgan.cluster.owners import Owners
from srgan.cluster.places import place
from srgan.cluster.rows import Row
from srgan.cluster.sources import Item
from srgan.cluster.todo import Todo


def item(path, changed=1, **values):
    return Item(f"/photos/{path}", path, f"/photos/{path}", changed, **values)


def done(book, folder, source, output, **values):
    """Notes a result that is there."""
    (folder / output).write_bytes(b"result")
    book.note(Row(f"/photos/{source}", 1, output=output, output_bytes=6, **values))


@pytest.mark.parametrize(
    ("pattern", "output", "model"),
    [
        ("", "p.png", "m-x4"),
        ("{stem}-large", "p-large.png", "m-x4"),
        ("{stem}-{model}", "p-m-x4.webp", "m-x4"),
        ("all-{model}.tif", "all-m-x4.tif", "m-x4"),
    ],
)
def test_a_picture_that_comes_later_gets_no_result_of_another_one(tmp_path, pattern, output, model):
    large, settings = tmp_path / "large", {"name": pattern}
    book = Manifest(place(str(large)), settings)
    done(book, large, "p.png", output, model=model)
    book.flush()
    again = Todo(Manifest(place(str(large)), settings), pattern)
    row, other = again.of([item("p.jpg"), item("p.png"), item("q/p.jpg")])
    assert (row.source, row.status, again.skipped) == ("/photos/p.jpg", "failed", 1)
    assert "is there already, of another picture. Rename this one, or" in row.error
    assert other.place == "q/p.jpg"
    changed = Todo(Manifest(place(str(large)), settings), pattern)
    _, redone = changed.of([item("p.jpg"), item("p.png", changed=2)])
    assert redone == item("p.png", changed=2)


def test_suffixes_in_names_tell_pictures_apart(tmp_path):
    large, settings = tmp_path / "large", {"name": "{stem}-{ext}"}
    book = Manifest(place(str(large)), settings)
    done(book, large, "p.png", "p-png.png")
    book.flush()
    (other,) = Todo(Manifest(place(str(large)), settings), "{stem}-{ext}").of([item("p.jpg")])
    assert other == item("p.jpg")


def test_a_pattern_that_names_all_alike_makes_one_result(tmp_path):
    found = Todo(Manifest(place(str(tmp_path / "large")), {}), "large").of(
        [item("a.png"), item("b.png"), item("in/a.png")]
    )
    first, row, third = found
    assert (first.place, third.place) == ("a.png", "in/a.png")
    assert "Another picture becomes large, too." in row.error


def test_what_a_list_names_twice_is_done_once(tmp_path):
    todo = Todo(Manifest(place(str(tmp_path / "large")), {}), "")
    (found,) = todo.of([item("a.png", None), item("a.png", None)])
    assert (found, todo.skipped) == (item("a.png", None), 1)


def test_two_members_of_one_name_have_two_rows(tmp_path):
    large = tmp_path / "large"
    book = Manifest(place(str(large)), {})
    members = [item("t/a.png", part=(512, 10)), item("t/a.png", part=(2048, 10))]
    first, row = Todo(book, "").of(members)
    assert (first, row.source, row.status) == (members[0], "/photos/t/a.png@2048", "failed")
    (large / "t").mkdir()
    done(book, large, "t/a.png", "t/a.png")
    book.note(row)
    book.flush()
    again = Todo(Manifest(place(str(large)), {}), "")
    assert list(again.of(members)) == []
    assert (again.skipped, again.failed_before) == (2, 1)


def test_owners_know_each_name_among_many():
    known = Owners()
    for number in range(1000):
        known.add(f"{number}", f"/photos/{number}.png")
    assert known.has_other("7", "/photos/7.jpg")
    assert not known.has_other("7", "/photos/7.png")
    assert not known.has_other("1000", "/photos/1000.png")
    known.add("1000", "/photos/1000.jpg")
    assert known.has_other("1000", "/photos/1000.png")


@pytest.mark.parametrize("pattern", ["", "{stem}-{ext}", "{stem}.{ext}", "x{model}-{stem}"])
def test_a_picture_and_its_result_have_one_name(pattern):
    outputs = {
        "": "in/a b.c.png",
        "{stem}-{ext}": "in/a b.c-jpg.png",
        "{stem}.{ext}": "in/a b.c.jpg",
        "x{model}-{stem}": "in/xm.x4-a b.c.webp",
    }
    made = owners.of_row(outputs[pattern], "m.x4", pattern)
    assert made == owners.of_item(item("in/a b.c.JPG"), pattern)
