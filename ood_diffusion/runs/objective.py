"""`objective`: the figures that a run returns to its sweep, which compares runs by them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ood_diffusion.checks import require
from ood_diffusion.figures import Figure, require_one_meaning
from ood_diffusion.report.collect.run_folder import RunFolder
from ood_diffusion.report.declared import figures_of
from ood_diffusion.runs.outcome import RunFailure

if TYPE_CHECKING:
    from ood_diffusion.runs.run import Run

COST = (
    Figure("cost/network_calls/*", "network_calls", better="lower", surfaces=frozenset()),
    Figure("cost/seconds/*", "seconds", better="lower", surfaces=frozenset()),
    Figure("cost/images_per_second/*", "images_per_second", better="higher", surfaces=frozenset()),
    Figure("cost/peak_memory_mib", better="lower", unit="MiB", surfaces=frozenset()),
    Figure("cost/peak_gpu_memory_mib", better="lower", unit="MiB", surfaces=frozenset()),
)
"""What every run measures."""


def declared(run: "Run") -> list[Figure]:
    """The figures of a run's stages; the metrics, which compare runs, first.

    Raises:
        UserError: if two of them have one name and are not the same.
    """
    found = [figure for stage in run.stages.values() for figure in stage.declared(run)]
    found.sort(key=lambda figure: not figure.path.startswith("metrics/"))
    require_one_meaning(found := [*found, *COST])
    return found


def names_of(setting: Any) -> list[str]:
    """The names in the setting `objective`; `UserError` unless it is null, a name or a list of names."""
    names = [] if setting is None else [setting] if isinstance(setting, str) else setting
    fits = isinstance(names, Sequence) and all(name and isinstance(name, str) for name in names)
    remedy = "Try objective=fid_minus_twin."
    require(fits and len(set(names)) == len(names), "objective must be the names of figures", setting, remedy)
    return list(names)


def chosen(setting: Any, figures: Sequence[Figure]) -> list[Figure]:
    """For every name in the setting `objective` the figure that tells its path and direction.

    Args:
        setting: figures' names, or their paths in `results.json`, with / or dots.
        figures: of the run.

    Raises:
        UserError: for a name that none of them has, or one of which no direction is better.
    """
    return [meant(name, figures)[0] for name in names_of(setting)]


def meant(name: str, figures: Sequence[Figure]) -> list[Figure]:
    """The figures of one name, at least one: a run's is the first that it has measured."""
    path = name.replace(".", "/")
    by_path = (replace(each, path=path) for each in figures if fnmatchcase(path, each.path))
    found = [each for each in figures if each.name == name] or [*by_path]
    directed = [each for each in figures if each.better != "neither" and "*" not in each.path]
    names = [each.name for each in directed] + [each.path for each in directed]
    close = get_close_matches(path, dict.fromkeys(names), n=3, cutoff=0.5) or [each.name for each in directed]
    require(
        bool(found) and found[0].better != "neither" and "*" not in found[0].path,
        "objective must name figures that the stages of the run measure and of which less or more is better",
        name,
        f"Did you mean {', '.join(dict.fromkeys(close))}?" if close else "Add evaluate to stages.",
    )
    return found


def returned(setting: Any, folder: Path) -> float | tuple[float, ...] | None:
    """What the run that has ended in `folder` returns: its objective, one number or several, or None.

    Raises:
        RunFailure: for a figure that it has not measured.
    """
    names, results = names_of(setting), RunFolder(folder).results
    values = [value_in(results, meant(name, figures_of(results))) for name in names]
    for name, value in zip(names, values, strict=True):
        if value is None:
            raise RunFailure(f"the run has no objective: its results hold no finite number for {name}.")
    known = tuple(float(value) for value in values if value is not None)
    return known[0] if len(known) == 1 else known or None


def value_in(results: Mapping[str, Any], figures: Iterable[Figure]) -> float | None:
    """The first of the figures that was measured."""
    return next((value for each in figures if (value := each.value(results)) is not None), None)
