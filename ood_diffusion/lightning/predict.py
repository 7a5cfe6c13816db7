"""Run a module over the items whose results are not on disk yet."""

from collections.abc import Callable, Mapping

import pytorch_lightning as pl

from ood_diffusion.lightning.data import StoreDataModule, StoreDataset
from ood_diffusion.lightning.progress import ImageProgress
from ood_diffusion.lightning.writer import StoreWriter
from ood_diffusion.storage.store import TensorStore


def predict_into(
    target: TensorStore,
    source: TensorStore,
    ids: Mapping[str, str],
    module: pl.LightningModule,
    make_trainer: Callable[..., pl.Trainer],
    batch_size: int,
    description: str,
) -> int:
    """Fill `target` with the module's predictions for items of `source`.

    The next batch is loaded and the last ones are written while one is computed. When this returns or
    raises, every finished batch is on disk.

    Args:
        target: where the results go.
        source: where the inputs are.
        ids: result id -> input id, in order.
        module: its `predict_step` maps a batch of `StoreDataModule` to one row per input row.
        make_trainer: builds a Trainer from keyword arguments (`callbacks`).
        batch_size: rows per network call, lowered to the number of items asked for.
        description: shown beside the progress bar.

    Returns:
        How many items were computed; those already in `target` are not computed again.
    """
    if not target.missing(list(ids)):
        return 0
    with target.exclusive():
        missing = {i: ids[i] for i in target.missing(list(ids))}
        if not missing:
            return 0
        data = StoreDataModule(StoreDataset(source, missing), min(batch_size, len(ids)))
        trainer = make_trainer(callbacks=[StoreWriter(target), ImageProgress(description, len(missing))])
        trainer.predict(module, datamodule=data, return_predictions=False)
    return len(missing)
