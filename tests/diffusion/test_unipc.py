"""UniPC: its coefficients, and its eta against DDIM's; its order is in tests/laws."""

import itertools
import math

import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.unipc import UniPC, moments

schedule = Schedule.linear()


@pytest.mark.parametrize("h", [-6.0, -0.7, -0.01, 0.01, 0.7, 6.0])
def test_moments(h: float) -> None:
    whole = quad(math.exp, 0, h)[0]
    exact = [quad(lambda t, k=k: t**k * math.exp(t), 0, h)[0] / whole for k in (1, 2)]
    assert moments(h) == pytest.approx(exact, rel=1e-6)


def test_steps_at_the_clean_image_are_ddim() -> None:
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for path in ([0.0, 1.0], [500.0, 400.0], [30.0, 0.0]):
        found = [integrate(lambda x, t: torch.tanh(x), x, schedule, path, s) for s in (UniPC(), DDIM())]
        assert torch.allclose(*found, atol=1e-6)


@pytest.mark.parametrize("eta", [0.4, 1.0])
def test_a_network_that_knows_the_image_returns_it_for_every_eta(eta: float) -> None:
    """With the estimate constant nothing is extrapolated: the marginal of Lemma C.1 is DDIM's own."""
    x0, levels = torch.full((1, 3, 4, 4), 0.3), [900.0, 600.0, 300.0, 150.0, 40.0]

    def exact(x: Tensor, t: float) -> Tensor:
        return (x - schedule.alpha(t) * x0) / schedule.sigma(t)

    out = []
    for solver in (UniPC(), DDIM()):
        g = torch.Generator().manual_seed(0)
        x = torch.randn(1, 3, 4, 4, generator=g)
        noise = iter([torch.randn(1, 3, 4, 4, generator=g) for _ in itertools.pairwise(levels)])
        out.append(integrate(exact, x, schedule, levels, solver, eta, lambda n=noise: next(n)))
    assert torch.allclose(*out, atol=1e-4)
