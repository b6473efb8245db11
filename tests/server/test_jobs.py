"""Jobs outlive their requests, and the service: each is done once, and its result kept a while."""

import contextlib
import http.client
import json
import sqlite3
import subprocess
import sys
import time
import urllib.parse

import pytest

server = pytest.importorskip("srgan.server", reason="needs fastapi", exc_type=ImportError)
store = pytest.importorskip("srgan.server.store", exc_type=ImportError)
jobs = pytest.importorskip("srgan.server.jobs", exc_type=ImportError)


def ask(port, method, path, data=None, headers=None, **query):
    """Returns the status, the headers and the body of an answer."""
    address = f"{path}?{urllib.parse.urlencode(query)}" if query else path
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, address, data, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def submit(port, data, headers=None, **query):
    """Has a job accepted; returns its id."""
    status, found, body = ask(port, "POST", "/v1/jobs", data, headers, **query)
    job = json.loads(body)
    assert status in (200, 202), body
    assert found["Location"] == f"/v1/jobs/{job['id']}"
    return job["id"]


def show(port, job):
    status, _, body = ask(port, "GET", f"/v1/jobs/{job}")
    assert status == 200, body
    return json.loads(body)


def result(port, job):
    return ask(port, "GET", f"/v1/jobs/{job}/result")


def detail(answer):
    return json.loads(answer[2])["detail"]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def wait(port, job):
    until(lambda: show(port, job)["state"] not in ("waiting", "running"))
    return show(port, job)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def port(serving, tiny_model, home):
    with serving(str(tiny_model), "srgan-fast-x4", state=home) as port:
        yield port


def test_a_job_gives_what_the_request_gives_as_often_as_it_is_asked_for(port, png):
    expected = ask(port, "POST", "/v1/upscale", png(20, 30), scale=1.5, format="webp")
    job = submit(port, png(20, 30), scale=1.5, format="webp")
    done = wait(port, job)
    assert (done["state"], done["done"], done["model"]) == ("done", 1, "tiny")
    assert done["bytes"] == len(expected[2])
    assert done["created"] < done["expires"]
    for _ in range(2):
        status, headers, body = result(port, job)
        assert (status, headers["Content-Type"], body) == (200, "image/webp", expected[2])
        assert headers["Srgan-Model"] == "tiny"


def test_a_form_and_an_error_map_are_jobs_too(port, png):
    body = b'--x\r\nContent-Disposition: form-data; name="work"\r\n\r\nerror-map\r\n'
    body += b'--x\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\n' + png(20, 30)
    body += b"\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    status, _, answer = ask(port, "POST", "/v1/jobs", body, kind, model="tiny", scale=2)
    assert status == 422
    assert b"An error map takes the model alone; got scale" in answer
    failed = wait(port, submit(port, body, kind, model="tiny"))
    assert failed["state"] == "failed"
    assert "tiny" in failed["detail"]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"model": "none"}, 422, "There is no model 'none' here"),
        ({"scale": 0}, 422, "scale: Input should be greater than 0"),
        ({"work": "nothing"}, 422, "work: Input should be 'upscale' or 'error-map'"),
    ],
)
def test_what_is_wrong_whatever_the_picture_is_is_no_job(port, png, query, code, words):
    answer = ask(port, "POST", "/v1/jobs", png(8, 8), **query)
    assert answer[0] == code
    assert words in detail(answer)


def test_a_job_that_fails_says_why_as_its_request_would(port, png, home):
    for data, query in ((b"no picture", {}), (png(8, 8), {"scale": 99})):
        expected = ask(port, "POST", "/v1/upscale", data, **query)
        job = submit(port, data, **query)
        assert wait(port, job)["detail"] == detail(expected)
        assert (result(port, job)[0], detail(result(port, job))) == (422, detail(expected))
    until(lambda: not list((home / "jobs").iterdir()))  # removed once the failure is kept


def test_a_key_makes_one_job_of_a_repeated_request(port, png):
    key = {"Idempotency-Key": "photo-1"}
    first = ask(port, "POST", "/v1/jobs", png(9, 9), key)
    again = ask(port, "POST", "/v1/jobs", png(9, 9), key)
    assert (first[0], again[0]) == (202, 200)
    assert json.loads(first[2])["id"] == json.loads(again[2])["id"]
    for data, query in ((png(9, 10), {}), (png(9, 9), {"scale": 1.5})):
        other = ask(port, "POST", "/v1/jobs", data, key, **query)
        assert other[0] == 422
        assert "was used for another picture" in detail(other)
    assert submit(port, png(9, 9)) != json.loads(first[2])["id"]


