r"""AB2: Adams-Bashforth of second order on :math:`\mathrm{d}u/\mathrm{d}s = \varepsilon`."""

from torch import Tensor

from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step


class AB2(Solver):
    r"""Second order, one network call a step: the slope is extrapolated to the middle of the step.

    .. math::
        u' = u + h\left[\varepsilon + \frac{h}{2h_-}(\varepsilon - \varepsilon_-)\right]

    with the step :math:`h` in s and the one before, :math:`h_-` (Hairer, Norsett & Wanner 1993,
    section III.5; in diffusion models PLMS and DEIS are of this family). The first step is
    Euler's. Deterministic only.
    """

    version = 1
    name = "ab2"

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """One call of ``eps(x, a)``; remembers it."""
        slope = now = eps(x, at.a)
        if history:
            before, then = history[-1]
            s = at.schedule.s
            h, h_before = s(at.b) - s(at.a), s(at.a) - s(before)
            slope = now + h / (2 * h_before) * (now - then)
        history.append((at.a, now))
        return ddim_step(x, slope, *at)
