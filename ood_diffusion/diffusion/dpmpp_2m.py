r"""DPM-Solver++(2M): a multistep method on the clean-image estimate, in :math:`\lambda`."""

from torch import Tensor

from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step


class DPMpp2M(Solver):
    r"""Second order, one network call a step (Lu et al. 2022, DPM-Solver++, algorithm 2).

    .. math::
        x_b = \frac{\sigma_b}{\sigma_a} x_a - \alpha_b (e^{-h} - 1) \bar D, \qquad
        \bar D = D_a + \frac{1}{2r} (D_a - D_-), \quad
        r = \frac{\lambda_a - \lambda_-}{h}, \quad h = \lambda_b - \lambda_a

    with the clean-image estimate :math:`D = (x - \sigma\varepsilon)/\alpha`, never clipped; h is negative
    when inverting. That is a DDIM step with the :math:`\varepsilon` that :math:`\bar D` implies, which
    also defines it for ``eta > 0``: with DDIM's :math:`\sigma_\eta`; ``eta = 1`` is SDE-DPM-Solver++(2M).
    The first step, and steps that touch level 0, where :math:`\lambda` is infinite, are DDIM steps.
    """

    version = 1
    name = "dpmpp_2m"
    stochastic = True

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """One call of ``eps(x, a)``; remembers the clean-image estimate."""
        slope = eps(x, at.a)
        if at.a > 0:
            alpha, sigma = at.schedule.alpha(at.a), at.schedule.sigma(at.a)
            clean = (x - sigma * slope) / alpha
            if history and at.b > 0:
                before, clean_before = history[-1]
                lam = at.schedule.lam
                h, h_before = lam(at.b) - lam(at.a), lam(at.a) - lam(before)
                mean = clean + h / (2 * h_before) * (clean - clean_before)
                slope = (x - alpha * mean) / sigma
            history.append((at.a, clean))
        return ddim_step(x, slope, *at)
