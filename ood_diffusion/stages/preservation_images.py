"""The images that a model makes from N(0, I) at the top of its schedule: in memory, or in the store."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.report.pictures import grid
from ood_diffusion.seeding import generator, normal
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.storage.store import TensorStore

Images = tuple[TensorStore, list[str]]
"""A store and ids in it, in order."""


def own_noise(cell: Cell, n: int) -> Tensor:
    """Standard normal states, float32 ``[n, *state_shape]``; the same for every model of a seed."""
    streams = [generator(cell.settings.seed, "own images", i) for i in range(n)]
    return normal(streams, cell.model.state_shape)


def top(cell: Cell) -> Cell:
    """The cell at the highest level of its schedule, where the model's own images begin."""
    return cell.at(level=float(cell.model.schedule.timesteps))


def own_images(cell: Cell, n: int) -> Tensor:
    """The model's own images, from N(0, I) with the cell's solver, steps and eta, uint8 ``[n, 3, H, W]``."""
    settings, device = cell.settings, cell.ranks.make_trainer().strategy.root_device
    module = Generator(cell.model, cell.solver, top(cell).levels, settings.eta, settings.seed).to(device)
    noise = own_noise(cell, n)
    drawn: list[Tensor] = []
    try:
        with torch.inference_mode():
            for start in range(0, n, cell.batch_size):
                z = noise[start : start + cell.batch_size].to(device)
                ids = [str(start + i) for i in range(len(z))]
                drawn.append(module.predict_step({"ids": ids, "data": z}).cpu())
    finally:
        module.cpu()
    return torch.cat(drawn)


def stored_own_images(cell: Cell) -> Images:
    """`n_samples` own images of the cell's model, kept in the store."""
    noise = own_noise(cell, cell.settings.n_samples)
    recipe = {"own images": cell.settings.seed}
    return decode(top(cell), *stored_latents(top(cell), recipe, noise), "own images")


def row(images: Images, n: int) -> Tensor:
    """The first `n` images at most, uint8 ``[n, 3, H, W]``."""
    store, ids = images
    return store.read(ids[:n])


def sheet(rows: Sequence[Tensor]) -> Tensor:
    """Rows of pictures under one another, uint8 ``[3, h, w]``; all as long as the shortest."""
    columns = min(map(len, rows))
    return grid(torch.cat([each[:columns] for each in rows]), columns)
