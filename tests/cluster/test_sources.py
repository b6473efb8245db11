"""Pictures are found in folders, lists, tables and tars, and no source is taken for another."""

import os
import shutil
import tarfile
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srgan.cluster import sources
from srgan.cluster.places import place
from srgan.cluster.rows import Row, table


def places(source, **options):
    return [item.place for item in sources.find(str(source), **options)]


def test_a_folder_has_its_pictures_and_those_in_folders_inside(photos):
    (photos / "readme.md").write_text("no picture")
    (photos / ".hidden.png").write_bytes(b"")
    found = list(sources.find(str(photos)))
    names = ["inside/photo1.png", "inside/photo3.png", "inside/photo5.png"]
    assert [item.place for item in found] == [*names, "photo0.png", "photo2.png", "photo4.png"]
    assert [item.source for item in found] == [str(photos / item.place) for item in found]
    assert all(item.changed == (photos / item.place).stat().st_mtime_ns for item in found)


def test_patterns_choose_among_them(photos):
    assert places(photos, include=("photo?.png",), exclude=("inside/*", "*2*")) == [
        "photo0.png",
        "photo4.png",
    ]


def test_results_that_lie_in_the_source_are_no_pictures_of_it(photos):
    found = places(photos, destination=f"{photos}/inside")
    assert found == ["photo0.png", "photo2.png", "photo4.png"]


def test_a_source_that_is_the_destination_is_refused(photos):
    with pytest.raises(ValueError, match="is both the source and the destination"):
        list(sources.find(str(photos), destination=f"{photos}/"))


def test_a_list_names_paths_and_addresses(photos, tmp_path):
    (tmp_path / "list.txt").write_text(f"{photos}/photo0.png\n\ns3://bucket/some/photo.jpg\n")
    found = list(sources.find(str(tmp_path / "list.txt")))
    assert [item.uri for item in found] == [f"{photos}/photo0.png", "s3://bucket/some/photo.jpg"]
    assert [item.place for item in found] == [
        f"{photos}/photo0.png".removeprefix("/"),
        "bucket/some/photo.jpg",
    ]


def test_a_tar_has_its_pictures_with_their_places_in_it(photos, tmp_path):
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(photos / "photo0.png", "a/photo0.png")
        tar.add(photos / "photo2.png", "../../photo2.png")
        tar.add(__file__, "code.py")
    found = list(sources.find(str(tmp_path / "shard.tar")))
    assert [item.place for item in found] == ["shard/a/photo0.png", "shard/photo2.png"]
    data = (tmp_path / "shard.tar").read_bytes()
    offset, size = found[0].part
    assert data[offset : offset + size] == (photos / "photo0.png").read_bytes()


@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_a_table_of_bytes_has_a_picture_in_each_row(photos, tmp_path, form):
    data = [path.read_bytes() for path in sorted(photos.glob("*.png"))]
    values = data if form == "bytes" else [{"bytes": one, "path": "x.png"} for one in data]
    pq.write_table(pa.table({"image": values}), tmp_path / "t.parquet", row_group_size=2)
    found = list(sources.find(str(tmp_path / "t.parquet")))
    column = "image" if form == "bytes" else "image.bytes"
    assert [item.cell for item in found] == [(0, 0, column), (0, 1, column), (1, 0, column)]
    assert [item.place for item in found] == ["t/00000000", "t/00000001", "t/00000002"]


@pytest.mark.parametrize("form", ["texts", "categories"])
def test_a_table_of_paths_names_pictures(photos, tmp_path, form):
    names = [str(path) for path in sorted(photos.glob("*.png"))]
    where = pa.array(names) if form == "texts" else pa.array(names).dictionary_encode()
    pq.write_table(pa.table({"where": where, "label": ["a", "b", "c"]}), tmp_path / "t.parquet")
    found = sources.find(str(tmp_path / "t.parquet"), column="where")
    assert [item.uri for item in found] == names


