"""Latents of any origin -> images, each decoded once."""

from collections.abc import Sequence

import torch

from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.stages.cell import Cell
from ood_diffusion.storage.store import TensorStore


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


def image_ids(cell: Cell, latent_digests: Sequence[str]) -> list[str]:
    """Ids of the images the latents decode to: with noise, the seed belongs to the address."""
    suffix = f"-seed{cell.settings.seed}" if cell.settings.eta else ""
    return [digest + suffix for digest in latent_digests]


def stored_latents(cell: Cell, recipe: object, latents: torch.Tensor) -> tuple[TensorStore, list[str]]:
    """Keep latents that a stage made itself, for `decode`.

    Args:
        cell: whose level and trajectory they belong to.
        recipe: what determines them beside the trajectory, JSON-serialisable.
        latents: float32 ``[n, C, H, W]``.

    Returns:
        The store, and the id of each latent in order.
    """
    store = TensorStore(cell.store_root, "draws", {**cell.trajectory_recipe, "made": recipe}, torch.float32)
    ids = [f"{i:06d}" for i in range(len(latents))]
    with store.exclusive():
        if missing := store.missing(ids):
            store.write(missing, latents[[int(i) for i in missing]])
    return store, ids
