"""How many cells a sweep has, from what Hydra wrote when it began."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypedDict

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ood_diffusion.report.collect.cells import Overrides, Unreadable, parse_yaml, read

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""The sweeper that takes every combination; how many cells another one makes cannot be known beforehand."""


class Sweeper(TypedDict, total=False):
    """Which one, and what every sweep of it has."""

    _target_: str
    params: dict[str, Any] | None


class Sweep(TypedDict):
    """How its cells are made."""

    sweeper: Sweeper
    overrides: Overrides


class SweepFile(TypedDict):
    """`multirun.yaml`, as far as it is read; `store` is its end."""

    hydra: Sweep
    store: Any


def cells_of_sweep(path: Path) -> int | None:
    """The number of cells of the sweep whose `multirun.yaml` this is.

    Returns:
        None for a dry run, and where the number is not in the file (another sweeper, ``glob(…)``).

    Raises:
        Unreadable: if the file is damaged.
    """
    found = parse_yaml(read(path) or b"", SweepFile)
    if not found:
        raise Unreadable("it is empty")
    sweeper, task = found["hydra"]["sweeper"], found["hydra"]["overrides"]["task"]
    if sweeper.get("_target_") != BASIC:
        return None
    params = sweeper.get("params") or {}
    try:
        return combinations([f"{key}={value}" for key, value in params.items()] + task)
    except HydraException:
        return None


def combinations(overrides: Iterable[str]) -> int | None:
    """How many combinations of values these overrides ask for; a later one replaces one of the same key.

    Returns:
        None if they ask for a dry run.

    Raises:
        HydraException: for an override that cannot be read, or a sweep over ``glob(…)``.
    """
    counts: dict[str, int] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.key_or_group == "dry_run" and override.value():
            return None
        counts[override.get_key_element()] = (
            len(list(override.sweep_string_iterator())) if override.is_sweep_override() else 1
        )
    return math.prod(counts.values())
