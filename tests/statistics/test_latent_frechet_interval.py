"""The interval of the latent Fréchet distance: its derivative, coverage by simulation, and fields without a
root."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.latent_frechet import distance, latent_frechet, moments, multiplicities, waves
from ood_diffusion.statistics.latent_frechet_interval import influences, latent_frechet_interval
from tests.statistics.rates import coverage, holds, narrowed


def noise(n: int, seed: int, shape: tuple[int, ...] = (2, 4, 4)) -> Tensor:
    return torch.randn(n, *shape, generator=generator(seed, "test"))


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 5, 4)])
def test_influence_is_the_derivative(shape: tuple[int, ...]) -> None:
    """Of the distance with weights on the latents, by a finite difference."""
    wave_a, wave_b = waves(noise(9, 0, shape) + 0.5), waves(1.5 * noise(8, 1, shape))
    times, of_b = multiplicities(*shape[1:]), moments(wave_b)

    def weighted(weights: Tensor) -> float:
        full = wave_a.to(torch.complex128)
        mean = (weights * full).sum(dim=-1)
        centred = full - mean[..., None]
        covariance = (weights * centred) @ centred.mH * 9 / 8
        return distance(times, (mean, covariance), of_b)

    def derivative(i: int) -> float:
        ends = []
        for step in (1e-5, -1e-5):
            weights = torch.full((9,), (1 - step) / 9, dtype=torch.float64)
            weights[i] += step
            ends.append(weighted(weights))
        return (ends[0] - ends[1]) / 2e-5

    found = influences(times, wave_a, moments(wave_a), of_b)
    wanted = torch.tensor([derivative(i) for i in range(9)], dtype=torch.float64)
    assert torch.allclose(found - found.mean(), wanted - wanted.mean(), rtol=1e-3, atol=1e-3)


DIFFERENT: dict[str, Callable[[Tensor], Tensor]] = {
    "shifted": lambda z: z + 0.5,
    "coloured and larger": lambda z: z + 0.8 * z.roll(1, 3),
}


@pytest.mark.parametrize("changed", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_coverage_at_these_numbers_of_latents(changed: Callable[[Tensor], Tensor]) -> None:
    found = [latent_frechet_interval(noise(12, 2 * i), changed(noise(16, 2 * i + 1))) for i in range(400)]
    truth = float(np.mean([each.value for each in found]))
    assert holds(found, truth, high=0.975), coverage(found, truth)
    assert not holds(narrowed(found), truth)


def test_equal_sets_err_on_the_safe_side() -> None:
    """The distance is degenerate there: 98 to 99 %, so that the rate is bounded from below alone."""
    found = [latent_frechet_interval(noise(12, 2 * i), noise(16, 2 * i + 1)) for i in range(200)]
    truth = float(np.mean([each.value for each in found]))
    assert holds(found, truth, high=1.0), coverage(found, truth)


def test_value_is_the_statistic_and_either_set_may_come_first() -> None:
    a, b = noise(9, 0, (3, 8, 7)), 1.3 * noise(12, 1, (3, 8, 7))
    found, other = latent_frechet_interval(a, b), latent_frechet_interval(b, a)
    assert found.value == pytest.approx(latent_frechet(a, b, 0, 3).statistic) and found.n == 21
    assert (found.low, found.high) == pytest.approx((other.low, other.high), rel=1e-6)


def test_grey_latents() -> None:
    """Channel matrices of rank one: three equal channels count thrice."""
    a, b = noise(12, 0, (1, 8, 8)), 1.4 * noise(12, 1, (1, 8, 8)) + 0.3
    single = latent_frechet_interval(a, b)
    grey = latent_frechet_interval(a.expand(-1, 3, -1, -1), b.expand(-1, 3, -1, -1))
    assert grey.high - grey.low == pytest.approx(3 * (single.high - single.low), rel=1e-3)


def test_bad_sets() -> None:
    with pytest.raises(UserError, match="two sets of 4 or more latents"):
        latent_frechet_interval(noise(3, 0), noise(9, 1))
