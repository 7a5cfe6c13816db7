"""Fixed-point inversion: the step up that DDIM's step down undoes exactly."""

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step


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
        tolerance: root-mean-square change of an image's state from one iteration to the next, at which
            it has converged.
        max_iterations: network calls per step at most; `report` tells what had not converged by then.
    """

    version = 1
    name = "fixed_point"
    stochastic = True

    def __init__(self, tolerance: float, max_iterations: int) -> None:
        require(tolerance > 0, "solver.tolerance must be positive", tolerance, "1e-5 is a good value.")
        require(max_iterations >= 1, "solver.max_iterations must be at least 1", max_iterations, "Try 30.")
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.solved = self.iterations = self.not_converged = 0
        self.largest_change = 0.0

    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """Iterates ``eps(y, b)`` upwards, calls ``eps(x, a)`` once downwards."""
        if at.b < at.a:
            return ddim_step(x, eps(x, at.a), *at)
        slope = history[-1][1] if history else eps(x, at.a)
        y = ddim_step(x, slope, *at)
        changing = torch.ones(len(x), 1, 1, 1, dtype=torch.bool, device=x.device)
        for iteration in range(1, self.max_iterations + 1):
            slope = torch.where(changing, eps(y, at.b), slope)
            before, y = y, ddim_step(x, slope, *at)
            change = (y - before).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            changing &= change > self.tolerance
            iterations = iteration
            if not bool(changing.any()):
                break
        history.append((at.b, slope))
        self.solved += len(x)
        self.iterations += iterations * len(x)
        self.not_converged += int(changing.sum())
        self.largest_change = max(self.largest_change, float(change.max()))
        return y

    def settings(self) -> dict[str, float]:
        """Tolerance and iterations."""
        return {"tolerance": self.tolerance, "max_iterations": self.max_iterations}

    def tally(self) -> tuple[float, ...]:
        """Images times steps, their iterations, how many had not converged, the largest last change."""
        return self.solved, self.iterations, self.not_converged, self.largest_change

    def add_tally(self, tally: tuple[float, ...]) -> None:
        """Sums and, of the changes, the largest."""
        solved, iterations, not_converged, largest_change = tally
        self.solved += int(solved)
        self.iterations += int(iterations)
        self.not_converged += int(not_converged)
        self.largest_change = max(self.largest_change, largest_change)

    def __reduce__(self) -> tuple[type["FixedPoint"], tuple[float, int]]:
        """A copy for another process has counted nothing yet."""
        return FixedPoint, (self.tolerance, self.max_iterations)

    def report(self) -> dict[str, float]:
        """Iterations per step, steps of an image that had not converged, and their largest last change."""
        return {
            "iterations_mean": self.iterations / max(self.solved, 1),
            "not_converged": self.not_converged,
            "largest_change": self.largest_change,
        }