def test_the_key_of_a_cancelled_job_starts_no_second_one(port, png):
    key = {"Idempotency-Key": "photo-2"}
    job = submit(port, png(9, 9), key)
    wait(port, job)
    ask(port, "DELETE", f"/v1/jobs/{job}")
    status, _, body = ask(port, "POST", "/v1/jobs", png(9, 9), key)
    again = json.loads(body)
    assert (status, again["id"], again["state"]) == (200, job, "cancelled")
    assert "Send the picture again, with a new Idempotency-Key" in detail(result(port, job))
    assert submit(port, png(9, 9), {"Idempotency-Key": "photo-3"}) != job


@pytest.mark.parametrize("path", ["", "/events", "/result"])
def test_an_unknown_job_is_said(port, path):
    answer = ask(port, "GET", f"/v1/jobs/{'0' * 32}{path}")
    assert answer[0] == 404
    assert "There is no job" in detail(answer)
    assert ask(port, "DELETE", f"/v1/jobs/{'0' * 32}")[0] == 404


def test_places_progress_and_events_are_told(serving, png):
    with serving("srgan-fast-x4", concurrency=1, tile=32) as port:
        first, second = submit(port, png(220, 220)), submit(port, png(16, 16))
        third = submit(port, png(16, 16))
        until(lambda: show(port, first)["done"] > 0)
        assert show(port, first)["seconds_left"] > 0
        assert (show(port, second)["place"], show(port, third)["place"]) == (0, 1)
        assert result(port, third)[0] == 409
        status, headers, body = ask(port, "GET", f"/v1/jobs/{third}/events")
        assert (status, headers.get_content_type()) == (200, "text/event-stream")
        lines = body.decode().splitlines()
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        assert [events[0]["state"], events[-1]["state"]] == ["waiting", "done"]
        assert lines.count("event: status") == len(events)


def test_a_job_is_cancelled_within_a_tile_and_a_result_is_removed(serving, png, home):
    with serving("srgan-fast-x4", tile=32, concurrency=1, state=home) as port:
        running, waiting = submit(port, png(500, 500)), submit(port, png(16, 16))
        done = submit(port, png(16, 16))
        until(lambda: show(port, running)["done"] > 0)
        began = time.monotonic()
        for job in (running, waiting):
            status, _, body = ask(port, "DELETE", f"/v1/jobs/{job}")
            assert (status, json.loads(body)["state"]) == (200, "cancelled")
        assert wait(port, done)["state"] == "done"
        assert time.monotonic() - began < 5  # the first alone takes many
        assert ask(port, "DELETE", f"/v1/jobs/{done}")[0] == 200
        for job in (running, waiting, done):
            assert result(port, job)[0] == 410
            assert "the job is cancelled" in detail(result(port, job))
        until(lambda: not list((home / "jobs").iterdir()))


def test_a_request_need_not_wait_for_all_jobs(serving, png):
    with serving("srgan-fast-x4", tile=32, concurrency=1) as port:
        first = submit(port, png(200, 200))
        others = [submit(port, png(200, 200)) for _ in range(3)]
        until(lambda: show(port, first)["state"] == "running")
        assert ask(port, "POST", "/v1/upscale", png(8, 8))[0] == 200
        assert show(port, others[-1])["state"] == "waiting"
        for job in others:
            ask(port, "DELETE", f"/v1/jobs/{job}")


def test_jobs_leave_a_place_for_requests(serving, png):
    with serving("srgan-fast-x4", tile=32, concurrency=2) as port:
        jobs = [submit(port, png(400, 400)) for _ in range(2)]
        until(lambda: show(port, jobs[0])["done"] > 0)
        assert ask(port, "POST", "/v1/upscale", png(8, 8))[0] == 200
        assert [show(port, job)["state"] for job in jobs] == ["running", "waiting"]
        for job in jobs:
            ask(port, "DELETE", f"/v1/jobs/{job}")


def test_more_jobs_than_may_wait_are_turned_away(serving, png):
    with serving("srgan-fast-x4", tile=32, jobs=1) as port:
        job = submit(port, png(400, 400))
        status, headers, body = ask(port, "POST", "/v1/jobs", png(8, 8))
        assert (status, headers["Retry-After"]) == (503, "5")
        assert b"1 jobs wait already" in body
        ask(port, "DELETE", f"/v1/jobs/{job}")


def test_results_are_kept_for_a_stated_time(serving, png, tiny_model, monkeypatch, home):
    monkeypatch.setattr(jobs, "_SWEEP", 0.1)
    with serving(str(tiny_model), keep=1, state=home) as port:
        job = submit(port, png(8, 8))
        assert wait(port, job)["state"] == "done"
        until(lambda: show(port, job)["state"] == "expired")
        assert result(port, job)[0] == 410
        assert "the job is expired" in detail(result(port, job))
        until(lambda: not list((home / "jobs").iterdir()))


