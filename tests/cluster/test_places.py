"""Local files, S3 and what fsspec knows behave alike, and say what is wrong in words."""

import pyarrow as pa
import pytest

from srgan.cluster import lease, patience, places, sources
from srgan.cluster.patience import Refused
from srgan.cluster.places import place


@pytest.fixture(params=["local", "s3", "fsspec"])
def folder(request, tmp_path):
    if request.param == "s3":
        return place(request.getfixturevalue("bucket")) / "some" / "folder"
    prefix = "" if request.param == "local" else "local://"
    return place(f"{prefix}{tmp_path}/folder")


def test_what_is_written_is_listed_and_read(folder, tmp_path):
    (folder / "b" / "two words.png").write(b"0123456789")
    (folder / "a.png").write(b"a")
    (folder / ".hidden").write(b"h")
    assert [path for path, _ in folder.walk()] == ["a.png", "b/two words.png"]
    found = folder / "b" / "two words.png"
    assert (found.read(), found.info().size, found.is_file()) == (b"0123456789", 10, True)
    found.fetch(tmp_path / "part", 2, 3)
    assert (tmp_path / "part").read_bytes() == b"234"
    found.remove()
    assert [path for path, _ in folder.walk()] == ["a.png"]
    assert place(folder.uri).read is not None


def test_a_file_is_sent_whole_or_not_at_all(folder, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"x" * 9_000_000)
    (folder / "photo.png").send(tmp_path / "photo.png")
    assert (folder / "photo.png").read() == b"x" * 9_000_000
    with pytest.raises(FileNotFoundError):
        (folder / "other.png").send(tmp_path / "missing.png")
    assert [path for path, _ in folder.walk()] == ["photo.png"]


def test_a_folder_that_is_not_there_is_empty(folder):
    assert list(folder.walk()) == []
    assert not folder.is_file()


def test_names_with_two_slashes_in_a_row_are_not_left_out_in_silence(bucket):
    import boto3

    for name in ("in/a.png", "in//b.png", "in/c//d.png", "in/e/f.png"):
        boto3.client("s3").put_object(Bucket=bucket[5:], Key=name, Body=b"x")
    said = {item.source: item.error for item in sources.find(f"{bucket}/in")}
    assert [source for source, error in said.items() if not error] == [
        f"{bucket}/in/a.png",
        f"{bucket}/in/e/f.png",
    ]
    assert {source: error for source, error in said.items() if error} == {
        f"{bucket}/{name}": f"{bucket}/{name} {places._TWO_SLASHES}"
        for name in ("in//*", "in/c//*")
    }


def test_what_is_missing_in_a_store_or_on_the_web_is_said_in_one_sentence(bucket, unused_port):
    with pytest.raises(FileNotFoundError) as caught:
        place(f"{bucket}/gone.png").read()
    assert (caught.value.strerror, caught.value.filename) == (
        "No such file or directory",
        f"{bucket}/gone.png",
    )
    address = f"http://127.0.0.1:{unused_port}/gone.png"
    with pytest.raises(OSError, match=f"^{address} is not there, or its server does not answer"):
        place(address).read()


def test_a_bucket_that_is_not_there_is_named(bucket):
    with pytest.raises(FileNotFoundError, match=r"no bucket s3://nowhere-at-all\. Create"):
        place("s3://nowhere-at-all/x/a.png").write(b"a")


def test_credentials_that_are_refused_name_their_variables(bucket, s3_server):
    import requests

    place(f"{bucket}/x").write(b"x")
    requests.post(f"{s3_server}/moto-api/reset-auth", data=b"0", timeout=9)
    try:
        with pytest.raises(Refused, match="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS"):
            place(f"{bucket}/y").write(b"y")
    finally:
        requests.post(f"{s3_server}/moto-api/reset-auth", data=b"inf", timeout=9)


