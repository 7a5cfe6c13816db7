"""References -> bank of latents."""

import logging
from collections.abc import Mapping

from ood_diffusion.lightning.trajectory import Inverter
from ood_diffusion.stages.cell import Cell
from ood_diffusion.storage.store import TensorStore

log = logging.getLogger(__name__)


def invert(cell: Cell) -> None:
    """Invert the references that are not in the bank yet."""
    invert_images(cell, cell.pictures, cell.references)


def invert_images(cell: Cell, images: TensorStore, ids: Mapping[str, str]) -> None:
    """Invert what is not in the bank yet of `images`; `ids`: content digest -> id there."""
    cell.predict(cell.bank, images, ids, Inverter(cell.model, cell.solver, cell.levels), "invert")
    if report := cell.solver.report():
        cell.results["solver"] = dict(report)
        if failed := int(report["not_converged"]):
            log.warning(
                "%s: %d steps of an image had not converged (last change up to %.1e): their round trip "
                "is not exact. Use more steps or raise solver.max_iterations.",
                cell.solver.name, failed, report["largest_change"],
            )  # fmt: skip
