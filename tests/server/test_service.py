"""The service, on a real socket of this machine."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import numpy as np
import pytest
import pyvips
from PIL import Image

from srgan.io import images
from srgan.models import catalogue, loading
from srgan.numeric import resize
from srgan.upscaling import error_map, pipeline
from srgan.upscaling.options import UpscaleOptions
from srgan.util import resources

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
transfer = pytest.importorskip("srgan.server.transfer", exc_type=ImportError)

PHOTOS = resources.PHOTOS


def ask(port, path, data=None, headers=None, **query):
    """Returns the status, the headers and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    address = f"{path}?{urllib.parse.urlencode(query)}" if query else path
    with contextlib.closing(connection):
        method = "GET" if data is None else "POST"
        connection.request(method, address, data, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def begin(port, data, **query):
    """Sends a request, and returns the connection without waiting for the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", f"/v1/upscale?{urllib.parse.urlencode(query)}", data)
    return connection


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def is_running(port, job):
    status, _, body = ask(port, f"/v1/jobs/{job}")
    return status == 200 and json.loads(body)["state"] == "running"


def state(port, job):
    return json.loads(ask(port, f"/v1/jobs/{job}")[2])


def jobs(port):
    return json.loads(ask(port, "/health")[2])["jobs"]


def detail(body):
    return json.loads(body)["detail"]


@pytest.fixture(scope="module")
def port(serving, tiny_model):
    with serving("srgan-x4", str(tiny_model), megabytes=1, megapixels=2) as port:
        yield port


@pytest.fixture(scope="module")
def lr():
    return resize.downscale(images.read_uint8(PHOTOS / "cat.webp"), 4)


@pytest.fixture
def photo(lr, tmp_path):
    images.write(tmp_path / "lr.png", lr)
    return (tmp_path / "lr.png").read_bytes()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """What takes many seconds."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    images.write(path, np.zeros((1000, 1000, 3)))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({}, {"model": "srgan-x4"}),
        ({"model": "tiny"}, {}),
        ({"model": "tiny", "scale": 1.5}, {"options": UpscaleOptions(scale=1.5)}),
        (
            {"model": "tiny", "width": 50, "height": 40},
            {"options": UpscaleOptions(width=50, height=40)},
        ),
        ({"model": "tiny", "format": "tiff", "srgb": True}, {"options": UpscaleOptions(srgb=True)}),
    ],
)
def test_a_result_is_what_upscale_file_writes(
    query, options, port, photo, lr, tiny_model, tmp_path
):
    status, headers, body = ask(port, "/v1/upscale", photo, **query)
    kind = query.get("format", "png")
    expected = tmp_path / f"expected.{kind}"
    pipeline.upscale_file(photo, expected, **({"model": tiny_model} | options))
    assert (status, headers["Content-Type"]) == (200, f"image/{kind}")
    assert body == expected.read_bytes()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff", "avif", "gif"])
def test_all_formats_are_read_again(kind, port, photo, lr, tmp_path):
    status, headers, body = ask(port, "/v1/upscale", photo, model="tiny", format=kind)
    assert (status, headers["Content-Type"]) == (200, f"image/{kind}")
    (tmp_path / "result").write_bytes(body)
    assert images.read(tmp_path / "result").shape == (2 * lr.shape[0], 2 * lr.shape[1], 3)


def test_a_result_comes_whole_whatever_part_is_asked_for(port, photo):
    whole = ask(port, "/v1/upscale", photo, model="tiny")[2]
    for wanted in ("bytes=0-9", "bytes=9999999-", "bytes=x"):
        status, _, body = ask(port, "/v1/upscale", photo, {"Range": wanted}, model="tiny")
        assert (status, body) == (200, whole)


