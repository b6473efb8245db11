"""Which hosts and pages may use the service."""

import http.client

import pytest

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
guard = pytest.importorskip("srgan.server.guard", exc_type=ImportError)


@pytest.fixture(scope="module")
def open_port(serving, tiny_model):
    with serving(str(tiny_model), hosts=["photos.example"], origins=["https://shop.example"]) as it:
        yield it


def ask(port, headers, method="GET", path="/health", data=None):
    """Returns the status, the headers and the body of an answer to a request with these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(data or b"")))
    connection.endheaders(data)
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "app.localhost:80"),
        *("[::1]:{port}", "192.168.1.7:8000", "photos.example", "Photos.Example:8000"),
    ],
)
def test_addresses_localhost_and_allowed_names_are_answered(open_port, host):
    assert ask(open_port, {"Host": host.format(port=open_port)})[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example"),
        *(
            "notphotos.example",
            "sub.photos.example",
            "127.0.0.1@evil.example",
            "[::1",
            "2130706433",
        ),
    ],
)
def test_a_name_that_was_rebound_is_refused_with_what_to_do(open_port, host):
    status, _, body = ask(open_port, {"Host": host})
    assert status == 403
    assert "--allow-host NAME" in body


def test_a_star_stands_for_all_names_below():
    below = guard.Guard(None, ["*.example.com"], [])
    assert below._knows("a.example.com:80")
    assert not below._knows("example.com")
    assert not below._knows("badexample.com")
    assert guard.Guard(None, ["*"], [])._knows("anything.example")


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/app", "https://", ""])
def test_what_is_no_origin_of_a_page_is_refused(tiny_model, origin):
    with pytest.raises(
        ValueError, match=r"Expected the origin of a page, as https://shop\.example"
    ):
        server.application([str(tiny_model)], origins=[origin])


def test_an_origin_may_be_written_with_a_slash_and_capitals(serving, tiny_model):
    with serving(str(tiny_model), origins=["https://Shop.example/"]) as port:
        _, headers, _ = ask(port, {"Origin": "https://shop.example"})
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"


CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # another port is another origin
        {"Origin": "http://shop.example"},  # and so is another scheme
        CROSS,
        CROSS | {"Sec-Fetch-Site": "same-site"},
        CROSS | {"Sec-Fetch-Mode": "navigate"},  # a form that was sent
    ],
)
def test_pages_of_other_origins_cannot_make_it_work(open_port, headers):
    status, found, body = ask(open_port, headers, "POST", "/v1/upscale", b"no picture")
    assert status == 403
    assert "--allow-origin ORIGIN" in body
    assert "Access-Control-Allow-Origin" not in found


def test_pages_of_other_origins_cannot_read_either(open_port):
    assert ask(open_port, CROSS)[0] == 403
    assert ask(open_port, CROSS | {"Sec-Fetch-Mode": "navigate"})[0] == 200  # a link was followed


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},  # typed by a person
    ],
)
def test_its_own_page_and_programs_are_answered(open_port, headers):
    headers = {name: value.format(port=open_port) for name, value in headers.items()}
    status, _, body = ask(open_port, headers, "POST", "/v1/upscale", b"no picture")
    assert status == 422
    assert "not an image" in body


def test_an_allowed_origin_may_ask_and_read(open_port):
    origin = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    status, headers, _ = ask(open_port, origin, "POST", "/v1/upscale", b"no picture")
    assert (status, headers["Access-Control-Allow-Origin"]) == (422, "https://shop.example")
    before = origin | {"Access-Control-Request-Method": "POST"}
    status, headers, _ = ask(open_port, before, "OPTIONS", "/v1/upscale")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://shop.example")
    assert "POST" in headers["Access-Control-Allow-Methods"]
