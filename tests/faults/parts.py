"""A user's parts that end their run in one way or another."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.priors.base import Prior
from tests.lightning.networks import GaussianNetwork


class Ending(GaussianNetwork):
    """Ends its run when it is first asked.

    Args:
        how: a name of `end`.
        rank: the only one in which it does; all by default.
    """

    def __init__(self, how: str, rank: int | None = None) -> None:
        super().__init__()
        self.how, self.rank = how, rank

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        if self.rank is None or os.environ["RANK"] == str(self.rank):
            end(self.how)
        return super().forward(x, timestep)


class Gated(GaussianNetwork):
    """Waits for a file `go` in the working folder, but for the first two calls: what befalls a process after
    its first batch of two steps finds it in the middle of a loop, however fast the machine. One or two images
    are the probe's, before the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        self.calls += len(x) > 2
        while self.calls > 2 and not Path("go").exists():
            time.sleep(0.02)
        return super().forward(x, timestep)


class FailingPrior(Prior):
    """Divides by zero when it learns, or already when it is built."""

    name = "failing"

    def __init__(self, early: bool = False) -> None:
        self.zero = 1 / (0 if early else 1) - 1

    def fit(self, latents: Tensor) -> Self:
        self.zero = 1 / self.zero
        return self

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        raise NotImplementedError


def end(how: str) -> None:
    if how == "raise":
        raise ZeroDivisionError("in the network\nof a user")
    if how == "exit":
        sys.exit()
    if how == "long":
        raise ValueError("numbers " * 10_000)
    if how == "cpu":
        torch.empty(10**15)
    if how == "python":
        raise MemoryError
    if how == "gpu":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    if how.isdecimal():
        os.kill(os.getpid(), int(how))
    if how.startswith("parent "):
        os.kill(os.getppid(), int(how.split()[1]))
