r"""DDIM: Euler's method on the probability-flow ODE, in either direction.

With :math:`u = x/\alpha` and :math:`s = \sigma/\alpha` the ODE reads
:math:`\mathrm{d}u/\mathrm{d}s = \varepsilon(\alpha u, t)` (Song et al. 2021, DDIM, eq. 14).
"""

import math

from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step


def ddim_step(
    x: Tensor,
    eps: Tensor,
    schedule: Schedule,
    a: float,
    b: float,
    eta: float = 0.0,
    noise: Tensor | None = None,
) -> Tensor:
    r"""One step from level `a` to level `b`; ``b > a`` inverts, ``b < a`` denoises.

    .. math::
        x_b = \alpha_b \hat x_0 + \sqrt{\sigma_b^2 - \sigma_\eta^2}\,\varepsilon + \sigma_\eta z,
        \qquad \hat x_0 = (x_a - \sigma_a\varepsilon)/\alpha_a

    (Song et al. 2021, eq. 12). With :math:`\eta = 0` it is written in the form that loses no digits,
    :math:`x_b = (\alpha_b/\alpha_a) x_a + \alpha_b (s_b - s_a)\varepsilon`. :math:`\hat x_0` is never
    clipped: clipping breaks the inversion of images the network does not know.

    Args:
        x: state at level `a`, float32 ``[B, C, H, W]``.
        eps: the network's noise estimate at ``(x, a)``, shaped like `x`.
        schedule: the noise schedule.
        a: the level `x` is at, in ``[0, T]``.
        b: the level to go to, in ``[0, T]``.
        eta: 0 is the deterministic ODE, 1 the ancestral sampler; only meaningful when denoising.
        noise: standard normal, shaped like `x`; needed when ``eta > 0``.

    Returns:
        The state at level `b`, shaped like `x`.

    Raises:
        UserError: if `eta` asks for noise and none came.
    """
    alpha_a, alpha_b = schedule.alpha(a), schedule.alpha(b)
    drift = (alpha_b / alpha_a) * x
    sigma_eta = eta * ancestral_sigma(schedule, a, b) if eta else 0.0
    if sigma_eta == 0.0:
        return drift + alpha_b * (schedule.s(b) - schedule.s(a)) * eps
    if noise is None:
        raise UserError("a stochastic step (eta > 0) needs noise, but got None. Pass it or set eta=0.")
    direction = math.sqrt(schedule.sigma(b) ** 2 - sigma_eta**2)
    return drift + (direction - alpha_b * schedule.s(a)) * eps + sigma_eta * noise


def ancestral_sigma(schedule: Schedule, a: float, b: float) -> float:
    r""":math:`\sqrt{(1-\bar\alpha_b)/(1-\bar\alpha_a)}\sqrt{1-\bar\alpha_a/\bar\alpha_b}`: the noise that
    one ancestral step from level `a` down to `b` adds (Song et al. 2021, eq. 16 with eta = 1)."""
    ratio = schedule.sigma(b) / schedule.sigma(a)
    return ratio * math.sqrt(-math.expm1(schedule.log_alpha_bar(a) - schedule.log_alpha_bar(b)))


class DDIM(Solver):
    """The solver of the DDIM paper: first order, one network call a step, defined for every eta."""

    version = 1
    name = "ddim"
    stochastic = True

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """One call of ``eps(x, a)``; remembers nothing."""
        return ddim_step(x, eps(x, at.a), *at)
