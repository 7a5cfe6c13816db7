"""The stage few_shot through the real command, small."""

import math
from pathlib import Path

from ood_diffusion.study.few_shot.stage import seed_of
from tests.cli import MEANS, QUICK, TINY, results, run_cli


def test_quality_against_references(tmp_path: Path) -> None:
    asked = [
        *TINY,
        *QUICK,
        *MEANS,
        "stages=[few_shot]",
        "stage.few_shot.counts=[4,8,1000]",
        "stage.few_shot.repeats=2",
    ]
    done = run_cli(tmp_path, *asked)
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    curve = r["few_shot"]["curve"]
    assert [point["n_references"] for point in curve] == [4, 8, 12]  # 1000 are not there, all of them are
    for point in curve:
        assert {run["seed"] for run in point["runs"]} == {seed_of(0, repeat) for repeat in (0, 1)}
        assert all(math.isfinite(run["fid"]) and run["n"] == 8 for run in point["runs"])
        assert point["fid"]["low"] < point["fid"]["value"] < point["fid"]["high"]
    floor = r["few_shot"]["floor"]
    assert (floor["n_real"], floor["n_samples"]) == (8, 8) and floor["fid"]["value"] > 0
    (check,) = r["few_shot"]["checks"]
    assert "4 references over 12" in check["figure"]  # not 8, which is more than half
    assert check["claim"] == "C9" and "C9" in done.stdout and check["verdict"] in done.stdout
    (plot,) = tmp_path.glob("**/few_shot.svg")
    assert "<svg" in plot.read_text()


def test_repeats_of_neighbouring_run_seeds_share_no_seed() -> None:
    assert len({seed_of(run, repeat) for run in range(3) for repeat in range(3)}) == 9


def test_counts_and_repeats_are_checked_before_compute(tmp_path: Path) -> None:
    for wrong in ("stage.few_shot.counts=[1]", "stage.few_shot.repeats=1", "stage.few_shot.tolerance=0"):
        done = run_cli(tmp_path, *TINY, *QUICK, "stages=[few_shot]", wrong)
        assert done.returncode == 2 and wrong.split("=")[0] in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "outputs" / "store").exists()
