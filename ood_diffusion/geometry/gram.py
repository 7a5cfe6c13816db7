r"""Norms, angles and distances of n points in d dimensions from inner products, never d×d.

High-dimensional points that look alike to the eye still obey sharp laws (thin annulus, near
orthogonality); the functions here measure them for whole batches at once.
"""

import math
import warnings

import torch
from torch import Tensor

CHUNK = 1 << 12
"""Coordinates summed at a time: bounds the float64 copy to ``(m + n) × CHUNK × 8`` bytes."""

SEGMENTS = 4
"""Parts a row is cut into (fewer where its length does not divide), each summed in its own precision."""


def gram(a: Tensor, b: Tensor, precision: torch.dtype = torch.float64) -> Tensor:
    """Inner products, float64 ``[m, n]``, of the rows of `a` ``[m, …]`` and `b` ``[n, …]``.

    `precision` is that of the sums within a chunk; chunks are added in float64. In float32 nothing is
    copied, it is at least twice as fast, and errors are below 1e-6 of the product of the two norms.
    """
    flat_a, flat_b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    out = torch.zeros(len(a), len(b), dtype=torch.float64, device=a.device)
    for part_a, part_b in zip(
        torch.split(flat_a, CHUNK, dim=1), torch.split(flat_b, CHUNK, dim=1), strict=True
    ):
        out += part_a.to(precision) @ part_b.to(precision).T
    return out


def chosen_products(a: Tensor, b: Tensor, chosen: Tensor) -> Tensor:
    """Inner products of each row of `a` with its own few rows of `b`; no other is computed.

    The sum runs in the dtype of the points over one of at most `SEGMENTS` parts of a row, and in float64
    over the parts: float32 errors stay below 1e-6 of the product of the two norms (1e-7 without a common
    offset). The summation order is the same for every pair, so a row and its copy give equal products,
    bit for bit. Contiguous points are read where they lie: beside them a few numbers per product and
    part are made. (Multiplying gathered rows takes six to twenty times as long, all of a Gram matrix too.)

    Args:
        a: points ``[m, …]``.
        b: points ``[n, …]`` of the same dtype and device.
        chosen: int64 ``[m, k]``, the rows of `b` for each row of `a`.

    Returns:
        float64 ``[m, k]``.
    """
    (m, k), d = chosen.shape, a[0].numel()
    parts = math.gcd(d, SEGMENTS)
    part = torch.arange(parts, device=a.device)
    columns = chosen.to(a.device)[:, None, :] * parts + part[:, None]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        pattern = torch.sparse_csr_tensor(
            torch.arange(0, m * parts * k + 1, k, device=a.device),
            columns.flatten(),
            torch.zeros(m * parts * k, dtype=a.dtype, device=a.device),
            size=(m * parts, len(b) * parts),
            check_invariants=False,
        )
    rows_a, rows_b = a.reshape(m * parts, -1), b.reshape(len(b) * parts, -1)
    products: Tensor = torch.sparse.sampled_addmm(pattern, rows_a, rows_b.T, beta=0.0)
    return products.values().view(m, parts, k).double().sum(dim=1)


def squared_norms(a: Tensor) -> Tensor:
    """Squared lengths, float64 ``[m]``, of the rows of `a` ``[m, …]``."""
    flat = a.reshape(len(a), -1)
    parts = [part.double().square().sum(dim=1) for part in torch.split(flat, CHUNK, dim=1)]
    return torch.stack(parts).sum(dim=0)


def distances(inner: Tensor, square_a: Tensor, square_b: Tensor) -> Tensor:
    """Euclidean distances ``[m, n]`` from inner products ``[m, n]`` and squared norms.

    `square_a` is ``[m]``; `square_b` is ``[n]``, or ``[m, n]`` if each row has points of its own.
    """
    return (square_a[:, None] + square_b - 2 * inner).clamp_min(0).sqrt()


def origin_angles(inner: Tensor, square_a: Tensor, square_b: Tensor) -> Tensor:
    """Angles in degrees ``[m, n]`` between points as seen from the origin; arguments as `distances`."""
    return _degrees(inner / (square_a[:, None] * square_b).sqrt())


def vertex_angles(inner: Tensor, square: Tensor, references: Tensor) -> Tensor:
    """Angles in degrees at each point z between every two of its chosen references.

    A reference nearer to z than 1e-4 of its norm has no direction from there: it counts as lying at
    right angles to the others.

    Args:
        inner: inner products of each z with its m references, ``[B, m]``.
        square: squared norms of z, ``[B]``.
        references: Gram matrix of those references, ``[B, m, m]``.

    Returns:
        ``[B, m (m - 1) / 2]``, one angle per unordered pair.
    """
    first, second = torch.triu_indices(inner.shape[1], inner.shape[1], offset=1, device=inner.device)
    own = references.diagonal(dim1=1, dim2=2)
    length = distances(inner, square, own).clamp_min(1e-4 * square.sqrt()[:, None])
    to_pair = references[:, first, second] - inner[:, first] - inner[:, second] + square[:, None]
    return _degrees(to_pair / (length[:, first] * length[:, second]))


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
