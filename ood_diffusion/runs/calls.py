"""How many network calls a trajectory takes, found out without a network."""

import copy
import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, Solver
from ood_diffusion.report.plan.work import Calls

UNSETTLED = 1e6
"""Answers of this size and changing sign never let an implicit solver converge."""


def calls_along(solver: Solver, schedule: Schedule, levels: Sequence[float], eta: float = 0.0) -> Calls:
    """The fewest and the most calls that one state needs from ``levels[0]`` to ``levels[-1]``.

    The solver itself is walked along the levels, once with a network that answers 0, at which an implicit
    solver has converged at once, and once with one that never settles. So the figures are true of any
    solver, and equal unless it decides by what the network says.
    """
    signs = itertools.cycle((UNSETTLED, -UNSETTLED))
    answers: tuple[Callable[[], float], ...] = (lambda: 0.0, lambda: next(signs))
    return Calls(*sorted(walk(copy.deepcopy(solver), schedule, levels, eta, answer) for answer in answers))


def walk(
    solver: Solver, schedule: Schedule, levels: Sequence[float], eta: float, answer: Callable[[], float]
) -> int:
    """How often `solver` asks a network that answers ``answer()`` for every pixel."""
    x = torch.zeros(1, len(levels), 2, 2)  # wide enough for noise maps
    asked = 0

    def eps(state: Tensor, level: float) -> Tensor:
        nonlocal asked
        asked += 1
        return torch.full_like(state, answer())

    network: EpsFunction = eps
    integrate(network, x, schedule, levels, solver, eta, lambda: torch.zeros_like(x), clean=network)
    return asked
