"""EDM networks: against diffusers' own preconditioning, and against the exact answer for Gaussian data."""

from pathlib import Path

import pytest
import torch
from diffusers import EDMEulerScheduler
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.edm import EDMModel, load_edm
from tests.models.tiny_pipelines import save_edm

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
KARRAS = Schedule.karras(1000, 0.002, 80.0, 7.0)


def test_levels_are_karras_sigmas() -> None:
    scheduler = EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, rho=7.0)
    scheduler.set_timesteps(1000)
    theirs = scheduler.sigmas[:1000].flip(0)
    ours = torch.tensor([KARRAS.s(t) for t in range(1, 1001)])
    assert torch.allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("t", [1.0, 333.3, 1000.0])
@pytest.mark.parametrize("sigma_data", [0.5, 1.3])
def test_denoised_image_is_diffusers(t: float, sigma_data: float, tmp_path: Path) -> None:
    unet = save_edm(tmp_path)
    model = load_edm(str(tmp_path), KARRAS, sigma_data)
    s, alpha = KARRAS.s(t), KARRAS.alpha(t)
    scheduler, sigma = EDMEulerScheduler(sigma_data=sigma_data), torch.tensor(s)
    x_ve = X / alpha
    with torch.no_grad():
        output = unet(scheduler.precondition_inputs(x_ve, sigma), scheduler.precondition_noise(sigma)).sample
    denoised = scheduler.precondition_outputs(x_ve, output, sigma)
    ours = x_ve - s * model.eps(X, t)
    assert torch.allclose(ours, denoised, atol=2e-5 * float(x_ve.abs().max()))


class Exact(nn.Module):
    """F whose D is the posterior mean of data N(0, width^2): width^2 / (width^2 + sigma^2) x."""

    def __init__(self, width: float, data: float) -> None:
        super().__init__()
        self.width, self.data = width, data

    def forward(self, shown: Tensor, c_noise: Tensor) -> Tensor:
        sigma = torch.exp(4 * c_noise.double())
        total = sigma**2 + self.data**2
        x = shown.double() * total.sqrt()
        d = self.width**2 / (self.width**2 + sigma**2) * x
        return ((d - self.data**2 / total * x) * total.sqrt() / (sigma * self.data)).float()


@pytest.mark.parametrize("t", [1.0, 10.5, 500.0, 1000.0])
def test_the_exact_noise_estimate_of_gaussian_data(t: float) -> None:
    width = 0.8
    model = EDMModel(Exact(width, 0.5), KARRAS, (3, 16, 16), 0.5, {})
    alpha, sigma = KARRAS.alpha(t), KARRAS.sigma(t)
    exact = sigma / (alpha**2 * width**2 + sigma**2) * X
    assert torch.allclose(model.eps(X, t), exact, rtol=1e-4, atol=1e-6)


def test_sigma_data_must_be_positive(tmp_path: Path) -> None:
    save_edm(tmp_path)
    with pytest.raises(UserError, match=r"sigma_data must be positive, but got 0"):
        load_edm(str(tmp_path), KARRAS, 0.0)
