"""Which way to propose latents is best? Runs, averaged over seeds and ranked by FID."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ood_diffusion.claims.combined import minus
from ood_diffusion.report.collect.cells import CellFolder, coordinate_word, word
from ood_diffusion.report.leaderboard_table import FIGURES, Standing, best_new
from ood_diffusion.report.wording import MISSING
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import interval_over_seeds

WAY = ("prior", "sampler", "selection")
KNOBS = (
    "solver",
    "grid",
    "extractor",
    "eta",
    "steps",
    "level",
    "n_references",
    "n_held_out",
    "n_samples",
    "precision",
)
"""What else changes the images or their judgement; where runs differ in it, they have rows of their own."""
PARTS = ("model", "domain", "solver", "grid", "extractor", *WAY)
"""Groups whose settings, where they were set by hand, do so too."""
PATHS = {
    **{
        name: f"metrics/sets/samples/{name}" for name in ("kid", "precision", "recall", "density", "coverage")
    },
    "novelty": "metrics/novelty/ratio",
    "copies": "metrics/novelty/copies",
    "capture": "interference/own/capture/value",
}
"""Figures that are in the results as they are."""
FID = "metrics/intervals/samples/fid"
INTERVALS = {
    **{name: f"metrics/intervals/samples/{name}" for name in ("kid", "precision", "recall")},
    "copies": "interference/own/copies",
    "capture": "interference/own/capture",
}
"""Where the intervals of those lie that have one."""


@dataclass(frozen=True)
class Run:
    """One cell that can be ranked.

    Args:
        board: model and domain.
        way: values of `WAY`, then of every coordinate in which any runs differ, by name.
        seed: of its draws.
        fid: with its interval over images.
        figures: by the names in `FIGURES`.
        intervals: of those in `INTERVALS` that are known.
        yardstick: FID of the references.
    """

    board: tuple[str, str]
    way: Mapping[str, str]
    seed: Any
    fid: Estimate
    figures: Mapping[str, float | None]
    intervals: Mapping[str, Estimate]
    yardstick: float | None


def leaderboards(cells: Sequence[CellFolder]) -> dict[tuple[str, str], list[Standing]]:
    """(model, domain) -> standings, the lowest FID first; of runs alike in all, the last counts."""
    able = [cell for cell in cells if can_be_ranked(cell)]
    names = coordinates(able)
    boards: dict[tuple[str, str], dict[tuple[str, ...], dict[Any, Run]]] = {}
    for run in (read(cell, names) for cell in able):
        ways = boards.setdefault(run.board, {})
        ways.setdefault(tuple(run.way.values()), {})[run.seed] = run
    return {
        board: ranked([standing(list(seeds.values())) for seeds in ways.values()])
        for board, ways in boards.items()
    }


def can_be_ranked(cell: CellFolder) -> bool:
    """Whether its files can be read, its last attempt did not fail, and its samples' FID has an interval."""
    return not cell.damage and not cell.error and interval_at(cell.results, FID) is not None


def coordinates(cells: Sequence[CellFolder]) -> list[str]:
    """Names in which the runs are not all alike, beside model, domain, `WAY` and seed."""
    by_hand = [name for cell in cells for name in cell.overridden if name.partition(".")[0] in PARTS]
    wanted = dict.fromkeys([*KNOBS, *(name for name in by_hand if "." in name)])
    return [name for name in wanted if len({word(cell.coordinate(name)) for cell in cells}) > 1]


def read(cell: CellFolder, names: Sequence[str]) -> Run:
    """A cell's coordinates and figures."""
    results = cell.results
    unused = figure(results, "metrics/making/uses_prior") is False
    way = {name: coordinate_word(cell, name) for name in (*WAY, *names)}
    hidden = [name for name in way if unused and name.partition(".")[0] == "prior"]
    figures = {name: figure(results, path) for name, path in PATHS.items()}
    figures |= {"acceptance": acceptance(results), "cost": cost(results)}
    return Run(
        board=(str(cell.coordinate("model")), str(cell.coordinate("domain"))),
        way={**way, **dict.fromkeys(hidden, MISSING)},
        seed=cell.coordinate("seed"),
        fid=cast(Estimate, interval_at(results, FID)),
        figures={name: figures[name] for name in FIGURES},
        intervals={
            name: found
            for name, path in INTERVALS.items()
            if (found := interval_at(results, path)) is not None
        },
        yardstick=figure(results, "metrics/sets/references/fid"),
    )


def interval_at(results: Mapping[str, Any], path: str) -> Estimate | None:
    """The estimate at a path; None where there is none, or an end is not known."""
    found = [figure(results, f"{path}/{key}") for key in ("value", "low", "high", "n")]
    return None if None in found else Estimate(*found)


def standing(runs: Sequence[Run]) -> Standing:
    """One way's runs of different seeds; it is not ranked yet."""
    fid = interval_over_seeds([run.fid.value for run in runs], [run.fid for run in runs])
    way = dict(runs[0].way)
    prior, sampler, selection = (way.pop(name) for name in WAY)
    figures = {name: mean(run.figures[name] for run in runs) for name in FIGURES}
    known = [run.intervals for run in runs]
    intervals = {
        name: interval_over_seeds([run[name].value for run in known], [run[name] for run in known])
        for name in INTERVALS
        if all(name in run for run in known)
    }
    yardstick = mean(run.yardstick for run in runs)
    return Standing(0, False, prior, sampler, selection, way, len(runs), fid, figures, intervals, yardstick)


def ranked(standings: Sequence[Standing]) -> list[Standing]:
    """By FID; tied are those that are not surely worse than `best_new`, by the interval of the difference."""
    ordered = sorted(standings, key=lambda each: each.fid.value)
    best = estimate(best_new(ordered))
    return [
        replace(each, rank=rank, tied=minus(estimate(each), best).low <= 0)
        for rank, each in enumerate(ordered, start=1)
    ]


def estimate(found: Standing) -> Estimate:
    """A way's FID with its interval."""
    return Estimate(found.fid.value, found.fid.low, found.fid.high, found.seeds)


def acceptance(results: Mapping[str, Any]) -> float | None:
    """Share of proposals kept."""
    proposed, accepted = (figure(results, f"sample/{name}") for name in ("proposed", "accepted"))
    return float(accepted / proposed) if proposed and accepted is not None else None


def cost(results: Mapping[str, Any]) -> float | None:
    """Network calls per new image: its denoising and its share of the inversions, whatever the store held.

    A rejected proposal is a latent that is never denoised, and costs none.
    """
    per_reference = figure(results, "metrics/making/calls_per_reference")
    per_sample = figure(results, "metrics/making/calls_per_sample")
    references, samples = (figure(results, f"cell/{name}") for name in ("n_references", "n_samples"))
    if per_reference is None or per_sample is None or references is None or not samples:
        return None
    return float(per_sample + per_reference * references / samples)


def figure(results: Mapping[str, Any], path: str) -> Any:
    """What lies at a path of keys; None where there is nothing."""
    found: Any = results
    for key in path.split("/"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def mean(values: Iterator[float | None]) -> float | None:
    """Of those that are known; None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
