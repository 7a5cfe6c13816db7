r"""The forward process in closed form: a clean state with noise on it, without a network."""

from collections.abc import Sequence

from torch import Generator, Tensor

from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.seeding import normal


def marginal(x0: Tensor, t: float, schedule: Schedule, generators: Sequence[Generator]) -> Tensor:
    r"""Draws from :math:`q(x_t|x_0) = N(\alpha x_0, \sigma^2 I)`, shaped as `x0`.

    Args:
        x0: clean states ``[n, C, H, W]``, float32.
        t: level, in ``[0, T]``.
        schedule: gives alpha and sigma.
        generators: of the noise of each state; length n.
    """
    return schedule.alpha(t) * x0 + schedule.sigma(t) * normal(generators, x0.shape[1:])
