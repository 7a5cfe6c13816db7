"""Batches of a fixed shape from a store, each carrying its items' ids, loaded while others are computed."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from typing_extensions import TypedDict

from ood_diffusion.storage.store import TensorStore


class Batch(TypedDict):
    """Items under their ids; rows of `data` beyond those of `ids` only fill the batch."""

    ids: list[str]
    data: Tensor


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
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[str, Tensor]]:
        """A whole batch in one read of the store; a `DataLoader` calls this where it is there."""
        results, sources = zip(*(self.ids[i] for i in indices), strict=True)
        return list(zip(results, self.source.read(sources), strict=True))


class PrefetchingLoader(DataLoader[tuple[str, Tensor]]):
    """A `DataLoader` whose next batch is loaded by a thread while the current one is in use.

    It takes what `DataLoader` takes and nothing more, so that Lightning can make it again around the
    sampler of its own that gives every rank its share.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        batches = super().__iter__()
        with ThreadPoolExecutor(1, "prefetch") as thread:
            following = thread.submit(next, batches, None)
            while (batch := following.result()) is not None:
                following = thread.submit(next, batches, None)
                yield batch


class StoreDataModule(pl.LightningDataModule):
    """Feeds `Trainer.predict` with images or latents.

    Args:
        dataset: the items.
        batch_size: every batch has exactly this many rows: the tail is filled with copies of its last
            item, so that an item's result does not depend on how many items came with it.
    """

    def __init__(self, dataset: StoreDataset, batch_size: int) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # fewer items than ranks
        self.dataset, self.batch_size = dataset, batch_size

    def predict_dataloader(self) -> PrefetchingLoader:
        """Batches; with a GPU they lie in pinned memory, from which Lightning copies without waiting."""
        return PrefetchingLoader(
            self.dataset,
            batch_size=self.batch_size,
            collate_fn=partial(collate, self.batch_size),
            pin_memory=torch.cuda.is_available(),
        )


def collate(batch_size: int, items: list[tuple[str, Tensor]]) -> Batch:
    """Stack items and repeat the last until there are `batch_size` rows; `ids` names the real ones."""
    rows = [row for _, row in items]
    rows += rows[-1:] * (batch_size - len(rows))
    return {"ids": [i for i, _ in items], "data": torch.stack(rows)}
