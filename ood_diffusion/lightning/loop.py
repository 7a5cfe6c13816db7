"""One predict loop, as every rank of a job runs it."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytorch_lightning as pl
from torch import Tensor

from ood_diffusion.diffusion.solver import Convergence
from ood_diffusion.lightning.data import StoreDataModule, StoreDataset
from ood_diffusion.lightning.progress import Meter
from ood_diffusion.lightning.writer import StoreWriter
from ood_diffusion.stopping import obeying_signals
from ood_diffusion.storage.store import TensorStore


@dataclass(frozen=True)
class Account:
    """What a predict loop took and found out, on one rank or, added up, on all of them.

    Args:
        calls: images passed through the diffusion network.
        convergence: of the solver's implicit steps.
    """

    calls: int = 0
    convergence: Convergence = field(default_factory=Convergence)

    def __add__(self, other: "Account") -> "Account":
        return Account(self.calls + other.calls, self.convergence + other.convergence)


def unwatched(images: float) -> None:
    """Progress that nobody watches."""


class Predictor(pl.LightningModule):
    """A module whose `predict_step` maps a batch of `StoreDataModule` to one row per input row."""

    def __init__(self) -> None:
        super().__init__()
        self.on_progress: Callable[[float], None] = unwatched
        """To be called with the (fractional) number of images just completed."""
        self.convergence = Convergence()
        """Of the batches since the loop began."""
        self.finite: Tensor | None = None
        """Which rows of the last prediction come from finite numbers, bool ``[B]``, where bytes hide it."""

    def calls_counter(self) -> Callable[[], int] | None:
        """What tells how many images have passed the diffusion network so far; None if there is none."""
        return None

    def count_calls(self, calls: int) -> None:
        """Add another rank's to what `calls_counter` tells."""


@dataclass
class Loop:
    """What is to be computed, from where to where.

    Args:
        target: where the results go.
        source: where the inputs are.
        ids: result id -> input id of everything that is to be computed, in order.
        module: computes it.
        batch_size: rows per network call.
        description: shown beside the progress bar.
    """

    target: TensorStore
    source: TensorStore
    ids: Mapping[str, str]
    module: Predictor
    batch_size: int
    description: str

    def run(self, make_trainer: Callable[..., pl.Trainer], rank: int = 0, size: int = 1) -> Account:
        """Compute and write every `size`-th batch, from number `rank` on; there may be none.

        Batches are those of a single rank, so that results are the same to the last bit. When this returns
        or raises, every finished batch is on disk. The account is of this rank's batches.
        """
        items, rows = list(self.ids.items()), self.batch_size
        starts = range(rank * rows, len(items), size * rows)
        mine = dict(item for start in starts for item in items[start : start + rows])
        data = StoreDataModule(StoreDataset(self.source, mine), self.batch_size)
        trainer = make_trainer(callbacks=[StoreWriter(self.target)], enable_progress_bar=False)
        calls = self.module.calls_counter()
        before, self.module.convergence = calls() if calls else 0, Convergence()
        share, device = len(items) / max(1, len(mine)), trainer.strategy.root_device
        meter = Meter(self.description, len(items), calls=calls, share=share, device=device)
        with obeying_signals(), meter if rank == 0 else nullcontext() as shown:  # for all ranks
            self.module.on_progress = shown.advance if shown else unwatched
            trainer.predict(self.module, datamodule=data, return_predictions=False)
        self.module.on_progress = unwatched  # it may travel
        return Account(calls() - before if calls else 0, self.module.convergence)
