"""Interpolation on (nearly) a sphere."""

import torch
from torch import Tensor

from ood_diffusion.geometry.gram import squared_norms


def slerp(a: Tensor, b: Tensor, fraction: Tensor) -> Tensor:
    r"""Spherical interpolation of directions with norms interpolated linearly.

    .. math:: z = \frac{\sin((1-f)\theta)\,\hat a + \sin(f\theta)\,\hat b}{\sin\theta}
        \bigl((1-f)|a| + f|b|\bigr)

    (Shoemake 1985, with the norm rule of arXiv 2310.09213). Almost parallel rows are interpolated
    linearly, where the formula divides by zero.

    Args:
        a: start points, ``[B, …]``.
        b: end points, shaped like `a`.
        fraction: 0 gives `a`, 1 gives `b`; ``[B]``.

    Examples:
        >>> slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([0.5]))
        tensor([[0.7071, 0.7071]])
    """
    shape = (-1,) + (1,) * (a.dim() - 1)
    norm_a, norm_b = squared_norms(a).sqrt(), squared_norms(b).sqrt()
    inner = (a.double() * b.double()).flatten(1).sum(dim=1)
    theta = torch.acos((inner / (norm_a * norm_b)).clamp(-1.0, 1.0))
    f = fraction.double()
    flat = theta.sin() < 1e-6
    divisor = torch.where(flat, torch.ones_like(theta), theta.sin())
    weight_a = torch.where(flat, 1 - f, ((1 - f) * theta).sin() / divisor)
    weight_b = torch.where(flat, f, (f * theta).sin() / divisor)
    norm = (1 - f) * norm_a + f * norm_b
    mixed = (weight_a / norm_a).view(shape) * a + (weight_b / norm_b).view(shape) * b
    return (mixed * norm.view(shape)).to(a.dtype)
