"""The card of a model, and the main job on models with another border."""

from pathlib import Path

import pytest
from PIL import Image

from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.stages.inspect import warn
from tests.cli import MEANS, QUICK, TINY, UNREPORTED, results, run_cli
from tests.models.tiny_pipelines import save_ddpm, save_edm, save_ldm


def test_card(tmp_path: Path) -> None:
    save_ldm(tmp_path / "p", "kl")
    done = run_cli(tmp_path, *TINY, "model=latent_diffusion", "model.path=p", "stages=[inspect]")
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    card = r["model"]
    assert card["image_shape"] == [3, 32, 32] and card["state_shape"] == [3, 16, 16]
    assert card["prediction_type"] == "epsilon" and card["timesteps"] == 1000
    assert card["lambda_first"] > 3 > -2 > card["lambda_last"]
    assert list(card["signal"]) == ["1", "250", "500", "750", "1000"]
    assert card["signal"]["1000"] == pytest.approx(7.3e-4, rel=0.01)
    assert "ᾱ at levels 1, 250, 500, 750, 1000" in done.stdout
    assert card["digest"] == r["weights"]["before"] and card["images_per_second"] > 0
    assert r["cost"]["network_calls"] == {"inspect": 8 * 2}
    for words in ("3 × 32 × 32 (states 3 × 16 × 16)", "0 … 1000", card["digest"], "images/s"):
        assert words in done.stdout
    with Image.open(card["picture"]) as picture:
        assert picture.size == (4 * 34 - 2, 2 * 34 - 2)


def test_the_domain_is_not_touched(tmp_path: Path) -> None:
    """A model can be inspected without any images."""
    done = run_cli(tmp_path, *TINY, *QUICK, "stages=[inspect]")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "outputs" / "store" / "pictures").exists()


def test_schedules_that_contradict_their_networks_are_noticed(caplog: pytest.LogCaptureFixture) -> None:
    good = (Schedule.linear(), Schedule.linear_rescaled(4000), Schedule.cosine(4000), Schedule.flow())
    for schedule in (*good, Schedule.karras()):
        warn(schedule)
    assert not caplog.records
    warn(Schedule.linear(4000))
    warn(Schedule.scaled_linear())
    assert "ends far from noise: alpha_bar = 0.0047 at its last level, 1000" in caplog.text
    assert "reaches noise early: alpha_bar = 3.8e-05 at level 2000" in caplog.text


@pytest.mark.parametrize("model", ["latent_diffusion", "edm", "diffusers"])
def test_the_main_job_on_other_borders(model: str, tmp_path: Path) -> None:
    if model == "latent_diffusion":
        save_ldm(tmp_path / "p", "vq")
    else:
        (save_edm if model == "edm" else save_ddpm)(tmp_path / "p")
    done = run_cli(tmp_path, *TINY, *MEANS, UNREPORTED, f"model={model}", "model.path=p", "level=400")
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    assert r["weights"]["before"] == r["weights"]["after"]
    assert r["metrics"]["sets"]["samples"]["n"] == 8
