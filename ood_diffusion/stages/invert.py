"""References -> bank of latents."""

from ood_diffusion.lightning.predict import predict_into
from ood_diffusion.lightning.trajectory import Inverter
from ood_diffusion.stages.cell import Cell


def invert(cell: Cell) -> None:
    """Invert the references that are not in the bank yet."""
    predict_into(
        cell.bank,
        cell.pictures,
        cell.references,
        Inverter(cell.model, cell.solver, cell.levels),
        cell.make_trainer,
        cell.settings.batch_size,
        "invert",
    )
