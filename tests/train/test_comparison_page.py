"""Runs side by side: a page with their validations, and the front of those that none exceeds."""

import re

import numpy as np
import pytest
import tomli_w

from srgan import cli
from srgan.train import comparison, comparison_page, config, csv_log, plots


@pytest.fixture
def runs(tmp_path):
    """Three, the last of which is worse than the first in both measures."""
    for name, psnr, lpips in (("a", 28.0, 0.10), ("b", 29.0, 0.14), ("c<i>", 27.5, 0.12)):
        folder = tmp_path / name
        (folder / "adversarial").mkdir(parents=True)
        text = tomli_w.dumps(config.Config().model_dump(mode="json"))
        (folder / "config.toml").write_text(text)
        for step in (1, 2):
            row = {"step": step, "psnr": psnr - 2 + step, "lpips": lpips, "grid": 0.05}
            csv_log.append(folder / "adversarial/validation.csv", row | {"rank": step - 2.0})
    return tmp_path


def test_the_front_joins_the_runs_that_none_exceeds(runs):
    drawn = comparison_page.drawing(comparison.compare(comparison.find([runs])))
    (line,) = re.findall(r'<polyline points="([^"]*)"', drawn)
    assert len(line.split()) == 2
    dots = dict(re.findall(r"<title>(\S+): PSNR ([\d.]+) dB", drawn))
    assert dots == {"a": "28.00", "b": "29.00", "c&lt;i&gt;": "27.50"}


def test_of_a_sweep_points_have_the_values_in_their_order_and_the_title_the_key(runs):
    for name, value in (("a", "27"), ("b", "3"), ("c<i>", "9.5")):
        (runs / name).rename(runs / f"adversarial.ramp={value}")
    found = comparison.find([runs])
    assert [run.name.partition("=")[2] for run in found] == ["3", "9.5", "27"]
    drawn = comparison_page.drawing(comparison.compare(found))
    assert "adversarial.ramp: Pareto front" in drawn
    assert {*re.findall(r"<title>(\S+): PSNR", drawn)} == {"3", "9.5", "27"}


def test_the_page_has_each_run_as_a_line_of_each_plot(runs):
    folders = comparison.find([runs])
    page = comparison_page.page(comparison.compare(folders), folders)
    assert page.count("<title>b</title>") == 4  # psnr, lpips, grid, rank
    assert "<i>" not in page
    assert "<td>29.00<td>0.1400<td>0.050" in page
    assert "<b>PSNR</b>" in page
    for number in ("26.5", "29", "step 1", "2"):
        assert f">{number}</text>" in page
    assert "pretrain</h3>" not in page  # which no run has


def test_a_command_writes_both(runs, capsys):
    options = ["--page", runs / "runs.html", "--plane", runs / "plane.svg"]
    assert cli.main(["runs", *map(str, [runs, *options])]) == 0
    assert (runs / "plane.svg").read_text().startswith("<svg")
    assert "<h3>adversarial</h3>" in (runs / "runs.html").read_text()


def test_runs_without_a_validation_cannot_be_drawn(tmp_path, capsys):
    (tmp_path / "config.toml").write_text("")
    assert cli.main(["runs", str(tmp_path), "--plane", str(tmp_path / "plane.svg")]) == 2
    assert "No run has been validated yet" in capsys.readouterr().err


def test_logarithmic_plots_leave_out_what_is_not_above_zero():
    line = plots.Line(np.arange(4), np.array([0.0, 1.0, 10.0, 100.0]))
    drawn = plots.plot("norms", {"a": line}, logarithmic=True, is_named=True)
    assert '<polyline points="0.0,120.0 140.0,60.0 280.0,-0.0" stroke="#0072b2">' in drawn
    assert '<b style="color: #0072b2">a</b>' in drawn
    zeros = {"a": plots.Line(line.steps[:1], line.values[:1])}
    assert plots.plot("norms", zeros, logarithmic=True) == ""


def test_a_single_validation_is_a_dot():
    one = plots.Line(np.array([10]), np.array([28.5]))
    two = plots.Line(np.array([10, 20]), np.array([28.0, 29.0]))
    drawn = plots.plot("PSNR", {"a": one, "b": two})
    assert '<circle cx="0.0" cy="60.0" r="3" fill="#0072b2"><title>a</title></circle>' in drawn
    assert '<polyline points="0.0,120.0 280.0,0.0" stroke="#d55e00">' in drawn