def test_realism_interpolates_the_networks(port, photo, lr, tmp_path):
    _, _, body = ask(port, "/v1/upscale", photo, realism=0.3)
    (tmp_path / "sr.png").write_bytes(body)
    expected = loading.load("srgan-x4", realism=0.3).upscale(lr, dtype=np.uint8)
    assert np.array_equal(images.read_uint8(tmp_path / "sr.png"), expected)


def test_the_map_is_what_map_file_writes(port, photo, tmp_path):
    status, headers, body = ask(port, "/v1/error-map", photo)
    error_map.map_file(photo, tmp_path / "map.png")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert body == (tmp_path / "map.png").read_bytes()


def test_a_preview_is_the_picture_upright_in_eight_bits(port, lr, tmp_path):
    image = pyvips.Image.new_from_array(lr.astype(np.uint16) * 257).copy(interpretation="rgb16")
    image = image.rot270().copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    query = {"enlarge": "false", "side": 16_384}
    status, headers, body = ask(port, "/v1/preview", image.tiffsave_buffer(), **query)
    assert (status, headers["Content-Type"]) == (200, "image/png")
    (tmp_path / "a.png").write_bytes(body)
    assert np.array_equal(images.read_integers(tmp_path / "a.png"), lr)
    status, _, body = ask(port, "/v1/preview", b"no picture")
    assert status == 422
    assert "not an image" in detail(body)


def test_the_old_names_of_version_0_1_still_work(port, photo):
    assert ask(port, "/v1/map", photo)[2] == ask(port, "/v1/error-map", photo)[2]
    plain = ask(port, "/v1/upscale", photo, model="tiny", strip_metadata=True)
    assert ask(port, "/v1/upscale", photo, model="tiny", metadata=False)[2] == plain[2]


def test_models_and_limits_are_listed_the_default_first(port):
    listed = json.loads(ask(port, "/v1/models")[2])
    first, second = listed["models"]
    assert (first["name"], first["scale"], first["dial"], first["map"]) == (
        "srgan-x4",
        4,
        True,
        True,
    )
    assert (second["name"], second["scale"], second["dial"], second["map"]) == (
        "tiny",
        2,
        False,
        False,
    )
    assert first["licence"] == loading.load("srgan-x4").metadata.licence
    assert listed["limits"]["megapixels"] == 2


def test_all_shipped_models_are_served_by_default(serving, photo, tmp_path):
    with serving() as port:
        listed = json.loads(ask(port, "/v1/models")[2])["models"]
        _, _, twice = ask(port, "/v1/upscale", photo, scale=2)
    pipeline.upscale_file(photo, tmp_path / "sr.png", "srgan-x2")
    assert twice == (tmp_path / "sr.png").read_bytes()
    assert listed[0]["name"] == "srgan-x4"
    assert sorted(model["name"] for model in listed) == catalogue.shipped()
    photo = next(model for model in listed if model["name"] == "srgan-photo-x4")
    assert photo["dial"]
    assert not photo["map"]


@pytest.mark.parametrize(
    ("query", "data", "status", "words"),
    [
        ({}, b"no picture", 422, "not an image in a known format"),
        ({}, b"", 422, "is empty"),
        ({}, b"\x89PNG\r\n\x1a\n", 422, "damaged or cut short"),
        ({"model": "../srgan-x4"}, b"", 422, "There is no model '../srgan-x4' here"),
        ({"model": "tiny", "realism": 0.5}, None, 422, "tiny"),
        ({"realism": 1.5}, b"", 422, "realism: Input should be less than or equal to 1"),
        ({"scale": "nan"}, b"", 422, "scale: Input should be less than or equal to 1000"),
        ({"scale": "inf"}, None, 422, "less than or equal to 1000"),
        ({"scale": "1e307"}, None, 422, "less than or equal to 1000"),
        ({"megapixels": "1e303"}, None, 422, "less than or equal to 1000000"),
        ({"width": "9" * 400}, None, 422, "width: "),
        ({"height": -1}, None, 422, "height: Input should be greater than 0"),
        ({"megapixels": "nan"}, None, 422, "megapixels: "),
        ({"megapixels": "-inf"}, None, 422, "megapixels: Input should be greater than 0"),
        ({"realism": "nan"}, None, 422, "realism: "),
        ({"realism": "-1e-300"}, None, 422, "realism: Input should be greater than or equal to 0"),
        ({"scale": 17}, None, 422, "at most 16 times"),
        ({"width": 0}, b"", 422, "width: Input should be greater than 0"),
        ({"format": "bmp"}, b"", 422, "format: Expected png, jpeg"),
        ({"realsm": 0.5}, b"", 422, "realsm: There is no such parameter"),
        ({"job": "../x"}, b"", 422, "job: String should match pattern"),
        ({}, bytes(1_000_001), 413, "more than the 1 megabytes"),
        ({"scale": 16}, None, 413, "expected at most 2. Send it at 95 % of its width and height"),
    ],
)
def test_what_is_wrong_is_said(query, data, status, words, port, photo):
    found = ask(port, "/v1/upscale", photo if data is None else data, **query)
    assert found[0] == status
    assert words in detail(found[2])


