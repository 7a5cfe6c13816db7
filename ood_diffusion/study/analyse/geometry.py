"""C4: do latents of the unseen domain lie as isotropic Gaussians do?

Those of the training domain are named beside them and decide nothing.
"""

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.verdict import below, within
from ood_diffusion.statistics.estimate import Estimate


def annulus(spread: Estimate, training: Estimate, level: float, most: float, picture: str) -> Check:
    """A thin annulus: norms that vary by less than the share `most` of their mean.

    Args:
        spread: standard deviation of the norms over their mean, of the unseen domain.
        training: the same of the training domain.
        level: of the latents.
        most: limit to `spread`.
        picture: file that shows the geometry.
    """
    figure = f"relative spread of norms at level {level:.4g}"
    against = f"limit: below {most:g} ({beside(training)})"
    return Check("C4", figure, spread, against, limit(most), below(spread, most), picture)


def orthogonal(angle: Estimate, training: Estimate, level: float, band: float, picture: str) -> Check:
    """Orthogonal: a mean angle at the origin within `band` of 90, all in degrees; the rest as `annulus`."""
    figure = f"mean angle at the origin (degrees) at level {level:.4g}"
    range_ = Estimate(90.0, 90 - band, 90 + band, 0)
    verdict = within(angle, range_.low, range_.high)
    return Check("C4", figure, angle, f"limits ({beside(training)})", range_, verdict, picture)


def equilateral(deviation: Estimate, training: Estimate, level: float, most: float, picture: str) -> Check:
    """Equilateral triangles: angles that deviate from 60 by less than `most`, root mean square, in degrees.

    The angles of every triangle have the mean 60, so that a mean of 60 would say nothing. The rest as
    `annulus`.
    """
    figure = f"deviation of triangles' angles from 60 (degrees) at level {level:.4g}"
    against = f"limit: below {most:g} ({beside(training)})"
    return Check("C4", figure, deviation, against, limit(most), below(deviation, most), picture)


def beside(training: Estimate) -> str:
    """The training domain's figure in words."""
    return f"training domain: {training.value:.3g}"
