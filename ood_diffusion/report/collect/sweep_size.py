"""Which runs a sweep has, from what was written when it began."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ood_diffusion.checks import Json
from ood_diffusion.report.collect.run_files import Overrides, Runtime, Unreadable, parse_yaml, read
from ood_diffusion.report.collect.run_folder import WITHOUT_EFFECT, key_of

EVERY = ("grid", "basic")
"""Sweepers, ours and Hydra's, that take every combination; what another does cannot be known beforehand."""


class Sweeper(TypedDict, total=False):
    """What every sweep of it has."""

    params: Json | None


class Sweep(TypedDict):
    """How its runs are made."""

    runtime: Runtime
    sweeper: Sweeper
    overrides: Overrides


class SweepFile(TypedDict):
    """`multirun.yaml`, as far as it is read; `store` is its end."""

    hydra: Sweep
    store: Any


def runs_of_sweep(path: Path) -> list[list[str]] | None:
    """The overrides of each run of the sweep whose `multirun.yaml` this is.

    Returns:
        None for a dry run, and where the file does not say (another sweeper, ``glob(…)``).

    Raises:
        Unreadable: if the file is damaged.
    """
    found = parse_yaml(read(path) or b"", SweepFile)
    if not found:
        raise Unreadable("it is empty")
    hydra = found["hydra"]
    if hydra["runtime"]["choices"].get("hydra/sweeper") not in EVERY:
        return None
    task, params = hydra["overrides"]["task"], hydra["sweeper"].get("params") or {}
    try:
        runs = combinations([f"{key}={value}" for key, value in params.items()] + task)
    except HydraException:
        return None
    return None if any("dry_run=true" in run for run in runs) else runs


def combinations(overrides: Iterable[str], loader: Any = None) -> list[list[str]]:
    """Every combination of the values that these overrides ask for; a later one replaces one of the same key.

    Args:
        overrides: as on a command line.
        loader: of Hydra's settings, for ``glob(…)``.

    Raises:
        HydraException: for an override that cannot be read, and for a sweep that has no list of values.
    """
    asked: dict[str, list[str]] = {}
    for each in OverridesParser.create(config_loader=loader).parse_overrides(list(overrides)):
        key = each.get_key_element()
        if each.is_sweep_override():
            if not each.is_discrete_sweep():
                raise HydraException(f"a grid takes lists of values, but got {each.input_line}.")
            asked[key] = [f"{key}={value}" for value in each.sweep_string_iterator()]
        else:
            whole = each.is_delete() and each.value() is None
            asked[key] = [str(each.input_line) if whole else f"{key}={each.get_value_element_as_str()}"]
    return [list(run) for run in itertools.product(*asked.values())]


def recipes(runs: Iterable[Sequence[str]], space: Sequence[Sequence[str]]) -> list[frozenset[str]]:
    """What makes each run of a sweep the run it is: its overrides, but not those `WITHOUT_EFFECT`.

    Args:
        runs: overrides of each.
        space: of every run that the sweep asks for; what it varies belongs to the recipe in any case.
    """
    fixed = set.intersection(*map(set, space)) if space else set()
    varied = {key_of(each) for run in space for each in run if each not in fixed}
    keys = [[(each, key_of(each)) for each in run] for run in runs]
    return [
        frozenset(o for o, key in run if key in varied or key.split(".")[0] not in WITHOUT_EFFECT)
        for run in keys
    ]
