"""Progress without a terminal: few lines, each with the time left."""

import io
import json
import math
from typing import NamedTuple

import pytest

from srgan.cli import progress


class State(NamedTuple):
    """As `srgan.train.run.Progress`, which needs TensorFlow."""

    stage: str
    step: int
    steps: int
    logs: dict[str, float]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when told to."""
    seconds = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_lines_come_every_half_minute_and_know_the_time_left(clock, capsys):
    with progress.training(as_json=False) as report:
        for step in range(1, 62):  # one second each
            report(State("pretrain", step, 100, {"pixel": 0.5}))
            clock[0] += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "pretrain 1/100  pixel 0.5",
        "pretrain 31/100  0:01:09 left  pixel 0.5",
        "pretrain 61/100  0:00:39 left  pixel 0.5",
    ]


def test_a_resumed_stage_is_timed_from_where_it_resumed(clock, capsys):
    with progress.training(as_json=False) as report:
        report(State("pretrain", 900, 1000, {}))
        clock[0] += 40
        report(State("pretrain", 920, 1000, {}))
    assert "920/1000  0:02:40 left" in capsys.readouterr().err


def test_scores_and_the_last_step_are_always_told(clock, capsys):
    with progress.training(as_json=False) as report:
        report(State("pretrain", 1, 3, {}))
        report(State("pretrain", 2, 3, {"pixel": 0.25, "validation_psnr": 28.123456}))
        report(State("pretrain", 3, 3, {}))
    lines = capsys.readouterr().err.splitlines()
    assert lines[1].endswith("pixel 0.25  validation: psnr 28.12")
    assert lines[2].startswith("pretrain 3/3")


def test_lines_have_what_tells_most_and_json_has_all(clock, capsys):
    loss = {"fake": -0.5, "gradient": 7.0, "gradients": 2.5, "colour_drift": 0.01}
    scores = {"validation_psnr": 28.0, "validation_niqe": 5.0, "validation_rank": 1.0}
    for as_json in (False, True):
        with progress.training(as_json) as report:
            report(State("adversarial", 2, 9, loss | scores))
    out, err = capsys.readouterr()
    assert err == "adversarial 2/9  fake -0.5  gradients 2.5  validation: psnr 28\n"
    assert json.loads(out)["logs"] == loss | scores


def test_json_lines_go_to_stdout_and_are_json(clock, capsys):
    with progress.training(as_json=True) as report:
        report(State("data", 1, 2, {"validation_lr_psnr": math.inf}))
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=pytest.fail) == {
        "stage": "data",
        "step": 1,
        "steps": 2,
        "logs": {"validation_lr_psnr": "inf"},
        "seconds_left": None,
    }


def test_a_terminal_sees_stage_step_terms_and_scores(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with progress.training(as_json=False) as report:
        report(State("adversarial", 7, 90, {"perceptual": 0.125, "validation_lpips": 0.1}))
    shown = terminal.getvalue()
    assert "adversarial 7: validation: lpips 0.1" in shown
    assert "7/90" in shown
    assert "perceptual 0.125" in shown


@pytest.mark.parametrize(("stream", "seen"), [(io.StringIO, False), (Terminal, True)])
def test_the_bar_is_for_terminals(stream, seen, monkeypatch):
    out = stream()
    monkeypatch.setattr("sys.stderr", out)
    with progress.bar(2) as show:
        show(1.5, "cat.png")
    assert ("cat.png" in out.getvalue()) is seen


def test_names_with_brackets_are_shown_as_they_are(monkeypatch):
    monkeypatch.setattr(progress.sys, "stderr", shown := Terminal())
    with progress.bar(1) as show:
        show(0.5, "a[/b].png")
    assert "a[/b].png" in shown.getvalue()


def test_a_batch_tells_how_far_it_is_also_while_a_large_picture_takes_long(clock, capsys):
    large = []
    with progress.tally(lambda: large[0] if large else None) as tally:
        tally.total = 2100
        tally.add(True, 2.0, 2000)
        clock[0] += 40
        tally.add(False, 0.0, 2000)
        large.append(("s3://bucket/map.tif", 3, 12))
        clock[0] += 50
        tally.tell()
        tally.tell()
    assert capsys.readouterr().err.splitlines() == [
        "2,002 of 2,100, 0:32:40 left: 0.05 pictures/s, 0.05 megapixels/s, 1 failed",
        "2,002 of 2,100, 1:05:10 left: 0.02 pictures/s, 0.02 megapixels/s, 1 failed; "
        "map.tif: 3 of 12 strips",
    ]


def test_a_batch_tells_that_nothing_is_done_yet(clock, capsys):
    with progress.tally(lambda: None) as tally:
        clock[0] += 40
        tally.tell()
    assert capsys.readouterr().err == "0 of ?: 0 pictures/s, 0 megapixels/s\n"
