"""One predict loop, as every rank of a job runs it."""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.memory import garbage_collection_cuda
from torch import Tensor, nn

from ood_diffusion.diffusion.solver import Convergence
from ood_diffusion.lightning.data import Batch, StoreDataModule, StoreDataset, collate
from ood_diffusion.lightning.memory import out_of_memory
from ood_diffusion.lightning.progress import Meter
from ood_diffusion.lightning.writer import StoreWriter
from ood_diffusion.stopping import obeying_signals
from ood_diffusion.storage.store import TensorStore

log = logging.getLogger(__name__)


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


def unreported(images: float) -> None:
    """Shows nothing."""


class Predictor(pl.LightningModule):
    """Maps a batch of `StoreDataModule` to one row per input row, by its method `rows`."""

    networks: tuple[nn.Module, ...] = ()
    """What computes. In a tuple they are no submodules, so that Lightning does not move the weights back to
    the CPU after each loop."""

    def __init__(self) -> None:
        super().__init__()
        self.on_progress: Callable[[float], None] = unreported
        """To be told the (fractional) number of images just completed, by `advance`."""
        self.description = "outside a loop"
        """Of the loop that it is in."""
        self.most: int | None = None
        """Rows that fit into memory, once it has run out."""
        self._advanced = 0.0
        self.convergence = Convergence()
        """Of the batches since the loop began."""
        self.finite: Tensor | None = None
        """Which rows of the last prediction come from finite numbers, bool ``[B]``, where bytes hide it."""

    def rows(self, batch: Batch) -> Tensor:
        """The results for the rows of ``batch["data"]``, the last of which may only fill the batch."""
        raise NotImplementedError

    def advance(self, images: float) -> None:
        """So many (fractional) images more are done."""
        self._advanced += images
        self.on_progress(images)

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Tensor:
        """`rows` of the batch; where memory runs out, of parts half as large, in later batches too."""
        while True:
            before, self._advanced = self.convergence, 0.0
            try:
                return self._in_parts(batch)
            except (RuntimeError, MemoryError) as error:
                size = min(self.most or len(batch["data"]), len(batch["data"]))
                if size == 1 or not out_of_memory(error):
                    raise
            garbage_collection_cuda()  # here, where the error no longer holds what the attempt had made
            self.most, self.convergence = size // 2, before
            self.on_progress(-self._advanced)
            log.warning("Out of memory with %d images at a time: going on with %d.", size, self.most)

    def _in_parts(self, batch: Batch) -> Tensor:
        ids, data = batch["ids"], batch["data"]
        size = self.most or len(data)
        if size >= len(data):
            return self.rows(batch)
        found, finite = [], []
        for start in range(0, len(ids), size):
            part = slice(start, start + size)
            found.append(self.rows(collate(size, list(zip(ids[part], data[part], strict=False)))))
            finite += [] if self.finite is None else [self.finite]
        self.finite = torch.cat(finite) if finite else None
        return torch.cat(found)

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
        trainer: Any = make_trainer(enable_progress_bar=False)  # whose properties Lightning does not type
        trainer.callbacks.append(StoreWriter(self.target))  # to those that the settings name
        self.module.description = self.description
        if trainer.profiler.dirpath:  # without one, Lightning would take the working folder
            trainer.profiler.filename = self.description
        calls = self.module.calls_counter()
        before, self.module.convergence = calls() if calls else 0, Convergence()
        share, device = len(items) / max(1, len(mine)), trainer.strategy.root_device
        for network in self.module.networks:
            network.to(device)
        meter = Meter(self.description, len(items), calls=calls, share=share, device=device)
        with obeying_signals(), meter if rank == 0 else nullcontext() as shown:  # for all ranks
            self.module.on_progress = shown.advance if shown else unreported
            trainer.predict(self.module, datamodule=data, return_predictions=False)
        self.module.on_progress = unreported  # it may travel
        return Account(calls() - before if calls else 0, self.module.convergence)
