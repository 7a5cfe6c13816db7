import itertools

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.ab2 import AB2
from ood_diffusion.diffusion.ddim import DDIM, ddim_step
from ood_diffusion.diffusion.heun import Heun
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule

schedule = Schedule.linear()


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_decoding_step_equals_diffusers(eta: float) -> None:
    from diffusers import DDIMScheduler

    theirs = DDIMScheduler(num_train_timesteps=1000, beta_schedule="linear", clip_sample=False)
    theirs.set_timesteps(50)
    g = torch.Generator().manual_seed(0)
    x, eps, noise = (torch.randn(2, 3, 8, 8, generator=g) for _ in range(3))
    for timestep in (980, 600, 20):
        expected = theirs.step(eps, timestep, x, eta=eta, variance_noise=noise if eta else None).prev_sample
        ours = ddim_step(x, eps, schedule, timestep + 1, timestep + 1 - 20, eta, noise)
        assert float((ours - expected).abs().max()) < 1e-5 * float(expected.abs().max())


def test_whole_decoding_equals_diffusers_step_by_step() -> None:
    """Timesteps 980, 960, ..., 0 and then the clean image, with an eps that depends on x and t."""
    from diffusers import DDIMScheduler

    def eps(x: torch.Tensor, t: float) -> torch.Tensor:
        return torch.tanh(x * (1 + t / 1000)) + 0.1 * t / 1000

    theirs = DDIMScheduler(num_train_timesteps=1000, beta_schedule="linear", clip_sample=False)
    theirs.set_timesteps(50)
    levels = [float(t) + 1 for t in theirs.timesteps] + [0.0]
    x = expected = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for a, b in itertools.pairwise(levels):
        expected = theirs.step(eps(expected, a), int(a) - 1, expected).prev_sample
        x = integrate(eps, x, schedule, [a, b], DDIM())
        assert float((x - expected).abs().max()) < 1e-5 * max(1.0, float(expected.abs().max())), a


def test_a_step_up_undoes_a_step_down_with_the_same_eps() -> None:
    x, eps = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    there = ddim_step(x, eps, schedule, 0, 700)
    assert torch.allclose(ddim_step(there, eps, schedule, 700, 0), x, atol=1e-12)


def test_nothing_is_clipped() -> None:
    x = torch.full((1, 3, 4, 4), 40.0)
    assert float(ddim_step(x, torch.zeros_like(x), schedule, 500, 0).min()) > 40


def test_inverting_with_eta_is_refused() -> None:
    with pytest.raises(UserError, match="inversion is deterministic"):
        integrate(lambda x, t: x, torch.zeros(1, 1, 1, 1), schedule, [0, 10], DDIM(), eta=0.5)


@pytest.mark.parametrize("eta", [-0.1, 1.5])
def test_eta_out_of_range(eta: float) -> None:
    with pytest.raises(UserError, match="eta must lie between 0"):
        integrate(lambda x, t: x, torch.zeros(1, 1, 1, 1), schedule, [10, 0], DDIM(), eta=eta)


def test_eta_without_noise_is_refused() -> None:
    x = torch.zeros(1, 1, 1, 1)
    with pytest.raises(UserError, match="needs noise"):
        ddim_step(x, x, schedule, 500, 400, eta=1.0)


def test_eta_with_a_deterministic_solver_is_refused() -> None:
    for solver in (AB2(), Heun()):
        with pytest.raises(UserError, match=f"{solver.name} is deterministic.*choose solver=ddim"):
            integrate(lambda x, t: x, torch.zeros(1, 1, 1, 1), schedule, [10, 0], solver, eta=0.5)


def test_one_network_call_a_step_at_the_departure_level() -> None:
    asked: list[float] = []

    def eps(x: torch.Tensor, t: float) -> torch.Tensor:
        asked.append(t)
        return x

    integrate(eps, torch.zeros(1, 1, 1, 1), schedule, [0.0, 1.0, 50.0], DDIM())
    assert asked == [0.0, 1.0]
