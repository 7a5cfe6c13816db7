"""Weights that vary from place to place: mean, variance, smoothness, neighbours."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.priors.gaussian import Gaussian
from ood_diffusion.samplers.linear_combination import LinearCombination
from ood_diffusion.samplers.local_combination import LocalCombination, nearest, smooth
from ood_diffusion.samplers.propose import Acceptance, Proposer
from ood_diffusion.samplers.selection import KeepAll
from ood_diffusion.seeding import generator, normal

WHITE = normal([generator(0, "white", i) for i in range(400)], (1, 16, 16)) + 1.5


def drawn(sampler: LocalCombination, bank: Tensor, pictures: Tensor | None = None, n: int = 60) -> Tensor:
    how = Proposer(Gaussian("scalar"), sampler, KeepAll(), n, 0, n)
    return torch.cat(
        list(how.fitted(bank, lambda: bank if pictures is None else pictures).items(Acceptance()))
    )


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 8.0])
def test_mean_and_variance_of_a_gaussian_bank_are_kept_at_every_place(sharpness: float) -> None:
    z = drawn(LocalCombination(2, 3.0, sharpness, 0), WHITE, n=1500)
    assert float((z.mean(dim=0) - 1.5).abs().max()) < 5 / 1500**0.5 + 5 / 400**0.5
    assert float(z.var(dim=0).mean()) == pytest.approx(1, abs=0.03)


def test_noise_keeps_mean_and_variance_and_brings_the_prior_in() -> None:
    z, plain = (drawn(LocalCombination(2, 3.0, 4.0, 0, noise), WHITE, n=1000) for noise in (0.6, 0.0))
    assert float(z.mean()) == pytest.approx(1.5, abs=0.02)
    assert float(z.var(dim=0).mean()) == pytest.approx(1, abs=0.03)
    shared = ((z - z.mean(0)) * (plain - plain.mean(0))).mean() / (z.var() * plain.var()).sqrt()
    assert float(shared) == pytest.approx(0.8, abs=0.01)
    assert LocalCombination(2, 3.0, 4.0, 0, 0.6).uses_prior
    assert not LocalCombination(2, 3.0, 4.0, 0).uses_prior


def test_the_average_loses_variance_where_the_seams_are() -> None:
    sampler = LocalCombination(2, 3.0, 1.0, 0)
    assert float(drawn(sampler.plain(), WHITE).var()) < 0.8 < float(drawn(sampler, WHITE).var())


def test_without_sharpness_all_parents_weigh_alike_everywhere() -> None:
    basis = torch.eye(6).view(6, 6, 1, 1).expand(6, 6, 4, 4)
    weights = drawn(LocalCombination(3, 2.0, 0.0, 0).plain(), basis)
    torch.testing.assert_close(weights.sort(dim=1).values[:, 3:], torch.full((60, 3, 4, 4), 1 / 3))


def test_sharp_weights_put_one_parent_at_most_places() -> None:
    basis = torch.eye(6).view(6, 6, 1, 1).expand(6, 6, 32, 32)
    weights = drawn(LocalCombination(2, 6.0, 8.0, 0).plain(), basis)
    assert float((weights.amax(dim=1) > 0.9).float().mean()) > 0.7
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(60, 32, 32))


def test_fields_are_smooth_and_of_unit_variance() -> None:
    fields = smooth(torch.randn(400, 32, 32, generator=generator(0, "fields")), 4.0)
    assert float(fields.var()) == pytest.approx(1, abs=0.1)
    step = fields[:, 1:] - fields[:, :-1]
    assert float(step.var()) == pytest.approx(2 - 2 * torch.exp(torch.tensor(-1 / 64.0)).item(), rel=0.15)


def test_parents_are_neighbours_by_their_pictures_whatever_the_bank_holds() -> None:
    tones = torch.cat([torch.linspace(-1, -0.8, 5), torch.linspace(0.8, 1, 5)])
    pictures = tones.view(10, 1, 1, 1).expand(10, 3, 16, 16)
    bank = torch.eye(10).view(10, 10, 1, 1).expand(10, 10, 4, 4)
    weights = drawn(LocalCombination(2, 1.0, 1.0, 4).plain(), bank, pictures)
    dark = weights[:, :5].sum(dim=1).mean(dim=(1, 2))
    assert bool(((dark > 0.999) | (dark < 0.001)).all()) and 0 < int((dark > 0.5).sum()) < 60


def test_the_nearest_pictures() -> None:
    pictures = torch.tensor([0.0, 0.1, 0.3, 0.7]).view(4, 1, 1, 1).expand(4, 1, 8, 8)
    assert nearest(pictures, 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((1, 8.0, 4.0, 0), "parents"),
        ((2, 0.0, 4.0, 0), "width must be positive"),
        ((2, 8.0, -1.0, 0), "sharpness"),
        ((2, 8.0, 4.0, 0, 1.5), "noise must lie in"),
        ((4, 8.0, 4.0, 2), "neighbours must be 0 or at least parents - 1"),
    ],
)
def test_settings_out_of_range(wrong: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        LocalCombination(*wrong)


def test_very_wide_fields_are_one_weight_per_image() -> None:
    z = drawn(LocalCombination(2, 1e3, 1.0, 0).plain(), torch.eye(4).view(4, 4, 1, 1).expand(4, 4, 8, 8))
    assert float(z.flatten(2).std(dim=2).max()) < 1e-5
    assert LinearCombination(2, 10.0).min_references == LocalCombination(2, 8.0, 4.0, 0).min_references
