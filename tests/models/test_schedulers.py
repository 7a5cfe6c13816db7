"""Whole denoisings equal those of diffusers' own schedulers, with the same network asked the same way."""

import itertools
import math

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor, nn

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule, VarianceExploding
from ood_diffusion.models.base import FrozenModel

NOISE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Some(nn.Module):
    """Any function of state and timestep."""

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        return torch.tanh(x * (1 + timestep / 1000)) + 0.1 * timestep / 1000


def denoised(schedule: Schedule, prediction_type: str, x: Tensor, levels: list[float]) -> Tensor:
    model = FrozenModel(Some(), schedule, (3, 8, 8), prediction_type, {})
    return integrate(model.eps, x, schedule, levels, DDIM(), clean=model.clean)


def close(ours: Tensor, theirs: Tensor) -> bool:
    return float((ours - theirs).abs().max()) < 2e-5 * float(theirs.abs().max())


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_matching_euler(shift: float) -> None:
    """From pure noise at sigma = 1, where alpha is 0, to the image; the network outputs noise minus image."""
    theirs = FlowMatchEulerDiscreteScheduler(shift=shift)
    theirs.set_timesteps(10)
    x = NOISE
    for timestep in theirs.timesteps:
        x = theirs.step(Some()(x, timestep), timestep, x).prev_sample
    schedule = Schedule.flow(shift=shift)
    sigmas = theirs.sigmas[1:-1].double().tolist()
    levels = [1000.0, *(schedule.level(math.log((1 - sigma) / sigma)) for sigma in sigmas), 0.0]
    told = [schedule.timestep(t) for t in levels[:-1]]
    assert told == pytest.approx(theirs.timesteps.tolist(), rel=1e-5)
    assert close(denoised(schedule, "flow_prediction", NOISE, levels), x)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_variance_exploding_euler(prediction_type: str) -> None:
    """diffusers' Euler walks x = x0 + sigma noise and shows the network x / sqrt(sigma^2 + 1)."""
    theirs = EulerDiscreteScheduler(
        beta_start=1e-4, beta_end=0.02, prediction_type=prediction_type, timestep_spacing="leading"
    )
    theirs.set_timesteps(10)
    preserving = Schedule.linear()
    schedule = VarianceExploding(np.array([preserving.s(t) for t in range(1001)]))
    levels = [float(t) + 1 for t in theirs.timesteps] + [0.0]
    assert schedule.scale(levels[0]) == pytest.approx(float(theirs.init_noise_sigma), rel=1e-5)
    x = NOISE * theirs.init_noise_sigma
    ours = denoised(schedule, prediction_type, x, levels)
    for timestep in theirs.timesteps:
        shown = theirs.scale_model_input(x, timestep)
        x = theirs.step(Some()(shown, timestep), timestep, x).prev_sample
    assert close(ours, x)


@pytest.mark.parametrize("prediction_type", ["v_prediction", "sample"])
def test_ddim_from_a_level_without_signal(prediction_type: str) -> None:
    theirs = DDIMScheduler(
        beta_schedule="linear",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        prediction_type=prediction_type,
        clip_sample=False,
        set_alpha_to_one=True,
    )
    theirs.set_timesteps(10)
    x = NOISE
    for timestep in theirs.timesteps:
        x = theirs.step(Some()(x, timestep), int(timestep), x).prev_sample
    schedule = Schedule.from_betas(np.linspace(1e-4, 0.02, 1000)).zero_terminal_snr()
    levels = [float(t) + 1 for t in theirs.timesteps] + [0.0]
    assert levels[0] == 1000 and schedule.alpha(1000) == 0
    assert close(denoised(schedule, prediction_type, NOISE, levels), x)


def test_every_solver_starts_from_a_level_without_signal_as_ddim_does() -> None:
    calls: list[float] = []
    schedule = Schedule.flow()

    def ask(x: Tensor, t: float) -> Tensor:
        calls.append(t)
        return x

    levels = [1000.0, 600.0, 300.0]
    integrate(ask, NOISE, schedule, levels, DDIM(), clean=ask)
    assert calls == [a for a, _ in itertools.pairwise(levels)]
