import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.lightning.training import DenoiserTraining

schedule = Schedule.linear()


class Perfect(nn.Module):
    """The exact v for data that are a single grey image."""

    def __init__(self, grey: float) -> None:
        super().__init__()
        self.grey = grey
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        alpha = torch.tensor([schedule.alpha(float(k) + 1) for k in timestep]).view(-1, 1, 1, 1)
        sigma = torch.tensor([schedule.sigma(float(k) + 1) for k in timestep]).view(-1, 1, 1, 1)
        noise = (x - alpha * self.grey) / sigma
        return self.scale * (alpha * noise - sigma * self.grey)


def module(network: nn.Module, **changes: int) -> DenoiserTraining:
    numbers = {"warmup_steps": 10, "max_steps": 100, **changes}
    return DenoiserTraining(network, schedule, "v_prediction", learning_rate=0.1, **numbers)


def grey_images(n: int, value: int = 200) -> Tensor:
    return torch.full((n, 3, 4, 4), value, dtype=torch.uint8)


def test_perfect_network_has_no_loss_at_any_timestep() -> None:
    """Pins timestep = level - 1, the range of images and the sign of v at once."""
    trained = module(Perfect(200 / 127.5 - 1))
    assert float(trained.training_step(grey_images(64), 0)) < 1e-6
    assert float(module(Perfect(0.0)).training_step(grey_images(64), 0)) > 0.01


def test_timesteps_cover_the_schedule_in_every_batch() -> None:
    seen: list[Tensor] = []

    class Spy(Perfect):
        def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
            seen.append(timestep)
            return super().forward(x, timestep)

    module(Spy(0.0)).loss(torch.zeros(10, 3, 4, 4))
    (timestep,) = seen
    assert (timestep // 100).tolist() == list(range(10))


def test_half_of_the_images_are_mirrored() -> None:
    left = torch.zeros(400, 3, 4, 4, dtype=torch.uint8)
    left[..., 0] = 255
    heads: list[Tensor] = []
    trained = module(Perfect(0.0))
    trained.loss = lambda x0: heads.append(x0[:, 0, 0, 0] > 0) or x0.sum()  # type: ignore[assignment, func-returns-value]
    trained.training_step(left, 0)
    assert 150 < int(heads[0].sum()) < 250


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    factor = module(Perfect(0.0)).learning_rate_factor
    assert factor(0) == pytest.approx(0.1) and factor(9) > 0.97
    assert factor(50) == pytest.approx(0.5, abs=0.01) and factor(100) == 0
