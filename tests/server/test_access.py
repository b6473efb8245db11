"""Tokens let in whom they should, as often as they should."""

import json
import os
import stat
import subprocess
import sys

import pytest

from srgan.cli import main

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
access = pytest.importorskip("srgan.server.access", exc_type=ImportError)


@pytest.fixture(scope="module")
def secrets():
    """Tokens by name, and their hashes."""
    made = {name: access.new_token() for name in ("alice", "bob")}
    return {name: token for name, (token, _) in made.items()}, {
        name: hashed for name, (_, hashed) in made.items()
    }


@pytest.fixture(scope="module")
def port(serving, tiny_model, secrets):
    with serving(str(tiny_model), tokens=secrets[1]) as port:
        yield port


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/jobs/x", "/metrics"])
@pytest.mark.parametrize(
    "headers",
    [{}, bearer("wrong"), bearer(""), {"Authorization": "Basic YTpi"}, {"Authorization": "x"}],
)
def test_nobody_without_a_token_learns_of_pictures(port, connect, path, headers):
    status, found, body = connect(port).ask(path, headers=headers)
    assert (status, found["WWW-Authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer TOKEN" in json.loads(body)["detail"]


def test_a_hash_is_no_token(port, connect, secrets):
    assert connect(port).ask("/v1/models", headers=bearer(secrets[1]["alice"]))[0] == 401


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/openapi.json"])
def test_what_tells_of_no_picture_needs_no_token(port, connect, path):
    assert connect(port).ask(path)[0] == 200


def test_a_token_opens_all_but_the_jobs_of_others(port, connect, secrets, png):
    alice, bob = (bearer(secrets[0][name]) for name in ("alice", "bob"))
    client = connect(port)
    assert client.ask(data=png(8, 8))[0] == 401
    assert client.ask(data=png(8, 8), headers=alice)[0] == 200
    job = json.loads(client.ask("/v1/jobs", png(8, 8), headers=alice)[2])["id"]
    assert client.ask(f"/v1/jobs/{job}", headers=alice)[0] == 200
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/result", f"/v1/jobs/{job}/events"):
        assert client.ask(path, headers=bob)[0] == 404
    key = {"Idempotency-Key": "mine"}
    made = {client.ask("/v1/jobs", png(8, 8), headers=one | key)[2] for one in (alice, bob)}
    assert len({json.loads(body)["id"] for body in made}) == 2


def test_a_client_may_not_ask_too_often(serving, connect, tiny_model, secrets, png):
    with serving(str(tiny_model), tokens=secrets[1], rate=2) as port:
        client = connect(port)
        alice, bob = (bearer(secrets[0][name]) for name in ("alice", "bob"))
        found = [client.ask(data=png(8, 8), headers=alice) for _ in range(3)]
        assert [status for status, *_ in found] == [200, 200, 429]
        assert 0 < int(found[2][1]["Retry-After"]) <= 30
        assert "at most 2 requests a minute" in json.loads(found[2][2])["detail"]
        assert client.ask(data=png(8, 8), headers=bob)[0] == 200
        assert client.ask("/v1/models", headers=alice)[0] == 200


@pytest.mark.parametrize(
    ("proxies", "statuses"),
    [((), [200, 429]), (["127.0.0.1"], [200, 200]), (["127.0.0.0/8"], [200, 200])],
)
def test_clients_of_a_trusted_proxy_are_told_apart(
    serving, connect, tiny_model, png, proxies, statuses
):
    with serving(str(tiny_model), rate=1, proxies=proxies) as port:
        client = connect(port)
        found = [
            client.ask(data=png(8, 8), headers={"X-Forwarded-For": address})[0]
            for address in ("192.0.2.1", "192.0.2.2")
        ]
        assert found == statuses


def test_what_a_client_says_of_itself_before_the_proxy_does_not_count(
    serving, connect, tiny_model, png
):
    with serving(str(tiny_model), rate=1, proxies=["127.0.0.1"]) as port:
        client = connect(port)
        found = [
            client.ask(data=png(8, 8), headers={"X-Forwarded-For": f"{made_up}, 192.0.2.1"})[0]
            for made_up in ("198.51.100.1", "198.51.100.2")
        ]
        assert found == [200, 429]


def test_a_proxy_without_an_address_is_refused(tiny_model):
    with pytest.raises(ValueError, match="Expected the address of a proxy"):
        server.application([str(tiny_model)], proxies=["proxy.example"])


def run(*arguments, **environment):
    command = [sys.executable, "-m", "srgan", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | environment
    )


def test_a_token_is_printed_once_and_its_hash_is_kept(tmp_path, capsys):
    file = tmp_path / "tokens.txt"
    assert main(["token", "alice", "--tokens", str(file)]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    known = access.read_tokens(file)
    assert access.Access(None, known, None)._owner(f"Bearer {secret}") == "alice"
    assert main(["token", "bob", "--tokens", str(file)]) == 0
    assert [*access.read_tokens(file)] == ["alice", "bob"]
    capsys.readouterr()
    for name, words in (("bob", "has a token for bob already"), ("a b", "as a name; got 'a b'")):
        assert main(["token", name, "--tokens", str(file)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert words in told.err


@pytest.mark.parametrize("text", ["", "alice", "alice 12", f"a b {'0' * 64}", f"a {'g' * 64}"])
def test_a_file_without_tokens_is_refused(tmp_path, text, tiny_model):
    file = tmp_path / "tokens.txt"
    file.write_text(text)
    done = run("serve", "--port", 0, "--model", tiny_model, "--tokens", file)
    assert done.returncode == 2
    assert f"srgan token NAME --tokens {file}" in done.stderr


def test_others_than_this_machine_need_a_token_or_a_word(tiny_model, program, connect):
    done = run("serve", "--port", 0, "--host", "0.0.0.0", "--model", tiny_model)
    assert done.returncode == 2
    assert "lets others than this machine use the service" in done.stderr
    with program("--host", "0.0.0.0", "--allow-anonymous", "--model", tiny_model) as (_, port):
        assert connect(port).ask("/v1/models")[0] == 200
