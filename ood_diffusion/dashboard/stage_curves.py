"""The curves that one run measures by itself, in its stages `few_shot`, `bandwidth` and `interference`."""

from collections.abc import Iterable, Mapping
from typing import Any

from ood_diffusion.figures import Figure, at

Points = list[list[float]]
"""Each ``[x, value]`` or ``[x, value, low, high]``."""


def stage_curves(results: Mapping[str, Any]) -> dict[str, Points]:
    """Name of a chart -> points of this run; one point, or none, is no curve and left out."""
    levels = at(results, "bandwidth/levels") or []
    recommended = at(results, "bandwidth/recommended")
    band = [point for each in levels if each["level"] == recommended for point in each["curve"]]
    found = {
        "few_shot": points(at(results, "few_shot/curve"), "n_references", "fid"),
        "bandwidth": points(levels, "level", "bandwidth"),
        "inside": points(band, "angle", "interval"),
        "capture": points(at(results, "interference/etas"), "eta", "capture"),
    }
    return {name: curve for name, curve in found.items() if len({x for x, *_ in curve}) > 1}


def points(curve: Iterable[Mapping[str, Any]] | None, x: str, y: str) -> Points:
    """Those of a curve in the results whose value is known."""
    told = Figure(f"{y}/value", interval=y)
    return [[each[x], *told.bounds(each)] for each in curve or () if told.bounds(each)]
