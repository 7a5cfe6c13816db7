"""`ood-diffusion collect`: one row per run, and nothing missing in silence."""

import csv
import re
from collections import Counter
from pathlib import Path, PurePath
from typing import Any

import pytest
import yaml
from hydra.errors import HydraException

from ood_diffusion.checks import UserError
from ood_diffusion.report.collect.command import collect
from ood_diffusion.report.collect.rows import find, rows, status
from ood_diffusion.report.collect.run_files import NOT_BEGUN
from ood_diffusion.report.collect.run_folder import find_runs
from ood_diffusion.report.collect.sweep_size import combinations
from tests.report.fake import results, write_run


def with_eta(eta: float, **cost: Any) -> dict[str, Any]:
    made: dict[str, Any] = results()
    made["coordinates"]["eta"] = eta
    made["cost"] |= cost
    return made


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two complete runs, one failed before anything, one killed, one not begun, and others' folders."""
    write_run(tmp_path / "0", "+sweep=eta", "eta=0", found=with_eta(0.0))
    write_run(tmp_path / "2", "+sweep=eta", "eta=1", found=with_eta(1.0))
    write_run(
        tmp_path / "10", "+sweep=eta", "eta=7", eta=7, error="eta must lie between 0 and 1, but got 7. Try 0."
    )
    write_run(tmp_path / "11", "+sweep=eta", "eta=0.7", found=with_eta(0.7, seconds={"invert": 1.0}))
    write_run(tmp_path / "12", "eta=0", dry_run=True)
    (tmp_path / "wandb" / ".hidden" / ".hydra").mkdir(parents=True)
    hydra = {
        "sweeper": {"params": {}},
        "overrides": {"task": ["+sweep=eta", "eta=0,1,7,0.7,0.3"]},
        "runtime": {"choices": {"hydra/sweeper": "basic"}},
    }
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump({"hydra": hydra, "store": "outputs/store"}))
    return tmp_path


def test_status(sweep: Path) -> None:
    found = find(sweep)
    runs = list(found.runs.values())
    assert list(found.runs) == ["0", "2", "10", "11"]
    assert [status(run).word for run in runs] == ["complete", "complete", "failed", "unfinished"]
    assert status(runs[2]).why.startswith("eta must lie between")
    assert status(runs[3]).why.startswith("1 of 3 stages done")
    assert found.not_begun == {sweep: 1} and not found.complete


def test_rows_are_tidy(sweep: Path) -> None:
    first, _, failed, killed = rows(find(sweep).runs)
    assert first["folder"] == "0" and first["eta"] == 0.0 and first["sweep"] == "eta"
    assert first["metrics/sets/samples/fid"] == 143.27 and first["cost/network_calls/invert"] == 2304
    assert failed["eta"] == 7 and failed["domain"] == "galaxies"  # no results: from its configuration
    assert "metrics/sets/samples/fid" not in failed
    assert killed["status"] == "unfinished" and killed["eta"] == 0.7
    assert not any(name.startswith("coordinates/") for name in first)


def test_a_setting_inside_a_group_is_a_coordinate_where_it_was_set(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "sampler.points=5", found=results(), sampler={"points": 5})
    write_run(tmp_path / "1", found=results())
    assert [row["sampler.points"] for row in rows(find(tmp_path).runs)] == [5, 10]


def test_the_command_says_what_is_missing(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not collect([str(sweep), "--wide"])
    said = capsys.readouterr().out
    assert "2 of 4 runs are complete." in said
    assert "failed: run 10: eta must lie between 0 and 1, but got 7. Try 0." in said
    assert "unfinished: run 11: 1 of 3 stages done" in said
    assert f"not begun: 1 run of {sweep}" in said
    header = next(line for line in said.splitlines() if "FID" in line)
    assert re.split(r"\s\s+", header.strip()) == [
        *("run", "eta", "status"),
        *("FID ↓", "KID ↓", "precision ↑", "recall ↑", "round-trip PSNR (dB) ↑", "novelty"),
    ]
    with (sweep / "runs.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["status"] for row in table] == ["complete", "complete", "failed", "unfinished"]
    assert float(table[1]["eta"]) == 1.0 and table[2]["metrics/sets/samples/fid"] == ""


def test_complete_runs_are_all_it_asks_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "b" / "0", "eta=0", found=with_eta(0.0))
    write_run(tmp_path / "a" / "0", "eta=1", found=with_eta(1.0))
    assert collect([str(tmp_path), "--output", str(tmp_path / "t.csv")])
    said = capsys.readouterr().out
    assert "status" not in said and (tmp_path / "t.csv").exists() and not (tmp_path / "runs.csv").exists()


def test_several_folders_are_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for eta, name in enumerate(("a", "b", "c")):
        write_run(tmp_path / "sweeps" / name / "0", f"eta={eta}", found=with_eta(float(eta)))
    assert collect([str(tmp_path / "sweeps" / name) for name in "ab"])
    assert "2 of 2 runs are complete." in capsys.readouterr().out
    with (tmp_path / "sweeps" / "runs.csv").open() as file:  # what holds both
        assert [(row["folder"], row["eta"]) for row in csv.DictReader(file)] == [
            ("a/0", "0.0"),
            ("b/0", "1.0"),
        ]


def test_figures_that_cannot_be_compared_are_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = with_eta(1.0)
    other["metrics"]["n_real"] = 100
    write_run(tmp_path / "0", found=with_eta(0.0))
    write_run(tmp_path / "1", found=other)
    assert collect([str(tmp_path)])
    assert "cannot be compared" in capsys.readouterr().out


def test_a_run_that_had_not_begun_is_told_apart_and_counts_as_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "0", error=f"eta must lie between 0 and 1.\n{NOT_BEGUN}")
    assert not collect([str(tmp_path)])  # nothing is complete
    assert "No run has begun.\nrefused: run 0: " in capsys.readouterr().out
    write_run(tmp_path / "1", found=results())
    assert collect([str(tmp_path)])
    said = capsys.readouterr().out
    assert "1 of 1 runs are complete.\nrefused: run 0: eta must lie between 0 and 1.\n" in said
    assert [row["folder"] for row in rows(find(tmp_path).runs)] == ["1"]


