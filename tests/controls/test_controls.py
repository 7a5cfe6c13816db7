"""Controls: the recipe itself on pixels, its average, and a linear denoiser."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ood_diffusion.controls.base import Control, Noise
from ood_diffusion.controls.on_pixels import OnPixels
from ood_diffusion.controls.wiener import Wiener
from ood_diffusion.priors.gaussian import Gaussian
from ood_diffusion.runs.assemble import build
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.samplers.copy_references import CopyReferences
from ood_diffusion.samplers.draw import Draw
from ood_diffusion.samplers.linear_combination import LinearCombination
from ood_diffusion.samplers.local_combination import LocalCombination
from ood_diffusion.samplers.propose import Acceptance, Proposer
from ood_diffusion.samplers.selection import Selection
from ood_diffusion.samplers.slerp import Slerp
from ood_diffusion.seeding import generator, normal
from tests.composed import composed

NOISE = Noise(alpha=0.6, sigma=0.8)
CONTROLS = sorted(path.stem for path in Path(conf_folder(), "control").glob("*.yaml"))


def proposer(sampler: object, n: int = 5) -> Proposer:
    cfg = composed()
    selection: Selection = build({k: v for k, v in cfg.selection.items() if k != "max_proposals"})
    return Proposer(build(cfg.prior), sampler, selection, n, 0, 100 * n)  # type: ignore[arg-type]


def made(control: Control, references: Tensor, how: Proposer, noise: Noise = NOISE) -> Tensor:
    return torch.cat(list(control.images(references, how, noise)))


PICTURES = normal([generator(0, "picture", i) for i in range(12)], (3, 8, 8)) / 4


@pytest.mark.parametrize("sampler", [LinearCombination(2, 10.0), CopyReferences(), Slerp(3), Draw()])
def test_the_twin_of_a_network_that_does_nothing_is_the_sample(sampler: object) -> None:
    """The bank of an identity model at level 0 is the pictures themselves."""
    how = proposer(sampler)
    samples = torch.cat(list(how.fitted(PICTURES, lambda: PICTURES).items(Acceptance())))
    assert torch.equal(made(OnPixels(keeps_variance=True), PICTURES, how), samples)


def test_the_choices_do_not_depend_on_what_the_bank_holds() -> None:
    """Latents that are twice the pictures: the same parents and weights, so twice the twin."""
    how = proposer(LinearCombination(2, 10.0))
    latents = torch.cat(list(how.fitted(2 * PICTURES, lambda: PICTURES).items(Acceptance())))
    torch.testing.assert_close(made(OnPixels(keeps_variance=True), PICTURES, how), latents / 2)


def test_an_average_lies_between_its_parents_and_the_twin_does_not() -> None:
    basis = torch.eye(12).view(12, 3, 2, 2)  # coordinates are weights
    how = proposer(LinearCombination(3, 5.0))
    weights = made(OnPixels(keeps_variance=False), basis, how).flatten(1)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(5))
    assert bool((weights >= 0).all()) and bool(((weights > 0).sum(dim=1) == 3).all())
    twin = made(OnPixels(keeps_variance=True), basis, how).flatten(1)
    root = weights.square().sum(dim=1, keepdim=True).sqrt()
    torch.testing.assert_close(twin, (1 - 1 / root) / 12 + weights / root)  # Bodin et al. 2024


def test_without_a_combination_the_average_is_the_twin() -> None:
    how = proposer(Draw())
    assert torch.equal(made(OnPixels(False), PICTURES, how), made(OnPixels(True), PICTURES, how))


def test_without_noise_a_collage_is_made_of_its_parents_alone() -> None:
    """The same parents and weights as with noise; a sampler without noise of its own stays the twin."""
    noisy, parts = (proposer(LocalCombination(2, 2.0, 4.0, 0, h)) for h in (0.3, 0.0))
    noiseless = made(OnPixels(True, noise=False), PICTURES, noisy)
    assert torch.equal(noiseless, made(OnPixels(True), PICTURES, parts))
    assert not torch.allclose(noiseless, made(OnPixels(True), PICTURES, noisy), atol=0.01)
    mix = proposer(LinearCombination(2, 10.0))
    assert torch.equal(made(OnPixels(True, noise=False), PICTURES, mix), made(OnPixels(True), PICTURES, mix))


def test_the_parts_of_the_run_stay_unfitted() -> None:
    prior, sampler = Gaussian("scalar"), Draw()
    made(OnPixels(True), PICTURES, Proposer(prior, sampler, proposer(sampler).selection, 2, 0, 200))
    assert "references" not in vars(sampler) and not any(isinstance(x, Tensor) for x in vars(prior).values())


def test_without_noise_the_filter_is_nothing_and_with_much_it_gives_the_mean() -> None:
    how = proposer(LinearCombination(2, 10.0))
    twin = made(OnPixels(True), PICTURES, how)
    torch.testing.assert_close(made(Wiener(), PICTURES, how, Noise(1.0, 0.0)), twin, atol=1e-5, rtol=0)
    drowned = made(Wiener(), PICTURES, how, Noise(1e-4, 1.0))
    torch.testing.assert_close(drowned, PICTURES.mean(dim=0).expand(drowned.shape), atol=1e-2, rtol=0)


def test_the_filters_error_is_that_of_the_theory() -> None:
    """White pictures of variance v: the least mean square error is v σ² / (α² v + σ²)."""
    n, v = 4000, 0.09
    white = v**0.5 * normal([generator(1, "white", i) for i in range(n)], (1, 8, 8))
    how = proposer(CopyReferences(), n=n)
    error = made(Wiener(), white, how) - made(OnPixels(True), white, how)
    assert float(error.square().mean()) == pytest.approx(v * 0.64 / (0.36 * v + 0.64), rel=0.02)


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_from_its_file_is_the_same_for_any_number(name: str) -> None:
    control: Control = build(composed(f"control=[{name}]").control[name])
    few, many = (made(control, PICTURES, proposer(LinearCombination(2, 10.0), n)) for n in (3, 70))
    assert few.shape == (3, 3, 8, 8) and torch.equal(few, many[:3])
