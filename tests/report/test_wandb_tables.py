"""Tables with pictures: they reach W&B by `wandb sync`, whatever became of the machine that made the run."""

import base64
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ood_diffusion.pixels import psnr
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.tracking.log import close_run, log_results, open_run
from ood_diffusion.report.tracking.tables import ROWS, page, picture_rows, row_of_run, staged_in
from tests.report import offline_log
from tests.report.fake import images, pictures, results
from tests.report.wandb_server import sync

HELD_OUT = results()["metrics"]["novelty"]["held_out"]
EXPECTED = picture_rows(pictures(), HELD_OUT)


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def assert_shows(found: np.ndarray, expected: Any) -> None:
    assert found.mean() > 40 and found.std() > 10, "a picture is black or of one colour"
    np.testing.assert_array_equal(found, expected.permute(1, 2, 0).numpy())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where W&B would keep what belongs to no run."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def finished(tmp_path: Path, home: Path) -> Path:
    """A finished offline run; of the home that it had nothing is left."""
    run = open_run({"mode": "offline", "group": "eta_2026"}, {"eta": 0.25}, tmp_path / "run")
    try:
        log_results(run, results(), pictures())
    finally:
        close_run(run)
    offline_log.records(tmp_path / "run")  # waits until it is written
    shutil.rmtree(home)
    home.mkdir()
    return tmp_path / "run"


def test_what_stands_in_a_row() -> None:
    shown = pictures()
    columns, rows = EXPECTED["reconstructions"]
    assert columns == ("row", "reference", "reconstruction", "PSNR (dB)") and len(rows) == 6
    assert shown.reconstructions is not None and shown.nearest_distances is not None
    decibels = psnr(shown.references, shown.reconstructions)
    for i, (row, given, rebuilt, value) in enumerate(rows):
        assert row == i and value == float(decibels[i])
        assert (given == shown.references[i]).all() and (rebuilt == shown.reconstructions[i]).all()
    columns, rows = EXPECTED["samples"]
    assert columns == ("row", "sample", "nearest reference", "distance", "novelty") and len(rows) == 5
    assert [row[3] for row in rows] == shown.nearest_distances.tolist()
    assert [row[4] for row in rows] == pytest.approx([x / HELD_OUT for x in shown.nearest_distances])


def test_what_is_missing_is_left_out_and_many_rows_are_cut() -> None:
    assert picture_rows(Pictures(images(3)), None) == {}
    many = picture_rows(pictures(40, 50), None)
    assert [len(rows) for _, rows in many.values()] == [ROWS, ROWS]
    assert many["samples"][1][0][4] is None and "<td>—</td>" in page(*many["samples"])


def test_every_run_has_the_same_columns() -> None:
    names, (row,) = row_of_run(results())
    values = dict(zip(names, row, strict=True))
    assert values["fid"] == results()["metrics"]["sets"]["samples"]["fid"] and values["prior"] == "shrunk"
    assert values["precision"] == results()["metrics"]["sets"]["samples"]["precision"]
    few, (row,) = row_of_run({"coordinates": results()["coordinates"]})
    figures = len(names) - len(results()["coordinates"])
    assert few == names and row[-figures:] == [None] * figures and figures == 7


def test_a_coordinate_called_as_a_figure_keeps_its_column() -> None:
    names, (row,) = row_of_run(
        {"coordinates": {"precision": "bf16"}, "metrics": {"sets": {"samples": {"precision": 0.5}}}}
    )
    values = dict(zip(names, row, strict=True))
    assert (values["precision (setting)"], values["precision"]) == ("bf16", 0.5)


def test_tables_are_uploaded_though_the_home_is_gone(finished: Path, home: Path) -> None:
    staged = [entry for r in offline_log.records(finished) for entry in r.artifact.manifest.contents]
    assert staged and all(Path(entry.local_path).is_relative_to(finished) for entry in staged)
    server = sync(finished, home)
    assert server.runs[0]["groupName"] == "eta_2026"
    assert server.committed == 3
    for name, (columns, rows) in EXPECTED.items():
        table = json.loads(server.uploads[f"artifact/tables/{name}.table.json"])
        assert table["columns"] == list(columns) and len(table["data"]) == len(rows)
        for found, expected in zip(table["data"], rows, strict=True):
            for value, wanted in zip(found, expected, strict=True):
                if isinstance(value, dict):
                    assert_shows(pixels(server.uploads[f"artifact/{value['path']}"]), wanted)
                else:
                    assert value == pytest.approx(wanted)
    sent = json.loads(server.stream["wandb-summary.json"]["content"][0])
    for path, value in flatten(results()).items():
        assert sent[path] == value, "a definition has changed what the summary says"


def test_pages_are_uploaded_from_wherever_the_folder_was_moved(finished: Path, home: Path) -> None:
    elsewhere = home / "elsewhere"
    shutil.move(finished, elsewhere)
    server = sync(elsewhere, home)
    assert not [name for name in server.uploads if name.startswith("artifact/")]  # only old place is known
    for name, (_, rows) in EXPECTED.items():
        (path,) = (path for path in server.uploads if path.startswith(f"run/media/html/pages/{name}"))
        found = re.findall(r'src="data:image/webp;base64,([^"]+)"', server.uploads[path].decode())
        wanted = [picture for row in rows for picture in row[1:3]]
        for text, picture in zip(found, wanted, strict=True):
            assert_shows(pixels(base64.b64decode(text)), picture)
    sheets = [name for name in server.uploads if name.startswith("run/media/images/pictures/")]
    assert len(sheets) == 4 and all(pixels(server.uploads[name]).std() > 10 for name in sheets)


def test_who_chose_a_staging_folder_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with staged_in(tmp_path):
        assert os.environ["WANDB_DATA_DIR"] == str(tmp_path)
    assert "WANDB_DATA_DIR" not in os.environ
    monkeypatch.setenv("WANDB_DATA_DIR", "mine")
    with staged_in(tmp_path):
        assert os.environ["WANDB_DATA_DIR"] == "mine"
    assert os.environ["WANDB_DATA_DIR"] == "mine"
