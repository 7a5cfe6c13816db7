"""Lemma C.1 (Song et al. 2021, appendix B): for every eta, q(x_t | x_0) stays N(alpha x_0, sigma² I)."""

import pytest
import torch

from ood_diffusion.diffusion.ddim import ancestral_sigma, ddim_step, step_from_noise
from ood_diffusion.diffusion.schedule import Schedule
from tests.laws.gaussian import SCHEDULES

N = 200_000


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("a", "b"), [(1000.0, 700.0), (900.0, 600.0), (600.0, 100.5), (50.0, 1.0)])
@pytest.mark.parametrize("kind", ["linear", "zero_snr", "exploding", "flow"])
def test_marginal_is_kept(eta: float, a: float, b: float, kind: str) -> None:
    schedule, x0 = SCHEDULES[kind], 0.7
    g = torch.Generator().manual_seed(0)
    eps = torch.randn(N, generator=g, dtype=torch.float64)
    x_a = schedule.alpha(a) * x0 + schedule.sigma(a) * eps
    noise = torch.randn(N, generator=g, dtype=torch.float64)
    if schedule.alpha(a):
        x_b = ddim_step(x_a, eps, schedule, a, b, eta, noise)
    else:
        x_b = step_from_noise(x_a, torch.full_like(x_a, x0), schedule, a, b, eta, noise)
    standard = (x_b - schedule.alpha(b) * x0) / schedule.sigma(b)
    assert abs(float(standard.mean())) < 4 / N**0.5
    assert abs(float(standard.var()) - 1) < 4 * (2 / N) ** 0.5
    assert abs(float((standard**4).mean()) - 3) < 4 * (96 / N) ** 0.5


def test_eta_one_is_the_ddpm_posterior() -> None:
    """sigma_eta between neighbours equals Ho et al. 2020, eq. 7: beta_t (1 - abar_{t-1}) / (1 - abar_t)."""
    schedule = Schedule.linear()
    for t in (2, 500, 1000):
        beta = 1 - (schedule.alpha(t) / schedule.alpha(t - 1)) ** 2
        posterior = beta * schedule.sigma(t - 1) ** 2 / schedule.sigma(t) ** 2
        assert ancestral_sigma(schedule, t, t - 1) ** 2 == pytest.approx(posterior, rel=1e-9)
