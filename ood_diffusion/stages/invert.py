"""References -> bank of latents."""

from collections.abc import Mapping

from ood_diffusion.lightning.trajectory import Inverter
from ood_diffusion.runs.cell import Cell
from ood_diffusion.storage.store import TensorStore


def invert(cell: Cell) -> None:
    """Invert the references that are not in the bank yet."""
    invert_images(cell, cell.pictures, cell.references)


def invert_images(cell: Cell, images: TensorStore, ids: Mapping[str, str]) -> None:
    """Invert what is not in the bank yet of `images`; `ids`: content digest -> id there."""
    module = Inverter(cell.model, cell.solver, cell.levels)
    convergence = cell.predict(cell.bank, images, ids, module, "invert")
    if convergence.steps:
        cell.results["solver"] = convergence.report()
