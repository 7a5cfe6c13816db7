"""The images that a model makes from N(0, I) at the top of its schedule: in memory, or in the store."""

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor

from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.report.pictures import grid
from ood_diffusion.runs.run import Run
from ood_diffusion.seeding import generator, normal
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.storage.store import TensorStore

Images = tuple[TensorStore, list[str]]
"""A store and ids in it, in order."""


def own_noise(run: Run, numbers: Iterable[int]) -> Tensor:
    """Pure noise by number, float32 ``[n, *state_shape]``, scaled for level T; the same for every model of a
    seed."""
    streams, schedule = [generator(run.settings.seed, "own images", i) for i in numbers], run.model.schedule
    return normal(streams, run.model.state_shape) * schedule.scale(schedule.timesteps)


def top(run: Run) -> Run:
    """The run at the highest level of its schedule, where the model's own images begin."""
    return run.at(level=float(run.model.schedule.timesteps))


def own_images(run: Run, n: int) -> Tensor:
    """The model's own images, from N(0, I) with the run's solver, steps and eta, ``[n, C, H, W]``."""
    settings, device, levels = run.settings, run.workspace.ranks.device, top(run).levels
    module = Generator(run.model, run.solver, levels, settings.eta, settings.seed, run.dtype)
    run.model.to(device)
    drawn: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, n, run.batch_size):
            numbers = range(start, min(start + run.batch_size, n))
            z = own_noise(run, numbers).to(device)
            drawn.append(module.images({"ids": [*map(str, numbers)], "data": z}))
    return torch.cat(drawn)


def stored_own_images(run: Run) -> Images:
    """`n_samples` own images of the run's model, kept in the store."""
    recipe, begin = {"own images": run.settings.seed}, top(run)
    noise = stored_latents(begin, recipe, run.settings.n_samples, partial(own_noise, run))
    return decode(begin, *noise, "own images")


def row(run: Run, images: Images, n: int) -> Tensor:
    """The first `n` images at most, as they are looked at, uint8 ``[n, 3, H, W]``."""
    store, ids = images
    return run.view(store.read(ids[:n]))


def sheet(rows: Sequence[Tensor]) -> Tensor:
    """Rows of pictures under one another, uint8 ``[3, h, w]``; all as long as the shortest."""
    columns = min(map(len, rows))
    return grid(torch.cat([each[:columns] for each in rows]), columns)
