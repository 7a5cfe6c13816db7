"""How far one may move from an inverted latent before the decoded image leaves its domain (claim C6)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.claims.bandwidth import noisier, wider
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.metrics.manifold import inside
from ood_diffusion.report.bandwidth_plots import band_plot, curves_plot, eta_plot
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.stages.bandwidth_check import check_recommendation, fids_at
from ood_diffusion.stages.bandwidth_curve import bandwidth_difference, bandwidth_interval, censored
from ood_diffusion.stages.bandwidth_eta import eta_bands
from ood_diffusion.stages.bandwidth_settings import BandwidthSettings as BandwidthSettings
from ood_diffusion.stages.bandwidth_walk import Walk, walk
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.evaluate import features_of
from ood_diffusion.stages.recommend import level_score, recommend_level, unexplained
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write

CURVES, BANDS, MOVED, ETAS = (
    "bandwidth_curves.svg",
    "bandwidth_levels.svg",
    "bandwidth_moved.png",
    "bandwidth_eta.svg",
)


def bandwidth(cell: Cell) -> None:
    """Measure the band at every level, recommend one, and compare with the training domain's images."""
    settings: BandwidthSettings = cell.stage_settings["bandwidth"]
    domain, own = judges(cell, settings)
    real = real_images(cell, cell.references, domain, settings)
    unseen = first(cell.references, settings.n_images)
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
    own_real = real_images(cell, cell.training_references, own, settings)
    own_level = summary(at, beside, settings, cell.settings.seed, own_real)
    angles = np.array(settings.angles, dtype=np.float64)
    difference = bandwidth_difference(angles, walks[at].turned, beside.turned, cell.settings.seed)
    gap = fid_interval(
        *(features_of(cell, cell.pictures, x) for x in (cell.references, cell.training_references))
    )
    checks = [wider(difference, at, BANDS)]
    found: dict[str, Any] = {
        "images": fingerprint(list(unseen)),
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
        found["eta"], difference = eta_bands(here.at(subset=unseen), here.at(subset=training), settings)
        checks.append(noisier(difference, at, ETAS))
        atomic_write(cell.run_folder / ETAS, eta_plot(found["eta"]).encode())
    if settings.check_levels:
        fids = fids_at(cell, sorted({*map(float, settings.check_levels), recommended}))
        checks += check_recommendation(cell, fids, levels, recommended)
        found["checked"] = [{"level": level, "fid": asdict(fid)} for level, fid in fids.items()]
    cell.results["bandwidth"] = {**found, "checks": [check.as_json() for check in checks]}
    atomic_write(cell.run_folder / CURVES, curves_plot(levels, [own_level], real["inside"]).encode())
    atomic_write(cell.run_folder / BANDS, band_plot(levels, [own_level]).encode())
    rows = torch.cat([each.images[0] for each in walks.values()])
    atomic_write(cell.run_folder / MOVED, png_bytes(grid(rows, len(settings.angles) + 1)))


def first(images: Mapping[str, str], n: int) -> dict[str, str]:
    """The first n of them."""
    return dict(islice(images.items(), n))


def judges(cell: Cell, settings: BandwidthSettings) -> tuple[Tensor, Tensor]:
    """Features of equally many held-out images of the unseen and of the training domain."""
    n = min(settings.n_judges, len(cell.held_out), len(cell.training_held_out))
    require(
        n > settings.nearest_k,
        f"the stage bandwidth needs more than {settings.nearest_k} held-out images of both domains",
        n,
        "Raise n_held_out and n_training.",
    )
    unseen, own = (
        features_of(cell, cell.pictures, first(x, n)) for x in (cell.held_out, cell.training_held_out)
    )
    return unseen, own


def real_images(
    cell: Cell, images: Mapping[str, str], domain: Tensor, settings: BandwidthSettings
) -> dict[str, Any]:
    """What real images of a domain score: the yardstick of `levels`."""
    features = features_of(cell, cell.pictures, images)
    pictures = cell.pictures.read(list(first(images, settings.n_images).values()))
    new = unexplained(pictures, pictures.roll(-1, 0), pictures.roll(-2, 0))
    share = inside(features, domain, settings.nearest_k).double().mean()
    return {"inside": float(share), "unexplained": float(new.mean()), "n": len(features)}


def summary(
    level: float, found: Walk, settings: BandwidthSettings, seed: int, real: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures of one level, for `results.json`."""
    angles, half_way = np.array(settings.angles, dtype=np.float64), found.half_way()
    band = bandwidth_interval(angles, found.turned, seed)
    return {
        "level": float(level),
        "bandwidth": {**asdict(band), "censored": censored(found.turned)},
        "curve": found.curve(settings.angles),
        "half_way": half_way,
        "score": level_score(half_way, real),
    }


def nearest_level(cell: Cell, levels: Sequence[float], recommended: float) -> float:
    """The measured level that is nearest to the cell's own; with level=auto the recommended one."""
    wanted = cell.settings.level
    return (
        recommended if isinstance(wanted, str) else float(min(levels, key=lambda level: abs(level - wanted)))
    )
