"""DPM-Solver++(2M) against diffusers, and its eta against DDIM's."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.diffusion.unipc import UniPC

schedule = Schedule.linear()


def eps(x: Tensor, t: float) -> Tensor:
    return torch.tanh(x * (1 + t / 1000)) + 0.1 * t / 1000


@pytest.mark.parametrize(("kind", "eta"), [("dpmsolver++", 0.0), ("sde-dpmsolver++", 1.0)])
def test_whole_decoding_equals_diffusers(kind: str, eta: float) -> None:
    """Down to timestep 0; the last step of both is of first order."""
    from diffusers import DPMSolverMultistepScheduler

    theirs = DPMSolverMultistepScheduler(
        beta_start=1e-4, beta_end=0.02, algorithm_type=kind, final_sigmas_type="zero", lower_order_final=True
    )
    theirs.set_timesteps(12)
    levels = [float(t) + 1 for t in theirs.timesteps] + [0.0]
    g = torch.Generator().manual_seed(0)
    x = expected = torch.randn(2, 3, 8, 8, generator=g)
    noises = [torch.randn(2, 3, 8, 8, generator=g) for _ in levels[1:]]
    for timestep, noise in zip(theirs.timesteps, noises, strict=True):
        more: dict[str, Any] = {"variance_noise": noise} if eta else {}
        expected = theirs.step(eps(expected, float(timestep) + 1), timestep, expected, **more).prev_sample
    stream = iter(noises)
    ours = integrate(eps, x, schedule, levels, DPMpp2M(), eta, lambda: next(stream))
    assert float((ours - expected).abs().max()) < 2e-5 * float(expected.abs().max())


def test_first_step_and_steps_at_the_clean_image_are_ddim() -> None:
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for path in ([0.0, 1.0], [500.0, 400.0], [30.0, 0.0]):
        found = [integrate(eps, x, schedule, path, solver) for solver in (DPMpp2M(), DDIM())]
        assert torch.allclose(*found, atol=1e-6)
    two = [integrate(eps, x, schedule, [500.0, 400.0, 300.0], s) for s in (DPMpp2M(), DDIM())]
    assert float((two[0] - two[1]).abs().max()) > 1e-3  # the second step uses the first


@pytest.mark.parametrize("multistep", [DPMpp2M(), UniPC()], ids=lambda solver: solver.name)
@pytest.mark.parametrize("eta", [0.4, 1.0])
def test_a_network_that_knows_the_image_returns_it_for_every_eta(eta: float, multistep: Solver) -> None:
    """With x̂0 constant the extrapolation changes nothing: the marginal of Lemma C.1 is DDIM's own."""
    x0, levels = torch.full((1, 3, 4, 4), 0.3), [900.0, 600.0, 300.0, 150.0, 40.0]

    def exact(x: Tensor, t: float) -> Tensor:
        return (x - schedule.alpha(t) * x0) / schedule.sigma(t)

    out = []
    for solver in (multistep, DDIM()):
        g = torch.Generator().manual_seed(0)
        x = torch.randn(1, 3, 4, 4, generator=g)
        noise = iter([torch.randn(1, 3, 4, 4, generator=g) for _ in itertools.pairwise(levels)])
        out.append(integrate(exact, x, schedule, levels, solver, eta, lambda n=noise: next(n)))
    assert torch.allclose(*out, atol=1e-4)
