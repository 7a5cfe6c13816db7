"""The closed-form oracle: for Gaussian data the whole trajectory is known exactly."""

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

    def carry(self, x: Tensor, a: float, b: float) -> Tensor:
        """The exact ODE map from level a to level b."""
        spread = [self.schedule.alpha(t) ** 2 * self.variance + self.schedule.sigma(t) ** 2 for t in (a, b)]
        centred = x - self.schedule.alpha(a) * self.mean
        return self.schedule.alpha(b) * self.mean + (spread[1] / spread[0]).sqrt() * centred


def oracle(shape: tuple[int, ...] = (1, 4, 4)) -> GaussianOracle:
    """Anisotropic data of the size of images: standard deviations from 0.05 to 0.8."""
    g = torch.Generator().manual_seed(1)
    deviation = torch.logspace(-1.3, -0.1, torch.Size(shape).numel()).view(shape)
    return GaussianOracle(Schedule.linear(), torch.rand(shape, generator=g) - 0.5, deviation**2)
