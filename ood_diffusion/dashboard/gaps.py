"""The domain gap of a place: a run measures it, and it is true of all runs there."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ood_diffusion.figures import Figure, at
from ood_diffusion.report.collect.run_folder import RunFolder, coordinate_word
from ood_diffusion.report.declared import figures_of

Kind = tuple[Figure | None, list[float]]
"""A figure that measures the gap, and what it found."""
GAP = "gap"
PLACE = ("model", "domain", "extractor")


def gaps(runs: Sequence[RunFolder]) -> list[tuple[str, list[float]]]:
    """Of each run where in results its place's gap comes from, and the gap; empty where none was measured.

    Several stages measure it, by FIDs of different images. At a place there is one kind, the first that any
    run there has. A run that measured that kind has its own gap. FID falls as images become more, so that
    the others have the gap from the most images; of several, the mean.
    """
    places = [place(run) for run in runs]
    found: dict[tuple[str, ...], Kind] = {}
    for key in dict.fromkeys(places):
        there = [run.results for run, its in zip(runs, places, strict=True) if its == key]
        kinds = ((each, from_most(each, there)) for each in kinds_of(there))
        found[key] = next(((each, gap) for each, gap in kinds if gap), (None, []))
    return [
        ("", []) if kind is None else (kind.interval, kind.bounds(run.results) or gap)
        for run, (kind, gap) in zip(runs, (found[key] for key in places), strict=True)
    ]


def kinds_of(runs: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """The figures called `GAP` in the order of the stages, which runs with the most of them know best."""
    declared = [[each for each in figures_of(run, "dashboard") if each.name == GAP] for run in runs]
    return list(dict.fromkeys(each for some in sorted(declared, key=len, reverse=True) for each in some))


def from_most(kind: Figure, runs: Sequence[Mapping[str, Any]]) -> list[float]:
    """The mean of those from the most images, ends too; empty if none has an interval."""
    known = [(at(run, f"{kind.interval}/n"), ends) for run in runs if len(ends := kind.bounds(run)) == 3]
    most = max((n for n, _ in known), default=0)
    return [fmean(ends) for ends in zip(*(ends for n, ends in known if n == most), strict=True)]


def place(run: RunFolder) -> tuple[str, ...]:
    """What a domain gap belongs to: model, domain and features, with what was set inside them by hand.

    Domains of one name may be different folders of images.
    """
    inside = sorted(name for name in run.overridden if name.partition(".")[0] in PLACE and "." in name)
    return (*(f"{name}={coordinate_word(run, name)}" for name in (*PLACE, *inside)),)
