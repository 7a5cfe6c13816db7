"""Latents of any origin -> images, each decoded once."""

from collections.abc import Callable, Sequence

import torch

from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.runs.run import Run
from ood_diffusion.storage.store import BLOCK, TensorStore


def decode(
    run: Run, latents: TensorStore, ids: Sequence[str], description: str
) -> tuple[TensorStore, list[str]]:
    """Denoise stored latents from the run's level, with the run's eta and seed.

    Returns:
        The store of images, and the image id of each latent in the order of `ids`.
    """
    images, targets = run.decoded(run.settings.eta), run.decoded_ids(latents.digests(ids))
    module = Generator(run.model, run.solver, run.levels, run.settings.eta, run.settings.seed, images.dtype)
    run.predict(images, latents, dict(zip(targets, ids, strict=True)), module, description)
    return images, targets


def stored_latents(
    run: Run, recipe: object, n: int, make: Callable[[list[int]], torch.Tensor]
) -> tuple[TensorStore, list[str]]:
    """Latents that a stage makes itself, for `decode`; `BLOCK` of them in memory at a time.

    Args:
        run: whose level and trajectory they belong to.
        recipe: what determines them beside the trajectory, JSON-serialisable.
        n: how many.
        make: numbers of latents -> these, float32 ``[len(numbers), C, H, W]``; asked only for those that are
            not in the store.

    Returns:
        The store, and the id of each latent in order.
    """
    store = run.workspace.stores.open("draws", {**run.trajectory_recipe, "made": recipe}, torch.float32)
    ids = [f"{i:06d}" for i in range(n)]

    def write(missing: list[str]) -> None:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            store.write(block, make([int(i) for i in block]))

    store.fill(ids, write)
    return store, ids
