"""Follow a trajectory through a list of levels; the same loop inverts and denoises."""

import itertools
from collections.abc import Callable, Sequence

from torch import Tensor

from ood_diffusion.checks import UserError, require
from ood_diffusion.diffusion.ddim import ddim_step, step_from_noise
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
    clean: EpsFunction | None = None,
) -> Tensor:
    """Carry `x` from ``levels[0]`` to ``levels[-1]``.

    A step from or to a level where alpha is 0 (the end of a flow) is DDIM's, whatever the solver: s is
    infinite there.

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
        clean: like `eps`, the network's estimate of the clean image: asked for in place of `eps` where alpha
            is 0. None: there is no such level.

    Returns:
        The states at ``levels[-1]``.

    Raises:
        UserError: if eta is out of range, used while inverting, or not defined by the solver; or if there
            is no `clean` where it is needed.
    """
    check_eta(eta, solver)
    ascending = levels[-1] > levels[0]
    require(not (eta and ascending), "inversion is deterministic: eta must be 0", eta, "Use eta to denoise.")
    history = History() if history is None else history
    for a, b in itertools.pairwise(levels):
        noise = draw_noise() if eta and draw_noise is not None else None
        at = Step(schedule, a, b, eta, noise)
        if schedule.alpha(a) == 0:
            if clean is None:
                raise UserError(f"alpha must not be 0 at the first level, but is at {a:g}. Start lower.")
            x = step_from_noise(x, clean(x, a), *at)
        elif schedule.alpha(b) == 0:
            x = ddim_step(x, eps(x, a), *at)
        else:
            x = solver.step(eps, x, at, history)
        on_step(x)
    return x


def check_eta(eta: float, solver: Solver) -> None:
    """Raise `UserError` unless ``0 <= eta <= 1`` and the solver defines it."""
    require(0 <= eta <= 1, "eta must lie between 0 (deterministic) and 1 (ancestral)", eta, "Try eta=0.")
    require(
        eta == 0 or solver.stochastic,
        f"the solver {solver.name} is deterministic: eta must be 0",
        eta,
        "Set eta=0 or choose solver=ddim, dpmpp_2m, unipc or fixed_point.",
    )
