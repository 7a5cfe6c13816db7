"""Predictions go to a store batch by batch; none is kept in memory."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter

from ood_diffusion.storage.store import TensorStore


class StoreWriter(BasePredictionWriter):
    """Writes each batch's predictions as one shard, under the ids in the batch.

    Args:
        store: where to.
    """

    def __init__(self, store: TensorStore) -> None:
        super().__init__(write_interval="batch")
        self.store = store

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
        ids = batch["ids"]
        self.store.write(ids, prediction[: len(ids)])