def test_a_result_is_gone_when_its_time_is_over_and_not_when_it_is_removed(
    serving, png, tiny_model, monkeypatch, home
):
    monkeypatch.setattr(jobs, "_SWEEP", 3600)
    with serving(str(tiny_model), keep=2, state=home) as port:
        job = submit(port, png(8, 8))
        assert wait(port, job)["state"] == "done"
        assert result(port, job)[0] == 200
        until(lambda: show(port, job)["state"] == "expired")
        assert (show(port, job)["bytes"], show(port, job)["expires"]) == (None, None)
        assert result(port, job)[0] == 410
        assert (home / "jobs" / job / "enlarged.png").exists()  # what would have been sent
        assert json.loads(ask(port, "DELETE", f"/v1/jobs/{job}")[2])["state"] == "expired"
        assert not (home / "jobs" / job).exists()


def test_the_oldest_results_make_room(serving, png, tiny_model):
    data = png(40, 40)  # of 5 kB, and their results of 20
    with serving(str(tiny_model), quota=5e-5) as port:
        ids = [submit(port, data)]
        wait(port, ids[0])
        for _ in range(3):
            ids.append(submit(port, data))
            wait(port, ids[-1])
        until(lambda: [show(port, job)["state"] for job in ids[:2]] == ["expired", "expired"])
        assert show(port, ids[-1])["state"] == "done"


def test_a_full_quota_is_said(serving, png, tiny_model):
    with serving(str(tiny_model), quota=1e-6) as port:
        answer = ask(port, "POST", "/v1/jobs", png(40, 40))
        assert answer[0] == 507
        assert "more than all jobs together may take of the disk here (1e-06 GB)" in detail(answer)


def test_a_picture_that_has_no_room_costs_nobody_a_result(serving, png, tiny_model):
    with serving(str(tiny_model), quota=5e-5) as port:
        job = submit(port, png(40, 40))
        wait(port, job)
        large = png(200, 200)
        assert len(large) > 50_000
        assert ask(port, "POST", "/v1/jobs", large)[0] == 507
        assert show(port, job)["state"] == "done"
        assert result(port, job)[0] == 200


def test_a_kill_loses_no_job(program, png, home):
    arguments = ("--model", "srgan-fast-x4", "--tile", 32, "--concurrency", 1, "--state", home)
    with program(*arguments) as (service, port):
        expected = ask(port, "POST", "/v1/upscale", png(24, 24), scale=2)[2]
        first = submit(port, png(300, 300))
        second = submit(port, png(24, 24), {"Idempotency-Key": "second"}, scale=2)
        until(lambda: show(port, first)["done"] > 0)
        assert show(port, first)["state"] == "running"
        service.kill()
        service.wait()
    orphan = home / "jobs" / "0123"  # of a job that was not accepted yet
    orphan.mkdir()
    with program(*arguments) as (_, port):
        assert submit(port, png(24, 24), {"Idempotency-Key": "second"}, scale=2) == second
        assert wait(port, first)["state"] == wait(port, second)["state"] == "done"
        assert result(port, second)[2] == expected
        assert result(port, first)[2].startswith(b"\x89PNG")
        assert not orphan.exists()
        for job in (first, second):
            folder = home / "jobs" / job
            until(lambda folder=folder: len(list(folder.iterdir())) == 1)
            assert (folder / "enlarged.png").is_file()


def test_a_kill_just_after_the_end_of_a_job_leaves_no_picture(program, png, home):
    arguments = ("--model", "srgan-fast-x4", "--state", home)
    with program(*arguments) as (_, port):
        job = submit(port, png(24, 24))
        assert wait(port, job)["state"] == "done"
        until(lambda: not (home / "jobs" / job / "picture").exists())
    (home / "jobs" / job / "picture").write_bytes(png(24, 24))
    with program(*arguments) as (_, port):
        assert result(port, job)[2].startswith(b"\x89PNG")
        assert [path.name for path in (home / "jobs" / job).iterdir()] == ["enlarged.png"]


def test_an_end_leaves_jobs_for_the_next_start_and_counts_no_attempt(program, png, home):
    arguments = ("--model", "srgan-fast-x4", "--tile", 32, "--state", home)
    with program(*arguments) as (service, port):
        job = submit(port, png(400, 400))
    for _ in range(jobs._ATTEMPTS + 1):
        with program(*arguments) as (service, port):
            until(lambda port=port: show(port, job)["done"] > 0)
            service.terminate()
            assert service.wait(timeout=30) == 0
    found = store.Store(home / "jobs.sqlite")
    assert found.get(job).state == "waiting"
    found.close()


def test_a_picture_that_ends_the_service_each_time_is_given_up(serving, png, tiny_model, home):
    with serving(str(tiny_model), state=home) as port:
        pass
    found = store.Store(home / "jobs.sqlite")
    found.add(store.Job("1" * 32, "upscale", {}, attempts=jobs._ATTEMPTS, bytes=1))
    found.close()
    with serving(str(tiny_model), state=home) as port:
        job = show(port, "1" * 32)
        assert (job["state"], job["detail"][:26]) == ("failed", "The service ended 3 times ")


