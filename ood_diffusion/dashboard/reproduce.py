"""The command that runs one cell again, alone."""

import shlex

from ood_diffusion.report.collect.cells import CellFolder, read_yaml

ALONE = "hydra.mode=RUN"
"""Without it the file of a sweep, which is among the overrides, would start the whole sweep."""


def command(cell: CellFolder) -> str:
    """What to type, in the folder where the run or its sweep was started; quoted for a POSIX shell."""
    hydra = read_yaml(cell.folder / ".hydra" / "hydra.yaml").get("hydra", {})
    alone = [ALONE] * (hydra.get("mode") == "MULTIRUN")
    overrides = map(str, read_yaml(cell.folder / ".hydra" / "overrides.yaml"))
    return shlex.join(["ood-diffusion", *overrides, *alone])
