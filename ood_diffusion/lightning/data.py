"""Batches of a fixed shape from a store, each carrying its items' ids."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ood_diffusion.storage.store import TensorStore


class StoreDataset(Dataset[tuple[str, Tensor]]):
    """Items of a store under the ids that their results will have.

    Args:
        source: where the tensors are.
        ids: result id -> id in `source`, in the order of processing.
    """

    def __init__(self, source: TensorStore, ids: Mapping[str, str]) -> None:
        self.source, self.ids = source, list(ids.items())

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[str, Tensor]:
        result_id, source_id = self.ids[index]
        return result_id, self.source.read([source_id])[0]


class StoreDataModule(pl.LightningDataModule):
    """Feeds `Trainer.predict` with images or latents.

    Args:
        dataset: the items.
        batch_size: every batch has exactly this many rows: the tail is filled with copies of its last
            item, so that an item's result does not depend on how many items came with it.
    """

    def __init__(self, dataset: StoreDataset, batch_size: int) -> None:
        super().__init__()
        self.dataset, self.batch_size = dataset, batch_size

    def predict_dataloader(self) -> DataLoader[tuple[str, Tensor]]:
        """Batches ``{"ids": list of the real items, "data": [batch_size, …]}``."""
        return DataLoader(
            self.dataset, batch_size=self.batch_size, collate_fn=partial(collate, self.batch_size)
        )


def collate(batch_size: int, items: list[tuple[str, Tensor]]) -> dict[str, Any]:
    """Stack items and repeat the last until there are `batch_size` rows; `ids` names the real ones."""
    rows = [row for _, row in items]
    rows += rows[-1:] * (batch_size - len(rows))
    return {"ids": [i for i, _ in items], "data": torch.stack(rows)}
