"""What the stage `transfer` adds to `results.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ood_diffusion.claims.check import Check
from ood_diffusion.statistics.estimate import Estimate


@dataclass(frozen=True)
class Scores:
    """FID to the other style, and the share of images that are the most alike to their own source."""

    fid: Estimate
    content: Estimate


@dataclass(frozen=True)
class Result(Scores):
    """Of one way ("pixels", "transport", "blend") at one level."""

    way: str
    level: float


@dataclass(frozen=True)
class OneWay:
    """What one direction leads to.

    Args:
        columns: of its picture.
        n_judges: held-out images in each FID.
        ends: "source" and "truth".
        results: way by way and level by level.
    """

    columns: Sequence[str]
    n_judges: int
    ends: Mapping[str, Scores]
    results: Sequence[Result]


@dataclass(frozen=True)
class TransferSection:
    """Both directions, of `n` sources each; `level` is the run's own, which the checks are about."""

    n: int
    level: float
    directions: Mapping[str, OneWay]
    checks: Sequence[Check]
