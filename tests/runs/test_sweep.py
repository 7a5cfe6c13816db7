"""A grid shares what its runs have in common."""

from pathlib import Path

from tests.cli import QUICK, TINY, calls, results, run_cli


def test_six_runs_invert_twice(tmp_path: Path) -> None:
    grid = ["domain=galaxies_sim,radiation_sim", "eta=0,0.5,1", "stages=[invert,reconstruct,sample]"]
    done = run_cli(tmp_path, "-m", *TINY, *QUICK, *grid)
    assert done.returncode == 0, done.stderr
    assert len(results(tmp_path)) == 6
    runs = {(r["coordinates"]["domain"], r["coordinates"]["eta"]) for r in results(tmp_path)}
    assert runs == {(d, e) for d in ("galaxies_sim", "radiation_sim") for e in (0.0, 0.5, 1.0)}
    assert calls(tmp_path, "invert") == 2 * 12 * 2
    assert calls(tmp_path, "reconstruct") == 2 * 12 * 2
    assert calls(tmp_path, "sample") == 6 * 8 * 2
    folders = {path.parent for path in (tmp_path / "outputs" / "sweeps").rglob("results.json")}
    assert len(folders) == 6


def test_a_bad_run_does_not_stop_the_others(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "-m", *TINY, *QUICK, "stages=[invert]", "eta=7,0")
    assert done.returncode == 2
    assert "eta must lie between 0" in done.stderr and "Traceback" not in done.stderr
    assert [r["coordinates"]["eta"] for r in results(tmp_path)] == [0.0]
