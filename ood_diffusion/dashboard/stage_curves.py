"""The curves that one run measures by itself, in its stages `few_shot`, `bandwidth` and `interference`."""

from collections.abc import Iterable, Mapping
from typing import Any

from ood_diffusion.claims.leaderboard import figure
from ood_diffusion.dashboard.figures import bounds

Points = list[list[float]]
"""Each ``[x, value]`` or ``[x, value, low, high]``."""


def stage_curves(results: Mapping[str, Any]) -> dict[str, Points]:
    """Name of a chart -> points of this run; one point, or none, is no curve and left out."""
    levels = figure(results, "bandwidth/levels") or []
    recommended = figure(results, "bandwidth/recommended")
    band = [point for each in levels if each["level"] == recommended for point in each["curve"]]
    found = {
        "few_shot": points(figure(results, "few_shot/curve"), "n_references", "fid"),
        "bandwidth": points(levels, "level", "bandwidth"),
        "inside": points(band, "angle", "interval"),
        "capture": points(figure(results, "interference/etas"), "eta", "capture"),
    }
    return {name: curve for name, curve in found.items() if len({x for x, *_ in curve}) > 1}


def points(curve: Iterable[Mapping[str, Any]] | None, x: str, y: str) -> Points:
    """Those of a curve in the results whose value is known."""
    return [[each[x], *bounds(each.get(y))] for each in curve or () if bounds(each.get(y))]
