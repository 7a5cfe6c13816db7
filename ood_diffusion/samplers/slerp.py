"""Spherical interpolation between an inverted reference and a draw of the prior."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ood_diffusion.checks import require_integer
from ood_diffusion.geometry.slerp import slerp
from ood_diffusion.samplers.base import Sampler


class Slerp(Sampler):
    """The interpolation of arXiv 2310.09213, section on latent sampling.

    Right for zero-mean, nearly orthogonal end points only: where the references share a strong mean,
    the path leaves their shell (`linear_combination` is the corrected form).

    Args:
        points: interior points per pair (the paper proposes 10 to 20); a proposal sits on one of
            them, at fraction ``k / (points + 1)`` with k uniform in ``1 … points``.
    """

    version = 1

    def __init__(self, points: int) -> None:
        require_integer("sampler.points", points, 1, "The paper uses 10.")
        self.points = points

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Per item: a reference, a point on the path, then the far end from the prior."""
        n = len(self.references)
        start = [int(torch.randint(n, (), generator=g)) for g in generators]
        point = [1 + int(torch.randint(self.points, (), generator=g)) for g in generators]
        fraction = torch.tensor(point, dtype=torch.float64) / (self.points + 1)
        return slerp(self.references[start], self.prior.draw(generators), fraction)
