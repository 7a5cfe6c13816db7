"""Optimal transport between sets of numbers, and between sets of vectors seen along random directions."""

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from ood_diffusion.seeding import generator

CHUNK = 2**22
"""Projected numbers at a time."""


def ascending(x: Tensor) -> tuple[Tensor, Tensor]:
    """As `x.sort(dim=1)` of ``[k, n]``, three times as fast on a CPU."""
    if x.device.type != "cpu":
        return x.sort(dim=1)
    order = torch.from_numpy(x.detach().numpy().argsort(axis=1))
    return x.gather(1, order), order


def transport_cost(x: Tensor, y: Tensor, power: int) -> Tensor:
    r"""Cost of moving one set of numbers onto another, :math:`\int_0^1|F^{-1}(u)-G^{-1}(u)|^p\,du`.

    Exact for any two numbers of points: both quantile functions are constant between the levels i/n and j/m
    at which one of them steps.

    Args:
        x: ``[k, n]``, ascending along each row; k problems side by side.
        y: ``[k, m]``, likewise.
        power: p; 1 gives the distance W₁, 2 gives W₂².

    Returns:
        ``[k]``, at least 0.
    """
    n, m = x.shape[1], y.shape[1]
    levels = torch.unique(torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n])).to(x.device)
    shares = levels.diff(prepend=levels.new_zeros(1)).to(x) / (n * m)
    gaps = x.index_select(1, (levels - 1) // m) - y.index_select(1, (levels - 1) // n)
    cost: Tensor = gaps.abs().pow(power) @ shares
    return cost


def potential(x: Tensor, y: Tensor, power: int) -> Tensor:
    """How `transport_cost` grows with the weight of each of x, up to a constant (Kantorovich's potential).

    Arguments as above. Returns ``[k, n]``, 0 at the largest. Where both quantile functions step at one level,
    the derivatives of the two sides are averaged.
    """
    n, m = x.shape[1], y.shape[1]
    level = torch.arange(1, n, device=x.device) * m
    lower, upper = x[:, :-1], x[:, 1:]
    jumps = sum(
        (lower - other).abs() ** power - (upper - other).abs() ** power
        for other in (y.index_select(1, (level - 1) // n), y.index_select(1, level // n))
    )
    return pad(torch.as_tensor(jumps / 2).flip(1).cumsum(1).flip(1), (0, 1))


def unit_vectors(count: int, width: int) -> Tensor:
    """Directions uniform on the sphere, float32 ``[count, width]``: the same ones in every run."""
    return normalize(torch.randn(count, width, generator=generator(0, "directions", width)))


def sliced_cost(x: Tensor, y: Tensor, a: Tensor, b: Tensor, along: Tensor, power: int) -> Tensor:
    """`transport_cost` of two sets of vectors, averaged over directions.

    Args:
        x: ``[n, d]``.
        y: ``[m, d]``.
        a: weights of x, ``[n]``. They must all be 1/n: they are there for the derivative.
        b: weights of y, ``[m]``, all 1/m.
        along: directions ``[k, d]``.
        power: as above.

    Returns:
        A float64 scalar that can be differentiated with respect to x, y, a and b.
    """
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for part in torch.split(along, max(1, CHUNK // (len(x) + len(y)))):
        (p, i), (q, j) = ascending(part @ x.T), ascending(part @ y.T)
        total = total + transport_cost(p, q, power).sum(dtype=torch.float64)
        for weights, order, own, other in ((a, i, p, q), (b, j, q, p)):
            if weights.requires_grad:
                slopes = potential(own.detach(), other.detach(), power).double()
                total = total + ((weights - weights.detach())[order] * slopes).sum()
    return total / len(along)
