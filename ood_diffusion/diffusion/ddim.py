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
    clipped: clipping breaks the inversion of images the network does not know. From a level where
    :math:`\alpha` is 0 `step_from_noise` leads down.

    Args:
        x: state at level `a`, float32 ``[B, C, H, W]``.
        eps: the network's noise estimate at ``(x, a)``, shaped like `x`.
        schedule: the noise schedule.
        a: the level `x` is at, in ``[0, T]``, where alpha is not 0.
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
    direction, fresh = split_noise(schedule, a, b, eta, noise)
    if fresh is None:
        rise = alpha_b * (schedule.s(b) - schedule.s(a)) if alpha_b else schedule.sigma(b)
        return drift + rise * eps
    return drift + (direction - alpha_b * schedule.s(a)) * eps + fresh


def step_from_noise(
    x: Tensor,
    clean: Tensor,
    schedule: Schedule,
    a: float,
    b: float,
    eta: float = 0.0,
    noise: Tensor | None = None,
) -> Tensor:
    r"""`ddim_step` down from a level where :math:`\alpha` is 0, the end of a flow.

    There :math:`\varepsilon` is :math:`x/\sigma` and says nothing of the image, so that `clean`, the
    network's estimate of the clean image, takes its place; the other arguments are those of `ddim_step`.
    """
    direction, fresh = split_noise(schedule, a, b, eta, noise)
    down = schedule.alpha(b) * clean + (direction / schedule.sigma(a)) * x
    return down if fresh is None else down + fresh


def split_noise(
    schedule: Schedule, a: float, b: float, eta: float, noise: Tensor | None
) -> tuple[float, Tensor | None]:
    r""":math:`\sqrt{\sigma_b^2 - \sigma_\eta^2}`, and :math:`\sigma_\eta z`; None if that is nothing."""
    sigma_eta = eta * ancestral_sigma(schedule, a, b) if eta else 0.0
    if sigma_eta == 0.0:
        return schedule.sigma(b), None
    if noise is None:
        raise UserError("a stochastic step (eta > 0) needs noise, but got None. Pass it or set eta=0.")
    return math.sqrt(schedule.sigma(b) ** 2 - sigma_eta**2), sigma_eta * noise


def ancestral_sigma(schedule: Schedule, a: float, b: float) -> float:
    r""":math:`\sigma_b\sqrt{1 - s_b^2/s_a^2}`: the noise that one ancestral step from level `a` down to `b`
    adds, such that :math:`x_b` given :math:`x_a` and :math:`x_0` is what the noising of :math:`x_b` to
    :math:`x_a` says (Song et al. 2021, eq. 16 with eta = 1, for any schedule)."""
    return schedule.sigma(b) * math.sqrt(-math.expm1(2 * (schedule.lam(a) - schedule.lam(b))))


class DDIM(Solver):
    """The solver of the DDIM paper: first order, one network call a step, defined for every eta."""

    version = 1
    name = "ddim"
    stochastic = True

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """One call of ``eps(x, a)``; remembers nothing."""
        return ddim_step(x, eps(x, at.a), *at)
