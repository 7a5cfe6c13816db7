"""Results of before runs declared their figures are shown as the version that wrote them showed them.

`older/results.json` is a run's, cut down; `older/shown.json` is what that version made of it.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ood_diffusion.claims.leaderboard_command import leaderboard
from ood_diffusion.dashboard.facts import coordinates, facts
from ood_diffusion.report.collect.cells import find_cells
from ood_diffusion.report.collect.command import collect
from ood_diffusion.report.declared import columns, figures_of, measured
from tests.report.fake import cell

FOLDER = Path(__file__).parent / "older"
RESULTS: Any = json.loads((FOLDER / "results.json").read_text())
SHOWN: Any = json.loads((FOLDER / "shown.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cell(tmp_path / "0", found=RESULTS, stages=tuple(RESULTS["cost"]["seconds"]))
    return tmp_path


def row_of(path: Path) -> dict[str, str]:
    with path.open() as file:
        (row,) = csv.DictReader(file)
    return row


def test_dashboard(folder: Path) -> None:
    cells = find_cells(folder)
    (entry,) = facts(cells, ["0"], coordinates(cells), {}, folder)
    assert entry["figures"] == SHOWN["dashboard"] and entry["gap"] == SHOWN["gap"]


def test_leaderboard(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard([str(folder)])
    row = row_of(folder / "leaderboard.csv")
    assert {name: row[name] for name in SHOWN["leaderboard"]} == SHOWN["leaderboard"]
    assert "589 ± 95" in capsys.readouterr().out


def test_collect(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert collect([str(folder), "--wide"])
    row = row_of(folder / "cells.csv")
    assert {name: row[name] for name in SHOWN["collect"]} == SHOWN["collect"]
    said = capsys.readouterr().out
    for text in ("589.5", "0.8029", "21.53", "1.505"):
        assert text in said


def test_a_users_metric_of_that_time_has_its_direction() -> None:
    metrics = {"sets": {"samples": {"n": 8, "mauve": 0.9, "odd/name": 1.0}}, "better": {"mauve": "higher"}}
    found = {each.name: each for each in figures_of({"metrics": metrics})}
    assert found["mauve"].better == "higher" and found["mauve"].surfaces == found["fid"].surfaces
    assert measured({"metrics": metrics}, "collect") == {"mauve": [0.9]}


def test_nothing_is_known_of_a_run_without_results() -> None:
    assert columns([{}], "dashboard") == {} and measured({}, "terminal") == {}
