"""The closed-form oracle: for Gaussian data the whole trajectory is known exactly."""

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.diffusion.schedule import Schedule


class GaussianOracle:
    """Data N(mean, diag(variance)); works in float64 on ``[B, C, H, W]``."""

    def __init__(self, schedule: Schedule, mean: Tensor, variance: Tensor) -> None:
        self.schedule, self.mean, self.variance = schedule, mean.double(), variance.double()

    def eps(self, x: Tensor, t: float) -> Tensor:
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        return sigma * (x - alpha * self.mean) / (alpha**2 * self.variance + sigma**2)

    def clean(self, x: Tensor, t: float) -> Tensor:
        """The mean of the clean image, given x at level t."""
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        total = alpha**2 * self.variance + sigma**2
        return (alpha * self.variance * x + sigma**2 * self.mean) / total

    def carry(self, x: Tensor, a: float, b: float) -> Tensor:
        """The exact ODE map from level a to level b."""
        spread = [self.schedule.alpha(t) ** 2 * self.variance + self.schedule.sigma(t) ** 2 for t in (a, b)]
        centred = x - self.schedule.alpha(a) * self.mean
        return self.schedule.alpha(b) * self.mean + (spread[1] / spread[0]).sqrt() * centred


SCHEDULES = {
    "linear": Schedule.linear(),
    "cosine": Schedule.cosine(),
    "zero_snr": Schedule.from_betas(np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2).zero_terminal_snr(),
    "exploding": Schedule.karras(),
    "flow": Schedule.flow(),
    "shifted": Schedule.flow(shift=3.0),
}
"""One of every kind."""


def oracle(shape: tuple[int, ...] = (1, 4, 4), schedule: str = "linear") -> GaussianOracle:
    """Anisotropic data of the size of images: standard deviations from 0.05 to 0.8."""
    g = torch.Generator().manual_seed(1)
    deviation = torch.logspace(-1.3, -0.1, torch.Size(shape).numel()).view(shape)
    return GaussianOracle(SCHEDULES[schedule], torch.rand(shape, generator=g) - 0.5, deviation**2)
