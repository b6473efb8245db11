"""A diagnosis finds each fault in logs that have it, and none in healthy ones."""

import json

import numpy as np
import pytest

from srgan import cli
from srgan.train import comparison, csv_log, diagnose

ROWS = 40


@pytest.fixture
def run(tmp_path):
    """Writes the logs of a healthy run, with changes to columns."""

    def write(stage="adversarial", checks=8, **changes):
        folder = tmp_path / "run" / stage
        folder.mkdir(parents=True)
        (tmp_path / "run" / "config.toml").write_text("[pretrain]\nsteps = 900\n")
        at = np.linspace(0, 1, ROWS)
        noise = np.random.default_rng(0).normal(0, 0.02, ROWS)
        log = {
            "pixel": 0.3 - 0.1 * at + noise,
            "learning_rate": 2e-4 * (1 + np.cos(np.pi * at)) / 2,
            "step_seconds": 0 * at + 0.5,
            "data_seconds": 0 * at + 0.1,
        }
        if stage == "adversarial":
            log |= {"discriminator": 0.8 + noise, "accuracy": 0.8 + noise}
        now = np.linspace(0, 1, checks)
        scores = {
            "psnr": 28 + now,
            "lpips": 0.3 - 0.1 * now,
            "grid": 0 * now + 0.04,
            "checkerboard": 0 * now + 0.07,
            "colour_drift": 0 * now + 0.5,
            "rank": 28 + now,
        }
        for file, columns in (("log", log), ("validation", scores)):
            columns = {name: changes.get(name, lambda x: x)(x) for name, x in columns.items()}
            for i in range(len(columns["pixel" if file == "log" else "psnr"])):
                row = {name: float(x[i]) for name, x in columns.items()}
                step = 20 * (i + 1) if file == "log" else 20 * ROWS // checks * (i + 1)
                csv_log.append(folder / f"{file}.csv", {"step": step} | row)
        return tmp_path / "run"

    return write


def names(run):
    return [finding.name for finding in diagnose.diagnose(run).findings]


def test_detail_that_a_young_network_lacks_is_no_grid_artifact(run):
    assert names(run("pretrain", grid=lambda x: x + 0.2)) == []
    assert names(run("adversarial", grid=lambda x: x * np.linspace(6, 4, 8))) == []


def test_a_discriminator_that_is_sure_and_often_right_is_awake_whatever_its_loss(run):
    sure = {"discriminator": lambda x: 0 * x + 1.45, "accuracy": lambda x: 0 * x + 0.58}
    assert names(run(**sure)) == []


def test_a_discriminator_that_had_to_learn_first_is_awake(run):
    last = np.arange(ROWS) >= 0.7 * ROWS
    changes = {
        "discriminator": lambda x: np.where(last, 0.8, 3.3),
        "accuracy": lambda x: np.where(last, 0.8, 0.46),
    }
    assert names(run(**changes)) == []


@pytest.mark.parametrize("stage", ["pretrain", "adversarial"])
def test_a_healthy_run_is_left_in_peace(run, stage):
    assert names(run(stage)) == []


def spiky(pixel):
    pixel = pixel.copy()
    pixel[5::8] *= 20
    return pixel


