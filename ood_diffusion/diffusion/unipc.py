r"""UniPC: a multistep predictor, corrected by what the next call reveals of its error."""

import math

from torch import Tensor

from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step


class UniPC(Solver):
    r"""Third order, one network call a step (Zhao et al. 2023, UniPC-2 in its exact coefficients).

    .. math::
        x_b = \frac{\sigma_b}{\sigma_a} x_a
            + \sigma_b \int_{\lambda_a}^{\lambda_b} e^\lambda P(\lambda)\,d\lambda

    with the line P through the clean-image estimates :math:`D = (x - \sigma\varepsilon)/\alpha` at a and at
    the level before. The call at b tells by how much P was off there, and the state is moved to where the
    parabola through that value, too, would have led: a corrector that costs no call. Unlike in the paper
    the estimate at b is then formed anew, of the corrected state and the same :math:`\varepsilon`, which is
    more accurate at few steps (docs/solvers.md).

    With ``eta > 0`` nothing is corrected, for fresh noise is no error, and the order is 2. Steps that touch
    level 0, where :math:`\lambda` is infinite, are DDIM steps.
    """

    version = 1
    name = "unipc"
    stochastic = True

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """One call of ``eps(x, a)``; remembers the clean-image estimate."""
        slope = eps(x, at.a)
        if at.a == 0:
            return ddim_step(x, slope, *at)
        alpha, sigma, lam = at.schedule.alpha(at.a), at.schedule.sigma(at.a), at.schedule.lam
        clean, here = (x - sigma * slope) / alpha, lam(at.a)
        if history and not at.eta:
            x = x - alpha * math.expm1(lam(history[-1][0]) - here) * missed(clean, here, at, history)
            clean = (x - sigma * slope) / alpha
        if history and at.b > 0:
            before, then = history[-1]
            mean = clean + moments(lam(at.b) - here)[0] / (here - lam(before)) * (clean - then)
            slope = (x - alpha * mean) / sigma
        history.append((at.a, clean))
        return ddim_step(x, slope, *at)


def missed(clean: Tensor, here: float, at: Step, history: History) -> Tensor:
    """What the mean estimate of the last step lacked, now that it is `clean` at its end, lambda `here`."""
    last, start = history[-1][1], at.schedule.lam(history[-1][0])
    h = here - start
    first, second = moments(h)
    if len(history) == 1:  # a constant, corrected by a line
        return first / h * (clean - last)
    width = start - at.schedule.lam(history[0][0])
    expected = last + h / width * (last - history[0][1])
    return (second + width * first) / (h * (h + width)) * (clean - expected)


def moments(h: float) -> tuple[float, float]:
    """Means of t and of its square for t from 0 to `h`, weighted by e^t; `h` is negative when inverting."""
    whole = -math.expm1(-h)
    first = h / whole - 1
    return first, h**2 / whole - 2 * first
