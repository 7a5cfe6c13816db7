"""How a frozen model draws the pictures of a domain: what counts its calls and says where it computes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.source import Recipe

CPU = torch.device("cpu")

BLOCK = 16
"""Pictures drawn together, from this number on. Fixed, however many are asked for, because the rounding of a
network depends on the shape of its batch."""


class Model(Protocol):
    """What is asked of the model: a part of `models.base.FrozenModel`, explained there."""

    network_calls: int
    compiled: bool
    image_shape: tuple[int, int, int]

    @property
    def schedule(self) -> Schedule:
        """The noise schedule."""

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a state on the trajectory."""

    def eps(self, x: Tensor, t: float, exact: bool = False) -> Tensor:
        """The noise estimate at level `t`; with `exact` in fp32 whatever the precision."""

    def clean(self, x: Tensor, t: float, exact: bool = False) -> Tensor:
        """The estimate of the clean state, where alpha is 0."""

    def decode(self, states: Tensor) -> Tensor:
        """States at level 0 to images with values in [-1, 1], not clipped."""

    def recipe(self) -> Recipe:
        """Everything that determines `eps` and `decode`, as JSON."""

    def to(self, device: torch.device) -> object:
        """Move the weights."""


@dataclass
class Drawing:
    """A model and its way from noise to pictures.

    Args:
        model: counts its calls.
        solver: the numerical method.
        levels: where it stops, ascending from 0 to the top of the schedule.
        device: where the model is.
    """

    model: Model
    solver: Solver
    levels: Sequence[float]
    device: torch.device = CPU

    @contextmanager
    def on(self, device: torch.device) -> Iterator[None]:
        """Draw on `device`; the model is on the CPU before and after."""
        self.device = device
        try:
            self.model.to(device)
            yield
        finally:
            self.device = CPU
            self.model.to(CPU)


def block_of(index: int) -> range:
    """The pictures drawn together with number `index`: the first ones each alone, as few may be asked for."""
    size = 1 if index < BLOCK else BLOCK
    first = index // size * size
    return range(first, first + size)
