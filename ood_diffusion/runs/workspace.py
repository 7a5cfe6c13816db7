"""Where a run works: its folder, its stores, its processes, and what it has cost so far."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ood_diffusion.lightning.loop import Predictor
from ood_diffusion.lightning.predict import Done, predict_into
from ood_diffusion.lightning.progress import stage_line
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.report.results import Cost
from ood_diffusion.storage.store import TensorStore
from ood_diffusion.storage.stores import Stores

log = logging.getLogger(__name__)


@dataclass
class Workspace:
    """Shared by a run and by the runs that its stages derive from it (`Run.at`).

    Args:
        folder: where the run's own outputs go.
        stores: all content-addressed stores.
        ranks: the processes that share the predict loops; stages run on rank 0 only.
        items: "made": items that went through predict loops so far, "found": those that were in the store.
        cost: what every stage has cost so far.
    """

    folder: Path
    stores: Stores
    ranks: Ranks
    items: Counter[str] = field(default_factory=Counter)
    cost: Cost = field(default_factory=Cost)

    @property
    def page(self) -> Path:
        """Where `report.html` is."""
        return self.folder / "report.html"

    def predict(
        self,
        target: TensorStore,
        source: TensorStore,
        ids: Mapping[str, str],
        module: Predictor,
        batch_size: Callable[[], int],
        description: str,
    ) -> Done:
        """`predict_into` on the run's ranks; counts what was made and what was found.

        Args:
            batch_size: called where anything is missing: "auto" has to be measured.
        """
        done = Done()
        if missing := target.missing(list(ids)):
            target.check_writable(missing)  # before a batch size is measured
            done = predict_into(target, source, ids, module, self.ranks, batch_size(), description)
        self.items.update(made=done.items, found=len(ids) - done.items)
        return done

    @contextmanager
    def accounted(self, stage: str, calls: Callable[[], int]) -> Iterator[None]:
        """Record a stage's seconds, network calls and speed, and say in one line what it has done.

        Args:
            stage: its name.
            calls: the network calls of the run so far.
        """
        before, items, start = calls(), self.items.copy(), time.perf_counter()
        try:
            yield
        finally:  # on top of an earlier attempt's
            seconds, spent = time.perf_counter() - start, calls() - before
            times, calls_of = self.cost.setdefault("seconds", {}), self.cost.setdefault("network_calls", {})
            times[stage] = round(times.get(stage, 0) + seconds, 3)
            calls_of[stage] = calls_of.get(stage, 0) + spent
        made, found = (self.items[kind] - items[kind] for kind in ("made", "found"))
        if made:
            self.cost.setdefault("images_per_second", {})[stage] = round(made / seconds, 3)
        log.info(stage_line(stage, made, found, spent, seconds))
