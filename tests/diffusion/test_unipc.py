"""UniPC: its coefficients, and its eta against DDIM's; its order is in tests/laws."""

import math

import pytest
import torch
from scipy.integrate import quad

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
