"""How many cells a sweep has, from what Hydra wrote when it began."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypedDict

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ood_diffusion.checks import Json
from ood_diffusion.report.collect.cells import Overrides, Runtime, Unreadable, parse_yaml, read

BASIC = "basic"
"""Hydra's sweeper that takes every combination; how many cells another makes cannot be known beforehand."""


class Sweeper(TypedDict, total=False):
    """What every sweep of it has."""

    params: Json | None


class Sweep(TypedDict):
    """How its cells are made."""

    runtime: Runtime
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
    hydra = found["hydra"]
    if hydra["runtime"]["choices"].get("hydra/sweeper") != BASIC:
        return None
    task, params = hydra["overrides"]["task"], hydra["sweeper"].get("params") or {}
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
