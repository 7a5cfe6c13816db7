"""C4: do latents lie as isotropic Gaussians do?"""

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.verdict import below, within
from ood_diffusion.statistics.estimate import Estimate


def annulus(spread: Estimate, whose: str, most: float, picture: str) -> Check:
    """A thin annulus: norms that vary by less than the share `most` of their mean.

    Args:
        spread: standard deviation of the norms over their mean.
        whose: domain and level of the latents, in words.
        most: limit to it.
        picture: file that shows the geometry.
    """
    figure = f"relative spread of norms, {whose}"
    return Check("C4", figure, spread, f"limit: below {most:g}", limit(most), below(spread, most), picture)


def orthogonal(angle: Estimate, whose: str, band: float, picture: str) -> Check:
    """Orthogonal: a mean angle at the origin within `band` of 90, all in degrees; the rest as `annulus`."""
    figure = f"mean angle at the origin (degrees), {whose}"
    range_ = Estimate(90.0, 90 - band, 90 + band, 0)
    return Check("C4", figure, angle, "limits", range_, within(angle, range_.low, range_.high), picture)


def equilateral(deviation: Estimate, whose: str, most: float, picture: str) -> Check:
    """Equilateral triangles: angles that deviate from 60 by less than `most`, root mean square, in degrees.

    The angles of every triangle have the mean 60, so that a mean of 60 would say nothing. The rest as
    `annulus`.
    """
    figure = f"deviation of triangles' angles from 60 (degrees), {whose}"
    return Check(
        "C4", figure, deviation, f"limit: below {most:g}", limit(most), below(deviation, most), picture
    )
