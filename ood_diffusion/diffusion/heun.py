"""Heun's method: the trapezoidal rule with a predictor."""

from torch import Tensor

from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver


class Heun(Solver):
    r"""Second order, two network calls a step: the mean of the slopes at both ends (u and s as in DDIM).

    Karras et al. 2022 (EDM), algorithm 1, in either direction. As there, a step that touches the clean
    image is Euler's, with one call: the network knows no level below 1. Deterministic only.
    """

    name = "heun"

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
        """Calls ``eps(x, a)`` and eps at the predicted state at `b`; remembers nothing."""
        first = eps(x, a)
        if a == 0 or b == 0:
            return ddim_step(x, first, schedule, a, b)
        second = eps(ddim_step(x, first, schedule, a, b), b)
        return ddim_step(x, (first + second) / 2, schedule, a, b)
