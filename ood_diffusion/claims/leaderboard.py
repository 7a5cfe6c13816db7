"""Which way to propose latents is best? Runs, averaged over seeds and ranked by FID."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, cast

from ood_diffusion.claims.combined import minus
from ood_diffusion.figures import Figure, at, number_at
from ood_diffusion.report.collect.run_folder import RunFolder, coordinate_word, word
from ood_diffusion.report.declared import columns, figures_of, known, whole
from ood_diffusion.report.leaderboard_table import RANKED, Standing, best_new
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


@dataclass(frozen=True)
class Run:
    """One run that can be ranked.

    Args:
        board: model and domain.
        way: values of `WAY`, then of every coordinate in which any runs differ, by name.
        seed: of its draws.
        fid: with its interval over images.
        figures: by their names, those that are known.
        intervals: of those that have one.
        yardstick: FID of the references.
    """

    board: tuple[str, str]
    way: Mapping[str, str]
    seed: Any
    fid: Estimate
    figures: Mapping[str, float]
    intervals: Mapping[str, Estimate]
    yardstick: float | None


def leaderboards(runs: Sequence[RunFolder]) -> dict[tuple[str, str], list[Standing]]:
    """(model, domain) -> standings, the lowest FID first; of runs alike in all, the last counts."""
    able = [run for run in runs if can_be_ranked(run)]
    names = coordinates(able)
    boards: dict[tuple[str, str], dict[tuple[str, ...], dict[Any, Run]]] = {}
    for run in (read(each, names) for each in able):
        ways = boards.setdefault(run.board, {})
        ways.setdefault(tuple(run.way.values()), {})[run.seed] = run
    return {
        board: ranked([standing(list(seeds.values())) for seeds in ways.values()])
        for board, ways in boards.items()
    }


def can_be_ranked(run: RunFolder) -> bool:
    """Whether its files can be read, its last attempt did not fail, and its samples' FID has an interval."""
    return not run.damage and not run.error and RANKED in estimates(run.results)


def heads(runs: Sequence[RunFolder]) -> dict[str, Figure]:
    """Name -> figure, for every column that the runs have beside that by which they are ranked."""
    found = columns((run.results for run in runs if can_be_ranked(run)), "leaderboard")
    return {name: each for name, each in found.items() if name != RANKED}


def coordinates(runs: Sequence[RunFolder]) -> list[str]:
    """Names in which the runs are not all alike, beside model, domain, `WAY` and seed."""
    by_hand = [name for run in runs for name in run.overridden if name.partition(".")[0] in PARTS]
    wanted = dict.fromkeys([*KNOBS, *(name for name in by_hand if "." in name)])
    return [name for name in wanted if len({word(run.coordinate(name)) for run in runs}) > 1]


def read(run: RunFolder, names: Sequence[str]) -> Run:
    """A run's coordinates and figures."""
    results = whole(run.results)
    unused = at(results, "metrics/making/uses_prior") is False
    way = {name: coordinate_word(run, name) for name in (*WAY, *names)}
    hidden = [name for name in way if unused and name.partition(".")[0] == "prior"]
    found, intervals = known(results, "leaderboard"), estimates(results)
    real = (each.value(results) for each in figures_of(results) if each.name == f"{RANKED}_of_references")
    return Run(
        board=(str(run.coordinate("model")), str(run.coordinate("domain"))),
        way={**way, **dict.fromkeys(hidden, MISSING)},
        seed=run.coordinate("seed"),
        fid=intervals.pop(RANKED),
        figures={name: cast(float, each.value(results)) for name, each in found.items() if name != RANKED},
        intervals=intervals,
        yardstick=next(real, None),
    )


def estimates(results: Mapping[str, Any]) -> dict[str, Estimate]:
    """Name -> estimate, for the leaderboard's figures of which both ends and the observations are known."""
    results = whole(results)
    found: dict[str, Estimate] = {}
    for each in figures_of(results, "leaderboard"):
        bounds, n = each.bounds(results), number_at(results, f"{each.interval}/n")
        if len(bounds) == 3 and n is not None:
            value, low, high = bounds
            found.setdefault(each.name, Estimate(value, low, high, int(n)))
    return found


def standing(runs: Sequence[Run]) -> Standing:
    """One way's runs of different seeds; it is not ranked yet."""
    fid = interval_over_seeds([run.fid.value for run in runs], [run.fid for run in runs])
    way = dict(runs[0].way)
    prior, sampler, selection = (way.pop(name) for name in WAY)
    figures = {
        name: fmean(run.figures[name] for run in runs if name in run.figures)
        for name in dict.fromkeys(name for run in runs for name in run.figures)
    }
    each_run = [run.intervals for run in runs]
    intervals = {
        name: interval_over_seeds([run[name].value for run in each_run], [run[name] for run in each_run])
        for name in each_run[0]
        if all(name in run for run in each_run)
    }
    real = [run.yardstick for run in runs if run.yardstick is not None]
    yardstick = fmean(real) if real else None
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
