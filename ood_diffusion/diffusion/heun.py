"""Heun's method: the trapezoidal rule with a predictor."""

from torch import Tensor

from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step


class Heun(Solver):
    r"""Second order, two network calls a step: the mean of the slopes at both ends (u and s as in DDIM).

    Karras et al. 2022 (EDM), algorithm 1, in either direction. As there, a step that touches the clean
    image is Euler's, with one call: the network knows no level below 1. Deterministic only.
    """

    version = 1
    name = "heun"

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """Calls ``eps(x, a)`` and eps at the predicted state at `b`; remembers nothing."""
        first = eps(x, at.a)
        if at.a == 0 or at.b == 0:
            return ddim_step(x, first, *at)
        second = eps(ddim_step(x, first, *at), at.b)
        return ddim_step(x, (first + second) / 2, *at)
