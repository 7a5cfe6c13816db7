"""Is the model unharmed, and what do methods get that tune it, or that start from noised references?"""

from collections.abc import Sequence
from typing import Any

import torch

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Domain
from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.optional import optional
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.runs.cell import Cell
from ood_diffusion.runs.feasible import check_trainable
from ood_diffusion.stages.evaluate import features_in_order, features_of, samples_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.preservation.finetune import job_calls, tuned_copy
from ood_diffusion.study.preservation.images import Images, own_images, row, sheet, stored_own_images
from ood_diffusion.study.preservation.plots import sdedit_levels, trade_off
from ood_diffusion.study.preservation.settings import FinetuneSettings, PreservationSettings
from ood_diffusion.study.preservation.verdict import against_sdedit, against_tuned, identical
from ood_diffusion.study.sdedit import sdedit

TRADE_OFF, LEVELS = "preservation.svg", "preservation_sdedit.svg"
MODELS, EDITS, OWN = "preservation.png", "preservation_sdedit.png", "preservation_own.png"
SHOWN = 8
"""Images in a row of a picture."""


def preservation(cell: Cell) -> None:
    """Draw the model's own images, run every baseline, and draw the same images again.

    Everything that trains happens in between. Both times the images are drawn in memory, never read
    from the store, where they could not differ.
    """
    settings: PreservationSettings = cell.stage_settings["preservation"]
    first = own_images(cell, settings.n_own)
    job = cell.at()
    invert(job)
    sample(job)
    samples = samples_of(job)
    results: dict[str, Any] = {
        "ours": judged(cell, samples),
        "sdedit": edited(cell, settings.sdedit_levels, samples),
    }
    ours = Estimate(**results["ours"]["fid_unseen"])
    checks = against_sdedit(ours, results["sdedit"], settings.most_copies, LEVELS)
    with optional(f"draw {LEVELS}"):
        atomic_write(cell.run_folder / LEVELS, sdedit_levels(results["sdedit"], results["ours"]).encode())
    if settings.finetune is not None:
        tuned = finetuned(cell, settings.finetune, samples)
        frozen = tuned["frozen"]["fid_training"]
        circular = drawn_by(cell.training_domain, cell.model)
        checks += against_tuned(ours, Estimate(**frozen), tuned["copies"], circular, TRADE_OFF)
        with optional(f"draw {TRADE_OFF}"):
            plot = trade_off(frozen, results["ours"]["fid_unseen"], tuned["copies"])
            atomic_write(cell.run_folder / TRADE_OFF, plot.encode())
        results["finetune"] = tuned
    second = own_images(cell, settings.n_own)
    differing = int((first != second).flatten(1).any(dim=1).sum())
    with optional(f"draw {OWN}"):
        atomic_write(cell.run_folder / OWN, png_bytes(grid(torch.cat([first, second]), settings.n_own)))
    same = cell.model.digest() == cell.results["weights"]["before"]
    cell.results["preservation"] = {
        "own": {"n": len(first), "differing": differing, "digest": tensor_digest(second)},
        **results,
        "checks": [check.as_json() for check in [*identical(differing, len(first), same, OWN), *checks]],
    }


def drawn_by(domain: Domain, model: FrozenModel) -> bool:
    """Whether a model of these weights drew the domain's pictures, or those that they are made of."""
    drawing = domain.drawing
    return drawing is not None and bool(drawing.model.recipe() == model.recipe())


def judged(cell: Cell, images: Images) -> dict[str, Any]:
    """Images as pictures of the unseen domain: FID with its interval, novelty, share of copies."""
    features, judge = features_in_order(cell, *images), features_of(cell, cell.pictures, cell.held_out)
    found = novelty(features, features_of(cell, cell.pictures, cell.references), judge)
    fid = vars(fid_interval(features, judge))
    return {"n": len(features), "fid_unseen": fid, "novelty": found["ratio"], "copies": found["copies"]}


def judged_at_home(cell: Cell, images: Images) -> dict[str, Any]:
    """FID of images as pictures of the training domain."""
    judge = features_of(cell, cell.pictures, cell.training_held_out)
    return vars(fid_interval(features_in_order(cell, *images), judge))


def edited(cell: Cell, levels: Sequence[float], samples: Images) -> list[dict[str, Any]]:
    """SDEdit at every level, judged; and a picture of references, their edits, and our samples."""
    shown = list(cell.references.values())[:SHOWN]
    figures, rows = [], [cell.pictures.read(shown)]
    for level in levels:
        child = cell.at(level=float(level))
        images = sdedit(child)
        figures.append({"level": float(level), **judged(child, images)})
        rows.append(row(images, len(shown)))
    rows.append(row(samples, len(shown)))
    with optional(f"draw {EDITS}"):
        atomic_write(cell.run_folder / EDITS, png_bytes(sheet(rows)))
    return figures


def finetuned(cell: Cell, settings: FinetuneSettings, samples: Images) -> dict[str, Any]:
    """The frozen model and copies of it tuned on every budget, in both domains.

    A copy draws from N(0, I) at the top of the schedule, as a tuned model does; so its images are its
    attempt at both domains. The noise is the same for every model.
    """
    own, calls = stored_own_images(cell), job_calls(cell)
    frozen = {"fid_training": judged_at_home(cell, own), "n": len(own[1])}
    copies, rows = [], [row(own, SHOWN), row(samples, SHOWN)]
    for budget in settings.budgets:
        training = settings.training(budget * calls)
        model = tuned_copy(cell, training)
        child = cell.at(model=model)
        images = stored_own_images(child)
        figures = {
            "budget": budget,
            "steps": training.max_steps,
            "training_calls": training.max_steps * training.batch_size * settings.calls_per_image,
            "weights": model.digest(),
            **judged(child, images),
            "fid_training": judged_at_home(child, images),
        }
        cell.model.network_calls += model.network_calls  # of this stage, though of another model
        copies.append(figures)
        rows.append(row(images, SHOWN))
    with optional(f"draw {MODELS}"):
        atomic_write(cell.run_folder / MODELS, png_bytes(sheet(rows)))
    return {"job_calls": calls, "frozen": frozen, "copies": copies}


def check_preservation(cell: Cell) -> None:
    """Raise `UserError` unless the baselines can run, and their images be judged."""
    settings = cell.stage_settings["preservation"]
    for level in settings.sdedit_levels:
        name = f"stage.preservation.sdedit_levels: {level:g}"
        require(1 < level <= cell.model.schedule.timesteps, "levels lie in (1, T]", name, "Choose others.")
        _ = cell.at(level=float(level)).levels
    for name in ("n_samples", "n_held_out", "n_training"):
        count = getattr(cell.settings, name)
        require(count >= 2, f"the stage preservation needs {name} to be at least 2", count, f"Raise {name}.")
    if settings.finetune is not None:
        check_trainable(cell, "baseline=finetune")