def test_a_damaged_database_is_kept_aside_and_said(program, png, tiny_model, home):
    with program("--model", tiny_model, "--state", home) as (_, port):
        wait(port, submit(port, png(8, 8)))
    for file in home.glob("jobs.sqlite-*"):
        file.unlink()
    (home / "jobs.sqlite").write_bytes(b"no database" * 1000)
    with program("--model", tiny_model, "--state", home) as (service, port):
        assert wait(port, submit(port, png(8, 8)))["state"] == "done"
        service.kill()
        said = service.stderr.read()
    (kept,) = home.glob("jobs.sqlite.damaged-*")
    assert kept.read_bytes().startswith(b"no database")
    assert f"It is kept as {kept}" in said
    (folder,) = home.glob("jobs.damaged-*")
    assert list(folder.glob("*/enlarged.png"))


@pytest.mark.parametrize("left", [None, b""], ids=["removed", "emptied"])
def test_what_a_lost_database_knew_is_kept_aside_and_said(program, png, tiny_model, home, left):
    with program("--model", tiny_model, "--state", home) as (_, port):
        wait(port, submit(port, png(8, 8)))
    for file in home.glob("jobs.sqlite*"):
        file.unlink()
    if left is not None:
        (home / "jobs.sqlite").write_bytes(left)
    with program("--model", tiny_model, "--state", home) as (service, port):
        assert wait(port, submit(port, png(8, 8)))["state"] == "done"
        service.kill()
        said = service.stderr.read()
    (kept,) = home.glob("jobs.damaged-*")
    assert f"The database knows nothing of 1 jobs in {home / 'jobs'}" in said
    assert f"They are kept in {kept}" in said
    assert list(kept.glob("*/enlarged.png"))


def test_jobs_that_an_older_database_does_not_know_are_kept_aside(serving, png, tiny_model, home):
    with serving(str(tiny_model), state=home) as port:
        known = submit(port, png(8, 8))
        wait(port, known)
    for name in ("a", "b"):
        (home / "jobs" / name).mkdir()
        (home / "jobs" / name / "picture").write_bytes(png(8, 8))
    with serving(str(tiny_model), state=home) as port:
        assert show(port, known)["state"] == "done"
    (kept,) = home.glob("jobs.damaged-*")
    assert sorted(path.name for path in kept.iterdir()) == ["a", "b"]


def test_a_database_that_others_lock_for_long_loses_no_job(
    serving, png, tiny_model, monkeypatch, home
):
    monkeypatch.setattr(store, "_LOCKED", 0.1)
    monkeypatch.setattr(jobs, "_AGAIN", 0.1)
    monkeypatch.setattr(jobs, "_SWEEP", 0.1)
    with serving(str(tiny_model), "srgan-fast-x4", state=home) as port:
        ids = [submit(port, png(300, 300), model="srgan-fast-x4") for _ in range(3)]
        with contextlib.closing(sqlite3.connect(home / "jobs.sqlite", isolation_level=None)) as it:
            it.execute("BEGIN EXCLUSIVE")
            answer = ask(port, "POST", "/v1/jobs", png(8, 8))
            assert answer[0] == 503
            assert "in use by another program" in detail(answer)
            time.sleep(2)  # long enough for work to begin or end, and to be looked for
            assert all(show(port, job)["state"] in ("waiting", "running") for job in ids)
            it.execute("ROLLBACK")
        assert [wait(port, job)["state"] for job in ids] == ["done"] * 3


def test_a_database_that_is_locked_or_newer_is_said(monkeypatch, home):
    monkeypatch.setattr(store, "_LOCKED", 0.1)
    file = _made(home / "jobs.sqlite")
    store.Store(file).close()
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ValueError, match=r"database is locked\. End what else uses it"):
            store.Store(file)
        other.rollback()
    with contextlib.closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="was written by a newer version of srgan"):
        store.Store(file)


def _made(file):
    file.parent.mkdir(parents=True)
    return file


def serve(*arguments):
    command = [sys.executable, "-m", "srgan", "serve", "--port", "0", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_two_services_do_not_share_a_folder(port, tiny_model, home):
    done = serve("--model", tiny_model, "--state", home)
    assert done.returncode == 2
    assert f"Another service has its jobs in {home}" in done.stderr


def test_a_file_in_place_of_the_folder_is_said(tiny_model, home):
    home.touch()
    done = serve("--model", tiny_model, "--state", home)
    assert done.returncode == 2
    assert f"Jobs cannot be kept in {home}: File exists. Choose a folder as --state" in done.stderr
    assert "Traceback" not in done.stderr
