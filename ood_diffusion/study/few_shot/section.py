"""What the stage `few_shot` adds to `results.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.excess import Floor
from ood_diffusion.statistics.estimate import Estimate


@dataclass(frozen=True)
class AtCount:
    """Samples from `n_references` references: FID over `runs`, each with its seed and its figures by name."""

    n_references: int
    fid: Estimate
    runs: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class FewShotSection:
    """The curve, ascending in the number of references; its last point is all of them."""

    curve: Sequence[AtCount]
    floor: Floor
    checks: Sequence[Check]
