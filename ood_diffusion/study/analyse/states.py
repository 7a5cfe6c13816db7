"""Images -> the states they pass through at several levels, in one inversion."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ood_diffusion.lightning.trajectory import PassageInverter
from ood_diffusion.runs.run import Run


def passage(
    run: Run, images: Mapping[str, str], wanted: Sequence[float], description: str
) -> tuple[list[float], Tensor]:
    """States of images of the store `pictures` at levels of the run's grid.

    Args:
        run: its level is where the trajectory ends.
        images: content digest -> picture id.
        wanted: levels; of the grid the nearest ones are taken, each once.
        description: shown beside the progress bar.

    Returns:
        The levels, ascending, and the states, float32 ``[len(images), levels, *state_shape]``.
    """
    grid = torch.tensor(run.levels, dtype=torch.float64)
    kept = sorted({int((grid[1:] - level).abs().argmin()) + 1 for level in wanted})
    levels = [run.levels[i] for i in kept]
    recipe = {**run.trajectory_recipe, "kept": [float(f"{t:.9g}") for t in levels]}
    store = run.workspace.stores.open("passages", recipe, torch.float32)
    run.predict(
        store, run.pictures, images, PassageInverter(run.model, run.solver, run.levels, kept), description
    )
    return levels, store.read(list(images))
