"""Runs whose latents hold noise maps: the same job, exact round trips, and what cannot work on them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ood_diffusion import UserError, draw, generate, invert
from ood_diffusion.report.results import Results
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.invert import invert as fill
from ood_diffusion.stages.reconstruct import reconstruct
from ood_diffusion.stages.sample import Sample
from tests.cli import QUICK
from tests.lightning.networks import gaussian_model
from tests.runs.test_run import made

MAPS = (*QUICK, "solver=edit_friendly", "eta=1")
NEED_STATES = {
    f"stages=[{name},report]": name
    for name in ("analyse", "bandwidth", "interference", "likelihood", "preservation")
} | {"level=auto": "bandwidth"}


def latents(run: Run) -> Tensor:
    return run.bank.read(list(run.references))


def test_reconstructions_are_the_references_in_two_steps(tmp_path: Path) -> None:
    run = made(tmp_path, *MAPS)
    fill(run)
    assert latents(run).shape == (12, 3 * 3, 64, 64)
    assert reconstruct(run)["psnr_min"] > 80  # equal in 8 bits
    assert run.model.network_calls == 12 * 2 * 2


def test_latents_depend_on_image_eta_and_seed_and_on_nothing_else(tmp_path: Path) -> None:
    run, apart = (made(tmp_path / name, *MAPS) for name in ("all", "few"))
    few = dict(list(apart.references.items())[3:6])
    fill(run.at(batch_size=5))
    fill(apart.at(subset=few, batch_size=2))
    assert torch.equal(apart.bank.read(list(few)), latents(run)[3:6])
    for other in (made(tmp_path, *MAPS, "seed=1"), made(tmp_path, *MAPS, "eta=0.5")):
        assert other.bank.folder.name != run.bank.folder.name
        fill(other)
        assert not torch.allclose(latents(other), latents(run), atol=0.01)
    banks = {made(tmp_path, *QUICK, word).bank.folder for word in ("seed=0", "seed=1", "eta=0.5")}
    assert len(banks) == 1  # of a solver whose noise is fresh


def test_priors_and_samplers_work_on_noise_maps(tmp_path: Path) -> None:
    run = made(tmp_path, *MAPS, "sampler=draw", "prior=spectral", "stages=[invert,sample]")
    fill(run)
    found = Sample()(run, Results())
    assert found["latents"]["isotropic"]["norm_mean"] == pytest.approx((9 * 64 * 64) ** 0.5, rel=1e-3)


@pytest.mark.parametrize(("word", "stage"), NEED_STATES.items())
def test_stages_that_need_states_are_refused(word: str, stage: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"the stage {stage} needs latents that are states of the trajectory"):
        made(tmp_path, *MAPS, word)


def test_from_python() -> None:
    model, g = gaussian_model(), torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, 3, 8, 8), generator=g, dtype=torch.uint8)
    bank = invert(model, images, solver="edit_friendly", steps=3, settings={"eta": 0.5})
    assert bank.values.shape == (4, 12, 8, 8)
    assert torch.equal(generate(model, bank), images)
    assert generate(model, draw(bank, 2)).shape == (2, 3, 8, 8)
    with pytest.raises(UserError, match="eta must be that of the latents' noise, "):
        generate(model, bank, eta=0.7)
