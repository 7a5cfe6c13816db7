"""The domain gap of a place: a cell measures it, and it is true of all cells there."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ood_diffusion.claims.leaderboard import figure
from ood_diffusion.dashboard.figures import GAPS, Bounded, bounds
from ood_diffusion.report.collect.cells import CellFolder, coordinate_word

PLACE = ("model", "domain", "extractor")


def gaps(cells: Sequence[CellFolder]) -> list[tuple[str, Bounded]]:
    """Of each cell where in results its place's gap comes from, and the gap; empty where none was measured.

    At a place there is one kind, the first of `GAPS` that any cell there has: they are FIDs of different
    images. A cell that measured that kind has its own gap. FID falls as images become more, so that the
    others have the gap from the most images; of several, the mean.
    """
    places = [place(cell) for cell in cells]
    found: dict[tuple[str, ...], tuple[str, Bounded]] = {}
    for key in dict.fromkeys(places):
        there = [cell.results for cell, its in zip(cells, places, strict=True) if its == key]
        known = ((path, from_most([figure(results, path) for results in there])) for path in GAPS)
        found[key] = next(((path, gap) for path, gap in known if gap), ("", []))
    kinds = [found[key] for key in places]
    return [
        (path, bounds(figure(cell.results, path)) or gap)
        for cell, (path, gap) in zip(cells, kinds, strict=True)
    ]


def from_most(measured: Sequence[Mapping[str, Any] | None]) -> Bounded:
    """The mean of those from the most images, ends too; empty if none has an interval."""
    known = [gap for gap in measured if gap and len(bounds(gap)) == 3]
    most = max((gap["n"] for gap in known), default=0)
    return [fmean(ends) for ends in zip(*(bounds(gap) for gap in known if gap["n"] == most), strict=True)]


def place(cell: CellFolder) -> tuple[str, ...]:
    """What a domain gap belongs to: model, domain and features, with what was set inside them by hand.

    Domains of one name may be different folders of images.
    """
    inside = sorted(name for name in cell.overridden if name.partition(".")[0] in PLACE and "." in name)
    return (*(f"{name}={coordinate_word(cell, name)}" for name in (*PLACE, *inside)),)
