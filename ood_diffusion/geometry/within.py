"""Norms, angles and distances within one set of points."""

import torch
from torch import Tensor

from ood_diffusion.geometry.gram import distances, origin_angles, vertex_angles

COMPANIONS = 10
"""Other points of which every two are seen from each point."""


def within(inner: Tensor) -> dict[str, Tensor]:
    """Every quantity that `gram.isotropic` predicts, of n >= 3 points.

    Args:
        inner: their Gram matrix, float64 ``[n, n]``.

    Returns:
        "norm" ``[n]``; "origin_angle" and "pair_distance", one per unordered pair; "vertex_angle", at each
        point between every two of its successors in the given order, `COMPANIONS` at most, and the first
        after the last. Angles in degrees.
    """
    n, square = len(inner), inner.diagonal()
    rows, columns = torch.triu_indices(n, n, offset=1)
    companions = (torch.arange(n)[:, None] + torch.arange(1, min(COMPANIONS + 1, n))) % n
    among = inner[companions[:, :, None], companions[:, None, :]]
    return {
        "norm": square.sqrt(),
        "origin_angle": origin_angles(inner, square, square)[rows, columns],
        "pair_distance": distances(inner, square, square)[rows, columns],
        "vertex_angle": vertex_angles(inner.gather(1, companions), square, among).flatten(),
    }
