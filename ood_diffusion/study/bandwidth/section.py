"""What the stage `bandwidth` adds to `results.json`."""

from collections.abc import Sequence
from dataclasses import dataclass

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.excess import Floor
from ood_diffusion.statistics.estimate import Estimate


@dataclass(frozen=True)
class Real:
    """`n` images as they are: the yardstick of those that are moved.

    Args:
        inside: share inside the domain.
        unexplained: mean of `unexplained`, with two other images in place of the parents.
        radius: median radius of the balls around the domain's images (feature distance).
        n: images.
    """

    inside: float
    unexplained: float
    radius: float
    n: int


@dataclass(frozen=True)
class Point:
    """Images moved by an angle (degrees).

    Args:
        angle: of the turn, a mean where each has its own.
        inside: share inside the domain.
        interval: of that.
        distance: mean feature distance to the reconstruction.
        psnr: mean PSNR to it in dB.
    """

    angle: float
    inside: float
    interval: Estimate
    distance: float
    psnr: float


@dataclass(frozen=True)
class HalfWay(Point):
    """Images half way to another: and how much of them no superposition of the two accounts for."""

    unexplained: float


@dataclass(frozen=True)
class Band(Estimate):
    """A bandwidth; `censored`: the share inside never falls to half, so it is the largest that was tried."""

    censored: bool


@dataclass(frozen=True)
class Level:
    """What moving latents does at one level: in random directions, towards another image, half way to it."""

    level: float
    bandwidth: Band
    curve: Sequence[Point]
    towards: Sequence[Point]
    half_way: HalfWay
    score: float


@dataclass(frozen=True)
class Training:
    """The same of images of the training domain."""

    real: Real
    levels: Sequence[Level]


@dataclass(frozen=True)
class Equal:
    """What must be equal where bands of several runs are compared.

    Args:
        model: digest of its weights.
        level: of the comparison.
        extractor: its name.
        training_images: fingerprint of the references of the training domain.
        images: in the gap, moved, and standing for a domain.
        nearest_k: of the balls.
        angles: of the turns.
    """

    model: str
    level: float
    extractor: str
    training_images: str
    images: Sequence[int]
    nearest_k: int
    angles: Sequence[float]


@dataclass(frozen=True)
class Comparison:
    """Bandwidths of both domains at one level, and unseen minus training."""

    equal: Equal
    unseen: Band
    training: Band
    difference: Estimate


@dataclass(frozen=True)
class EtaBand(Band):
    """The eta at which the share recognised falls to half; `recognised`: that share at each eta."""

    recognised: Sequence[float]


@dataclass(frozen=True)
class EtaBands:
    """Of both domains, and unseen minus training."""

    etas: Sequence[float]
    unseen: EtaBand
    training: EtaBand
    difference: Estimate


@dataclass(frozen=True)
class Checked:
    """FID of samples from one level."""

    level: float
    fid: Estimate


@dataclass(frozen=True)
class BandwidthSection:
    """What the stage finds.

    Args:
        domain: identity of the unseen domain.
        gap: FID between the domains.
        real: images of the unseen domain as they are.
        levels: each measured level.
        training: the training domain at the level of the comparison.
        comparison: of both domains.
        recommended: the level of the largest score.
        eta: bands by eta, for solvers that have one.
        checked: levels whose samples were compared by FID, if any were.
        floor: of those FIDs.
        checks: of C6 and auto.
    """

    domain: str
    gap: Estimate
    real: Real
    levels: Sequence[Level]
    training: Training
    comparison: Comparison
    recommended: float
    eta: EtaBands | None
    checked: Sequence[Checked] | None
    floor: Floor | None
    checks: Sequence[Check]
