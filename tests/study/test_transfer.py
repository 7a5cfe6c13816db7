"""The stage transfer through the real command, small."""

import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.domains.sketches_of import SketchesOf
from ood_diffusion.study.transfer.stage import Transfer
from tests.cli import QUICK, TINY, results, run_cli

SMALL = [*TINY, *QUICK, "stages=[transfer]", "stage.transfer.levels=[300]", "batch_size=6"]


def test_both_directions_at_every_level(tmp_path: Path) -> None:
    done = run_cli(tmp_path, *SMALL)
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    found = r["transfer"]
    assert found["n"] == 6 and found["level"] == 500  # half of the references for either style
    assert list(found["directions"]) == ["photo to sketch", "sketch to photo"]
    for each in found["directions"].values():
        ways = [(result["way"], result["level"]) for result in each["results"]]
        assert ways == [("pixels", 0), ("transport", 300), ("transport", 500), ("blend", 500)]
        for result in [*each["results"], *each["ends"].values()]:
            assert result["fid"]["low"] < result["fid"]["value"] < result["fid"]["high"]
            assert 0 <= result["content"]["low"] <= result["content"]["high"] <= 1
        assert each["ends"]["truth"]["fid"]["high"] < each["ends"]["source"]["fid"]["low"]
        assert each["ends"]["source"]["content"]["value"] > 0.8
    # 2 steps: 6 photos and 6 sketches up to 2 levels; 2 directions down from 2 levels and from the blend
    assert r["cost"]["network_calls"]["transfer"] == 2 * (12 * 2 + 12 * 3)
    checks = found["checks"]
    assert [check["claim"] for check in checks] == ["C10"] * 6 and "C10" in done.stdout
    for check in checks:
        (picture,) = tmp_path.glob(f"**/{check['picture']}")
        assert picture.stat().st_size > 0 and math.isfinite(check["found"]["value"])
    (sheet,) = tmp_path.glob("**/transfer_photo_to_sketch.png")
    assert Image.open(sheet).size == (6 * 66 - 2, 6 * 66 - 2)  # source, four results, truth; six sources

    done = run_cli(tmp_path, *SMALL)
    again = results(tmp_path)[1]
    assert again["transfer"] == found and again["cost"]["network_calls"]["transfer"] == 0


def test_what_it_cannot_do_is_refused_before_compute(tmp_path: Path) -> None:
    for wrong, name in (
        ("stage.transfer.levels=[5000]", "stage.transfer.levels: 5000"),
        ("n_references=3", "transfer needs n_references to be at least 4"),
    ):
        done = run_cli(tmp_path, *SMALL, wrong)
        assert done.returncode == 2 and name in done.stderr and "Traceback" not in done.stderr, wrong
    assert not list((tmp_path / "outputs").glob("store/latents"))


@pytest.mark.parametrize(
    "wrong", [{"n_images": 1}, {"levels": [1.0, 500.0]}, {"strength": 0.0}, {"strength": 1.1}, {"blend": 0.0}]
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"style": SketchesOf, "n_images": 2, "levels": [], "strength": 1.0, "blend": 1.0}
    assert Transfer(**right).n_images == 2
    with pytest.raises(UserError, match=rf"stage\.transfer\.{next(iter(wrong))} must"):
        Transfer(**{**right, **wrong})
