"""The folders of runs: what tells them apart, the command that repeats them, and the walk over many."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ood_diffusion.checks import Json
from ood_diffusion.natural_order import natural_order
from ood_diffusion.report.collect.run_files import MULTIRUN, RESULTS, Contents, Runtime, contents
from ood_diffusion.report.results import Coordinates, Results
from ood_diffusion.report.wording import MISSING

ALONE = "hydra.mode=RUN"
"""Without it the file of a sweep, which is among the overrides, would start the whole sweep."""
HOW = frozenset({"dry_run", "fail_fast", "launcher", "logger", "output"})
"""Settings, and groups of them, that say how a run is carried out and what is told of it: no coordinates."""
WITHOUT_EFFECT = HOW | {
    "batch_size",
    "checkpoints",
    "data",
    "objective",
    "store",
    "store_mode",
    "sweeper",
    "trainer",
}
"""Those whose values make no other results: a run with others is the same run."""


@dataclass(frozen=True)
class RunFolder:
    """A run, alone or of a sweep.

    Args:
        folder: its output folder.
    """

    folder: Path

    @cached_property
    def contents(self) -> Contents:
        """Its files as they are now."""
        return contents(self.folder)

    @property
    def config(self) -> Json:
        """The composed configuration, interpolations as they stand."""
        return self.contents.config

    @property
    def choices(self) -> Json:
        """The choice made in every configuration group."""
        hydra = self.contents.hydra
        return hydra["runtime"]["choices"] if hydra else {}

    @property
    def overrides(self) -> list[str]:
        """What the command line or the sweep set."""
        hydra = self.contents.hydra
        return hydra["overrides"]["task"] if hydra else []

    @property
    def command(self) -> str:
        """What to type, where the run or its sweep was started, to run it alone; quoted for a POSIX shell."""
        hydra = self.contents.hydra
        runtime: Runtime = hydra["runtime"] if hydra else {"choices": {}}
        of_sweep = hydra is not None and (hydra.get("mode") == "MULTIRUN" or "sweep" in self.overridden)
        return shlex.join(["ood-diffusion", *config_dirs(runtime), *self.overrides, *[ALONE] * of_sweep])

    @property
    def overridden(self) -> list[str]:
        """The keys of the overrides, without ``+`` and package."""
        return [key_of(line) for line in self.overrides]

    @property
    def results(self) -> Results:
        """`results.json`; empty before the first stage."""
        return self.contents.results

    @property
    def error(self) -> str:
        """Why the last attempt failed; empty if it did not."""
        return self.contents.error

    @property
    def damage(self) -> str:
        """Which files cannot be read, and why; empty if all can."""
        return "; ".join(f"{name}: {why}" for name, why in self.contents.damage.items())

    @cached_property
    def names(self) -> list[str]:
        """Of its coordinates: every group, every knob, and what else was overridden, by dotted name, but for
        `HOW`.
        """
        known = self.results.get("coordinates", Coordinates.__annotations__)
        return [name for name in dict.fromkeys([*known, *self.overridden]) if name.split(".")[0] not in HOW]

    def coordinate(self, name: str) -> Any:
        """A group's choice or the value of a setting, as the run used it; None if there is no such thing."""
        used: Mapping[str, Any] = self.results.get("coordinates", {})
        if name in used:
            return used[name]
        value: Any = self.config
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return self.choices.get(name) if value is None or isinstance(value, dict) else value


@dataclass(frozen=True)
class Walked:
    """What lies below a folder, but for hidden folders and what is inside a run or a store.

    Args:
        runs: every folder in which a run was begun, in natural order: 2 before 10.
        sweeps: every folder with a `multirun.yaml`.
        unreadable: folder -> why it cannot be looked into.
        links: none is followed.
    """

    runs: list[RunFolder]
    sweeps: list[Path]
    unreadable: dict[Path, str]
    links: list[Path]


def walk(root: Path) -> Walked:
    """Look through `root`, which may be a run itself."""
    runs: list[RunFolder] = []
    sweeps: list[Path] = []
    links: list[Path] = []
    failed: list[OSError] = []
    for folder, children, files in os.walk(root, onerror=failed.append):
        there = {*children, *files}
        if begun := bool(there & {".hydra", RESULTS}):
            runs.append(RunFolder(Path(folder)))
        if MULTIRUN in there:
            sweeps.append(Path(folder))
        closed = begun or "recipe.json" in files
        children[:] = [] if closed else [child for child in children if not child.startswith(".")]
        within = [os.path.join(folder, name) for name in (() if closed else (*children, *files))]
        links += map(Path, filter(os.path.islink, within))
    runs.sort(key=lambda run: natural_order(str(run.folder)))
    return Walked(runs, sweeps, {Path(each.filename): str(each.strerror) for each in failed}, links)


def find_runs(root: Path) -> list[RunFolder]:
    """The runs below `root`, dry runs among them."""
    return walk(root).runs


def key_of(override: str) -> str:
    """What an override sets, without ``+`` and package."""
    return re.split("[=@]", override.lstrip("+~"))[0]


def config_dirs(runtime: Mapping[str, Any]) -> list[str]:
    """The options by which the command line named folders of settings, relative to where it was typed."""
    sources = [each for each in runtime.get("config_sources", []) if each["provider"] == "command-line"]
    folders = [os.path.relpath(each["path"], runtime.get("cwd")) for each in sources]
    return [word for folder in folders for word in ("--config-dir", folder)]


def differing(runs: Sequence[RunFolder]) -> list[str]:
    """The coordinates in which the runs are not all alike, in the order of the first run's.

    Runs of which nothing is known are not like any other, and make no difference.
    """
    known = [run for run in runs if run.results or (run.config and run.choices)]
    names = dict.fromkeys(name for run in known for name in run.names)
    return [name for name in names if len({word(run.coordinate(name)) for run in known}) > 1]


def coordinate_word(run: RunFolder, name: str) -> str:
    """A coordinate as text; `MISSING` where the run has no such thing."""
    value = run.coordinate(name)
    return MISSING if value is None else word(value)


def word(value: Any) -> str:
    """A coordinate as text, the same for 0 and 0.0; true and false as in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
