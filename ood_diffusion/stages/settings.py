"""The top-level knobs of one cell of the grid; they check themselves."""

from dataclasses import dataclass
from typing import Any

from ood_diffusion.checks import require

STAGES = ("train", "invert", "reconstruct", "sample", "evaluate", "report")
"""In the order in which they run."""


@dataclass(frozen=True)
class Settings:
    """What a user sets on the command line.

    Args:
        eta: share of fresh noise when generating, 0 (deterministic) … 1 (ancestral).
        steps: solver steps each way.
        level: level t the references are inverted to and samples start from, 1 < level <= T.
        seed: determines draws and noise; item i of seed s is the same in every run.
        n_references: images inverted and learned from.
        n_held_out: images of the domain kept for judging only, at most.
        n_samples: new images to make.
        batch_size: images per network call.

    Raises:
        UserError: for a value outside its range; limits that depend on the model are checked later.
    """

    eta: float
    steps: int
    level: float
    seed: int
    n_references: int
    n_held_out: int
    n_samples: int
    batch_size: int

    def __post_init__(self) -> None:
        for name in ("steps", "seed", "n_references", "n_held_out", "n_samples", "batch_size"):
            self._check(name, int, 0 if name == "seed" else 1)
        for name in ("eta", "level"):
            self._check(name, (int, float), 0)
            object.__setattr__(self, name, float(getattr(self, name)))  # eta=0 and eta=0.0 are one cell
        require(self.n_references >= 2, "n_references must be at least 2", self.n_references, "Try 96.")

    def _check(self, name: str, types: Any, least: int) -> None:
        value = getattr(self, name)
        number = "a number" if isinstance(types, tuple) else "an integer"
        require(
            isinstance(value, types) and not isinstance(value, bool) and value >= least,
            f"{name} must be {number}, at least {least}",
            value,
            f"Correct {name}.",
        )
