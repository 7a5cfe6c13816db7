"""Propose, judge, keep: new latents in a fixed order, in blocks of bounded memory."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from typing_extensions import Self

from ood_diffusion.checks import UserError
from ood_diffusion.priors.base import Prior
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


@dataclass(frozen=True)
class Proposer:
    """A way to make new items from a bank: of latents, or, without any network, of the pictures themselves.

    Args:
        prior: learned on the bank.
        sampler: proposes.
        selection: keeps or drops proposals.
        n: items wanted.
        seed: determines them, item by item: the choices of item i do not depend on what the bank holds.
        max_proposals: in all, before giving up.
    """

    prior: Prior
    sampler: Sampler
    selection: Selection
    n: int
    seed: int
    max_proposals: int

    def fitted(self, bank: Tensor, pictures: Callable[[], Tensor]) -> Self:
        """The same with copies of its parts that have learned from the bank.

        Args:
            bank: float32 ``[k, C, H, W]``.
            pictures: called for what the items of the bank look like (`Sampler.pictures`), if it matters.
        """
        prior, sampler, selection = copy(self.prior), copy(self.sampler), copy(self.selection)
        sampler.bind(bank, prior.fit(bank))
        selection.bind(bank)
        if sampler.uses_pictures:
            sampler.pictures = pictures()
        return replace(self, prior=prior, sampler=sampler, selection=selection)

    def items(self, acceptance: Acceptance) -> Iterator[Tensor]:
        """`propose` with these parts, once `fitted`."""
        return propose(self.sampler, self.selection, self.n, self.seed, self.max_proposals, acceptance)


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
