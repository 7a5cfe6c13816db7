"""`output=json`: one line of JSON per finished run on standard output, and nothing else.

A run that runs in the process that the user has started is printed when it ends. One that a launcher runs
in another process, whose output may go elsewhere, is printed when the sweep has ended.
"""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from ood_diffusion.report.collect.cells import find_cells
from ood_diffusion.report.collect.rows import status
from ood_diffusion.report.json_line import json_line
from ood_diffusion.runs.sweep import RESULTS, Sweep
from ood_diffusion.terminal import printing


def print_cell(folder: Path) -> None:
    """Print the run in `folder`, which this process has just run, unless another one will."""
    if HydraConfig.get().mode == RunMode.RUN or Sweep.path is not None:
        print_results(folder / RESULTS)


def print_others() -> None:
    """Print the complete runs of this process's sweep that have not been printed yet."""
    if Sweep.path is None or Sweep.output != "json":
        return
    for run in find_cells(Sweep.path):
        path = run.folder / RESULTS
        news = path.exists() and path.stat().st_mtime_ns != Sweep.known.get(path)
        if news and status(run).word == "complete":
            print_results(path)


def print_results(path: Path) -> None:
    """Print the run whose results these are."""
    Sweep.known[path] = path.stat().st_mtime_ns
    with printing():
        print(json_line(path.parent), flush=True)
