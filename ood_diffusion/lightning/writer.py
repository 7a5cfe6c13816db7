"""Predictions go to a store batch by batch, written by a thread while the next batch is computed."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from ood_diffusion.pixels import require_finite
from ood_diffusion.storage.store import TensorStore

log = logging.getLogger(__name__)

WAITING = 2
"""Batches that may wait while another is written: bounds the memory, and what a killed run loses."""


class StoreWriter(BasePredictionWriter):
    """Writes each batch's predictions as one shard, under the ids in the batch.

    One thread writes, in the order of the batches. What it raises is raised again, as it is, from the
    end of the next batch or of the loop. The loop ends, with an error or without, when everything that
    it handed over is on disk.

    Args:
        store: where to.
    """

    def __init__(self, store: TensorStore) -> None:
        super().__init__(write_interval="batch")
        self.store = store
        self._unwritten: deque[Future[None]] = deque()

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the thread, in the process that computes."""
        self._thread = ThreadPoolExecutor(1, "writer")

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """`prediction` has the rows of the batch; rows that only fill the batch are dropped."""
        self._settle(WAITING)
        ids = batch["ids"]
        finite = getattr(pl_module, "finite", None)
        finite = None if finite is None else to_host(finite[: len(ids)])
        rows = to_host(prediction[: len(ids)])
        self._unwritten.append(self._thread.submit(self._write, ids, rows, finite, prediction.device))

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait for the last batches."""
        self._settle(0)
        self._thread.shutdown()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: Any) -> None:
        """Keep what was finished, whatever ended the loop."""
        for batch in self._unwritten:
            if error := batch.exception():
                log.error("a finished batch could not be written: %s", error)

    def _write(
        self,
        ids: Sequence[str],
        arrive: Callable[[], Tensor],
        finite: Callable[[], Tensor] | None,
        device: torch.device,
    ) -> None:
        if finite is not None:
            require_finite(self.store.folder.parent.name, ids, finite())
        self.store.write(ids, arrive(), device)

    def _settle(self, most: int) -> None:
        """Wait until at most `most` batches are not on disk; raise what writing one of the others raised."""
        while self._unwritten and (len(self._unwritten) > most or self._unwritten[0].done()):
            self._unwritten.popleft().result()


def to_host(rows: Tensor) -> Callable[[], Tensor]:
    """Begin to copy `rows` to the CPU; the function returned waits for the copy and returns it.

    A copy from a GPU is queued behind the work that makes the rows and nobody waits for it here.
    """
    if not rows.is_cuda:
        return rows.cpu
    copy, done = rows.to("cpu", non_blocking=True), torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    done.record(torch.cuda.current_stream(rows.device))

    def arrive() -> Tensor:
        done.synchronize()
        return copy

    return arrive
