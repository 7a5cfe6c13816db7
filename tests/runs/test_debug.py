"""`debug=profile`: what it leaves behind. `debug=nan`: tests/lightning/test_predict.py."""

import json
from pathlib import Path

from tests.cli import MEANS, QUICK, TINY, run_cli


def test_a_profile_has_a_table_and_a_trace_of_each_loop(tmp_path: Path) -> None:
    words = [*TINY, *QUICK, *MEANS, "debug=profile", "stages=[invert,sample]", "hydra.run.dir=run", "seed=1"]
    for _ in range(2):  # what an earlier run has stored is computed, and so profiled, anew
        done = run_cli(tmp_path, *words)
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "outputs/store").exists()
    for loop in ("invert", "sample"):
        table = (tmp_path / f"run/profile/predict-{loop}.txt").read_text()
        assert "aten::mul" in table and "predict_step" in table.replace("predict_...", "predict_step")
        traces = [*(tmp_path / "run/profile").glob(f"predict-{loop}-*.json")]
        names = {each.get("name") for each in json.loads(traces[0].read_text())["traceEvents"]}
        assert "aten::mul" in names and any("predict_step" in str(name) for name in names)
