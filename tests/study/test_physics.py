"""The stage physics through the real command, small."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.study.physics.plots import LABELS
from ood_diffusion.study.physics.stage import Physics, blurred, plot_of
from ood_diffusion.study.physics.verdict import GROUPS
from tests.cli import QUICK, TINY, results, run_cli


def test_samples_references_and_blurred_references_are_compared(tmp_path: Path) -> None:
    done = run_cli(tmp_path, *TINY, *QUICK, "stages=[physics]")
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    found = r["physics"]
    assert found["n_held_out"] == 16 and found["n_fid"] == 8
    assert {name: each["n"] for name, each in found["sets"].items()} == {
        "samples": 8,
        "references": 12,
        "blurred references": 12,
        "twin": 8,
    }
    for each in found["sets"].values():
        assert set(each["statistics"]) == {name for names in GROUPS.values() for name in names}
        assert each["fid"]["low"] < each["fid"]["value"] < each["fid"]["high"]
    power = {
        name: each["statistics"]["small_scale_power"]["difference"] for name, each in found["sets"].items()
    }
    assert power["blurred references"] < power["references"] - 0.5
    checks = found["checks"]
    assert [check["claim"] for check in checks] == ["C10"] * 3 and "C10" in done.stdout
    for check, group in zip(checks, GROUPS, strict=True):
        assert check["figure"].startswith(group)
        assert next(tmp_path.glob(f"**/{check['picture']}")).read_text().count("<svg")
    assert all(list(tmp_path.glob(f"**/{name}")) for name in map(plot_of, LABELS))
    assert r["cost"]["network_calls"]["physics"] == (12 + 8) * 2  # references up, samples down

    done = run_cli(tmp_path, *TINY, *QUICK, "stages=[invert,sample,physics]")
    again = results(tmp_path)[1]
    assert again["physics"] == found and again["cost"]["network_calls"]["physics"] == 0


@pytest.mark.parametrize("knob", ["n_samples", "n_references", "n_held_out"])
def test_one_image_has_no_spread(knob: str) -> None:
    knobs = {"n_samples": 2, "n_references": 2, "n_held_out": 2}

    def run(**changes: int) -> Any:
        domain = SimpleNamespace(size=lambda split: None)
        settings = SimpleNamespace(**knobs | changes)
        return SimpleNamespace(settings=settings, domain=domain, view_recipe={})

    stage = Physics(band=0.2, blur=0.5)
    stage.check(run())
    with pytest.raises(UserError, match=f"the stage physics needs {knob}"):
        stage.check(run(**{knob: 1}))


@pytest.mark.parametrize("wrong", [{"band": 0.0}, {"blur": 0.0}])
def test_settings_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=rf"stage\.physics\.{next(iter(wrong))} must be positive"):
        Physics(**{"band": 0.2, "blur": 0.5, **wrong})


def test_the_blur_takes_the_share_of_a_gaussian_at_every_scale() -> None:
    wave = 100 * torch.cos(2 * torch.pi * torch.arange(64) * 8 / 64) + 128
    images = wave.round().to(torch.uint8).expand(2, 3, 64, 64).contiguous()
    inside = blurred(images, 1.0)[..., 16:48].double()
    expected = 100 * torch.exp(torch.tensor(-2 * (torch.pi * 8 / 64) ** 2))
    assert float(inside.max() - inside.min()) / 2 == pytest.approx(float(expected), rel=0.02)
    assert torch.equal(inside[0, 0, 0], inside[1, 2, 40])