def test_messages_name_no_folder_of_the_server(serving, tiny_model, make_model, tmp_path):
    images.write(tmp_path / "wide.png", np.zeros((2, 4200, 3)))
    orphan = tmp_path / "orphan.onnx"  # its PSNR model is missing
    orphan.write_bytes(make_model(name="orphan", psnr_model="nowhere").read_bytes())
    with serving(str(tiny_model), str(orphan)) as port:
        wide = (tmp_path / "wide.png").read_bytes()
        listed = json.loads(ask(port, "/v1/models")[2])["models"]
        assert not listed[1]["realism"]
        for query, words in (
            ({"scale": 4, "format": "webp"}, "Cannot write enlarged.webp: .webp files have at"),
            ({"model": "orphan", "realism": 0.5}, "There is no model 'nowhere'"),
            ({"model": "tiny", "realism": 0.5}, "tiny does not name the PSNR model"),
        ):
            status, _, body = ask(port, "/v1/upscale", wide, **query)
            assert (status, detail(body)[: len(words)]) == (422, words)
            assert str(tmp_path.parent) not in detail(body)
            assert tempfile.gettempdir() not in detail(body)
        status, _, body = ask(port, "/v1/error-map", wide, model="orphan")
        assert (status, detail(body)[:29]) == (422, "There is no model 'nowhere': ")


@pytest.mark.parametrize("path", ["/v1/jobs/..%2f", "/health/", "/v1/models/", "//evil.example/"])
def test_no_answer_leads_elsewhere(port, path):
    status, headers, _ = ask(port, path)
    assert status in (404, 422)
    assert "Location" not in headers


def test_a_path_that_there_is_not_is_told_where_the_others_are(port):
    status, _, body = ask(port, "/v1/upscaled")
    assert status == 404
    told = "There is no path /v1/upscaled here; /docs lists those that there are."
    assert json.loads(body) == {"detail": told}


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/"])
def test_head_is_answered_as_get_without_the_body(port, path):
    answers = []
    for method in ("GET", "HEAD"):
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        ) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            answers.append((answer.status, answer.headers["Content-Length"], answer.read()))
    assert answers[0][:2] == answers[1][:2] == (200, str(len(answers[0][2])))
    assert answers[1][2] == b""


def form(*parts):
    """A form's headers and body, of names with values, or with files and what they hold."""
    body = b""
    for name, value in parts:
        file, data = value if isinstance(value, tuple) else ("", value.encode())
        head = f'Content-Disposition: form-data; name="{name}"'
        head += f'; filename="{file}"\r\nContent-Type: image/png' if file else ""
        body += b"--limit\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"
    return {"Content-Type": "multipart/form-data; boundary=limit"}, body + b"--limit--\r\n"


