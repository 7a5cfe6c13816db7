"""How far one may move from an inverted latent before the decoded image leaves its domain (claim C6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ood_diffusion.domains.base import Domain
from ood_diffusion.domains.source import Source
from ood_diffusion.figures import Figure
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.optional import optional
from ood_diffusion.report.figures import save
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.report.results import Results
from ood_diffusion.runs.feasible import check_learners
from ood_diffusion.runs.images import at_most, first
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.source import Recipe
from ood_diffusion.stages.features import features_of
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.bandwidth.band import (
    bandwidth_difference,
    bandwidth_interval,
    eta_bands,
    start,
)
from ood_diffusion.study.bandwidth.plots import band_plot, curves_plot, eta_plot
from ood_diffusion.study.bandwidth.recommend import (
    check_recommendation,
    fids_at,
    level_score,
    recommend_level,
)
from ood_diffusion.study.bandwidth.section import (
    BandwidthSection,
    Checked,
    Comparison,
    Equal,
    Level,
    Real,
    Training,
)
from ood_diffusion.study.bandwidth.settings import BandwidthSettings
from ood_diffusion.study.bandwidth.verdict import wider
from ood_diffusion.study.bandwidth.walk import (
    Walk,
    domain_features,
    real_images,
    require_domain_images,
    walk,
)

CURVES, BANDS, MOVED, ETAS = (
    "bandwidth_curves.svg",
    "bandwidth_levels.svg",
    "bandwidth_moved.png",
    "bandwidth_eta.svg",
)
SELECTING = {"seed", "limit", "device", "image_size"}
"""Settings that choose pictures of a domain, or how to show them, and make no other domain of it."""


@dataclass(frozen=True)
class Bandwidth(BandwidthSettings, Stage):
    """The band at every level, the level that it recommends, and the band of the training domain's images."""

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "states", "features"})
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            "bandwidth/gap/value",
            "gap",
            label="domain gap",
            says="FID between the unseen domain and the training domain",
            interval="bandwidth/gap",
            surfaces=frozenset({"report", "dashboard"}),
        ),
        Figure(
            "bandwidth/comparison/unseen/value",
            "bandwidth",
            unit="degrees",
            says="angle of a turned latent at which half of the images have left the domain",
            interval="bandwidth/comparison/unseen",
            surfaces=frozenset({"report", "dashboard"}),
        ),
    )

    def __call__(self, run: Run, earlier: Results) -> dict[str, BandwidthSection]:
        """The figures, and the checks of C6 and auto. Held-out images are touched by `check_levels` only."""
        domain, own = domain_features(run, self)
        unseen = first(run.references, self.n_images)
        real = real_images(run, unseen, domain, self)
        walks = {
            float(level): walk(run.at(level=level, eta=0.0, subset=unseen), self, domain)
            for level in self.levels
        }
        levels = [summary(level, found, self, run.settings.seed, real) for level, found in walks.items()]
        recommended = recommend_level(levels)

        at = nearest_level(run, self.levels, recommended)
        training = first(run.training_references, self.n_images)
        here = run.at(level=at, eta=0.0)
        beside = walk(here.at(subset=training), self, own)
        own_real = real_images(run, training, own, self)
        own_level = summary(at, beside, self, run.settings.seed, own_real)
        angles = np.array(self.angles, dtype=np.float64)
        gap = fid_interval(
            *(features_of(run, run.pictures, x) for x in (run.references, run.training_references))
        )
        both = (walks[at].turned, beside.turned)
        difference = bandwidth_difference(angles, *both, run.settings.seed)
        band = next(each.bandwidth for each in levels if each.level == at)
        at_rest, endless = (start(both[0]), start(both[1])), (band.censored, own_level.bandwidth.censored)
        checks = [wider(difference, at_rest, endless, self.least_inside, at, "degrees", BANDS)]
        equal = Equal(
            model=run.model.digest(),
            level=at,
            extractor=run.extractor.name,
            training_images=fingerprint(list(run.training_references)),
            images=[gap.n, len(unseen), len(domain)],
            nearest_k=self.nearest_k,
            angles=list(self.angles),
        )
        eta, checked, floor = None, None, None
        if len(self.etas) and run.solver.stochastic:
            eta, at_rest = eta_bands(here, unseen, training, self)
            endless = (eta.unseen.censored, eta.training.censored)
            checks.append(wider(eta.difference, at_rest, endless, self.least_inside, at, "eta", ETAS))
            with optional(f"draw {ETAS}"):
                save(run.workspace.folder / ETAS, eta_plot(eta))
        if self.check_levels:
            fids, floor = fids_at(run, sorted({*map(float, self.check_levels), recommended}))
            checks += check_recommendation(run, fids, floor, levels, recommended, self.max_regret)
            checked = [Checked(level, fid) for level, fid in fids.items()]
        rows = run.view(torch.cat([each.images[0] for each in walks.values()]))
        with optional("draw the plots of bandwidth"):
            save(run.workspace.folder / CURVES, curves_plot(levels, [own_level], real.inside))
            save(run.workspace.folder / BANDS, band_plot(levels, [own_level]))
            atomic_write(run.workspace.folder / MOVED, png_bytes(grid(rows, walks[at].inside.shape[1])))
        section = BandwidthSection(
            domain=domain_identity(run.domain),
            gap=gap,
            real=real,
            levels=levels,
            training=Training(own_real, [own_level]),
            comparison=Comparison(equal, band, own_level.bandwidth, difference),
            recommended=recommended,
            eta=eta,
            checked=checked,
            floor=floor,
            checks=checks,
        )
        return {"bandwidth": section}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless each domain has images to move and others to say what is inside."""
        training = at_most(run.training_domain, "references", run.settings.n_training)
        require_domain_images(min(run.settings.n_references, training), self)
        if self.check_levels:
            check_learners(run)

    def further_levels(self, run: Run) -> Sequence[float]:
        """Those measured and those checked."""
        return [*self.levels, *self.check_levels]


def summary(level: float, found: Walk, settings: BandwidthSettings, seed: int, real: Real) -> Level:
    """The figures of one level."""
    angles, half_way = np.array(settings.angles, dtype=np.float64), found.half_way()
    return Level(
        level=float(level),
        bandwidth=bandwidth_interval(angles, found.turned, seed),
        curve=found.curve(),
        towards=found.curve_towards(),
        half_way=half_way,
        score=level_score(half_way, real),
    )


def nearest_level(run: Run, levels: Sequence[float], recommended: float) -> float:
    """The measured level that is nearest to the run's own; with level=auto the recommended one."""
    wanted = run.settings.level
    return (
        recommended if isinstance(wanted, str) else float(min(levels, key=lambda level: abs(level - wanted)))
    )


def domain_identity(domain: Domain) -> str:
    """Hash what makes a domain another one than others: its type, place and settings, but no seed or limit.

    So that runs on other pictures of one domain are known as such. Paths count as they are: a copy of a
    folder is another domain.

    Returns:
        16 hexadecimal digits.
    """
    return fingerprint(_traits(domain))


def _traits(part: Domain | Source[Any]) -> Recipe:
    recipe = getattr(part, "recipe", None)  # of what a model draws: its weights and trajectory
    settings = recipe if isinstance(recipe, Mapping) else vars(part)
    traits: Recipe = {"type": type(part).__name__}
    for name, value in settings.items():
        if name in SELECTING or name.startswith("_"):
            continue
        if isinstance(value, Domain | Source):
            traits[name] = _traits(value)
        elif isinstance(value, Path | str | int | float | Mapping) or name == "classes":
            traits[name] = str(value)
    return traits
