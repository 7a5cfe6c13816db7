r"""Exact decisions about Euclidean distances, most of them taken on one matrix product.

*The* distance of two feature vectors is that of `torch.cdist` from differences in float64: exactly 0 for
a copy, and equal bit for bit for equal differences. It costs some fifty times a matrix product, so a product
brackets its square first, and it is formed only for the pairs that the bracket leaves open.

With v = 2^-53 and :math:`N = |x|^2 + |y|^2`, the square of that distance and
:math:`q = |x|^2 + |y|^2 - 2x\cdot y`, all as computed in float64, differ by at most 2dvN for the norms and
the inner product (in whatever order they are summed: Higham 2002, section 3.1, and :math:`2|x||y| \le N`),
(2d + 12)vN for the distance itself (its square is at most 2N), 16vN for additions and roots, and 8d times
the smallest normal number for underflow. Where a square overflows the bracket is NaN: the pair stays open.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ood_diffusion.checks import require, require_integer

PAIRS = 2**22
"""At a time: 32 MiB in float64, however many points there are."""


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Consecutive rows, as many as make at most `PAIRS` pairs (but at least one) with the columns."""
    height = max(1, PAIRS // max(columns, 1))
    return (slice(start, start + height) for start in range(0, rows, height))


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Exact distances from `a` ``[..., m, d]`` to `b` ``[..., n, d]``: float64 ``[..., m, n]``."""
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")


def k_nearest(a: Tensor, b: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of `b` ``[n, d]``, n >= k, to each of `a` ``[m, d]``.

    Returns:
        Exact distances, float64 ``[m, k]``, ascending, and indices, int64 ``[m, k]``; the first index
        among equal distances where k = 1.
    """
    a, b = a.double(), b.double()
    found = torch.empty(len(a), k, dtype=torch.float64, device=a.device)
    where = torch.empty(len(a), k, dtype=torch.int64, device=a.device)
    for rows in blocks(len(a), len(b)):
        q, slack = _bracket(a[rows], b)
        reach = (q + slack).topk(k, largest=False).values[:, -1:]  # k of b are within it
        far = _settled(a[rows], b, q, (q - slack > reach).logical_not_())
        found[rows], where[rows] = far.min(dim=1, keepdim=True) if k == 1 else far.topk(k, largest=False)
    return found, where


def neighbour_radii(points: Tensor, k: int) -> Tensor:
    """Distance from each of n > k points ``[n, d]`` to its k-th nearest other: float64 ``[n]``."""
    return k_nearest(points, points, k + 1)[0][:, -1]


def compared(a: Tensor, b: Tensor, *radii: Tensor) -> Tensor:
    """Distances that are below, equal to or above each radius if the exact ones are: float64 ``[m, n]``.

    Args:
        a: ``[m, d]``, as `b` ``[n, d]``.
        radii: float64, ``[n]`` or ``[m, 1]`` each.
    """
    a, b = a.double(), b.double()
    q, slack = _bracket(a, b)
    unsure = torch.zeros_like(q, dtype=torch.bool)
    for square in (radius.square() for radius in radii):
        unsure |= ((q - square).abs() > slack + 2**-50 * square).logical_not_()
    return _settled(a, b, q, unsure)


def _bracket(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Squares of distances ``[m, n]``, and how far each may be from that of the exact one."""
    norms = torch.linalg.vector_norm(a, dim=1).square()[:, None] + torch.linalg.vector_norm(b, dim=1).square()
    d, v = a.shape[1], 2**-53
    return torch.addmm(norms, a, b.T, alpha=-2), norms.mul((4 * d + 64) * v).add_(8 * d * 2.0**-1022)


def _settled(a: Tensor, b: Tensor, q: Tensor, unsure: Tensor) -> Tensor:
    """Distances ``[m, n]`` from their squares `q`, the exact ones where `unsure`, bool ``[m, n]``."""
    far = q.clamp_min(0).sqrt_()
    i, j = unsure.nonzero(as_tuple=True)
    if 4 * len(i) > q.numel():  # a pair costs four times as much on its own as among all of its block
        far[i, j] = distances(a, b)[i, j]
        return far
    for pairs in blocks(len(i), 2 * a.shape[1]):
        rows, columns = i[pairs], j[pairs]
        far[rows, columns] = distances(a[rows, None], b[columns, None])[:, 0, 0]
    return far


def inside(features: Tensor, domain: Tensor, k: int) -> Tensor:
    """Whether each image lies in a ball around at least one image of the domain.

    The balls reach to the k-th nearest other image of the domain and are closed (Kynkäänniemi et al. 2019,
    eq. 1): the mean over images is the improved precision. The balls shrink as the domain's images grow in
    number, so only shares at equal numbers can be compared.

    Args:
        features: ``[m, d]``.
        domain: features of images of the domain ``[n, d]``, n > k.
        k: which neighbour sets the radius, at least 1.

    Returns:
        bool ``[m]``.

    Raises:
        UserError: if k < 1, the domain has k images or fewer, or d differs.
    """
    require_integer("nearest_k", k, 1, "Naeem et al. 2020 recommend 5.")
    require(
        len(domain) > k and features.shape[1:] == domain.shape[1:],
        f"a domain must be given by more than {k} images, all with features of one length",
        (list(features.shape), list(domain.shape)),
        "Bring more held-out images or lower nearest_k.",
    )
    radius, parts = neighbour_radii(domain, k), blocks(len(features), len(domain))
    return torch.cat([(compared(features[rows], domain, radius) <= radius).any(dim=1) for rows in parts])
