r"""AB2: Adams-Bashforth of second order on :math:`\mathrm{d}u/\mathrm{d}s = \varepsilon`."""

from torch import Tensor

from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver


class AB2(Solver):
    r"""Second order, one network call a step: the slope is extrapolated to the middle of the step.

    .. math::
        u' = u + h\left[\varepsilon + \frac{h}{2h_-}(\varepsilon - \varepsilon_-)\right]

    with the step :math:`h` in s and the one before, :math:`h_-` (Hairer, Norsett & Wanner 1993,
    section III.5; in diffusion models PLMS and DEIS are of this family). The first step is
    Euler's. Deterministic only.
    """

    name = "ab2"

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
        """One call of ``eps(x, a)``; remembers it."""
        slope = now = eps(x, a)
        if history:
            before, then = history[-1]
            h, h_before = schedule.s(b) - schedule.s(a), schedule.s(a) - schedule.s(before)
            slope = now + h / (2 * h_before) * (now - then)
        history.append((a, now))
        return ddim_step(x, slope, schedule, a, b)
