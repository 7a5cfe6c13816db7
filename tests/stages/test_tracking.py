"""W&B from the real command: what results.json says is in the offline run, and nothing prompts or hangs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli import TINY, results, run_cli
from tests.report import offline_log

WITHOUT_A_KEY = {"WANDB_API_KEY": "", "WANDB_MODE": ""}


def test_offline_run_holds_the_results(tmp_path: Path) -> None:
    overrides = [word for word in TINY if not word.startswith("logger")]
    done = run_cli(tmp_path, *overrides, "logger.group=tests", HOME=str(tmp_path), **WITHOUT_A_KEY)
    assert done.returncode == 0, done.stderr
    assert "offline" in done.stderr + done.stdout
    (r,) = results(tmp_path)
    (run,) = (tmp_path / "outputs" / "runs").iterdir()
    logged = offline_log.history(run)
    for name, value in r["metrics"]["sets"]["samples"].items():
        assert logged[f"metrics/sets/samples/{name}"] == pytest.approx(value)
    config = offline_log.config(run)
    assert config["domain"] == "galaxies_sim" and config["conf"]["steps"] == 2
    pictures = list(run.rglob("media/images/**/*.png"))
    assert any("samples" in path.name for path in pictures)
    assert all(np.asarray(Image.open(path)).max() > 30 for path in pictures), "a picture is black"


def test_two_cells_are_two_runs(tmp_path: Path) -> None:
    overrides = [word for word in TINY if not word.startswith("logger")]
    done = run_cli(tmp_path, "-m", *overrides, "eta=0,1", HOME=str(tmp_path), **WITHOUT_A_KEY)
    assert done.returncode == 0, done.stderr
    cells = sorted((tmp_path / "outputs" / "sweeps").glob("*/[0-9]"))
    assert [offline_log.history(cell)["cell/eta"] for cell in cells] == [0, 1]
