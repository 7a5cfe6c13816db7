"""Fixed-point inversion: the step up that DDIM's step down undoes exactly."""

import torch
from torch import Tensor

from ood_diffusion.checks import require, require_integer
from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.solver import EpsFunction, History, Solved, Solver, Step


class FixedPoint(Solver):
    r"""Implicit (backward) Euler when inverting, DDIM when denoising: an exact round trip.

    Solves :math:`y = (\alpha_b/\alpha_a)x + \alpha_b(s_b - s_a)\,\varepsilon(y, b)` by iteration (Pan et al.
    2023, AIDI; method also in Garibi et al. 2024, ReNoise), starting from the DDIM step with the last
    :math:`\varepsilon` of the step before. The contraction factor is about
    :math:`1 - e^{-\Delta\lambda}`. The latent itself is of first order, like DDIM's.

    An image stops changing once it has converged, so that no result depends on the other images of
    the batch; they all cost network calls until the last has converged. Knowing that it has
    needs one transfer from the device per iteration.

    Args:
        tolerance: root-mean-square change of an image's state from one iteration to the next, in units of the
            schedule's `scale`, at which it has converged.
        max_iterations: network calls per step at most; the history tells what had not converged by then.
    """

    version = 1
    name = "fixed_point"
    stochastic = True

    def __init__(self, tolerance: float, max_iterations: int) -> None:
        require(tolerance > 0, "solver.tolerance must be positive", tolerance, "1e-5 is a good value.")
        require_integer("solver.max_iterations", max_iterations, 1, "Try 30.")
        self.tolerance, self.max_iterations = tolerance, max_iterations

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """Iterates ``eps(y, b)`` upwards, calls ``eps(x, a)`` once downwards."""
        if at.b < at.a:
            return ddim_step(x, eps(x, at.a), *at)
        slope = history[-1][1] if history else eps(x, at.a)
        y = ddim_step(x, slope, *at)
        tolerance = self.tolerance * at.schedule.scale(at.b)
        changing = torch.ones(len(x), 1, 1, 1, dtype=torch.bool, device=x.device)
        iterations = torch.zeros_like(changing, dtype=torch.int64)
        last = torch.zeros_like(changing, dtype=x.dtype)
        for _ in range(self.max_iterations):
            slope = torch.where(changing, eps(y, at.b), slope)
            before, y = y, ddim_step(x, slope, *at)
            change = (y - before).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            iterations += changing
            last = torch.where(changing, change, last)
            changing &= change > tolerance
            if not bool(changing.any()):
                break
        history.append((at.b, slope))
        history.solved.append(Solved(iterations.flatten(), changing.flatten(), last.flatten()))
        return y
