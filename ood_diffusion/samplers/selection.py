"""Which proposals are kept: all of them, or those that sit among the references as they sit among each other.

Geometric selection is Algorithm 1 of arXiv 2310.09213 with its constants learned instead of fixed,
and for a whole block of proposals at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import chosen_products, distances, gram, origin_angles, vertex_angles


class Selection(ABC):
    """Judges proposals; `tests` names the judgements in the order `judge` reports them."""

    version = 1
    """Of the results: raised whenever numbers change (`source.identity`)."""
    tests: tuple[str, ...] = ()
    min_references = 1
    """The smallest number of references it can learn from."""

    @abstractmethod
    def bind(self, references: Tensor) -> None:
        """Learn from the inverted references ``[n, C, H, W]``."""

    @abstractmethod
    def judge(self, proposals: Tensor, generators: Sequence[Generator]) -> Mapping[str, Tensor]:
        """Boolean ``[B]`` per test for `proposals` ``[B, C, H, W]``; a proposal is kept if all hold."""


class KeepAll(Selection):
    """Keeps every proposal."""

    version = 1

    def bind(self, references: Tensor) -> None:
        """Nothing to learn."""

    def judge(self, proposals: Tensor, generators: Sequence[Generator]) -> Mapping[str, Tensor]:
        """No test, so nothing fails."""
        return {}


class Geometric(Selection):
    """Distance, origin angle and pair angle to random references must look like the references' own.

    For each proposal `companions` references are chosen at random; the mean distance to them, the
    mean angle with them at the origin and the mean angle at the proposal between pairs of them are
    compared with the same three figures of every reference among its companions (itself left out).

    Only the inner products that are needed are computed, and the references are read where they lie:
    beside them there is their Gram matrix (``8 n²`` bytes), and per proposal some kilobytes. For float32
    latents distances are right to 1e-5 of themselves and angles to 1e-3 degrees, for points that lie at
    least 0.3 of their norm apart.

    Args:
        companions: how many references a proposal is compared with (m = 10 in the paper).
        tolerance: how many of the references' own standard deviations each mean may lie off.
    """

    version = 1
    tests = ("distance", "origin_angle", "pair_angle")

    def __init__(self, companions: int, tolerance: float) -> None:
        require(companions >= 2, "selection.companions must be at least 2", companions, "The paper uses 10.")
        require(
            tolerance > 0, "selection.tolerance must be positive", tolerance, "2 keeps most of a Gaussian."
        )
        self.companions, self.tolerance = companions, tolerance
        self.min_references = companions + 1

    def bind(self, references: Tensor) -> None:
        """Learn target and spread of each figure from at least `min_references` references."""
        n = len(references)
        self.references = references.contiguous()
        self.square = _squares(self.references)
        self.gram = gram(self.references, self.references, torch.float32)
        self.gram.diagonal().copy_(self.square)
        order = Generator().manual_seed(0)
        others = [_choose(n - 1, self.companions, order) for _ in range(n)]
        companions = torch.stack([o + (o >= i) for i, o in enumerate(others)]).to(references.device)
        own = self._figures(self.gram.gather(1, companions), self.square, companions)
        self.target = {test: (float(f.mean()), float(f.std())) for test, f in own.items()}

    def judge(self, proposals: Tensor, generators: Sequence[Generator]) -> Mapping[str, Tensor]:
        """One boolean per proposal and test."""
        n = len(self.references)
        companions = torch.stack([_choose(n, self.companions, g) for g in generators]).to(proposals.device)
        inner = chosen_products(proposals, self.references, companions)
        figures = self._figures(inner, _squares(proposals), companions)
        return {
            test: (figures[test] - mean).abs() <= self.tolerance * sd
            for test, (mean, sd) in self.target.items()
        }

    def _figures(self, inner: Tensor, square: Tensor, companions: Tensor) -> dict[str, Tensor]:
        """Means over companions: `inner` and `companions` (indices) ``[B, m]``, `square` ``[B]``."""
        theirs = self.square[companions]
        far = distances(inner, square, theirs)
        angle = origin_angles(inner, square, theirs)
        among = self.gram[companions[:, :, None], companions[:, None, :]]
        pair = vertex_angles(inner, square, among)
        return dict(zip(self.tests, (far.mean(1), angle.mean(1), pair.mean(1)), strict=True))


def _choose(n: int, m: int, generator: Generator) -> Tensor:
    return torch.randperm(n, generator=generator)[:m]


def _squares(points: Tensor) -> Tensor:
    """Squared norms ``[n]``, summed as the inner products are: a copy lies at distance 0."""
    return chosen_products(points, points, torch.arange(len(points))[:, None])[:, 0]
