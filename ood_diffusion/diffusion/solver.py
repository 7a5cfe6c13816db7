"""The contract of a solver: one step of a numerical method on the probability-flow ODE."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.fingerprint import described
from ood_diffusion.source import Recipe, identity

EpsFunction = Callable[[Tensor, float], Tensor]
"""``eps(x, t)``: x float32 ``[B, C, H, W]`` at level t -> the noise estimate, same shape."""


class Solved(NamedTuple):
    """How one implicit step was solved, one entry per row of the batch.

    Args:
        iterations: until it had converged, or until they ended.
        changing: whether it had not converged by then.
        change: of the state, in the last iteration.
    """

    iterations: Tensor
    changing: Tensor
    change: Tensor


@dataclass(frozen=True)
class Convergence:
    """How implicit steps were solved: nothing of explicit ones.

    Args:
        steps: images times steps.
        iterations: of all of them.
        not_converged: how many had not converged when the iterations ended.
        largest_change: of a state in the last iteration of a step.
    """

    steps: int = 0
    iterations: int = 0
    not_converged: int = 0
    largest_change: float = 0.0

    def __add__(self, other: "Convergence") -> "Convergence":
        return Convergence(
            self.steps + other.steps,
            self.iterations + other.iterations,
            self.not_converged + other.not_converged,
            max(self.largest_change, other.largest_change),
        )

    def report(self) -> dict[str, float]:
        """For `results.json`: iterations per step instead of their sum."""
        return {
            "iterations_mean": self.iterations / max(self.steps, 1),
            "not_converged": self.not_converged,
            "largest_change": self.largest_change,
        }


class History(deque[tuple[float, Tensor]]):
    """What a solver remembers of one trajectory: (level, the network's answer there), newest last.

    The last two entries are kept. `solved` takes what an implicit solver found out, step by step.
    """

    def __init__(self) -> None:
        super().__init__(maxlen=2)
        self.solved: list[Solved] = []

    def convergence(self, rows: int) -> Convergence:
        """How the steps of the first `rows` images were solved; what follows only fills the batch."""
        if not self.solved:
            return Convergence()
        iterations, changing, change = (
            torch.stack(each)[:, :rows] for each in zip(*self.solved, strict=True)
        )
        return Convergence(
            iterations.numel(), int(iterations.sum()), int(changing.sum()), float(change.max())
        )


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

    A solver holds no state of a trajectory: what it must remember, and what it found out, goes to the
    `History`, which is empty at the start of every batch.

    Examples:
        Euler's method in ``s = sigma / alpha``, in which the ODE of ``u = x / alpha`` reads ``du/ds = eps``:

        >>> from ood_diffusion.diffusion.integrate import integrate
        >>> class Euler(Solver):
        ...     name = "euler"
        ...     def step(self, eps, x, at, history):
        ...         s, alpha = at.schedule.s, at.schedule.alpha
        ...         u = x / alpha(at.a) + (s(at.b) - s(at.a)) * eps(x, at.a)
        ...         return u * alpha(at.b)
        >>> up = [0.0, 300.0, 600.0]
        >>> x = torch.ones(1, 3, 8, 8)
        >>> z = integrate(lambda x, t: 0.5 * torch.ones_like(x), x, Schedule.linear(), up, Euler())
        >>> back = integrate(lambda x, t: 0.5 * torch.ones_like(x), z, Schedule.linear(), up[::-1], Euler())
        >>> torch.allclose(back, x)
        True
    """

    version = 1
    """Of the results, those of `integrate` included: raised whenever numbers change (`source.identity`)."""
    name: str
    stochastic = False
    """Whether ``eta > 0`` is defined."""
    noise_maps = False
    """Whether a latent is not a state alone but, along the channels, a state and the noise of every step down
    from it, with `eta` and `seed` of the solver's own (`EditFriendly`)."""
    eta: float
    seed: int

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

        Unless a subclass says otherwise: its attributes.
        """
        plain = int | float | str | None
        return {k: v if isinstance(v, plain) else described(v) for k, v in vars(self).items()}

    def recipe(self) -> Recipe:
        """Everything that determines its results, for content addresses."""
        return {"code": identity(self), **self.settings()}
