"""Calls of a trajectory, counted without a network, are those of the solvers' definitions."""

import pytest
from torch import Tensor

from ood_diffusion.diffusion.ab2 import AB2
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.edit_friendly import EditFriendly
from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.heun import Heun
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step
from ood_diffusion.diffusion.unipc import UniPC
from ood_diffusion.runs.calls import calls_along

SCHEDULE = Schedule.linear()
STEPS = 6
LEVELS = uniform_lambda(SCHEDULE, 600, STEPS)


class Thrice(Solver):
    """Somebody's own."""

    name = "thrice"

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        return x + 1e-9 * sum(eps(x, at.a) for _ in range(3))


@pytest.mark.parametrize(
    ("solver", "calls"),
    [
        *((each, STEPS) for each in (DDIM(), AB2(), DPMpp2M(), UniPC(), EditFriendly(1.0, 0))),
        (Heun(), 2 * STEPS - 1),
        (Thrice(), 3 * STEPS),
    ],
)
def test_explicit_solvers(solver: Solver, calls: int) -> None:
    assert calls_along(solver, SCHEDULE, LEVELS) == (calls, calls)
    assert calls_along(solver, SCHEDULE, LEVELS[::-1]) == (calls, calls)
    if solver.stochastic:
        assert calls_along(solver, SCHEDULE, LEVELS[::-1], eta=0.5) == (calls, calls)


@pytest.mark.parametrize("tolerance", [1e-5, 1.0])
def test_the_implicit_solver_lies_between_its_bounds(tolerance: float) -> None:
    solver = FixedPoint(tolerance, max_iterations=30)
    least, most = calls_along(solver, SCHEDULE, LEVELS)
    assert (least, most) == (1 + STEPS, 1 + 30 * STEPS)
    assert calls_along(solver, SCHEDULE, LEVELS[::-1]) == (STEPS, STEPS)


def test_a_real_trajectory_of_the_implicit_solver() -> None:
    import torch

    asked = []

    def eps(x: Tensor, t: float) -> Tensor:
        asked.append(t)
        return SCHEDULE.sigma(max(t, 1)) * x

    solver = FixedPoint(1e-5, max_iterations=30)
    integrate(eps, torch.ones(1, 3, 4, 4), SCHEDULE, LEVELS, solver)
    least, most = calls_along(solver, SCHEDULE, LEVELS)
    assert least < len(asked) < most
