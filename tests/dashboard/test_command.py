"""The real command on real runs: the page says what they left."""

import base64
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from ood_diffusion.dashboard.page import ASSETS
from tests.cli import MEANS, QUICK, TINY, run_cli
from tests.dashboard.conftest import data_in

BAND = ["n_training=12", "training_domain.steps=2"]
BAND += [f"stage.bandwidth.{x}" for x in ("levels=[500]", "n_images=3", "etas=[]", "angles=[0,10]")]
HINT = r"'(stages=.+?)'"
"""In the script: what fills the chart of the domain gap, where it is empty."""


def test_the_page_says_what_runs_left(tmp_path: Path) -> None:
    (stages,) = re.findall(HINT, (ASSETS / "charts.js").read_text())
    done = run_cli(tmp_path, "-m", *TINY, *QUICK, *MEANS, *BAND, "eta=0,1", stages)
    assert done.returncode == 0, done.stderr
    done = run_cli(tmp_path, "dashboard", "outputs/sweeps")
    assert done.returncode == 0 and "2 of 2 runs are complete." in done.stdout, done.stderr
    assert "up to 12 pictures of each kind" in done.stdout
    page = tmp_path / "outputs" / "sweeps" / "dashboard.html"
    data = data_in(page)
    assert [entry["at"]["eta"] for entry in data["runs"]] == ["0", "1"]
    for entry in data["runs"]:
        folder = page.parent / entry["folder"]
        results = json.loads((folder / "results.json").read_text())
        fid = results["metrics"]["intervals"]["samples"]["fid"]
        assert entry["figures"]["fid"] == [fid["value"], fid["low"], fid["high"]]
        assert fid["value"] == pytest.approx(results["metrics"]["sets"]["samples"]["fid"])
        gap = results["bandwidth"]["gap"]
        assert entry["gap"] == [gap["value"], gap["low"], gap["high"]]
        counts = {kind: len(places) for kind, places in entry["pictures"].items()}
        assert counts == {"references": 12, "reconstructions": 12, "samples": 8, "nearest": 8}
        first = base64.b64decode(data["images"][entry["pictures"]["samples"][0]])
        tile, sheet = (np.asarray(Image.open(x)) for x in (io.BytesIO(first), folder / "samples.png"))
        assert tile.shape == (64, 64, 3) and (tile == sheet[:64, :64]).all()
        overrides = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text())
        assert shlex.split(entry["command"]) == ["ood-diffusion", *overrides, "hydra.mode=RUN"]