def test_a_column_of_neither_paths_nor_files_is_refused(tmp_path):
    pq.write_table(pa.table({"image": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"'image' of .*has int64; expected paths.*--column NAME"):
        places(tmp_path / "t.parquet")


def test_the_manifest_of_a_batch_is_left_out_of_the_folder_of_its_results(photos, tmp_path):
    pq.write_table(table([Row("/x/photo0.png")]), photos / "manifest.parquet")
    assert len(places(photos)) == 6
    with pytest.raises(ValueError, match=r"'bytes' of .*has int64"):
        places(photos / "manifest.parquet")


def test_a_table_without_such_a_column_says_which_there_are(tmp_path):
    pq.write_table(pa.table({"label": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"no column .*it has label.*--column NAME"):
        places(tmp_path / "t.parquet")


@pytest.mark.parametrize("name", ["t.parquet", "t.tar"])
def test_a_damaged_table_or_tar_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"damaged" * 100)
    with pytest.raises(ValueError, match=rf"{name} is damaged, or no"):
        places(tmp_path / name)


@pytest.fixture
def latin(photos):
    """A folder with a picture whose name is Latin-1, in one whose name is, too."""
    folder = photos / os.fsdecode(b"\xe9t\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has names of UTF-8 alone")
    shutil.copy(photos / "photo0.png", folder / os.fsdecode(b"caf\xe9.png"))
    return folder


@pytest.mark.parametrize("form", ["folder", "the folder itself", "list", "tar", "table"])
def test_a_name_that_is_not_utf_8_is_a_text_and_leads_to_its_picture(photos, latin, tmp_path, form):
    path = os.fsencode(latin) + b"/caf\xe9.png"
    source = {"folder": photos, "the folder itself": latin}.get(form, tmp_path / form)
    if form == "list":
        source = source.with_suffix(".txt")
        source.write_bytes(b"\xef\xbb\xbf" + path + b"\n")  # with a mark, as some editors write
    elif form == "tar":
        source = source.with_suffix(".tar")
        with tarfile.open(source, "w") as tar:
            tar.add(latin / os.fsdecode(b"caf\xe9.png"), os.fsdecode(b"caf\xe9.png"))
            tar.add(photos / "photo0.png", "caf\\xe9.png")
    elif form == "table":
        source = source.with_suffix(".parquet")
        texts = pa.array([path]).cast(pa.string(), safe=False)
        pq.write_table(pa.table({"path": texts}), source)
    found = [item for item in sources.find(str(source)) if "caf" in item.place]
    named = [item.source.rpartition("caf")[2] for item in found]
    assert named == ([r"\xe9.png", r"\x5cxe9.png"] if form == "tar" else [r"\xe9.png"])
    for item in found:
        assert item.key
        with place(item.uri).files.open_input_file(place(item.uri).path) as stream:
            data = stream.read()
        offset, size = item.part or (0, len(data))
        assert data[offset : offset + size] == (photos / "photo0.png").read_bytes()


def test_what_cannot_be_read_in_a_folder_is_an_error_and_the_rest_is_found(photos, monkeypatch):
    (photos / "a.tar").write_bytes(b"damaged" * 100)
    pq.write_table(pa.table({"label": ["a"]}), photos / "b.parquet")
    listdir = os.listdir

    def refuse(path):  # as for others than root
        if str(path).endswith("inside"):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    found = list(sources.find(str(photos), include=("*.png",)))
    assert [item.place for item in found if not item.error] == [
        "photo0.png",
        "photo2.png",
        "photo4.png",
    ]
    errors = {item.place: item.error for item in found if item.error}
    assert sorted(errors) == ["a.tar", "b.parquet", "inside"]
    assert "a.tar is damaged, or no tar" in errors["a.tar"]
    assert "has no column" in errors["b.parquet"]
    assert "Permission denied" in errors["inside"]


def test_links_that_lead_back_are_left_out_and_those_that_lead_nowhere_are_errors(photos):
    before = places(photos)
    (photos / "inside" / "up").symlink_to(photos)
    (photos / "self.png").symlink_to("self.png")
    (photos / "inside" / "gone.png").symlink_to("nothing.png")
    (photos / "album").symlink_to("/nowhere/album")
    (photos / "beside").symlink_to(photos / "inside")
    beside = [path.replace("inside", "beside") for path in before if "inside" in path]
    found = list(sources.find(str(photos)))
    assert [item.place for item in found if not item.error] == sorted(before + beside)
    for name, target in {
        "self.png": "self.png",
        "album": "/nowhere/album",
        "inside/gone.png": "nothing.png",
        "beside/gone.png": "nothing.png",
    }.items():
        (error,) = [item.error for item in found if item.place == name and item.error]
        assert error == f"{photos / name} is a link to {target}, which is not there."
    assert sum(bool(item.error) for item in found) == 4


@pytest.mark.parametrize("form", ["folder", "list", "tar", "table"])
def test_a_source_of_many_pictures_is_never_in_memory_whole(tmp_path, form):
    """Of a folder, its names are."""
    names = [f"{number:06}-with-a-name-of-some-length.png" for number in range(20_000)]
    paths = [f"{tmp_path}/folder/{name}" for name in names]
    source = tmp_path / form
    if form == "folder":
        source.mkdir()
        for name in names:
            (source / name).touch()
    elif form == "list":
        source = source.with_suffix(".txt")
        source.write_text("\n".join(paths))
    elif form == "tar":
        source = source.with_suffix(".tar")
        with tarfile.open(source, "w") as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo(name))
    else:
        source = source.with_suffix(".parquet")
        pq.write_table(pa.table({"path": paths}), source, row_group_size=1000)
    tracemalloc.start()
    kept = list(sources.find(str(source)))  # pathlib's table of names grows here, and not again
    whole, _ = tracemalloc.get_traced_memory()
    del kept
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    assert sum(1 for _ in sources.find(str(source))) == 20_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most - before < (whole - before) / 2


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        places(tmp_path / "missing")
    (tmp_path / "code.py").write_text("")
    with pytest.raises(ValueError, match="is no source; expected a folder"):
        places(tmp_path / "code.py")
