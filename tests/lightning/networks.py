"""Networks whose answers are known, for loops that should not wait for a real one."""

import math

import torch
from torch import Tensor, nn

from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel


class GaussianNetwork(nn.Module):
    """The exact noise estimate for data N(0, deviation² I), as an epsilon-network of one parameter."""

    def __init__(self, schedule: Schedule | None = None, deviation: float = 0.4) -> None:
        super().__init__()
        self.schedule = schedule or Schedule.linear()
        self.deviation = nn.Parameter(torch.tensor(deviation))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        levels = [float(t) + 1 for t in timestep.reshape(-1)]
        alpha, sigma = (
            x.new_tensor([of(t) for t in levels]).view(-1, 1, 1, 1)
            for of in (self.schedule.alpha, self.schedule.sigma)
        )
        return sigma * x / (alpha**2 * self.deviation**2 + sigma**2)


def gaussian_model(deviation: float = 0.4, size: int = 8) -> FrozenModel:
    schedule = Schedule.linear()
    return FrozenModel(GaussianNetwork(schedule, deviation), schedule, (3, size, size), "epsilon", {})


def exact_scale(model: FrozenModel, level: float, deviation: float = 0.4) -> float:
    """What the exact ODE multiplies an image by on its way from level 0 to `level`."""
    schedule = model.schedule
    return math.sqrt(schedule.alpha(level) ** 2 * deviation**2 + schedule.sigma(level) ** 2) / deviation
