"""DDIM is a first-order method, in both directions, and its fixed point is the exact ODE map."""

import itertools
import math

import pytest
import torch

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.grids import Grid, uniform_lambda, uniform_t
from ood_diffusion.diffusion.integrate import integrate
from tests.laws.gaussian import oracle

LEVEL = 600.0


def error(grid: Grid, steps: int, inverting: bool) -> float:
    """RMS distance to the exact map between level 1 and LEVEL."""
    exact = oracle()
    g = torch.Generator().manual_seed(0)
    clean = exact.mean + exact.variance.sqrt() * torch.randn(64, 1, 4, 4, generator=g, dtype=torch.float64)
    low = exact.carry(clean, 0.0, 1.0)
    high = exact.carry(clean, 0.0, LEVEL)
    levels = [t for t in grid(exact.schedule, LEVEL, steps) if t >= 1.0]
    levels[0] = 1.0
    start, goal = (low, high) if inverting else (high, low)
    path = levels if inverting else levels[::-1]
    reached = integrate(exact.eps, start, exact.schedule, path, DDIM())
    return float((reached - goal).square().mean().sqrt())


@pytest.mark.parametrize("inverting", [True, False])
@pytest.mark.parametrize(("grid", "most"), [(uniform_lambda, 1.15), (uniform_t, 1.3)])
def test_error_halves_when_steps_double(grid: Grid, most: float, inverting: bool) -> None:
    """Order 1; uniform_t is still leaving its pre-asymptotic range at 400 steps, hence its margin."""
    errors = [error(grid, steps, inverting) for steps in (100, 200, 400)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(0.85 < order < most for order in orders), (errors, orders)


def test_uniform_lambda_is_the_better_grid() -> None:
    assert error(uniform_lambda, 50, True) < 0.3 * error(uniform_t, 50, True)


def test_round_trip_improves_with_steps_from_the_clean_image() -> None:
    exact = oracle()
    x0 = exact.mean + exact.variance.sqrt() * torch.randn(32, 1, 4, 4, dtype=torch.float64)
    errors = []
    for steps in (25, 50, 100):
        levels = uniform_lambda(exact.schedule, LEVEL, steps)
        z = integrate(exact.eps, x0, exact.schedule, levels, DDIM())
        back = integrate(exact.eps, z, exact.schedule, levels[::-1], DDIM())
        errors.append(float((back - x0).square().mean().sqrt()))
    assert errors[0] > 1.8 * errors[1] > 3.2 * errors[2]


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
