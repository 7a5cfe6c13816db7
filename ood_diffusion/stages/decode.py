"""Latents of any origin -> images, each decoded once."""

from collections.abc import Callable, Sequence

import torch

from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.runs.addresses import image_ids
from ood_diffusion.runs.cell import Cell
from ood_diffusion.storage.store import BLOCK, TensorStore


def decode(
    cell: Cell, latents: TensorStore, ids: Sequence[str], description: str
) -> tuple[TensorStore, list[str]]:
    """Denoise stored latents from the cell's level, with the cell's eta and seed.

    Returns:
        The store of images, and the image id of each latent in the order of `ids`.
    """
    images, targets = cell.images(cell.settings.eta), image_ids(cell, latents.digests(ids))
    module = Generator(cell.model, cell.solver, cell.levels, cell.settings.eta, cell.settings.seed)
    cell.predict(images, latents, dict(zip(targets, ids, strict=True)), module, description)
    return images, targets


def stored_latents(
    cell: Cell, recipe: object, n: int, make: Callable[[list[int]], torch.Tensor]
) -> tuple[TensorStore, list[str]]:
    """Latents that a stage makes itself, for `decode`; `BLOCK` of them in memory at a time.

    Args:
        cell: whose level and trajectory they belong to.
        recipe: what determines them beside the trajectory, JSON-serialisable.
        n: how many.
        make: numbers of latents -> these, float32 ``[len(numbers), C, H, W]``; asked only for those that are
            not in the store.

    Returns:
        The store, and the id of each latent in order.
    """
    store = cell.stores.open("draws", {**cell.trajectory_recipe, "made": recipe}, torch.float32)
    ids = [f"{i:06d}" for i in range(n)]

    def write(missing: list[str]) -> None:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            store.write(block, make([int(i) for i in block]))

    store.fill(ids, write)
    return store, ids
