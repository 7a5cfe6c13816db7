"""Propose, judge, keep: new latents in a fixed order, in blocks of bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.selection import Selection
from ood_diffusion.seeding import generator

BLOCK = 64
"""Proposals made at a time: fixed, so that no result depends on a batch size."""


@dataclass
class Acceptance:
    """How many proposals were made and how many passed each test."""

    proposed: int = 0
    accepted: int = 0
    passed: dict[str, int] = field(default_factory=dict)

    def rates(self) -> dict[str, float]:
        """Share of proposals that passed each test and "all" of them; empty without tests."""
        if not self.passed:
            return {}
        counts = {**self.passed, "all": self.accepted}
        return {test: count / self.proposed for test, count in counts.items()}


def propose(
    sampler: Sampler,
    selection: Selection,
    n: int,
    seed: int,
    max_proposals: int,
    acceptance: Acceptance,
) -> Iterator[Tensor]:
    """Yield blocks of kept latents ``[b, C, H, W]``, `n` in all.

    Proposal j uses its own generators, and the i-th kept one is sample i: asking for more samples
    later gives the same first ones. Counts go to `acceptance`; the last block is counted only up to
    the proposal that completed the order.

    Raises:
        UserError: if fewer than `n` of `max_proposals` proposals are kept; says which test fails.
    """
    acceptance.passed = dict.fromkeys(selection.tests, 0)
    while acceptance.accepted < n:
        first = acceptance.proposed
        count = min(BLOCK, max_proposals - first)
        if count <= 0:
            rates = ", ".join(f"{test} {rate:.1%}" for test, rate in acceptance.rates().items())
            raise UserError(
                f"expected {n} latents, but only {acceptance.accepted} of {first} proposals passed the "
                f"selection (pass rates: {rates}). Raise selection.tolerance, choose a prior closer to "
                "the references (prior=shrunk) or set selection=none."
            )
        names = range(first, first + count)
        proposals = sampler.draw([generator(seed, "proposal", j) for j in names])
        verdicts = selection.judge(proposals, [generator(seed, "selection", j) for j in names])
        keep = torch.ones(count, dtype=torch.bool)
        for verdict in verdicts.values():
            keep &= verdict
        room = n - acceptance.accepted
        order = keep.nonzero().flatten()[:room]
        seen = int(order[-1]) + 1 if len(order) == room else count
        acceptance.proposed += seen
        acceptance.accepted += len(order)
        for test, verdict in verdicts.items():
            acceptance.passed[test] += int(verdict[:seen].sum())
        if len(order):
            yield proposals[order]