def test_the_work_grows_with_the_number_of_runs_and_no_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sweeps of one run each, which used to be compared with every run."""
    hydra = {
        "sweeper": {},
        "overrides": {"task": ["eta=0,1"]},
        "runtime": {"choices": {"hydra/sweeper": "basic"}},
    }
    for i in range(16):
        write_run(tmp_path / f"{i // 8}/{i}/0", found=results())
        (tmp_path / f"{i // 8}/{i}/multirun.yaml").write_text(yaml.safe_dump({"hydra": hydra, "store": "s"}))
    counted = Counter[str]()

    def counting(owner: type, name: str) -> None:
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, **k: counted.update([name]) or real(*a, **k))

    for owner, name in ((Path, "read_bytes"), (PurePath, "__eq__"), (PurePath, "__hash__")):
        counting(owner, name)
    counted.clear()
    assert find(tmp_path / "0").not_begun and not find(tmp_path / "0").complete
    half = dict(counted)
    counted.clear()
    assert len(find(tmp_path).not_begun) == 16
    find(tmp_path)
    assert half["read_bytes"] == 2 * 8 * 4 and counted["read_bytes"] == 2 * half["read_bytes"]
    for name in ("__eq__", "__hash__"):
        assert counted[name] <= 3 * half[name]


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_screen_and_name_what_they_leave_out(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for i in range(2):
        made = results()
        made["coordinates"] |= {
            "eta": i,
            "steps": 10 + i,
            "level": 500 + i,
            "solver": f"solver_of_a_long_name_{i}",
        }
        write_run(tmp_path / f"a_long_name_of_a_sweep/{i}", found=made)
    collect([str(tmp_path)])
    *table, left_out, _, _ = capsys.readouterr().out.splitlines()
    assert max(map(len, table)) <= width and "FID" in "\n".join(table) and "a_sweep/1" in "\n".join(table)
    assert left_out.startswith("Not shown, for want of space: ") and "round-trip PSNR (dB) ↑" in left_out
    collect([str(tmp_path), "--wide"])
    said = capsys.readouterr().out
    assert "Not shown" not in said and max(map(len, said.splitlines()[:3])) > width
    assert all(head in said for head in left_out.split(": ")[1].split(". --wide")[0].split(", "))


def test_an_attempt_that_failed_makes_old_results_stale(tmp_path: Path) -> None:
    write_run(tmp_path / "0", found=results(), error="OSError: no space")
    assert status(find_runs(tmp_path)[0]).word == "failed"


def test_a_run_that_hydra_is_just_writing_is_unfinished(tmp_path: Path) -> None:
    (tmp_path / "0" / ".hydra").mkdir(parents=True)
    (tmp_path / "0" / ".hydra" / "config.yaml").write_text("")
    (only,) = find(tmp_path).runs.values()
    assert status(only).word == "unfinished"


def test_parquet(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    collect([str(sweep), "--output", str(sweep / "t.parquet")])
    table = pandas.read_parquet(sweep / "t.parquet")
    assert list(table["eta"]) == [0.0, 1.0, 7.0, 0.7]
    assert table["metrics/sets/samples/fid"].isna().sum() == 1
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install pyarrow"):
        collect([str(sweep), "--output", str(sweep / "u.parquet")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "collect needs a folder that exists, but got 'nowhere'"),
        (["."], "collect needs a folder that holds runs or a sweep"),
        ([".", "--output", "t.xlsx"], "must be a file that ends in .csv or .parquet, but got 't.xlsx'"),
    ],
)
def test_mistakes(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        collect(arguments)


def test_numbers_of_runs() -> None:
    assert len(combinations(["eta=0,1", "domain=a,b,c", "steps=5", "+sweep=eta"])) == 6
    assert combinations(["eta=0,1,2", "~view", "eta=0,1"]) == [["eta=0", "~view"], ["eta=1", "~view"]]
    assert len(combinations(["level=range(100,400,100)", "stages=[invert,sample]"])) == 3
    with pytest.raises(HydraException, match="a grid takes lists of values"):
        combinations(["eta=interval(0,1)"])
