"""The command that runs one cell again, alone."""

import shlex

from ood_diffusion.report.collect.cells import CellFolder

ALONE = "hydra.mode=RUN"
"""Without it the file of a sweep, which is among the overrides, would start the whole sweep."""


def command(cell: CellFolder) -> str:
    """What to type, in the folder where the run or its sweep was started; quoted for a POSIX shell."""
    alone = [ALONE] * (cell.contents.hydra.get("mode") == "MULTIRUN")
    return shlex.join(["ood-diffusion", *cell.overrides, *alone])
