"""The contract of a solver: one step of a numerical method on the probability-flow ODE."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from ood_diffusion.diffusion.schedule import Schedule

EpsFunction = Callable[[Tensor, float], Tensor]
"""``eps(x, t)``: x float32 ``[B, C, H, W]`` at level t -> the noise estimate, same shape."""

History = deque[tuple[float, Tensor]]
"""What a solver remembers of one trajectory: (level, the network's answer there), newest last."""


class Step(NamedTuple):
    """One step; in the order of the last arguments of `ddim.ddim_step`.

    Args:
        schedule: the noise schedule.
        a: the level to leave, in ``[0, T]``.
        b: the level to reach, in ``[0, T]``.
        eta: share of fresh noise; 0 unless the solver is `stochastic`.
        noise: standard normal, shaped like the state; given when ``eta > 0``.
    """

    schedule: Schedule
    a: float
    b: float
    eta: float = 0.0
    noise: Tensor | None = None


class Solver(ABC):
    """Carries states from one level to the next; ``b > a`` inverts, ``b < a`` denoises.

    A solver holds no state of a trajectory: what it must remember goes to the `History`, which is
    empty at the start of every batch and keeps the last two entries only.
    """

    version = 1
    """Of the results, those of `integrate` included: raised whenever numbers change (`source.identity`)."""
    name: str
    stochastic = False
    """Whether ``eta > 0`` is defined."""

    @abstractmethod
    def step(self, eps: EpsFunction, x: Tensor, at: Step, history: History) -> Tensor:
        """Advance every row of `x` from level ``at.a`` to level ``at.b``, each on its own.

        Args:
            eps: the frozen network's noise estimate.
            x: states at level ``at.a``, float32 ``[B, C, H, W]``.
            at: where `x` is and where it goes.
            history: of this trajectory; the solver adds to it.

        Returns:
            The states at level ``at.b``, shaped like `x`.
        """

    def settings(self) -> Mapping[str, Any]:
        """What determines its results beside its code, for content addresses; JSON.

        Unless a subclass says otherwise: its attributes that are numbers, texts or None and no private ones.
        """
        plain = int | float | str | None
        return {k: v for k, v in vars(self).items() if not k.startswith("_") and isinstance(v, plain)}

    def tally(self) -> tuple[float, ...]:
        """What `report` is made of, in a form that another process can add to its own."""
        return ()

    def add_tally(self, tally: tuple[float, ...]) -> None:  # noqa: B027  explicit methods count nothing
        """Count the steps that another process took, from its `tally`."""

    def report(self) -> Mapping[str, float]:
        """What it found out about the steps taken so far; empty for explicit methods."""
        return {}
