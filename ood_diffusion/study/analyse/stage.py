"""Does the model reconstruct unseen images, and where do their latents lie? Claims C1 to C4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.claims.check import Check
from ood_diffusion.diffusion.marginal import marginal
from ood_diffusion.lightning.trajectory import StatesInverter
from ood_diffusion.optional import optional
from ood_diffusion.report.results import Results
from ood_diffusion.runs.feasible import require_images
from ood_diffusion.runs.images import first
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.seeding import generator
from ood_diffusion.study.analyse.latents import Compared, Described, compared, described
from ood_diffusion.study.analyse.plots import PICTURES, draw_pictures
from ood_diffusion.study.analyse.round_trip import RoundTrips, domains, round_trips
from ood_diffusion.study.analyse.settings import FEWEST, AnalyseSettings
from ood_diffusion.study.analyse.verdict import (
    annulus,
    as_exact,
    distant,
    equilateral,
    gaussian,
    orthogonal,
    retrieved,
    separable,
)
from ood_diffusion.study.sdedit import states as clean_states


@dataclass(frozen=True)
class AnalyseSection:
    """What the stage adds to `results.json`: round trips, and latents at each level, ascending."""

    round_trip: RoundTrips
    latents: Sequence[Compared]
    checks: Sequence[Check]


@dataclass(frozen=True)
class Analyse(AnalyseSettings, Stage):
    """Round trips, then the statistics of latents at every level."""

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "states", "features"})

    def __call__(self, run: Run, earlier: Results) -> dict[str, AnalyseSection]:
        """The figures, and the checks of C1 to C4."""
        trips = round_trips(run, self)
        levels, states = trajectory_states(run, self)
        found = []
        for k, level in enumerate(levels):
            latents = {name: z[:, k] for name, z in states.items()}
            found.append(compared(level, latents, run.settings.seed, self.n_null))
        own = min(range(len(levels)), key=lambda k: abs(levels[k] - run.levels[-1]))
        decisive = list(dict.fromkeys((own, len(levels) - 1)))
        exact = {
            k: described(z, run.settings.seed, self.n_null)
            for k, z in zip(decisive, noised(run, self, [levels[k] for k in decisive]), strict=True)
        }
        checks = [*round_trip_checks(trips, self), *latent_checks(found, exact, self)]
        with optional("draw the pictures of analyse"):
            draw_pictures(run, trips, found, states, own)
        with_noise = [replace(each, noised=exact.get(k)) for k, each in enumerate(found)]
        return {"analyse": AnalyseSection(trips, with_noise, checks)}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless the trajectory to the top, its levels and images are there."""
        _ = top_of(run, self.steps).levels
        top, highest = run.model.schedule.timesteps, max(self.levels)
        require(highest <= top, f"stage.analyse.levels must be at most {top}", highest, "Choose lower ones.")
        require_images(run, "analyse", {"n_references": FEWEST, "n_training": FEWEST, "n_held_out": 2})


def top_of(run: Run, steps: int) -> Run:
    """The run whose trajectory leads to the top of the schedule, in the stage's own number of steps."""
    return run.at(level=float(run.model.schedule.timesteps), steps=steps, eta=0.0)


def trajectory_states(run: Run, settings: AnalyseSettings) -> tuple[list[float], dict[str, Tensor]]:
    """States on the way to the top of the schedule.

    Returns:
        The levels, ascending, and "unseen" and "training" -> float32 ``[n, levels, *state_shape]``, divided
        by `Schedule.spread`.
    """
    child = top_of(run, settings.steps)
    wanted = [*settings.levels, run.levels[-1], child.levels[-1]]
    states: dict[str, Tensor] = {}
    levels: list[float] = []
    for name, images in domains(run).items():
        levels, passed = states_of(child, first(images, settings.n_latents), wanted, f"levels, {name} domain")
        spreads = [run.model.schedule.spread(level) for level in levels]
        states[name] = torch.stack(
            [z / spread for z, spread in zip(passed.unbind(1), spreads, strict=True)], 1
        )
    return levels, states


def noised(run: Run, settings: AnalyseSettings, levels: Sequence[float]) -> list[Tensor]:
    """The images of the unseen domain whose latents are described, with exact noise on them instead.

    No network is called; each image has the same noise at all levels.

    Returns:
        float32 ``[n, *state_shape]`` for each of `levels`.
    """
    images = first(run.references, settings.n_latents)
    x0 = torch.cat([clean_states(run, [picture]) for picture in images.values()])

    def at(level: float) -> Tensor:
        streams = [generator(run.settings.seed, "analyse noised", digest) for digest in images]
        return marginal(x0, level, run.model.schedule, streams) / run.model.schedule.spread(level)

    return [at(level) for level in levels]


def round_trip_checks(trips: RoundTrips, settings: AnalyseSettings) -> list[Check]:
    """C1."""
    unseen, training, picture = trips.own["unseen"], trips.own["training"], PICTURES["round_trip"]
    return [
        retrieved(unseen.retrieved, trips.gallery, settings.min_retrieval, picture),
        as_exact(vars(unseen), vars(training), trips.snr_difference, settings.max_snr_loss, picture),
    ]


def latent_checks(
    found: Sequence[Compared], exact: Mapping[int, Described], settings: AnalyseSettings
) -> list[Check]:
    """C2 and C3 at the levels of `exact`, C4 at the first of them.

    Args:
        found: level by level.
        exact: number of the level nearest to the run's, then that of the top -> the same images of the unseen
            domain with exact noise.
        settings: the limits.
    """
    checks, own = [], next(iter(exact))
    for k, true_noise in exact.items():
        at, level = found[k], found[k].level
        tests, noise, training_tests = (x.gaussianity for x in (at.unseen, true_noise, at.training))
        picture = PICTURES["spectra" if k == own else "latents"]
        checks += [
            gaussian(tests, noise, training_tests, settings.bands, level, picture),
            separable(at.separability, at.trivial_separability, level, PICTURES["auc"]),
            distant(at.frechet, at.frechet_interval, level, PICTURES["components"]),
        ]
    unseen, training = found[own].unseen.isotropy, found[own].training.isotropy
    rules = {
        "norm_spread": (annulus, settings.max_norm_spread),
        "origin_angle": (orthogonal, settings.angle_band),
        "vertex_deviation": (equilateral, settings.max_vertex_deviation),
    }
    level, picture = found[own].level, PICTURES["angles"]
    checks += [
        rule(unseen[name], training[name], level, limit, picture) for name, (rule, limit) in rules.items()
    ]
    return checks


def states_of(
    run: Run, images: Mapping[str, str], wanted: Sequence[float], description: str
) -> tuple[list[float], Tensor]:
    """States of images of the store `pictures` at levels of the run's grid.

    Args:
        run: its level is where the trajectory ends.
        images: content digest -> picture id.
        wanted: levels; of the grid the nearest ones are taken, each once.
        description: shown beside the progress bar.

    Returns:
        The levels, ascending, and the states, float32 ``[len(images), levels, *state_shape]``.
    """
    grid = torch.tensor(run.levels, dtype=torch.float64)
    kept = sorted({int((grid[1:] - level).abs().argmin()) + 1 for level in wanted})
    levels = [run.levels[i] for i in kept]
    recipe = {**run.trajectory_recipe, "kept": [float(f"{t:.9g}") for t in levels]}
    store = run.workspace.stores.open("states", recipe, torch.float32)
    run.predict(
        store, run.pictures, images, StatesInverter(run.model, run.solver, run.levels, kept), description
    )
    return levels, store.read(list(images))
