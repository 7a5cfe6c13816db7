"""The closed form of the forward process."""

import pytest
import torch

from ood_diffusion.diffusion.marginal import marginal
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.seeding import generator


def test_mean_and_spread_are_those_of_the_schedule() -> None:
    schedule, x0 = Schedule.linear(), torch.full((50, 3, 8, 8), 0.5)
    for t in (0.0, 300.0, 700.5, 1000.0):
        drawn = marginal(x0, t, schedule, [generator(0, i) for i in range(50)])
        assert float(drawn.mean()) == pytest.approx(0.5 * schedule.alpha(t), abs=0.04)
        assert float(drawn.std()) == pytest.approx(schedule.sigma(t), rel=0.03)
        assert drawn.dtype == torch.float32
