"""SDEdit and the moves of the stage bandwidth mean the same on every path, where the network is perfect."""

from types import SimpleNamespace
from typing import cast

import pytest
import torch

from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.runs.run import Run
from ood_diffusion.study.bandwidth.walk import moved_latents
from ood_diffusion.study.sdedit import noised
from tests.laws.gaussian import SCHEDULES, GaussianOracle, oracle

N = 4000


@pytest.mark.parametrize("level", [300.0, 700.0, 1000.0])
@pytest.mark.parametrize("name", SCHEDULES)
def test_sdedit_keeps_the_domain_and_forgets_the_reference(name: str, level: float) -> None:
    """Images of the network's own domain become others of it, whose correlation with those that they come
    from is that of a state with its own denoised image: alpha sqrt(v / (alpha^2 v + sigma^2))."""
    exact = oracle(schedule=name)
    schedule, v = exact.schedule, exact.variance
    g = torch.Generator().manual_seed(0)
    x0 = exact.mean + v.sqrt() * torch.randn(N, *v.shape, generator=g, dtype=torch.float64)
    levels = uniform_lambda(schedule, level, 40)
    parts = {"model": SimpleNamespace(schedule=schedule), "settings": SimpleNamespace(seed=0)}
    z = noised(cast(Run, SimpleNamespace(levels=levels, **parts)), x0.float(), range(N)).double()
    low = integrate(exact.eps, z, schedule, levels[:0:-1], DPMpp2M(), clean=exact.clean)
    made = exact.carry(low, levels[1], 0.0)
    assert float(((made - exact.mean).mean(0) / v.sqrt()).abs().max()) < 4.5 / N**0.5
    assert float((made.var(0) / v - 1).abs().max()) < 4.5 * (2 / N) ** 0.5
    kept = ((made - exact.mean) * (x0 - exact.mean)).mean(0) / v
    alpha, sigma = schedule.alpha(level), schedule.sigma(level)
    assert float((kept - alpha * (v / (alpha**2 * v + sigma**2)).sqrt()).abs().max()) < 6 / N**0.5


@pytest.mark.parametrize("level", [300.0, 1000.0])
@pytest.mark.parametrize("name", SCHEDULES)
def test_latents_are_moved_as_the_images_would_be(name: str, level: float) -> None:
    """Of white data: at any level of any path an angle between latents is one between images, so bandwidths
    can be compared, whatever the spread of the latents is."""
    shape, names = (3, 8, 8), ["a", "b", "c"]
    exact = GaussianOracle(SCHEDULES[name], torch.zeros(shape), torch.full(shape, 0.09))
    x0 = 0.3 * torch.randn(len(names), *shape, generator=torch.Generator().manual_seed(0))
    z = exact.carry(x0.double(), 0.0, level).float()
    moved = moved_latents(z, names, [0, 20, 60], [10, 40], 0)
    images = exact.carry(moved.double(), level, 0.0).float()
    assert torch.allclose(images, moved_latents(x0, names, [0, 20, 60], [10, 40], 0), atol=1e-5)
