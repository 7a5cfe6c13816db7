"""The contract of a solver: one step of a numerical method on the probability-flow ODE."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping

from torch import Tensor

from ood_diffusion.diffusion.schedule import Schedule

EpsFunction = Callable[[Tensor, float], Tensor]
"""``eps(x, t)``: x float32 ``[B, C, H, W]`` at level t -> the noise estimate, same shape."""

History = deque[tuple[float, Tensor]]
"""What a solver remembers of one trajectory: (level, the network's answer there), newest last."""


class Solver(ABC):
    """Carries states from one level to the next; ``b > a`` inverts, ``b < a`` denoises.

    A solver holds no state of a trajectory: what it must remember goes to the `History`, which is
    empty at the start of every batch and keeps the last two entries only.
    """

    name: str
    stochastic = False
    """Whether ``eta > 0`` is defined."""

    @abstractmethod
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
        """Advance every row of `x` from level `a` to level `b`, each on its own.

        Args:
            eps: the frozen network's noise estimate.
            x: states at level `a`, float32 ``[B, C, H, W]``.
            schedule: the noise schedule.
            a: the level `x` is at, in ``[0, T]``.
            b: the level to go to, in ``[0, T]``.
            history: of this trajectory; the solver adds to it.
            eta: share of fresh noise; 0 unless `stochastic`.
            noise: standard normal, shaped like `x`; given when ``eta > 0``.

        Returns:
            The states at level `b`, shaped like `x`.
        """

    def settings(self) -> Mapping[str, float]:
        """What determines its results beside its name, for content addresses; JSON."""
        return {}

    def report(self) -> Mapping[str, float]:
        """What it found out about the steps taken so far; empty for explicit methods."""
        return {}
