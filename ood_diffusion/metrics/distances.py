"""Exact decisions about Euclidean distances, most of them taken on one float32 matrix product.

*The* distance of two feature vectors is that of `torch.cdist` from differences in float64: exactly 0 for
a copy, and equal bit for bit for equal differences. It costs 10 to 25 times a matrix product, so a product
brackets its square first, and it is formed only for the pairs that the bracket leaves open.
"""

import math
from itertools import combinations_with_replacement

import torch
from torch import Tensor

from ood_diffusion.metrics import brackets
from ood_diffusion.metrics.brackets import Points, squares

SPARE = 8
"""Neighbours kept beyond those asked for, because brackets overlap."""


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Exact distances from `a` ``[..., m, d]`` to `b` ``[..., n, d]``: float64 ``[..., m, n]``."""
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")


def distances_where(a: Tensor, b: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns and exact distances of the pairs that are `wanted`, bool ``[m, n]``: ``[p]`` each."""
    i, j = wanted.nonzero(as_tuple=True)
    if 4 * len(i) > wanted.numel():  # a pair costs four times as much on its own as among all of its block
        return i, j, distances(a, b)[i, j]
    return i, j, distances_of(a, b, i, j)


def distances_of(a: Tensor, b: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Exact distances of the pairs (``a[i]``, ``b[j]``): float64 ``[p]``."""
    found = torch.empty(len(i), dtype=torch.float64, device=i.device)
    height = max(1, brackets.BLOCK // (2 * max(a.shape[1], 1)))
    for pairs in (slice(start, start + height) for start in range(0, len(i), height)):
        found[pairs] = distances(a[i[pairs], None], b[j[pairs], None])[:, 0, 0]
    return found


def k_nearest(a: Points, b: Points, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of `b` ``[n, d]``, n >= k, to each of `a` ``[m, d]``, seen from one centre.

    Returns:
        Exact distances, float64 ``[m, k]``, ascending, and indices, int64 ``[m, k]``; the first index
        among equal distances where k = 1.
    """
    found = torch.empty(len(a.given), k, dtype=torch.float64, device=a.given.device)
    where = torch.empty(len(a.given), k, dtype=torch.int64, device=a.given.device)
    for rows, part in a.blocks(len(b.given)):
        q = squares(part, b)
        at = q.topk(k, largest=False).indices
        reach = (q.gather(1, at) + b.slack[at]).amax(dim=1) + part.slack  # k of b are within it
        beyond = q.sub_(b.slack) > (reach + part.slack)[:, None]
        i, j, exact = distances_where(part.given, b.given, beyond.logical_not_())
        row = torch.full_like(q, torch.inf, dtype=torch.float64)
        row[i, j] = exact
        found[rows], where[rows] = row.min(dim=1, keepdim=True) if k == 1 else row.topk(k, largest=False)
    return found, where


def neighbour_radii(of: Points, k: int) -> Tensor:
    """Distance from each of n > k points to its k-th nearest other: float64 ``[n]``.

    Each product serves both of its sides, which leave their likeliest neighbours with every point:
    `SPARE` more than needed. Where those do not suffice (many points at one distance), `k_nearest` does.
    """
    n, keep = len(of.given), min(len(of.given), k + 1 + SPARE)
    low = of.square.new_full((n, keep), torch.inf)
    who = torch.zeros(n, keep, dtype=torch.int64, device=low.device)
    side = math.isqrt(brackets.BLOCK)
    for (rows, a), (columns, b) in combinations_with_replacement(
        of.blocks(brackets.BLOCK // max(side, 1)), 2
    ):
        q = squares(a, b).sub_(a.slack[:, None]).sub_(b.slack)
        q.nan_to_num_(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        for own, other, bracket in ((rows, columns, q), (columns, rows, q.T))[: 1 + (rows != columns)]:
            low[own], at = torch.cat([low[own], bracket], dim=1).topk(keep, largest=False)
            old = who[own].gather(1, at.clamp_max(keep - 1))
            who[own] = torch.where(at < keep, old, at - keep + other.start)
    reach = (low + 2 * (of.slack[:, None] + of.slack[who]))[:, : k + 1].amax(dim=1, keepdim=True)
    i, m = (low > reach).logical_not_().nonzero(as_tuple=True)
    near = torch.full_like(low, torch.inf, dtype=torch.float64)
    near[i, m] = distances_of(of.given, of.given, i, who[i, m])
    radius = near.kthvalue(k + 1, dim=1).values
    rest = (low[:, -1:] > reach).logical_not_().nonzero()[:, 0]
    radius[rest] = k_nearest(of.at(rest), of, k + 1)[0][:, -1]
    return radius


def sides(a: Points, b: Points, q: Tensor, radius: Tensor) -> Tensor:
    """-1, 0 or 1 where the distance is below, equal to or above the radius: int8 ``[m, n]``.

    Args:
        a: ``[m, d]``, as `b` ``[n, d]``.
        q: `squares` of them.
        radius: float64, ``[n]`` or ``[m, 1]``.
    """
    u = torch.finfo(q.dtype).eps / 2
    square = radius.square()
    slack = a.slack[:, None] + b.slack
    below = q + slack < (square * (1 - 4 * u)).to(q.dtype)
    above = q - slack > (square * (1 + 4 * u)).to(q.dtype)
    side = above.to(torch.int8) - below.to(torch.int8)
    i, j, exact = distances_where(a.given, b.given, (above | below).logical_not_())
    side[i, j] = (exact - radius.expand(q.shape)[i, j]).sign().to(torch.int8)
    return side
