r"""DPM-Solver++(2M): a multistep method on the clean-image estimate, in :math:`\lambda`."""

from torch import Tensor

from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver


class DPMpp2M(Solver):
    r"""Second order, one network call a step and one more for the first (Lu et al. 2022, DPM-Solver++).

    .. math::
        x_b = \frac{\sigma_b}{\sigma_a} x_a - \alpha_b (e^{-h} - 1) \bar D, \qquad
        \bar D = D_a + \frac{1}{2r} (D_a - D_-), \quad
        r = \frac{\lambda_a - \lambda_-}{h}, \quad h = \lambda_b - \lambda_a

    (algorithm 2) with the clean-image estimate :math:`D = (x - \sigma\varepsilon)/\alpha`, unclipped; h is
    negative when inverting. The first step has no :math:`D_-` and is one of the singlestep method,
    :math:`\bar D = (D_a + D_b)/2` with :math:`D_b` at the predicted state (algorithm 1, r = 1): the error of
    a first-order step near the clean image would grow with the noise that the inversion amplifies
    (docs/solvers.md). Steps that touch level 0, where :math:`\lambda` is infinite, are DDIM steps.

    All of them are DDIM steps with the :math:`\varepsilon` that :math:`\bar D` implies, which also defines
    them for ``eta > 0``: with DDIM's :math:`\sigma_\eta`; ``eta = 1`` is SDE-DPM-Solver++(2M).
    """

    name = "dpmpp_2m"
    stochastic = True

    def step(
        self,
        eps: EpsFunction,
        x: Tensor,
        schedule: Schedule,
        a: float,
        b: float,
        history: History,
        eta: float = 0.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """One call of ``eps(x, a)``; remembers the clean-image estimate."""
        slope = eps(x, a)
        if a > 0 and b > 0:
            clean = clean_image(x, slope, schedule, a)
            if history:
                before, clean_before = history[-1]
                h, h_before = schedule.lam(b) - schedule.lam(a), schedule.lam(a) - schedule.lam(before)
                mean = clean + h / (2 * h_before) * (clean - clean_before)
            else:
                far = ddim_step(x, slope, schedule, a, b)
                mean = (clean + clean_image(far, eps(far, b), schedule, b)) / 2
            history.append((a, clean))
            slope = (x - schedule.alpha(a) * mean) / schedule.sigma(a)
        return ddim_step(x, slope, schedule, a, b, eta, noise)


def clean_image(x: Tensor, eps: Tensor, schedule: Schedule, t: float) -> Tensor:
    r""":math:`D = (x - \sigma\varepsilon)/\alpha`, the estimate of :math:`x_0` at level `t`."""
    return (x - schedule.sigma(t) * eps) / schedule.alpha(t)
