"""Cells side by side on one machine, with and without ranks of their own: what they share is made once."""

from pathlib import Path

import pytest

from tests.cli import ROOT, TINY, calls, results, run_cli


@pytest.mark.parametrize(("launcher", "ranks"), [("joblib", 2), ("local", 2)])  # joblib with 1: README
def test_cells_at_once(launcher: str, ranks: int, tmp_path: Path) -> None:
    grid = ["-m", f"launcher={launcher}", "eta=0,1", "trainer=ddp", f"trainer.devices={ranks}"]
    done = run_cli(tmp_path, *grid, *TINY, "stages=[invert,sample]", PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(r["cell"]["eta"] for r in results(tmp_path)) == [0.0, 1.0]
    assert len({path.parent for path in tmp_path.rglob("results.json")}) == 2
    assert calls(tmp_path, "invert") == 12 * 2  # once for both
    assert calls(tmp_path, "sample") == 2 * 8 * 2
