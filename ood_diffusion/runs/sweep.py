"""The sweep that this process has started, if it has: where its runs are, whichever launcher runs them.

With ``output=json`` a run that runs in this process is printed when it ends, one that a launcher runs in
another process, whose output may go elsewhere, when the sweep has ended.
"""

import os
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from ood_diffusion.report.collect.rows import status
from ood_diffusion.report.collect.run_folder import find_runs
from ood_diffusion.report.json_line import json_line
from ood_diffusion.terminal import printing

PLAN = "dry_run.json"
"""What a dry run leaves in the folder of a run."""
RESULTS = "results.json"


class Sweep(Callback):
    """Remembers this process's sweep; Hydra calls it before the first run."""

    path: ClassVar[Path | None] = None
    output: ClassVar[str] = ""
    """The setting `output`, which is none of a single run's here."""
    known: ClassVar[dict[Path, int]] = {}
    """Results not to print -> when they were written, in ns: an earlier sweep's, or printed already."""

    used: ClassVar[set[Path]] = set()
    """Folders in which this process has run a run of its sweep."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Forgets the plans of an earlier sweep in the same folder, and takes note of its results."""
        folder = os.path.abspath(config.hydra.sweep.dir)  # as Hydra names the runs' folders: without ".."
        Sweep.path, Sweep.output = Path(folder), str(config.get("output"))
        Sweep.used.clear()
        for path in Sweep.path.rglob(PLAN):
            path.unlink()
        Sweep.known = {path: path.stat().st_mtime_ns for path in Sweep.path.rglob(RESULTS)}


def print_run(folder: Path) -> None:
    """Print the run in `folder`, which this process has just run, unless another one will."""
    if HydraConfig.get().mode == RunMode.RUN or Sweep.path is not None:
        print_results(folder / RESULTS)


def print_others() -> None:
    """Print the complete runs of this process's sweep that have not been printed yet."""
    if Sweep.path is None or Sweep.output != "json":
        return
    for run in find_runs(Sweep.path):
        path = run.folder / RESULTS
        news = path.exists() and path.stat().st_mtime_ns != Sweep.known.get(path)
        if news and status(run).word == "complete":
            print_results(path)


def print_results(path: Path) -> None:
    """Print the run whose results these are."""
    Sweep.known[path] = path.stat().st_mtime_ns
    with printing():
        print(json_line(path.parent), flush=True)
