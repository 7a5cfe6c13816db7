"""Runs side by side on one machine, with and without ranks of their own: what they share is made once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import QUICK, TINY, calls, results, run_anew, run_cli


@pytest.mark.parametrize(("launcher", "run"), [("joblib", run_anew), ("local", run_cli)])
def test_runs_at_once(launcher: str, run: Callable[..., Any], tmp_path: Path) -> None:
    grid = ["-m", f"launcher={launcher}", "trainer=ddp", "trainer.devices=1,2"]
    done = run(tmp_path, *grid, *TINY, *QUICK, "stages=[invert,sample]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len({path.parent for path in tmp_path.rglob("results.json")}) == len(results(tmp_path)) == 2
    assert calls(tmp_path, "invert") == 12 * 2  # once for both
    assert calls(tmp_path, "sample") == 8 * 2
