import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.prediction import TO_EPS, target
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.lightning.training import DenoiserTraining
from ood_diffusion.models.base import FrozenModel
from tests.laws.gaussian import SCHEDULES

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


class Exact(nn.Module):
    """The exact output for data that are a single grey image, on any schedule."""

    def __init__(self, kind: Schedule, prediction_type: str, grey: float) -> None:
        super().__init__()
        self.kind, self.prediction_type, self.grey = kind, prediction_type, grey
        self.told = torch.tensor([kind.timestep(k) for k in range(1, kind.timesteps + 1)])

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        levels = [int((self.told - t).abs().argmin()) + 1 for t in timestep.reshape(-1)]
        scales = [self.kind.scale(k) for k in levels]
        alpha, sigma = (
            torch.tensor([of(k) / scale for k, scale in zip(levels, scales, strict=True)]).view(-1, 1, 1, 1)
            for of in (self.kind.alpha, self.kind.sigma)
        )
        noise = (x - alpha * self.grey) / sigma
        return target(self.prediction_type, torch.full_like(x, self.grey), noise, alpha, sigma)


@pytest.mark.parametrize("prediction_type", TO_EPS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_training_and_denoising_agree_on_every_schedule(name: str, prediction_type: str) -> None:
    """The network without loss gives, as a frozen model, the noise and the image that are in x."""
    kind, grey = SCHEDULES[name], 200 / 127.5 - 1
    network = Exact(kind, prediction_type, grey)
    trained = DenoiserTraining(network, kind, prediction_type, 0.1, warmup_steps=10, max_steps=100)
    assert float(trained.loss(torch.full((64, 3, 4, 4), grey))) < 1e-5
    model = FrozenModel(network, kind, (3, 4, 4), prediction_type, {})
    noise = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for t in (1, 500, 999, 1000):
        x = kind.alpha(t) * grey + kind.sigma(t) * noise
        assert torch.allclose(model.eps(x[:1], t), noise[:1], atol=2e-3)
        if prediction_type == "epsilon" and kind.alpha(t) == 0:
            with pytest.raises(UserError, match="epsilon needs some signal"):
                model.clean(x[:1], t)
        elif kind.lam(t) > -4 or prediction_type != "epsilon":
            assert torch.allclose(model.clean(x[:1], t), torch.tensor(grey), atol=2e-3)


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
