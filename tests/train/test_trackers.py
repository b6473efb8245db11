"""Trackers get by their own callbacks for Keras what a run writes to its own files, offline.

They are no part of the development environment: W&B is large, and MLflow conflicts with a newer
`importlib_metadata`. So these tests are skipped where nobody has installed them.
"""

import json
import struct

import pytest

from srgan.train import csv_log, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # those of the trackers are not ours
]

TERMS = {
    "pretrain": ("pixel", "gradient", "colour_drift"),
    "adversarial": ("pixel", "perceptual", "adversarial", "grid", "discriminator", "real"),
}
SCORES = ("psnr", "ssim")


def hold_against_files(folder, tracked):
    """Compares what a tracker has with the files of a run of four steps in each stage.

    Args:
        folder: Of the run.
        tracked: The values of each name, in the order in which they came.
    """
    for stage, of in (("pretrain", slice(4)), ("adversarial", slice(-4, None))):
        (row,) = csv_log.read_rows(folder / stage / "log.csv")  # the means of all four
        for term in TERMS[stage]:
            found = tracked[term][of]
            assert len(found) == 4
            assert sum(found) / 4 == pytest.approx(float(row[term]), rel=1e-4), (stage, term)
    for score in SCORES:
        columns = [
            csv_log.columns(folder / stage / "validation.csv")
            for stage in ("pretrain", "adversarial")
        ]
        expected = [value for column in columns for value in column[score]]
        assert len(expected) == 4  # after two steps and four, in each stage
        assert tracked[f"validation_{score}"] == pytest.approx(expected, rel=1e-4)


def test_mlflow_has_the_numbers_of_each_step(tiny, photo_folder, vgg_file, tmp_path, monkeypatch):
    pytest.importorskip("pandas", reason="needs: pip install mlflow-skinny pandas")
    mlflow = pytest.importorskip("mlflow", reason="needs: pip install mlflow-skinny pandas")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a data base needs the whole of mlflow
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    with mlflow.start_run() as begun:
        watch = mlflow.keras.MlflowCallback(log_every_epoch=False, log_every_n_steps=1)
        run.train(photo_folder, tmp_path / "run", tiny, vgg_weights=vgg_file, callbacks=[watch])
    client = mlflow.MlflowClient()
    kept = client.get_run(begun.info.run_id)
    assert kept.data.params["optimizer_name"] == "adam"
    tracked = {
        name: [one.value for one in client.get_metric_history(begun.info.run_id, name)]
        for name in kept.data.metrics
    }
    hold_against_files(tmp_path / "run", tracked)


def test_weights_and_biases_has_the_numbers_of_each_step(
    tiny, photo_folder, vgg_file, tmp_path, monkeypatch
):
    wandb = pytest.importorskip("wandb", reason="needs: pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    from wandb.integration.keras import WandbMetricsLogger

    with wandb.init(project="srgan", config=tiny.model_dump(), dir=tmp_path):
        watch = WandbMetricsLogger(log_freq=1)
        run.train(photo_folder, tmp_path / "run", tiny, vgg_weights=vgg_file, callbacks=[watch])
    wandb.teardown()  # which ends the process that writes
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    rows = [row for row in history(file) if "batch/batch_step" in row]  # one of each stage beside
    assert [row["batch/batch_step"] for row in rows] == [*range(8)]
    tracked = {}
    for row in rows:
        for name, value in row.items():
            tracked.setdefault(name.removeprefix("batch/"), []).append(value)
    assert max(tracked["learning_rate"]) == pytest.approx(tiny.pretrain.learning_rate)
    hold_against_files(tmp_path / "run", tracked)


def history(file):
    """The rows of a file of W&B: records of its protocol, in the log format of LevelDB."""
    from wandb.proto import wandb_internal_pb2

    block, header = 32768, struct.Struct("<IHB")  # checksum, length, kind
    data, place = file.read_bytes(), 7  # which its own header takes
    rows, record = [], b""
    while place + header.size <= len(data):
        if block - place % block < header.size:  # the rest of a block is empty
            place += block - place % block
            continue
        _, length, kind = header.unpack_from(data, place)
        place += header.size
        record += data[place : place + length]
        place += length
        if kind in (1, 4):  # whole, or the last part
            read = wandb_internal_pb2.Record.FromString(record)
            items = read.history.item
            if items:
                rows.append(
                    {
                        "/".join(item.nested_key) or item.key: json.loads(item.value_json)
                        for item in items
                    }
                )
            record = b""
    return rows
