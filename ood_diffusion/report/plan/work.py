"""What runs would ask of the network, and what that costs when they are run one after the other."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from typing_extensions import Self

from ood_diffusion.checks import Json


class Calls(NamedTuple):
    """Fewest and most network calls; they differ where a solver stops when it has converged."""

    least: int
    most: int


@dataclass(frozen=True)
class Work:
    """One predict loop of one run.

    Args:
        stage: the stage that runs it.
        store: the folder where its results go; equal for runs that share them.
        items: identity of each result -> whether it is on disk already.
        calls: network calls per item.
        batch: items per network call; the last batch is filled up to it. Ranks share whole batches, so that
            their number is of no account.
    """

    stage: str
    store: str
    items: Mapping[str, bool]
    calls: Calls
    batch: int

    def cost(self, items: int) -> Calls:
        """Network calls for so many of the items: a filled row costs what a real one costs."""
        batch = min(self.batch, len(self.items))
        rows = math.ceil(items / batch) * batch
        return Calls(rows * self.calls.least, rows * self.calls.most)


@dataclass(frozen=True)
class Share:
    """What one stage adds to the plan of its run.

    Args:
        works: its predict loops.
        needs: folder -> identity of each item that must be there when it begins -> whether it is already.
        notes: what the figures leave open.
    """

    works: Sequence[Work] = ()
    needs: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """A run before it begins.

    Args:
        works: its predict loops, in the order in which they run.
        bank: the folder of its latents; empty if it needs none.
        needs: folder -> identity of each of its items that must be there when a stage asks for it -> whether
            it is there already.
        network: what determines the speed of a call: digest of the weights, precision, compile.
        outputs: the folder where earlier runs may have measured that speed.
        notes: what the figures leave open.
        mistake: why it cannot run; empty if it can.
    """

    works: Sequence[Work] = ()
    bank: str = ""
    needs: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    network: Sequence[Any] = ()
    outputs: str = ""
    notes: Sequence[str] = ()
    mistake: str = ""

    def as_json(self) -> Json:
        """For `from_json`, in this process or another."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Json) -> Self:
        """The plan that `as_json` described."""
        works = [Work(**{**work, "calls": Calls(*work["calls"])}) for work in found.pop("works")]
        return cls(works, **found)


def spent(plans: Iterable[Plan], stored: bool = True, shared: bool = True) -> list[dict[str, Calls]]:
    """Network calls of every stage of every run, runs in the given order.

    Args:
        plans: the runs.
        stored: whether what is on disk is used; otherwise the store is taken to be empty.
        shared: whether a run uses what the runs before it have made.
    """
    done: set[tuple[str, str]] = set()
    costs = []
    for plan in plans:
        done = done if shared else set()
        cost: dict[str, Calls] = {}
        for work in plan.works:
            results = {(work.store, item) for item, there in work.items.items() if not (stored and there)}
            before, more = cost.get(work.stage, Calls(0, 0)), work.cost(len(results - done))
            cost[work.stage] = Calls(before.least + more.least, before.most + more.most)
            done |= results
        costs.append(cost)
    return costs


def total(costs: Iterable[Mapping[str, Calls]]) -> Calls:
    """The sum over runs and stages."""
    calls = [calls for cost in costs for calls in cost.values()]
    return Calls(sum(c.least for c in calls), sum(c.most for c in calls))
