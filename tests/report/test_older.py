"""Results of before runs declared their figures are shown as the version that wrote them showed them.

`older/results.json` is a run's, cut down, of schema 1; `older/shown.json` is what that version made of it.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ood_diffusion.claims.leaderboard_command import leaderboard
from ood_diffusion.dashboard.facts import coordinates, facts
from ood_diffusion.report.collect.command import collect
from ood_diffusion.report.collect.run_folder import find_runs
from ood_diffusion.report.declared import columns, figures_of, measured
from tests.report.fake import write_run

FOLDER = Path(__file__).parent / "older"
RESULTS: Any = json.loads((FOLDER / "results.json").read_text())
RENAMED: Any = {"schema": 2, "coordinates": RESULTS["cell"]} | {
    name: section for name, section in RESULTS.items() if name not in ("schema", "cell")
}
SHOWN: Any = json.loads((FOLDER / "shown.json").read_text())


@pytest.fixture(params=[1, 2])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Of a run whose results are of this schema."""
    found = RESULTS if request.param == 1 else RENAMED
    write_run(tmp_path / "0", found=found, stages=tuple(RESULTS["cost"]["seconds"]))
    return tmp_path


def row_of(path: Path) -> dict[str, str]:
    with path.open() as file:
        (row,) = csv.DictReader(file)
    return row


def test_dashboard(folder: Path) -> None:
    runs = find_runs(folder)
    (entry,) = facts(runs, ["0"], coordinates(runs), {}, folder)
    assert entry["figures"] == SHOWN["dashboard"] and entry["gap"] == SHOWN["gap"]


def test_leaderboard(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard([str(folder)])
    row = row_of(folder / "leaderboard.csv")
    assert {name: row[name] for name in SHOWN["leaderboard"]} == SHOWN["leaderboard"]
    assert "589 ± 95" in capsys.readouterr().out


def test_collect(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert collect([str(folder), "--wide"])
    row = row_of(folder / "runs.csv")
    assert {name: row[name] for name in SHOWN["collect"]} == SHOWN["collect"]
    said = capsys.readouterr().out
    for text in ("589.5", "0.8029", "21.53", "1.505"):
        assert text in said


def test_schema_1_is_read_as_schema_2(tmp_path: Path) -> None:
    for name, found in (("1", RESULTS), ("2", RENAMED)):
        write_run(tmp_path / name, found=found)
    first, second = find_runs(tmp_path)
    assert first.results == second.results and first.names == second.names


def test_a_users_metric_of_that_time_has_its_direction() -> None:
    metrics = {"sets": {"samples": {"n": 8, "mauve": 0.9, "odd/name": 1.0}}, "better": {"mauve": "higher"}}
    found = {each.name: each for each in figures_of({"metrics": metrics})}
    assert found["mauve"].better == "higher" and found["mauve"].surfaces == found["fid"].surfaces
    assert measured({"metrics": metrics}, "collect") == {"mauve": [0.9]}


def test_nothing_is_known_of_a_run_without_results() -> None:
    assert columns([{}], "dashboard") == {} and measured({}, "terminal") == {}
