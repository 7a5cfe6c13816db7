r"""Where along the trajectory the solver stops: levels from 0 (clean) up to `level`.

A grid is a function ``(schedule, level, steps) -> [0, …, level]`` with ``steps + 1`` ascending levels.
Inversion walks it upwards, denoising the same list downwards, so the two always meet at level 0.
"""

import math
from collections.abc import Callable

import numpy as np

from ood_diffusion.checks import require, require_integer
from ood_diffusion.diffusion.schedule import Schedule

Grid = Callable[[Schedule, float, int], list[float]]


def uniform_t(schedule: Schedule, level: float, steps: int) -> list[float]:
    """Evenly spaced in t, as in the paper's setting (80 steps up to t_0 = 900).

    Examples:
        >>> uniform_t(Schedule.linear(), 600, 4)
        [0.0, 150.0, 300.0, 450.0, 600.0]
    """
    _check(schedule, level, steps)
    return [float(t) for t in np.linspace(0.0, level, steps + 1)]


def uniform_lambda(schedule: Schedule, level: float, steps: int) -> list[float]:
    r"""Evenly spaced in :math:`\lambda = \ln(\alpha/\sigma)` from level 1 to `level`, plus level 0.

    Half the log signal-to-noise ratio is the time in which the ODE is smoothest (Lu et al. 2022,
    DPM-Solver, section 3.2). The step between level 0, where lambda is infinite, and level 1 is one
    of the `steps`.

    Examples:
        >>> [round(t) for t in uniform_lambda(Schedule.linear(), 600, 4)]
        [0, 1, 23, 201, 600]
    """
    return _spaced(schedule, level, steps, schedule.lam, lambda lam: lam)


def karras(schedule: Schedule, level: float, steps: int) -> list[float]:
    r"""Evenly spaced in :math:`s^{1/\rho}` with :math:`\rho = 7`, from level 1 to `level`, plus level 0.

    Karras et al. 2022 (EDM), eq. 5, with their noise level :math:`\sigma = s` and
    :math:`\sigma_{\min} = s(1)`: shorter steps near the clean image than `uniform_t`, longer ones than
    `uniform_lambda`.
    """
    return _spaced(
        schedule, level, steps, lambda t: schedule.s(t) ** (1 / 7), lambda root: -7 * math.log(root)
    )


def _spaced(
    schedule: Schedule,
    level: float,
    steps: int,
    measure: Callable[[float], float],
    lam: Callable[[float], float],
) -> list[float]:
    """Level 0, then evenly spaced in ``measure(t)`` from level 1 to `level`; `lam` is lambda at a measure.

    Where alpha is 0 at `level`, s is infinite there: the even spacing ends a level below, and one of the
    `steps` leads on.
    """
    _check(schedule, level, steps)
    if steps == 1:
        return [0.0, float(level)]
    if schedule.alpha(level) == 0:
        return [*_spaced(schedule, level - 1, steps - 1, measure, lam), float(level)]
    points = np.linspace(measure(1.0), measure(level), steps)
    inner = [schedule.level(lam(point)) for point in points[1:-1]]
    return [0.0, 1.0, *inner, float(level)]


def _check(schedule: Schedule, level: float, steps: int) -> None:
    require_integer("steps", steps, 1, "16 is a good start.")
    require(
        1 < level <= schedule.timesteps,
        f"level must be above 1 and at most {schedule.timesteps}, the end of the schedule",
        level,
        "600 is a good start.",
    )
    require(
        steps <= level, f"steps must not exceed the level ({level:g})", steps, "Lower steps or raise level."
    )