@pytest.mark.parametrize(
    ("name", "stage", "changes"),
    [
        (
            "discriminator asleep",
            "adversarial",
            {"discriminator": lambda x: 0 * x + 1.38, "accuracy": lambda x: x - 0.3},
        ),
        ("discriminator too strong", "adversarial", {"accuracy": lambda x: 0 * x + 0.999}),
        ("collapse", "adversarial", {"psnr": lambda x: np.where(np.arange(8) > 4, 15, x)}),
        ("learning rate too high", "pretrain", {"pixel": spiky}),
        (
            "plateau",
            "pretrain",
            {"rank": lambda x: np.minimum(x, 28.4), "learning_rate": lambda x: 0 * x + 1e-4},
        ),
        ("colours drift", "adversarial", {"colour_drift": lambda x: x + np.arange(8)}),
        ("grid artifact", "adversarial", {"grid": lambda x: x + 0.1}),
        ("grid artifact", "adversarial", {"grid": lambda x: x * np.linspace(1, 2.5, 8)}),
        ("grid artifact", "pretrain", {"checkerboard": lambda x: x + 1}),
        ("starved of data", "pretrain", {"data_seconds": lambda x: x + 0.45}),
        (
            "overfitting",  # and no grid artifact, whose advice is the opposite
            "pretrain",
            {"checkerboard": lambda x: x + 1}
            | {"psnr": lambda x: 28 - np.abs(np.arange(8) - 2) / 5, "pixel": lambda x: x**2},
        ),
    ],
)
def test_each_fault_is_found_and_no_other(run, name, stage, changes):
    assert names(run(stage, **changes)) == [name]


def test_a_run_that_diverged_says_how_often(run):
    folder = run("pretrain")
    (folder / "pretrain" / "checkpoints").mkdir()
    np.savez(folder / "pretrain" / "checkpoints" / "00000800.npz", halvings=np.int64(2))
    (finding,) = diagnose.diagnose(folder).findings
    assert finding.name == "learning rate too high"
    assert "halved 2 times" in finding.seen


def test_a_run_that_diverged_before_it_logged_anything_says_so_too(run, capsys):
    folder = run("pretrain")
    (folder / "pretrain" / "log.csv").unlink()
    (folder / "pretrain" / "validation.csv").unlink()
    (folder / "pretrain" / "checkpoints").mkdir()
    np.savez(folder / "pretrain" / "checkpoints" / "00000000.npz", halvings=np.int64(3))
    assert names(folder) == ["learning rate too high"]
    assert cli.main(["diagnose", str(folder)]) == 0
    assert "it diverged, and was halved 3 times" in capsys.readouterr().out


def test_the_command_says_it_in_words_and_draws_a_page(run, capsys):
    folder = run(grid=lambda x: x + 0.1)
    assert cli.main(["diagnose", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "adversarial: grid artifact: GRID is 0.140, and 0.04 in photos. Raise adver" in said
    page = (folder / "diagnosis.html").read_text()
    assert page.count("<polyline") == 12
    assert page.count("<line ") == 2  # chance: of the discriminator's loss and accuracy
    assert '<a href="#adversarial/validation/grid">adversarial: grid artifact</a>' in page
    assert '<figure id="adversarial/validation/grid" class="marked">' in page
    assert cli.main(["diagnose", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["name"] == "grid artifact"
    assert cli.main(["diagnose", str(folder / "adversarial")]) == 2


def test_a_run_that_has_hardly_begun_is_not_called_healthy(run, capsys):
    folder = run()
    for name in ("log", "validation"):
        file = folder / "adversarial" / f"{name}.csv"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:3]))
    assert cli.main(["diagnose", str(folder)]) == 0
    assert "Too little is logged to tell." in capsys.readouterr().out
    assert "Too little is logged to tell." in (folder / "diagnosis.html").read_text()


def test_a_generator_of_ones_own_is_named_in_the_table_of_runs(run, tmp_path):
    folder = run("pretrain")
    (folder / "run.json").write_text('{"own": {"generator": "Dilated 0123456789abcdef"}}')
    (row,) = comparison.compare([folder])
    assert row.network == "Dilated"


def test_runs_are_compared_by_their_best_weights(run, tmp_path, capsys):
    run("pretrain")
    (tmp_path / "other").mkdir()
    (row,) = comparison.compare(comparison.find([tmp_path]))
    assert row == ("run", "pretrain", "residual", 800, 900, 800, 29.0, 0.2, 0.04)
    assert cli.main(["runs", str(tmp_path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].split() == [
        *("run", "pretrain", "residual", "800/900", "800", "29.00", "0.2000", "0.040")
    ]
    assert cli.main(["runs", str(tmp_path / "other")]) == 2
