"""Lightning's loggers: what they are told can be read back, and none of them costs a run."""

import csv
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from ood_diffusion.checks import Json, UserError
from ood_diffusion.report.tracking.log import numbers, sheets
from ood_diffusion.report.tracking.settings import check_logger
from ood_diffusion.report.tracking.tracker import open_tracker
from ood_diffusion.runs.assemble import plain
from tests.composed import composed
from tests.report.fake import pictures, results

CONFIG: Json = {"eta": 0.25, "conf": {"stage": {"interference": {"etas": [0.0, 0.5]}}}}


def settings(name: str) -> Json:
    return plain(composed(f"logger={name}").logger)


def found() -> Any:
    """Results with an interval."""
    told = results()
    told["metrics"]["intervals"] = {"fid": {"value": 143.27, "low": 120.5, "high": 160.25}}
    return told


def figures() -> dict[str, float]:
    return {path: value for path, value in numbers(found()).items() if not isinstance(value, str)}


def log(settings: Json, folder: Path, failed: bool = False) -> None:
    tracker = open_tracker(settings, CONFIG, folder)
    assert tracker is not None
    if not failed:
        tracker.log(found(), pictures())
    tracker.close(failed)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno == logging.WARNING and r.name.startswith("ood_")]


def test_csv(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    for failed in (True, False):  # an attempt that failed, then one that replaces it
        log(settings("csv"), tmp_path, failed)
    with (tmp_path / "csv" / "metrics.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    del row["step"]
    assert {path: float(value) for path, value in row.items()} == figures()
    assert float(row["metrics/intervals/fid/low"]) == 120.5
    assert yaml.safe_load((tmp_path / "csv" / "hparams.yaml").read_text()) == CONFIG
    assert not list(recwarn)


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log(settings("tensorboard"), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"), {"images": 0, "scalars": 0})
    events.Reload()
    told = {path: events.Scalars(path)[-1].value for path in events.Tags()["scalars"]}
    assert told == {path: pytest.approx(value) for path, value in figures().items()}
    assert set(events.Tags()["images"]) == sheets(pictures()).keys()
    for name, sheet in sheets(pictures()).items():
        (tmp_path / "sheet.png").write_bytes(events.Images(name)[-1].encoded_image_string)
        pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
        np.testing.assert_array_equal(pixels, sheet.permute(1, 2, 0).numpy())
    session = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"linear" not in session and b"dpmpp_2m" in session and b"n_references" in session
    told_settings = yaml.safe_load((tmp_path / "tensorboard" / "hparams.yaml").read_text())
    assert told_settings["conf"] == CONFIG["conf"]


def test_mlflow_has_one_run_however_often_a_run_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlruns")
    for _ in range(2):
        assert open_tracker(settings("mlflow"), CONFIG, tmp_path / "run") is not None  # killed before its end
    log(settings("mlflow"), tmp_path / "run", failed=True)
    monkeypatch.setitem(CONFIG, "batch_size", 8)  # what may change meanwhile; MLflow refuses other values
    log(settings("mlflow"), tmp_path / "run")
    client = mlflow.MlflowClient(f"file:{tmp_path}/mlruns")
    experiment = client.get_experiment_by_name("ood-diffusion")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED" and run.data.metrics == figures()


@pytest.mark.parametrize("failed", [False, True])
def test_mlflow(failed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # which needs no server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlruns")
    check_logger(settings("mlflow"))
    log(settings("mlflow"), tmp_path / "run", failed)
    client = mlflow.MlflowClient(f"file:{tmp_path}/mlruns")
    experiment = client.get_experiment_by_name("ood-diffusion")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == ("FAILED" if failed else "FINISHED")
    assert run.data.params["eta"] == "0.25"
    assert run.data.params["conf/stage/interference/etas"] == "[0.0, 0.5]"
    assert run.data.metrics == ({} if failed else figures())
    for name, sheet in {} if failed else sheets(pictures()).items():
        with Image.open(client.download_artifacts(run.info.run_id, f"{name}.png")) as image:
            np.testing.assert_array_equal(np.asarray(image), sheet.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [("csv", "save_dir", "/dev/null"), ("mlflow", "tracking_uri", "nonsense://localhost")],
)
def test_a_logger_that_cannot_start_is_one_warning(
    name: str, setting: str, value: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert open_tracker({**settings(name), setting: value}, CONFIG, tmp_path) is None
    (line,) = said(caplog)
    assert line.startswith("could not start the logger (")


def test_mlflow_must_know_where(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI, such as http"):
        check_logger(settings("mlflow"))


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_missing_package_is_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf'pip install "ood-diffusion\[{name}\]"'):
        check_logger(settings(name))


def test_without_wandb_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    check_logger(settings("wandb"))
    assert open_tracker({"mode": "offline"}, CONFIG, tmp_path) is None
    (line,) = said(caplog)
    assert line.startswith("W&B could not start offline (ModuleNotFoundError") and "without it" in line
