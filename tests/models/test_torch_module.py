from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.torch_module import load_torch_module


class Own(nn.Module):
    """Remembers its timesteps."""

    def __init__(self, out: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, out, 1)

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        self.timestep = timestep
        return self.conv(x)


def load(network: nn.Module, weights: str | None = None) -> object:
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


def test_what_is_no_network() -> None:
    with pytest.raises(UserError, match=r"model\.network must be a torch\.nn\.Module, but got Schedule"):
        load(Schedule.linear())  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"tensor of that shape, but got \(1, 6, 8, 8\)"):
        load(Own(out=6))
