"""The sweep that this process has started, if it has: where its runs are, whichever launcher runs them."""

import os
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

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
