"""Settings of the stage `bandwidth`; they check themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from ood_diffusion.checks import require, require_integer

HALF_WAY = 45.0
"""Degrees from a latent to the point half way to another that is orthogonal to it."""


@dataclass(frozen=True)
class BandwidthSettings:
    """Settings of the stage.

    Args:
        levels: where the band is measured, each as `level`.
        n_images: references that are moved, at most.
        angles: of the turns in random directions, in degrees, ascending from 0 (not moved); those of
            `towards` are made towards the next reference, too.
        etas: ascending from 0: with how much fresh noise latents are decoded where they are; empty: not
            measured, as with a solver that has no eta.
        nearest_k: which neighbour sets the radius of a ball around an image of the domain.
        n_judges: images that stand for a domain, of those that are not moved, at most; of both domains
            equally many.
        least_inside: what the share inside before anything is moved must significantly exceed, in both
            domains, for C6 to have a verdict; likewise the share recognised at eta 0.
        check_levels: levels whose samples are compared by FID with the recommended one's; none: no check.
        max_regret: excess of the recommended level's FID over the best other one's, relative to what is above
            the FID of real images, that still counts as well recommended.
    """

    levels: Sequence[float]
    n_images: int
    angles: Sequence[float]
    etas: Sequence[float]
    nearest_k: int
    n_judges: int
    least_inside: float
    check_levels: Sequence[float]
    max_regret: float

    @property
    def towards(self) -> list[float]:
        """The `angles` above 0 and below `HALF_WAY`: beyond it the next reference is the nearer one."""
        return [float(angle) for angle in self.angles if 0 < angle < HALF_WAY]

    def __post_init__(self) -> None:
        angles, name = list(self.angles), "stage.bandwidth"
        require(len(self.levels) >= 1, f"{name}.levels must hold a level", self.levels, "Try [300,500].")
        require(self.n_images >= 3, f"{name}.n_images must be at least 3", self.n_images, "Try 16.")
        require(
            len(angles) >= 2 and angles[0] == 0 and angles == sorted(set(angles)) and angles[-1] <= 180,
            f"{name}.angles must ascend from 0 to 180 degrees at most",
            angles,
            "Try [0,20,40].",
        )
        etas = list(self.etas)
        require(
            not etas or (len(etas) >= 2 and etas[0] == 0 and etas == sorted(set(etas)) and etas[-1] <= 1),
            f"{name}.etas must be empty or ascend from 0 to 1 at most",
            etas,
            "Try [0,0.5,1].",
        )
        require_integer(f"{name}.nearest_k", self.nearest_k, 1, "Try 5.")
        require(
            self.n_judges > self.nearest_k,
            f"{name}.n_judges must be more than nearest_k",
            self.n_judges,
            "Try 80.",
        )
        least = self.least_inside
        require(0 <= least < 1, f"{name}.least_inside must lie in [0, 1)", least, "Try 0.5.")
        require(self.max_regret >= 0, f"{name}.max_regret must not be negative", self.max_regret, "Try 0.1.")
