"""Steps along the shell on which latents lie: the norm stays, the direction turns."""

import math

from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import squared_norms

PARALLEL = 1e-6
"""A direction has less than this share of its length at right angles to a point: it is parallel to it."""


def move(z: Tensor, direction: Tensor, angle: float) -> Tensor:
    r"""Turn points about the origin by an angle, each towards a direction of its own.

    .. math:: z' = \cos\varphi\, z + \sin\varphi\, |z|\, \hat d, \qquad
        d = g - \frac{g \cdot z}{|z|^2}\, z

    The geodesic of the sphere of radius :math:`|z|` that leaves z towards g: :math:`|z'| = |z|`, and the
    angle between z' and z is :math:`\varphi`. At 0° the points come back bit for bit.

    Args:
        z: points, ``[n, …]``, float, none of them 0.
        direction: g, shaped like `z`; only what stands at right angles to z counts.
        angle: in degrees, 0 to 180.

    Returns:
        ``[n, …]``, in the dtype of `z`.

    Raises:
        UserError: if shapes differ, the angle is out of range, or a direction is parallel to its point.
    """
    require(z.shape == direction.shape, "directions must have the shape of z", direction.shape, "Pair them.")
    require(0 <= angle <= 180, "an angle must lie between 0 and 180 degrees", angle, "Correct it.")
    each = (-1,) + (1,) * (z.dim() - 1)
    points, towards = z.double(), direction.double()
    square = squared_norms(z)
    inner = (points * towards).flatten(1).sum(dim=1)
    tangent = towards - (inner / square).view(each) * points
    length = squared_norms(tangent).sqrt()
    require(
        bool((length > PARALLEL * squared_norms(towards).sqrt()).all()),
        "a direction must not be parallel to its point",
        length.tolist()[:3],
        "Draw another.",
    )
    turn = math.radians(angle)
    return (math.cos(turn) * points + math.sin(turn) * (square.sqrt() / length).view(each) * tangent).to(
        z.dtype
    )
