"""SDEdit: references, noised to a level and denoised by the frozen model: a baseline without training."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ood_diffusion.diffusion.marginal import marginal
from ood_diffusion.pixels import to_unit_range
from ood_diffusion.runs.run import Run
from ood_diffusion.seeding import generator
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.storage.store import TensorStore


def sdedit(run: Run) -> tuple[TensorStore, list[str]]:
    """`n_samples` images from references noised to the run's level (Meng et al. 2022, algorithm 1).

    Image i comes from reference i mod n and the noise of item i, the same at every level; it is denoised
    with the run's solver, steps and eta.

    Returns:
        The store of images, and the id of each in order.
    """
    pictures = list(run.references.values())

    def make(numbers: list[int]) -> Tensor:
        return noised(run, states(run, [pictures[i % len(pictures)] for i in numbers]), numbers)

    recipe = {"sdedit": list(run.references), "seed": run.settings.seed}
    latents = stored_latents(run, recipe, run.settings.n_samples, make)
    return decode(run, *latents, f"SDEdit {run.levels[-1]:g}")


@torch.no_grad()
def states(run: Run, pictures: list[str]) -> Tensor:
    """Pictures at level 0, float32 ``[len(pictures), *state_shape]``."""
    return run.model.encode(to_unit_range(run.pictures.read(pictures)))


def noised(run: Run, x0: Tensor, numbers: Sequence[int]) -> Tensor:
    """`x0` noised (`marginal`) to the run's level.

    Args:
        run: gives level (where its grid ends), schedule and seed.
        x0: clean states ``[n, C, H, W]``.
        numbers: of the draws; with the seed they determine the noise. Length n.
    """
    streams = [generator(run.settings.seed, "sdedit", i) for i in numbers]
    return marginal(x0, run.levels[-1], run.model.schedule, streams)
