"""Costs against scipy, closed forms and the definition; slopes against finite differences."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from ood_diffusion.geometry.transport import (
    ascending,
    potential,
    sliced_cost,
    transport_cost,
    unit_vectors,
)

SIZES = [(5, 7), (6, 6), (4, 8), (9, 3), (1, 4)]


def numbers(n: int, m: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    x, y = (torch.randn(3, k, generator=generator, dtype=torch.float64) for k in (n, m))
    return x.sort(dim=1).values, (y + 0.3).sort(dim=1).values


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_costs_are_those_of_scipy(n: int, m: int) -> None:
    x, y = numbers(n, m)
    wanted = [wasserstein_distance(a, b) for a, b in zip(x, y, strict=True)]
    assert transport_cost(x, y, 1).tolist() == pytest.approx(wanted)


def test_squared_costs_match_the_definition() -> None:
    """Points repeated to one number are matched in order."""
    x, y = numbers(4, 6)
    wanted = (x.repeat_interleave(3, dim=1) - y.repeat_interleave(2, dim=1)).square().mean(dim=1)
    assert torch.allclose(transport_cost(x, y, 2), wanted)


@pytest.mark.parametrize(("n", "m"), SIZES[:-1])
def test_potentials_are_the_slopes(n: int, m: int) -> None:
    x, y = numbers(n, m)
    found = potential(x, y, 1)[0]
    slopes, step = [], 1e-4
    for i in range(n):
        ends = []
        for change in (step, -step):
            weights = np.full(n, (1 - change) / n)
            weights[i] += change
            ends.append(wasserstein_distance(x[0], y[0], weights))
        slopes.append((ends[0] - ends[1]) / (2 * step))
    assert (found - found.mean()).tolist() == pytest.approx(slopes, abs=1e-9)


def test_slices_of_a_shift() -> None:
    """Along a unit vector a shift v costs (u·v)², on average |v|²/d."""
    x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = torch.tensor([3.0, 0, 0, 0, 0, 1], dtype=torch.float64)
    even = torch.full((40,), 1 / 40, dtype=torch.float64)
    along = torch.eye(6, dtype=torch.float64)
    assert sliced_cost(x, x + shift, even, even, along, 2).item() == pytest.approx(10 / 6)
    many = unit_vectors(4000, 6).double()
    assert sliced_cost(x, x + shift, even, even, many, 2).item() == pytest.approx(10 / 6, rel=0.05)


def test_derivatives_by_the_points_and_by_weights() -> None:
    x, y = numbers(5, 7)
    x, y = x.T.clone().requires_grad_(), y.T.clone()
    a, b = (torch.full((n,), 1 / n, dtype=torch.float64, requires_grad=True) for n in (5, 7))
    along = unit_vectors(8, 3).double()
    value = sliced_cost(x, y, a, b, along, 2)
    by_x, by_a, by_b = torch.autograd.grad(value, [x, a, b])
    value = value.detach()
    moved = x.detach().clone()
    moved[2, 1] += 1e-6
    after = sliced_cost(moved, y, a.detach(), b.detach(), along, 2)
    assert float(after - value) / 1e-6 == pytest.approx(float(by_x[2, 1]), rel=1e-4)
    assert by_a.std() > 0 and by_b.std() > 0


def test_directions_are_fixed_unit_vectors() -> None:
    assert torch.equal(unit_vectors(5, 9), unit_vectors(5, 9))
    assert torch.allclose(unit_vectors(50, 9).norm(dim=1), torch.ones(50))


def test_ascending_is_a_sort() -> None:
    x = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    assert torch.equal(ascending(x)[0], x.sort(dim=1).values)
    assert torch.equal(x.gather(1, ascending(x)[1]), ascending(x)[0])
