"""Follow a trajectory through a list of levels; the same loop inverts and denoises."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ood_diffusion.checks import UserError, require
from ood_diffusion.diffusion.ddim import ancestral_sigma, ddim_step, step_from_noise
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
        x: states at ``levels[0]``, float32 ``[B, C, H, W]``; to be denoised with a solver of `noise_maps`:
            latents ``[B, len(levels) * C, H, W]``.
        schedule: the noise schedule.
        levels: strictly ascending (inversion) or strictly descending (denoising).
        solver: the numerical method.
        eta: share of fresh noise, 0 … 1; must be 0 when inverting.
        draw_noise: called once a step when ``eta > 0``, or when inverting with a solver of `noise_maps`;
            returns standard normal shaped like `x`.
        on_step: called with the states after every step.
        history: an empty one, in which to find what the solver found out; None: nobody looks.
        clean: like `eps`, the network's estimate of the clean image: asked for in place of `eps` where alpha
            is 0. None: there is no such level.

    Returns:
        The states at ``levels[-1]``, or latents as above.

    Raises:
        UserError: if eta is out of range, used while inverting, or not defined by the solver; if there
            is no `clean` where it is needed; or if latents lack their noise maps.
    """
    check_eta(eta, solver)
    ascending = levels[-1] > levels[0]
    require(not (eta and ascending), "inversion is deterministic: eta must be 0", eta, "Use eta to denoise.")
    history = History() if history is None else history

    def step(x: Tensor, at: Step) -> Tensor:
        if schedule.alpha(at.a) == 0:
            if clean is None:
                raise UserError(f"alpha must not be 0 at the first level, but is at {at.a:g}. Start lower.")
            return step_from_noise(x, clean(x, at.a), *at)
        if schedule.alpha(at.b) == 0:
            return ddim_step(x, eps(x, at.a), *at)
        return solver.step(eps, x, at, history)

    if solver.noise_maps:
        return through_maps(step, x, schedule, levels, solver, draw_noise, on_step)
    for a, b in itertools.pairwise(levels):
        noise = draw_noise() if eta and draw_noise is not None else None
        x = step(x, Step(schedule, a, b, eta, noise))
        on_step(x)
    return x


def through_maps(
    step: Callable[[Tensor, Step], Tensor],
    x: Tensor,
    schedule: Schedule,
    levels: Sequence[float],
    solver: Solver,
    draw_noise: Callable[[], Tensor] | None,
    on_step: Callable[[Tensor], None],
) -> Tensor:
    r"""`integrate` with a solver of `noise_maps`, whose steps lead down whether it inverts or denoises.

    A step leads from level a to :math:`x_b = m(x_a) + \sigma_\eta z`, m being the step without noise. To
    denoise, z is read from the latent. To invert, every state is drawn from :math:`q(x_b|x_0)` by itself, and
    z is what leads to it. The next step starts from where z leads and not from what was drawn, so that it is,
    rounding included, the step of denoising. The step to level 0, where :math:`\sigma_\eta = 0`, has
    :math:`\sigma_a` in its place: its z is what is left of the image, in units of the noise on it.
    """
    ascending = levels[-1] > levels[0]
    down = levels[::-1] if ascending else levels
    if ascending and draw_noise is not None:
        parts = [schedule.alpha(t) * x + schedule.sigma(t) * draw_noise() for t in down[:-1]] + [x]
    else:
        parts = list(x.chunk(len(down), dim=1))
    require(
        len(parts) == len(down),
        f"a latent of the solver {solver.name} must hold a state and {len(down) - 1} noise maps",
        list(x.shape),
        "Take it from an inversion with as many steps.",
    )
    state, latent = parts[0], parts[:1]
    for (a, b), part in zip(itertools.pairwise(down), parts[1:], strict=True):
        mean = step(state, Step(schedule, a, b, solver.eta, torch.zeros_like(state)))
        deviation = solver.eta * ancestral_sigma(schedule, a, b) or schedule.sigma(a)
        z = (part - mean) / deviation if ascending else part
        state = mean + deviation * z
        latent.append(z)
        on_step(state)
    return torch.cat(latent, dim=1) if ascending else state


def check_eta(eta: float, solver: Solver) -> None:
    """Raise `UserError` unless ``0 <= eta <= 1`` and the solver defines it."""
    require(0 <= eta <= 1, "eta must lie between 0 (deterministic) and 1 (ancestral)", eta, "Try eta=0.")
    if solver.noise_maps:
        other = f"Set eta={solver.eta:g}, or invert with another."
        require(eta in (0, solver.eta), f"eta must be that of the latents' noise, {solver.eta:g}", eta, other)
        return
    require(
        eta == 0 or solver.stochastic,
        f"the solver {solver.name} is deterministic: eta must be 0",
        eta,
        "Set eta=0 or choose solver=ddim, dpmpp_2m, unipc or fixed_point.",
    )
