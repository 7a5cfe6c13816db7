"""Results are complete whatever plots, the page, the terminal and W&B do."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from PIL import Image

from ood_diffusion.report.json_line import json_line
from ood_diffusion.report.tracking import log as tracking
from ood_diffusion.report.tracking import tracker
from ood_diffusion.runs import execute as execution
from ood_diffusion.runs.configuration import GROUPS
from ood_diffusion.runs.execute import execute
from tests.cli import MEANS, QUICK, TINY
from tests.composed import composed

pytestmark = pytest.mark.slow


def finished(folder: Path, store: Path, *overrides: str) -> dict[str, Any]:
    """The results of a run in this process."""
    cfg = composed(*TINY, *QUICK, *MEANS, "n_training=12", f"store={store}", *overrides)
    folder.mkdir()
    with warnings.catch_warnings():
        execute(cfg, dict.fromkeys(GROUPS, ""), folder)
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    assert list(found["cost"]["seconds"]) == list(cfg.stages)
    return found


STAGES = [
    "stages=[inspect,invert,reconstruct,sample,evaluate,physics,report]",
    "logger=wandb",
    "logger.mode=offline",
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A store, and what was found with it when nothing failed."""
    folder = tmp_path_factory.mktemp("expected")
    return folder / "store", finished(folder / "run", folder / "store", *STAGES)


STAGES = [
    "stages=[inspect,invert,reconstruct,sample,evaluate,physics,report]",
    "logger=wandb",
    "logger.mode=offline",
]


def broken(*_: object, **__: object) -> None:
    raise ValueError("broken\x1b[2J\nin two lines")


FAULTS = {
    "plots": (FigureCanvasSVG, "print_svg"),
    "pictures": (Image.Image, "save"),
    "W&B, logging": (tracker, "log_results"),
    "W&B, starting": (tracking, "_started"),
    "tables": (execution, "print_summary"),
    "the model's card": (execution, "print_card"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_is_a_warning(
    fault: str,
    expected: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(*FAULTS[fault], broken)
    found = finished(tmp_path / "run", expected[0], *STAGES)
    for stage in ("reconstruct", "latents", "sample", "metrics", "physics", "claims"):
        assert found[stage] == expected[1][stage]
    warned = [r.message for r in caplog.records if r.levelno >= logging.WARNING and r.name.startswith("ood_")]
    said = [line for line in warned if not line.startswith("reconstruct: round trips")]  # of two steps
    assert said and all("ValueError: broken\\x1b[2J in two lines" in line for line in said)
    page = tmp_path / "run" / "report.html"
    assert page.exists() is (fault != "pictures")
    assert json.loads(json_line(tmp_path / "run"))["report"] == (str(page) if page.exists() else None)


SMALL = [
    *["stage.analyse.n_latents=9", "stage.analyse.n_round_trip=3", "stage.analyse.round_trip_steps=[1,2]"],
    *["stage.analyse.levels=[1000]", "stage.analyse.n_null=40", "stage.analyse.steps=3"],
    *["stage.bandwidth.levels=[300,600]", "stage.bandwidth.check_levels=[300,600]"],
    *["stage.bandwidth.n_images=4", "stage.bandwidth.angles=[0,2,30]", "stage.bandwidth.nearest_k=3"],
    *["stage.bandwidth.etas=[0,1]", "stage.bandwidth.n_judges=8"],
    *["stage.few_shot.counts=[4,8]", "stage.few_shot.repeats=2", "stage.few_shot.n_images=8"],
    *["stage.preservation.n_own=4", "stage.preservation.sdedit_levels=[300]", "stage.transfer.levels=[300]"],
    "stage.interference.etas=[0,1]",
]


def test_no_study_depends_on_its_pictures(
    expected: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*FAULTS["plots"], broken)
    monkeypatch.setattr(*FAULTS["pictures"], broken)
    studies = "analyse,bandwidth,interference,few_shot,preservation,transfer"
    found = finished(tmp_path / "run", expected[0], f"stages=[invert,{studies}]", *SMALL)
    assert set(studies.split(",")) <= set(found) and found["claims"]
    assert not [*(tmp_path / "run").glob("*.svg"), *(tmp_path / "run").glob("*.png")]
