"""Feature vectors with what a matrix product needs to bracket the distances between them."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 2**22
"""Pairs at a time: 32 MiB in float64, however many points there are."""


class Points(NamedTuple):
    """Feature vectors, and what a product needs to bracket the distances between them.

    Args:
        given: ``[n, d]``, as they came.
        centred: ``[n, d]``, float32 if `product_dtype` allows, less a vector shared by both sets.
        square: squared norms of `centred`, ``[n]``.
        slack: share of each point in the half-width of a bracket, ``[n]``.
    """

    given: Tensor
    centred: Tensor
    square: Tensor
    slack: Tensor

    def at(self, rows: slice | Tensor) -> "Points":
        """Some of them."""
        return Points(*(x[rows] for x in self))

    def blocks(self, width: int) -> Iterator[tuple[slice, "Points"]]:
        """Consecutive rows, as many as make at most `BLOCK` pairs (but at least one) with `width` others."""
        height = max(1, BLOCK // max(width, 1))
        for start in range(0, len(self.given), height):
            yield (rows := slice(start, start + height)), self.at(rows)


def product_dtype(device: torch.device) -> torch.dtype:
    """Float32 on a CPU whose products keep its digits, else (autocast, bfloat16 kernels, TF32) float64."""
    if device.type != "cpu":
        return torch.float64
    probe = torch.full((64, 64), 1 + 2.0**-20)
    return torch.float32 if torch.equal(probe @ torch.eye(64), probe) else torch.float64


def points(given: Tensor, centre: Tensor) -> Points:
    r"""`Points` as seen from `centre`, float64 ``[d]``: any is right, one in their midst is fast.

    Let u and v be the unit round-offs of the product and of float64 (2^-24, 2^-53),
    :math:`\gamma = du/(1-du)`, and :math:`N = |x|^2 + |y|^2` for the centred vectors. Then D² for the
    distance D above and :math:`q = |x|^2 + |y|^2 - 2x\cdot y` as computed differ by at most

    * :math:`\gamma N` for the inner product, in whatever order it is summed (Higham 2002, section 3.1,
      and :math:`2|x||y| \le N`),
    * :math:`9uN` for rounding x, y, their norms, and the two additions,
    * :math:`(3d + 12)vN` for D itself and the norms, both formed in float64,
    * :math:`8d` times the smallest normal number for underflow.

    `slack` is the share of x or y in the sum, with :math:`7uN` to spare for arithmetic on the bracket.
    Where a square overflows the slack is NaN, which decides nothing: such pairs stay open.
    """
    dtype, d = product_dtype(given.device), given.shape[1]
    centred = torch.empty_like(given, dtype=dtype)
    square = torch.empty(len(given), dtype=torch.float64, device=given.device)
    height = max(1, BLOCK // max(d, 1))
    for rows in (slice(start, start + height) for start in range(0, len(given), height)):
        centred[rows] = given[rows].double() - centre
        square[rows] = centred[rows].double().square().sum(dim=1)
    u = torch.finfo(dtype).eps / 2
    share = d * u / (1 - d * u) + 16 * u + (3 * d + 12) * 2.0**-53
    slack = (share * square + 4 * d * torch.finfo(dtype).tiny).to(dtype)
    square = square.to(dtype)
    return Points(given, centred, square, slack.masked_fill_(square.isinf(), torch.nan))


def squares(a: Points, b: Points) -> Tensor:
    """Squared distances ``[m, n]``, each within ``a.slack + b.slack`` of the exact one."""
    return (a.centred @ b.centred.T).mul_(-2).add_(a.square[:, None]).add_(b.square)
