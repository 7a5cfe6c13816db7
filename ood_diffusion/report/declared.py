"""Which figures the results of runs hold, for each surface: the only way from results to a surface."""

from collections.abc import Iterable, Mapping
from typing import Any

from ood_diffusion.figures import Figure, Surface, read_figures
from ood_diffusion.report.older import completed


def whole(results: Mapping[str, Any]) -> Mapping[str, Any]:
    """Results with their figures declared, whichever version of the package wrote them."""
    return results if "figures" in results or not results else completed(results)


def figures_of(results: Mapping[str, Any], surface: Surface | None = None) -> list[Figure]:
    """The figures that a run declared, of one surface or all, in their order; measured or not."""
    found = read_figures(whole(results).get("figures", ()))
    return [each for each in found if surface is None or surface in each.surfaces]


def columns(runs: Iterable[Mapping[str, Any]], surface: Surface) -> dict[str, Figure]:
    """Name -> figure, of all that any run declared for a surface, in the order in which they first appear."""
    found: dict[str, Figure] = {}
    for results in runs:
        for each in figures_of(results, surface):
            found.setdefault(each.name, each)
    return found


def known(results: Mapping[str, Any], surface: Surface) -> dict[str, Figure]:
    """Name -> figure, of those for a surface that the run has measured: of one name the first."""
    results = whole(results)
    found: dict[str, Figure] = {}
    for each in figures_of(results, surface):
        if each.value(results) is not None:
            found.setdefault(each.name, each)
    return found


def measured(results: Mapping[str, Any], surface: Surface) -> dict[str, list[float]]:
    """Name -> value, with the ends of its interval where they are known; figures not measured left out."""
    results = whole(results)
    return {name: each.bounds(results) for name, each in known(results, surface).items()}
