"""References -> bank of latents."""

from ood_diffusion.lightning.trajectory import Inverter
from ood_diffusion.stages.cell import Cell


def invert(cell: Cell) -> None:
    """Invert the references that are not in the bank yet."""
    cell.predict(
        cell.bank,
        cell.pictures,
        cell.references,
        Inverter(cell.model, cell.solver, cell.levels),
        "invert",
    )
    if report := cell.solver.report():
        cell.results["solver"] = dict(report)