@pytest.mark.parametrize("uri", ["s3://", "nothing://bucket/folder"])
def test_what_names_no_place_is_refused(uri):
    with pytest.raises(ValueError, match=r"names no place|is no place that is known here"):
        place(uri)


def test_an_address_without_a_place_is_said_as_it_was_given():
    with pytest.raises(ValueError, match=r"^s3:// names no place; expected one as s3://bucket/f"):
        places.place("s3://")


def test_a_store_that_refuses_for_a_moment_is_read_on(unsteady, tmp_path):
    source = place(f"{unsteady.bucket}/photo.png")
    source.write(bytes(range(256)) * 40_000)
    unsteady.refuse(403, times=1)
    with source.open() as stream:
        assert stream.read(10) == bytes(range(10))
        unsteady.refuse(403, times=1)
        assert stream.read(5) == bytes(range(10, 15))
        assert (stream.seek(-2, 2), stream.read()) == (256 * 40_000 - 2, b"\xfe\xff")
    unsteady.refuse(403, times=1)
    source.fetch(tmp_path / "photo.png")
    assert (tmp_path / "photo.png").read_bytes() == source.read()


@pytest.mark.parametrize("status", [403, 503, None])
def test_a_store_that_refuses_for_good_is_another_matter_than_a_missing_file(
    unsteady, status, monkeypatch
):
    monkeypatch.setattr(patience, "TRIES", 1)  # of which each takes seconds
    there, missing = (place(f"{unsteady.bucket}/{name}") for name in ("there.png", "missing.png"))
    there.write(b"there")
    with pytest.raises(FileNotFoundError):
        missing.open()
    stream = there.open()
    unsteady.refuse(status)
    for read in (stream.read, there.open, there.children)[: None if status == 403 else 1]:
        with pytest.raises(Refused, match=rf"^{there.uri}"):
            read()


def test_what_is_wrong_with_one_file_or_an_address_of_the_web_is_no_refusal_of_a_store():
    for uri, error in {
        "s3://bucket/a//b.png": pa.ArrowInvalid("Empty path component"),
        "s3://bucket/gone.png": OSError("AWS Error NO_SUCH_KEY during GetObject operation"),
        "memory://folder": IsADirectoryError(21, "Is a directory"),
        "https://example.com/a.png": OSError("502, Bad Gateway"),
        "/photos/a.png": OSError(5, "Input/output error"),
    }.items():
        assert not isinstance(places.explain(uri, error), Refused)


def test_missing_credentials_are_named_in_a_line():
    said = "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of "
    said += "Could not create a OAuth2 access token to authenticate the request. " + 900 * "more "
    error = places.explain("gs://bucket/folder", OSError(said))
    assert isinstance(error, Refused)
    assert str(error).startswith(
        "gs://bucket/folder is refused. Set GOOGLE_APPLICATION_CREDENTIALS, here and on all workers"
    )
    assert len(str(error)) < 500


def test_two_batches_cannot_hold_one_destination(folder):
    held = folder / ".srgan-batch"
    with (
        lease.hold(held),
        pytest.raises(BlockingIOError, match=r"Another batch.*writes to.*folder"),
        lease.hold(held),
    ):
        pass
    with lease.hold(held):  # it is free again
        pass


def test_a_batch_that_was_killed_on_this_machine_holds_nothing(bucket, monkeypatch):
    held = place(bucket) / "folder" / ".srgan-batch"
    dead = held / "lease-0123.json"
    import socket

    dead.write(f'{{"host": "{socket.gethostname()}", "process": 999999999}}'.encode())
    with lease.hold(held):
        assert not dead.is_file()
    dead.write(b'{"host": "elsewhere", "process": 1}')
    with (
        pytest.raises(BlockingIOError, match=r"elsewhere, process 1.*for (60|5[0-9]) seconds"),
        lease.hold(held),
    ):
        pass
    monkeypatch.setattr(lease, "_DEAD", -1)
    with lease.hold(held):
        assert not dead.is_file()
