from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.torch_module import load_torch_module
from ood_diffusion.runs.assemble import build_model


class Own(nn.Module):
    """Remembers its timesteps."""

    def __init__(self, out: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, out, 1)

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        self.timestep = timestep
        return self.conv(x)


def load(network: nn.Module, weights: str | None = None) -> FrozenModel:
    return load_torch_module(network, 8, "epsilon", Schedule.linear(), weights)


def test_one_timestep_per_image() -> None:
    network = Own()
    model = load_torch_module(network, 8, "epsilon", Schedule.linear())
    model.eps(torch.zeros(4, 3, 8, 8), 10.5)
    assert network.timestep.tolist() == [9.5] * 4


def test_weights_are_loaded_strictly(tmp_path: Path) -> None:
    state = Own().state_dict()
    torch.save(state, tmp_path / "a.pt")
    network = Own()
    load(network, str(tmp_path / "a.pt"))
    assert torch.equal(network.conv.weight, state["conv.weight"])
    torch.save({**state, "more": torch.zeros(1)}, tmp_path / "b.pt")
    with pytest.raises(UserError, match=r"more: expected None, got \(1,\)"):
        load(Own(), str(tmp_path / "b.pt"))


@dataclass
class Settings:
    gain: float = 1.0


class Mode(Enum):
    LINEAR = 1
    SQUARE = 2


def times(gain: float) -> Any:
    return lambda x: gain * x


class Same(nn.Module):
    """Equal weights always; what else it is made of may differ."""

    def __init__(self, buffer: float = 1.0, **attributes: object) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        nn.init.eye_(self.conv.weight[:, :, 0, 0])
        nn.init.zeros_(self.conv.bias)
        self.register_buffer("scale", torch.tensor(buffer), persistent=False)
        vars(self).update(attributes)

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        return self.conv(x) * self.scale


def forgetful(gain: float) -> nn.Module:
    return Same()


DIFFERENT: tuple[dict[str, Any], ...] = (
    {},
    *({"buffer": value} for value in (2.0, 3.0)),
    *(
        {"gain": value}
        for value in (1.0, 2.0, float("inf"), "a", "b", None, [1, 2], (2, 1), {"a", "b"}, {"a", "c"})
    ),
    *({"_gain": value} for value in (1.0, torch.float16, torch.float32, torch.ones(2), torch.zeros(2))),
    *({"table": value} for value in (np.ones(2), np.zeros(2), np.ones((2, 1)), Settings(1.0), Settings(2.0))),
    *(
        {"part": value}
        for value in ({"a": {"gain": 1.0}}, {"a": [nn.Dropout(0.1)]}, {"a": [nn.Dropout(0.2)]})
    ),
    *({"act": value} for value in (torch.sin, F.relu, partial(F.leaky_relu, negative_slope=0.1))),
    *(
        {"act": value}
        for value in (partial(F.leaky_relu, negative_slope=0.2), forgetful, Path("a"), Path("b"))
    ),
    *({"mode": value} for value in (Mode.LINEAR, Mode.SQUARE)),
    *({"act": value} for value in (times(1.0), times(2.0))),
    *({"schedule": value} for value in (Schedule.linear(), Schedule.cosine())),
)


def test_an_address_holds_attributes_and_every_buffer() -> None:
    recipes = [fingerprint(load(Same(**settings)).recipe()) for settings in DIFFERENT]
    assert len(set(recipes)) == len(DIFFERENT)
    again = [fingerprint(load(Same(**settings)).recipe()) for settings in DIFFERENT]
    assert again == recipes


def test_an_address_does_not_move_when_the_network_is_used() -> None:
    model = load(Own())
    before = model.recipe()
    model.eps(torch.ones(1, 3, 8, 8), 77.0)
    assert model.recipe() == before


def test_an_address_holds_the_arguments_of_a_configuration() -> None:
    """A function may do anything with its arguments."""
    loader = f"{load_torch_module.__module__}.load_torch_module"
    schedule = {"_target_": "ood_diffusion.diffusion.schedule.Schedule.linear"}
    rest = {"_target_": loader, "image_size": 8, "prediction_type": "epsilon", "schedule": schedule}
    recipes = []
    for gain in (1.0, 2.0, 1.0):
        network = {"_target_": f"{__name__}.forgetful", "gain": gain}
        cfg = OmegaConf.create({"model": {"network": network, **rest}, "precision": "fp32", "compile": False})
        recipes.append(build_model(cfg).recipe())
    assert recipes[0] == recipes[2] != recipes[1]


def test_what_is_no_network() -> None:
    with pytest.raises(UserError, match=r"model\.network must be a torch\.nn\.Module, but got Var"):
        load(Schedule.linear())
    with pytest.raises(UserError, match=r"tensor of that shape, but got \(1, 6, 8, 8\)"):
        load(Own(out=6))