def test_a_form_gives_what_the_picture_alone_gives(port, photo):
    headers, body = form(("scale", "1.5"), ("picture", ("a.png", photo)), ("format", "tiff"))
    expected = ask(port, "/v1/upscale", photo, model="tiny", scale=1.5, format="tiff")
    found = ask(port, "/v1/upscale", body, headers, model="tiny")
    assert (found[0], found[2]) == (200, expected[2])
    assert found[1]["Content-Type"] == "image/tiff"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "The form has no file: curl -F picture=@photo.jpg"),
        ([("scale", "2")], "The form has no file"),
        ([("picture", ("a.png", b"no picture"))], "not an image in a known format"),
        ([("a", ("a.png", b"1")), ("b", ("b.png", b"2"))], "Too many files"),
        ([("picture", ("a.png", b"1")), ("scale", "nan")], "scale: Input should be"),
        ([("picture", ("a.png", b"1")), ("realsm", "1")], "realsm: There is no such parameter"),
        ([("picture", ("a.png", b"1")), ("model", "none")], "There is no model 'none'"),
        ([(f"a{number}", "1") for number in range(40)], "Too many fields"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(port, parts, words):
    headers, body = form(*parts)
    status, _, found = ask(port, "/v1/upscale", body, headers)
    assert status == 422
    assert words in detail(found)


def test_what_a_form_and_the_address_both_say_is_refused(port, photo):
    headers, body = form(("picture", ("a.png", photo)), ("scale", "2"))
    status, _, found = ask(port, "/v1/upscale", body, headers, model="tiny", scale=3)
    assert status == 422
    assert "The form and the address both say scale" in detail(found)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=other"])
def test_a_form_that_is_none_is_refused(port, kind, photo):
    status, _, body = ask(
        port, "/v1/upscale", form(("picture", ("a", photo)))[1], {"Content-Type": kind}
    )
    assert status == 422
    assert "curl -F picture=@photo.jpg" in detail(body)


def test_a_form_has_the_same_limit(port):
    headers, body = form(("picture", ("a.png", bytes(1_000_001))))
    assert ask(port, "/v1/upscale", body, headers)[0] == 413


def test_bytes_are_counted_where_their_number_is_not_told(port):
    parts = (bytes(100_000) for _ in range(11))
    with contextlib.suppress(ConnectionError):  # it need not read what is too much
        status, _, body = ask(port, "/v1/upscale", parts)
        assert status == 413
        assert "more than the 1 megabytes" in detail(body)
    assert ask(port, "/health")[0] == 200


def test_a_map_of_a_model_without_one_is_refused(port, photo):
    status, _, body = ask(port, "/v1/error-map", photo, model="tiny")
    assert status == 422
    assert "tiny" in detail(body)


def test_a_picture_too_large_is_refused_before_it_is_decoded(port, large):
    status, _, body = ask(port, "/v1/upscale", large)
    assert status == 413
    assert "would make 16.0 megapixels" in detail(body)
    status, _, body = ask(port, "/v1/error-map", large)
    assert status == 413
    assert "would make 32.0 megapixels" in detail(body)


def test_more_than_may_wait_are_turned_away_and_progress_is_told(serving, large, photo):
    with serving("srgan-x4", concurrency=1, queue_size=1, tile=64) as port:
        first = begin(port, large, job="first")
        until(lambda: is_running(port, "first"))
        second = begin(port, photo, job="second")
        until(lambda: ask(port, "/v1/jobs/second")[0] == 200)
        until(lambda: state(port, "second")["place"] == 0)  # its picture is there
        assert state(port, "second") == {
            **{"id": "second", "state": "waiting", "done": 0, "seconds_left": None, "place": 0},
            **{"created": None, "expires": None, "bytes": None},
            **{"model": "", "notes": "", "detail": ""},
        }
        assert json.loads(ask(port, "/health")[2]) == {"status": "ok", "jobs": 2}
        status, headers, body = ask(port, "/v1/upscale", photo)
        assert (status, headers["Retry-After"]) == (503, "5")
        assert "2 pictures are being enlarged already" in detail(body)

        until(lambda: json.loads(ask(port, "/v1/jobs/first")[2])["done"] > 0)
        status = json.loads(ask(port, "/v1/jobs/first")[2])
        assert 0 < status["done"] < 1
        assert status["seconds_left"] > 0

        first.close()  # hangs up: what it wanted is given up, and it is the other's turn
        assert second.getresponse().status == 200
        second.close()
        until(lambda: jobs(port) == 0)
        for name in ("first", "second"):
            found = state(port, name)
            assert (found["state"], found["done"], found["seconds_left"]) == ("ended", 1, 0)
        assert ask(port, "/v1/jobs/third")[0] == 404


def test_one_name_is_not_for_two_jobs(serving, large, photo):
    with serving("srgan-x4", tile=64) as port, contextlib.closing(begin(port, large, job="mine")):
        until(lambda: is_running(port, "mine"))
        status, _, body = ask(port, "/v1/upscale", photo, job="mine")
        assert status == 422
        assert "There is a job 'mine' already" in detail(body)


def test_what_takes_too_long_is_given_up(serving, large):
    with serving("srgan-x4", seconds=0.5, tile=64) as port:
        status, _, body = ask(port, "/v1/upscale", large)
        assert status == 504
        assert "longer than the 0.5 seconds" in detail(body)
        until(lambda: jobs(port) == 0)


def test_a_picture_that_does_not_come_is_not_waited_for(serving, tiny_model):
    with (
        serving(str(tiny_model), body_timeout=0.3) as port,
        socket.create_connection(("127.0.0.1", port), timeout=30) as slow,
    ):
        slow.sendall(b"POST /v1/upscale HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 100\r\n\r\nhalf")
        answer = b"".join(iter(lambda: slow.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"The picture came too slowly." in answer


def test_a_result_that_nobody_reads_is_given_up(serving, monkeypatch, tiny_model, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(transfer, "_SLOWEST", 1e9)
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)
    images.write(tmp_path / "noise.png", noise)
    with serving(str(tiny_model), body_timeout=0.5) as port:
        begun = begin(port, (tmp_path / "noise.png").read_bytes(), job="deaf")
        until(lambda: list(tmp_path.glob("srgan-serve-*/*/*.png")), seconds=60)
        until(lambda: jobs(port) == 0, seconds=60)  # others get its place while it is sent
        until(lambda: not list(tmp_path.glob("srgan-serve-*/*/")))
        begun.close()
    assert not list(tmp_path.glob("srgan-serve-*"))


def test_nothing_is_left_on_the_disk(serving, monkeypatch, tiny_model, photo, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serving(str(tiny_model), megapixels=2) as port:
        assert ask(port, "/v1/upscale", photo)[0] == 200
        assert ask(port, "/v1/upscale", b"no picture")[0] == 422
        assert ask(port, "/v1/upscale", photo, width=5000)[0] == 422
        (folder,) = tmp_path.glob("srgan-serve-*")
        until(lambda: [path.name for path in folder.iterdir()] == ["lock"])
    assert not folder.exists()


def test_a_full_disk_is_said(serving, tiny_model, monkeypatch, full_disk):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    png = pyvips.Image.new_from_array(noise).write_to_buffer(".png")
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))
    with serving(str(tiny_model)) as port:
        status, _, body = ask(port, "/v1/upscale", png)
        assert status == 507
        assert detail(body) == "The disk of the server is full."
        assert [path.name for path in full_disk.glob("*/*")] == ["lock"]
        assert ask(port, "/health")[0] == 200


def test_several_pictures_at_once_do_not_mix(port, photo, lr):
    expected = {
        name: ask(port, "/v1/upscale", photo, model=name)[2] for name in ("tiny", "srgan-x4")
    }
    found = []

    def send(name):
        found.append((name, ask(port, "/v1/upscale", photo, model=name)[2]))

    threads = [threading.Thread(target=send, args=[name]) for name in [*expected] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(body == expected[name] for name, body in found)


def test_two_models_of_one_name_are_refused(tiny_model, tmp_path):
    other = tmp_path / tiny_model.name
    other.write_bytes(tiny_model.read_bytes())
    with pytest.raises(ValueError, match="Two models are called 'tiny'"):
        server.application([str(tiny_model), str(other)])


def test_the_description_names_what_can_be_asked_for(port):
    described = json.loads(ask(port, "/openapi.json")[2])
    upscale = described["paths"]["/v1/upscale"]["post"]
    assert "image/*" in upscale["requestBody"]["content"]
    assert {parameter["name"] for parameter in upscale["parameters"]} == {
        *("model", "job", "realism", "scale", "width", "height"),
        *("megapixels", "format", "metadata", "srgb", "strip_metadata", "self_ensemble", "pyramid"),
    }


def test_the_command_says_where_it_is_and_ends_at_ctrl_c(tiny_model, photo):
    command = [sys.executable, "-m", "srgan", "serve", "--port", "0", "--model", str(tiny_model)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout
        address = service.stdout.readline().strip()
        try:
            port = urllib.parse.urlsplit(address).port
            assert address == f"http://127.0.0.1:{port}"
            assert ask(port, "/v1/upscale", photo)[0] == 200
        finally:
            service.send_signal(signal.SIGINT)
        _, log = service.communicate(timeout=30)
    assert service.returncode == 0
    assert '"POST /v1/upscale HTTP/1.1" 200' in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "none.onnx"], "There is no model 'none.onnx'"),
        (["--host", "256.0.0.1"], "Cannot listen on 256.0.0.1:8000: "),
        (["--port", "{taken}"], "Address already in use. Choose another --port"),
        (["--port", "70000"], "--port"),
        (["--tile", "8"], "at least 16 pixels"),
    ],
)
def test_a_service_that_cannot_begin_says_why(arguments, words):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = [argument.replace("{taken}", port) for argument in arguments]
        done = subprocess.run(
            [sys.executable, "-m", "srgan", "serve", *arguments], capture_output=True, text=True
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_picture_chooses_the_model_and_the_answer_says_so(serving):
    hr = images.read_uint8(PHOTOS / "cat.webp")[:192, :192]
    clean = pyvips.Image.new_from_array(resize.downscale(hr, 2))
    with serving() as port:
        assert json.loads(ask(port, "/v1/models")[2])["auto"]
        _, headers, _ = ask(port, "/v1/upscale", clean.pngsave_buffer())
        assert (headers["Srgan-Model"], headers["Srgan-Notes"]) == ("srgan-x4", None)
        _, headers, _ = ask(port, "/v1/upscale", clean.jpegsave_buffer(Q=50), scale=2)
        assert headers["Srgan-Model"] == "srgan-photo-x4"
        assert "compressed as JPEG" in headers["Srgan-Notes"]
        _, headers, _ = ask(port, "/v1/upscale", clean.jpegsave_buffer(Q=50), model="srgan-fast-x4")
        assert (headers["Srgan-Model"], headers["Srgan-Notes"]) == ("srgan-fast-x4", None)


def test_what_a_result_lacks_is_in_a_header(port, tmp_path):
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 90, 180)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    _, headers, _ = ask(port, "/v1/upscale", path.read_bytes(), model="tiny")
    assert headers["Srgan-Notes"].startswith("2 of its 3 pictures are left out: .png files hold")
    _, headers, body = ask(port, "/v1/upscale", path.read_bytes(), model="tiny", format="same")
    assert (headers["Content-Type"], headers.get("Srgan-Notes")) == ("image/gif", None)
    (tmp_path / "large.gif").write_bytes(body)
    with Image.open(tmp_path / "large.gif") as large:
        assert large.n_frames == 3
