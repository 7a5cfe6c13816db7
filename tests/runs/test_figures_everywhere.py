"""A user's metric, outside the repository, is on every surface where FID is."""

import csv
import json
from pathlib import Path

import pytest

from ood_diffusion.claims.leaderboard_command import leaderboard
from ood_diffusion.dashboard.command import dashboard
from ood_diffusion.report.collect.command import collect
from tests.cli import MEANS, QUICK, TINY, results, run_cli
from tests.dashboard.conftest import data_in
from tests.report import offline_log

FILES = {
    "mine/__init__.py": "",
    "mine/spread.py": """
from ood_diffusion.metrics.feature_metric import RowMetric
from ood_diffusion.statistics.estimate import Estimate


class Spread(RowMetric):
    names = ("spread_of_rows",)
    higher_is_better = False

    def compute(self):
        return {"spread_of_rows": self.rows("generated").std() / self.rows("real").std()}

    def intervals(self, found, real, generated):
        value = found["spread_of_rows"]
        return {"spread_of_rows": Estimate(value, value - 0.5, value + 0.5, len(generated))}
""",
    "conf/metric/spread.yaml": "# @package metric.spread\n_target_: mine.spread.Spread\n",
}
"""All that the user writes: one file and its YAML."""
NAME, HEAD = "spread_of_rows", "spread of rows ↓"


def test_a_users_metric_is_wherever_fid_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    overrides = [word for word in (*TINY, *QUICK, *MEANS) if not word.startswith("logger")]
    home = {"HOME": str(tmp_path), "WANDB_API_KEY": "", "WANDB_MODE": ""}
    done = run_cli(tmp_path, "--config-dir", "conf", "metric=[fid,spread]", *overrides, **home)
    assert done.returncode == 0, done.stderr

    (row,) = [line for line in done.stdout.splitlines() if HEAD in line]
    assert row.count("±") == 4, "in the terminal, for each of the three sets and their twin"

    (found,) = results(tmp_path)
    (run,) = (tmp_path / "outputs" / "runs").iterdir()
    value = found["metrics"]["sets"]["samples"][NAME]
    bounds = found["metrics"]["intervals"]["samples"][NAME]
    assert (bounds["value"], bounds["high"] - bounds["low"]) == (value, pytest.approx(1))
    told = {each.get("name", each["path"].split("/")[-1]): each for each in found["figures"]}
    assert told[NAME]["better"] == told["fid"]["better"] == "lower"
    assert "spread of rows" in (run / "report.html").read_text()

    assert collect([str(tmp_path / "outputs")])
    assert HEAD in capsys.readouterr().out
    with (tmp_path / "outputs" / "runs.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert float(line[f"metrics/sets/samples/{NAME}"]) == value
    assert not [name for name in line if name.startswith("figures")], "declarations are no figures"

    assert leaderboard([str(tmp_path / "outputs")])
    assert HEAD in capsys.readouterr().out
    with (tmp_path / "outputs" / "leaderboard.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert [float(line[x]) for x in (NAME, f"{NAME}_low", f"{NAME}_high")] == [
        value,
        bounds["low"],
        bounds["high"],
    ]

    records = offline_log.records(run)
    least = {record.metric.name for record in records if record.metric.summary.min}
    assert {f"metrics/sets/{x}/{y}" for x in ("samples", "references") for y in (NAME, "fid")} <= least
    (table,) = run.glob("wandb/offline-run-*/files/media/table/tables/run*.table.json")
    columns = dict(zip((shown := json.loads(table.read_text()))["columns"], shown["data"][0], strict=True))
    assert columns[NAME] == value and f"{NAME}_of_references" in columns and "fid" in columns

    assert dashboard([str(tmp_path / "outputs")])
    page = data_in(tmp_path / "outputs" / "dashboard.html")
    assert page["runs"][0]["figures"][NAME] == [value, bounds["low"], bounds["high"]]
    assert [each["better"] for each in page["figures"] if each["name"] == HEAD] == ["lower"]
    assert page["standings"]["columns"][NAME] == HEAD
