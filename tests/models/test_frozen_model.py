from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.unet import fill
from ood_diffusion.runs.assemble import build
from ood_diffusion.runs.configuration import embedded
from tests.composed import composed


class Recorder(nn.Module):
    """Returns its input and remembers the timestep."""

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        self.timestep = timestep
        return x


def wrap(network: nn.Module, prediction_type: str = "epsilon") -> FrozenModel:
    return FrozenModel(network, Schedule.linear(), (3, 8, 8), prediction_type, {})


@pytest.fixture(scope="module")
def cats() -> FrozenModel:
    model: FrozenModel = instantiate(composed("model=cats_64").model, _convert_="all")
    return model


@pytest.mark.parametrize(("level", "timestep"), [(1000, 999), (1, 0), (1.5, 0.5), (0.0, 0), (0.3, 0)])
def test_network_sees_level_minus_one(level: float, timestep: float) -> None:
    recorder = Recorder()
    wrap(recorder).eps(torch.zeros(1, 3, 8, 8), level)
    assert recorder.timestep.is_floating_point() and float(recorder.timestep) == timestep


def test_v_is_converted_with_the_same_level() -> None:
    x = torch.randn(1, 3, 8, 8)
    model, t = wrap(Recorder(), "v_prediction"), 400.0
    scale = model.schedule.alpha(t) + model.schedule.sigma(t)
    assert torch.allclose(model.eps(x, t), scale * x)


def test_unknown_prediction_type() -> None:
    with pytest.raises(UserError, match="prediction_type must be one of: epsilon, flow_prediction"):
        wrap(Recorder(), "score")


def test_embedded_model_is_frozen_and_counted(cats: FrozenModel) -> None:
    assert not any(p.requires_grad for p in cats.parameters()) and not cats.network.training
    before, calls = cats.digest(), cats.network_calls
    eps = cats.eps(torch.randn(2, 3, 64, 64), 500)
    assert eps.shape == (2, 3, 64, 64) and eps.dtype == torch.float32
    assert cats.network_calls == calls + 2
    assert cats.digest() == before


def test_embedded_model_denoises(cats: FrozenModel) -> None:
    """On noise of the top level the estimate is nearly that noise."""
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert float((cats.eps(noise, 1000) - noise).square().mean()) < 0.01


def test_fractions_of_a_timestep_matter(cats: FrozenModel) -> None:
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    a, b, c = (cats.eps(x, t) for t in (20.0, 20.5, 21.0))
    assert 0 < float((a - b).norm()) < float((a - c).norm())


def test_embedded_weights_are_small_enough_to_ship() -> None:
    assert Path(embedded("cats-64.safetensors")).stat().st_size <= 24_000_000


def test_another_architecture_names_key_and_shapes(tmp_path: Path) -> None:
    save_file(nn.Linear(3, 2).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(
        UserError, match=r"1 entries that differ, of 2 \(weight: expected \(2, 2\), got \(2, 3"
    ):
        fill(nn.Linear(2, 2), load_file(tmp_path / "other.safetensors"), "other.safetensors")


def test_an_image_size_that_is_not_the_models() -> None:
    cfg = composed("model.image_size=100")
    with pytest.raises(UserError, match=r"image_size must be a multiple of 8 .*, but got 100"):
        build(cfg.model)
