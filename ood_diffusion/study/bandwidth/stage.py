"""How far one may move from an inverted latent before the decoded image leaves its domain (claim C6)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.optional import optional
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.runs.cell import Cell
from ood_diffusion.stages.evaluate import features_of
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.bandwidth.check import check_recommendation, fids_at
from ood_diffusion.study.bandwidth.curve import bandwidth_difference, bandwidth_interval, censored, start
from ood_diffusion.study.bandwidth.eta import eta_bands
from ood_diffusion.study.bandwidth.images import (
    domain_identity,
    first,
    judges,
    real_images,
    require_judges,
)
from ood_diffusion.study.bandwidth.plots import band_plot, curves_plot, eta_plot
from ood_diffusion.study.bandwidth.recommend import level_score, recommend_level
from ood_diffusion.study.bandwidth.settings import BandwidthSettings as BandwidthSettings
from ood_diffusion.study.bandwidth.verdict import wider
from ood_diffusion.study.bandwidth.walk import Walk, walk

CURVES, BANDS, MOVED, ETAS = (
    "bandwidth_curves.svg",
    "bandwidth_levels.svg",
    "bandwidth_moved.png",
    "bandwidth_eta.svg",
)


def bandwidth(cell: Cell) -> None:
    """Measure the band at every level, recommend one, and compare with the training domain's images.

    Held-out images are touched by `check_levels` only.
    """
    settings: BandwidthSettings = cell.stage_settings["bandwidth"]
    domain, own = judges(cell, settings)
    unseen = first(cell.references, settings.n_images)
    real = real_images(cell, unseen, domain, settings)
    walks = {
        float(level): walk(cell.at(level=level, eta=0.0, subset=unseen), settings, domain)
        for level in settings.levels
    }
    levels = [summary(level, found, settings, cell.settings.seed, real) for level, found in walks.items()]
    recommended = recommend_level(levels)

    at = nearest_level(cell, settings.levels, recommended)
    training = first(cell.training_references, settings.n_images)
    here = cell.at(level=at, eta=0.0)
    beside = walk(here.at(subset=training), settings, own)
    own_real = real_images(cell, training, own, settings)
    own_level = summary(at, beside, settings, cell.settings.seed, own_real)
    angles = np.array(settings.angles, dtype=np.float64)
    gap = fid_interval(
        *(features_of(cell, cell.pictures, x) for x in (cell.references, cell.training_references))
    )
    both = (walks[at].turned, beside.turned)
    difference = bandwidth_difference(angles, *both, cell.settings.seed)
    at_rest, endless = (start(both[0]), start(both[1])), (censored(both[0]), censored(both[1]))
    checks = [wider(difference, at_rest, endless, settings.least_inside, at, "degrees", BANDS)]
    found: dict[str, Any] = {
        "domain": domain_identity(cell.domain),
        "gap": asdict(gap),
        "real": real,
        "levels": levels,
        "training": {"real": own_real, "levels": [own_level]},
        "comparison": {
            "equal": {
                "model": cell.model.digest(),
                "level": at,
                "extractor": cell.extractor.name,
                "training_images": fingerprint(list(cell.training_references)),
                "images": [gap.n, len(unseen), len(domain)],
                "nearest_k": settings.nearest_k,
                "angles": list(settings.angles),
            },
            "unseen": next(each["bandwidth"] for each in levels if each["level"] == at),
            "training": own_level["bandwidth"],
            "difference": asdict(difference),
        },
        "recommended": recommended,
    }
    if len(settings.etas) and cell.solver.stochastic:
        found["eta"], difference, at_rest = eta_bands(here, unseen, training, settings)
        endless = (found["eta"]["unseen"]["censored"], found["eta"]["training"]["censored"])
        checks.append(wider(difference, at_rest, endless, settings.least_inside, at, "eta", ETAS))
        with optional(f"draw {ETAS}"):
            atomic_write(cell.run_folder / ETAS, eta_plot(found["eta"]).encode())
    if settings.check_levels:
        fids, floor = fids_at(cell, sorted({*map(float, settings.check_levels), recommended}))
        checks += check_recommendation(cell, fids, floor, levels, recommended)
        found["checked"] = [{"level": level, "fid": asdict(fid)} for level, fid in fids.items()]
        found["floor"] = asdict(floor)
    cell.results["bandwidth"] = {**found, "checks": [check.as_json() for check in checks]}
    rows = torch.cat([each.images[0] for each in walks.values()])
    with optional("draw the plots of bandwidth"):
        atomic_write(cell.run_folder / CURVES, curves_plot(levels, [own_level], real["inside"]).encode())
        atomic_write(cell.run_folder / BANDS, band_plot(levels, [own_level]).encode())
        atomic_write(cell.run_folder / MOVED, png_bytes(grid(rows, walks[at].inside.shape[1])))


def check_bandwidth(cell: Cell) -> None:
    """Raise `UserError` unless either domain has images to move and others to say what is inside."""
    settings: BandwidthSettings = cell.stage_settings["bandwidth"]
    available, wanted = cell.training_domain.size("references"), cell.settings.n_training
    training = wanted if available is None else min(wanted, available)
    require_judges(min(cell.settings.n_references, training) - settings.n_images, settings)


def summary(
    level: float, found: Walk, settings: BandwidthSettings, seed: int, real: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures of one level, for `results.json`."""
    angles, half_way = np.array(settings.angles, dtype=np.float64), found.half_way()
    band = bandwidth_interval(angles, found.turned, seed)
    return {
        "level": float(level),
        "bandwidth": {**asdict(band), "censored": censored(found.turned)},
        "curve": found.curve(),
        "towards": found.curve_towards(),
        "half_way": half_way,
        "score": level_score(half_way, real),
    }


def nearest_level(cell: Cell, levels: Sequence[float], recommended: float) -> float:
    """The measured level that is nearest to the cell's own; with level=auto the recommended one."""
    wanted = cell.settings.level
    return (
        recommended if isinstance(wanted, str) else float(min(levels, key=lambda level: abs(level - wanted)))
    )
