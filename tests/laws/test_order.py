"""Every solver converges to the exact ODE map of the Gaussian oracle, at its own order, in both
directions."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from ood_diffusion.diffusion.ab2 import AB2
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.diffusion.grids import Grid, karras, uniform_lambda, uniform_t
from ood_diffusion.diffusion.heun import Heun
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.solver import History, Solver
from ood_diffusion.diffusion.unipc import UniPC
from tests.laws.gaussian import SCHEDULES, oracle

LEVEL = 600.0
SOLVERS: dict[str, Solver] = {
    "ddim": DDIM(),
    "ab2": AB2(),
    "heun": Heun(),
    "dpmpp_2m": DPMpp2M(),
    "unipc": UniPC(),
    "fixed_point": FixedPoint(tolerance=1e-12, max_iterations=500),
}
ORDER = {"ddim": 1, "ab2": 2, "heun": 2, "dpmpp_2m": 2, "unipc": 3, "fixed_point": 1}


def clean(n: int) -> Tensor:
    exact = oracle()
    g = torch.Generator().manual_seed(0)
    return exact.mean + exact.variance.sqrt() * torch.randn(n, 1, 4, 4, generator=g, dtype=torch.float64)


def error(
    solver: Solver, grid: Grid, steps: int, inverting: bool, lowest: float = 1.0, schedule: str = "linear"
) -> float:
    """RMS distance to the exact map between level `lowest`, a point of the grid, and LEVEL."""
    exact = oracle(schedule=schedule)
    low, high = (exact.carry(clean(64), 0.0, t) for t in (lowest, LEVEL))
    levels = [lowest, *[t for t in grid(exact.schedule, LEVEL, steps) if t > lowest]]
    start, goal = (low, high) if inverting else (high, low)
    path = levels if inverting else levels[::-1]
    reached = integrate(exact.eps, start, exact.schedule, path, solver)
    return float((reached - goal).square().mean().sqrt())


@pytest.mark.parametrize("inverting", [True, False])
@pytest.mark.parametrize(("grid", "lowest"), [(uniform_lambda, 1.0), (karras, 1.0), (uniform_t, 60.0)])
@pytest.mark.parametrize("name", ORDER)
def test_order(name: str, grid: Grid, lowest: float, inverting: bool) -> None:
    """Doubling the steps divides the error by 2^order (float levels: half of them lie between timesteps)."""
    errors = [error(SOLVERS[name], grid, steps, inverting, lowest) for steps in (50, 100, 200)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(abs(order - ORDER[name]) < 0.1 * ORDER[name] for order in orders), (errors, orders)


@pytest.mark.parametrize("inverting", [True, False])
@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "linear"])
@pytest.mark.parametrize("name", ORDER)
def test_order_on_every_schedule(name: str, schedule: str, inverting: bool) -> None:
    errors = [error(SOLVERS[name], uniform_lambda, n, inverting, schedule=schedule) for n in (25, 50, 100)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(abs(order - ORDER[name]) < 0.2 * ORDER[name] for order in orders), (errors, orders)


@pytest.mark.parametrize("schedule", ["zero_snr", "flow", "shifted"])
@pytest.mark.parametrize("name", ORDER)
def test_order_from_pure_noise(name: str, schedule: str) -> None:
    """The first step, from a level without signal, is of first order, which costs one order in one step."""
    exact, errors = oracle(schedule=schedule), []
    top, goal = (exact.carry(clean(64), 0.0, t) for t in (1000.0, 100.0))
    for steps in (50, 100, 200):
        levels = [100.0 + 900.0 * k / steps for k in range(steps + 1)]
        solver = SOLVERS[name]
        reached = integrate(exact.eps, top, exact.schedule, levels[::-1], solver, clean=exact.clean)
        errors.append(float((reached - goal).square().mean().sqrt()))
        assert reached.isfinite().all()
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(abs(order - ORDER[name]) < 0.25 * ORDER[name] for order in orders), (errors, orders)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ORDER)
def test_there_and_back_to_the_top_of_every_schedule(name: str, schedule: str) -> None:
    exact, x0 = oracle(schedule=schedule), clean(16)
    levels = uniform_lambda(exact.schedule, 1000.0, 100)
    z = integrate(exact.eps, x0, exact.schedule, levels, SOLVERS[name])
    back = integrate(exact.eps, z, exact.schedule, levels[::-1], SOLVERS[name], clean=exact.clean)
    assert float((back - x0).square().mean().sqrt()) < (0.08 if ORDER[name] == 1 else 0.01)


def test_higher_order_pays_at_equal_network_calls() -> None:
    """Errors at 32 calls, uniform in lambda: no place for a swapped sign or a lost history."""
    errors = {n: error(SOLVERS[n], uniform_lambda, 16 if n == "heun" else 32, True) for n in ORDER}
    assert errors["dpmpp_2m"] < 0.15 * errors["ddim"]
    assert errors["ab2"] < 0.4 * errors["ddim"]
    assert errors["heun"] < 0.6 * errors["ddim"]
    assert errors["unipc"] < 0.5 * errors["dpmpp_2m"]


def test_uniform_lambda_is_the_best_grid_and_uniform_t_the_worst() -> None:
    errors = [error(DDIM(), grid, 50, True) for grid in (uniform_lambda, karras, uniform_t)]
    assert errors[0] < errors[1] < 0.7 * errors[2]


def test_round_trip_improves_with_steps_from_the_clean_image() -> None:
    exact, x0 = oracle(), clean(32)
    errors = []
    for steps in (25, 50, 100):
        levels = uniform_lambda(exact.schedule, LEVEL, steps)
        z = integrate(exact.eps, x0, exact.schedule, levels, DDIM())
        back = integrate(exact.eps, z, exact.schedule, levels[::-1], DDIM())
        errors.append(float((back - x0).square().mean().sqrt()))
    assert errors[0] > 1.8 * errors[1] > 3.2 * errors[2]


@pytest.mark.parametrize("steps", [3, 10])
def test_fixed_point_comes_back_exactly_however_few_the_steps(steps: int) -> None:
    exact, x0 = oracle(), clean(32)
    levels = uniform_lambda(exact.schedule, LEVEL, steps)
    solver = FixedPoint(tolerance=1e-9, max_iterations=500)
    history = History()
    z = integrate(exact.eps, x0, exact.schedule, levels, solver, history=history)
    back = integrate(exact.eps, z, exact.schedule, levels[::-1], solver)
    assert float((back - x0).abs().max()) < 1e-6
    assert history.convergence(32).not_converged == 0


def test_unseen_gaussian_inverts_to_coloured_latents() -> None:
    """Data of covariance C' inverted by a model of covariance C: variance about C'/C at the top."""
    exact = oracle()
    other = torch.full_like(exact.variance, 0.3**2)
    g = torch.Generator().manual_seed(0)
    x0 = exact.mean + other.sqrt() * torch.randn(4000, 1, 4, 4, generator=g, dtype=torch.float64)
    levels = uniform_lambda(exact.schedule, 1000, 200)
    z = integrate(exact.eps, x0, exact.schedule, levels, DDIM())
    ratio = z.var(dim=0) / (other / exact.variance)
    assert float((ratio - 1).abs().max()) < 0.15
