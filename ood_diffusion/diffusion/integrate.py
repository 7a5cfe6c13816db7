"""Follow a trajectory through a list of levels; the same loop inverts and denoises."""

import itertools
from collections.abc import Callable, Sequence

from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver, Step


def integrate(
    eps: EpsFunction,
    x: Tensor,
    schedule: Schedule,
    levels: Sequence[float],
    solver: Solver,
    eta: float = 0.0,
    draw_noise: Callable[[], Tensor] | None = None,
    on_step: Callable[[Tensor], None] = lambda x: None,
    history: History | None = None,
) -> Tensor:
    """Carry `x` from ``levels[0]`` to ``levels[-1]``.

    Args:
        eps: the frozen network's noise estimate.
        x: states at ``levels[0]``, float32 ``[B, C, H, W]``.
        schedule: the noise schedule.
        levels: strictly ascending (inversion) or strictly descending (denoising).
        solver: the numerical method.
        eta: share of fresh noise, 0 … 1; must be 0 when inverting.
        draw_noise: called once a step when ``eta > 0``; returns standard normal shaped like `x`.
        on_step: called with the states after every step.
        history: an empty one, in which to find what the solver found out; None: nobody looks.

    Returns:
        The states at ``levels[-1]``.

    Raises:
        UserError: if eta is out of range, used while inverting, or not defined by the solver.
    """
    check_eta(eta, solver)
    ascending = levels[-1] > levels[0]
    require(not (eta and ascending), "inversion is deterministic: eta must be 0", eta, "Use eta to denoise.")
    history = History() if history is None else history
    for a, b in itertools.pairwise(levels):
        noise = draw_noise() if eta and draw_noise is not None else None
        x = solver.step(eps, x, Step(schedule, a, b, eta, noise), history)
        on_step(x)
    return x


def check_eta(eta: float, solver: Solver) -> None:
    """Raise `UserError` unless ``0 <= eta <= 1`` and the solver defines it."""
    require(0 <= eta <= 1, "eta must lie between 0 (deterministic) and 1 (ancestral)", eta, "Try eta=0.")
    require(
        eta == 0 or solver.stochastic,
        f"the solver {solver.name} is deterministic: eta must be 0",
        eta,
        "Set eta=0 or choose solver=ddim, dpmpp_2m or fixed_point.",
    )
