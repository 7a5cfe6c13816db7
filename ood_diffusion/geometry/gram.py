r"""Norms, angles and distances of n points in d dimensions from Gram matrices, never d×d.

High-dimensional points that look alike to the eye still obey sharp laws (thin annulus, near
orthogonality); the functions here measure them for whole batches at once.
"""

import math

import torch
from torch import Tensor

CHUNK = 1 << 16
"""Coordinates summed at a time: bounds the float64 copy to ``(m + n) × CHUNK × 8`` bytes."""


def gram(a: Tensor, b: Tensor) -> Tensor:
    """Inner products, float64 ``[m, n]``, of the rows of `a` ``[m, …]`` and `b` ``[n, …]``."""
    flat_a, flat_b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    out = torch.zeros(len(a), len(b), dtype=torch.float64, device=a.device)
    for part_a, part_b in zip(
        torch.split(flat_a, CHUNK, dim=1), torch.split(flat_b, CHUNK, dim=1), strict=True
    ):
        out += part_a.double() @ part_b.double().T
    return out


def squared_norms(a: Tensor) -> Tensor:
    """Squared lengths, float64 ``[m]``, of the rows of `a` ``[m, …]``."""
    flat = a.reshape(len(a), -1)
    parts = [part.double().square().sum(dim=1) for part in torch.split(flat, CHUNK, dim=1)]
    return torch.stack(parts).sum(dim=0)


def distances(inner: Tensor, square_a: Tensor, square_b: Tensor) -> Tensor:
    """Euclidean distances ``[m, n]`` from the Gram matrix and the squared norms."""
    return (square_a[:, None] + square_b[None, :] - 2 * inner).clamp_min(0).sqrt()


def origin_angles(inner: Tensor, square_a: Tensor, square_b: Tensor) -> Tensor:
    """Angles in degrees ``[m, n]`` between rows as seen from the origin."""
    return _degrees(inner / (square_a[:, None] * square_b[None, :]).sqrt())


def vertex_angles(inner: Tensor, square: Tensor, references: Tensor) -> Tensor:
    """Angles in degrees at each point z between every two of its chosen references.

    Args:
        inner: inner products of each z with its m references, ``[B, m]``.
        square: squared norms of z, ``[B]``.
        references: Gram matrix of those references, ``[B, m, m]``.

    Returns:
        ``[B, m (m - 1) / 2]``, one angle per unordered pair.
    """
    to_pair = references - inner[:, :, None] - inner[:, None, :] + square[:, None, None]
    lengths = to_pair.diagonal(dim1=1, dim2=2).clamp_min(1e-12).sqrt()
    cosine = to_pair / (lengths[:, :, None] * lengths[:, None, :])
    first, second = torch.triu_indices(inner.shape[1], inner.shape[1], offset=1)
    return _degrees(cosine[:, first, second])


def isotropic(dimensions: int) -> dict[str, float]:
    r"""What i.i.d. :math:`N(0, I_d)` points would show: mean and standard deviation of each statistic.

    Norm and distance from the chi distribution (sd :math:`\approx 1/\sqrt2` and 1), angles in
    degrees with sd :math:`57.3^\circ/\sqrt d` at the origin and :math:`\sqrt{3}/2\cdot 57.3^\circ/\sqrt d`
    at a vertex of a triple (delta method on the Gram entries).
    """
    radian = math.degrees(1.0)
    return {
        "norm_mean": math.sqrt(dimensions - 0.5),
        "norm_sd": math.sqrt(0.5),
        "origin_angle_mean": 90.0,
        "origin_angle_sd": radian / math.sqrt(dimensions),
        "pair_distance_mean": math.sqrt(2 * dimensions - 1.0),
        "pair_distance_sd": 1.0,
        "vertex_angle_mean": 60.0,
        "vertex_angle_sd": radian * math.sqrt(0.75 / dimensions),
    }


def _degrees(cosine: Tensor) -> Tensor:
    return torch.rad2deg(torch.acos(cosine.clamp(-1.0, 1.0)))
