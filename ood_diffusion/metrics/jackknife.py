"""How any statistic that takes weights on images moves with each of them."""

from collections.abc import Callable

import torch
from torch import Tensor

from ood_diffusion.statistics.feature_intervals import Influence

Statistic = Callable[[Tensor, Tensor], Tensor]
"""Of weights on generated and on real images."""


def uniform(n: int) -> Tensor:
    """The weights of n images that count alike, float64 ``[n]``, sum 1."""
    return torch.full((n,), 1 / n, dtype=torch.float64)


def influence(statistic: Statistic, generated: int, real: int) -> Influence:
    """A statistic where all images count alike, and its derivatives by their weights.

    Their spread over images gives the standard error of the infinitesimal jackknife (Jaeckel 1972). Nothing
    is resampled: images that come twice would bias a distance upwards.

    Args:
        statistic: T, weights a of the generated ``[m]`` and b of the real images ``[n]``, float64 with sum
            1 -> a scalar that can be differentiated.
        generated: m, at least 2.
        real: n, at least 2.
    """
    weights = [uniform(generated).requires_grad_(), uniform(real).requires_grad_()]
    with torch.enable_grad():
        value = statistic(*weights)
        return Influence(float(value.detach()), *torch.autograd.grad(value, weights))
