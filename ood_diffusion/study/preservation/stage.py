"""Is the model unaffected? What do methods achieve that fine-tune it, or start from noised references?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Domain
from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.metrics.intra_cluster import IntraCluster
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.optional import optional
from ood_diffusion.report.figures import save
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.report.results import Results
from ood_diffusion.runs.feasible import check_trainable, require_images
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.stages.evaluate import intervals, samples_of, score
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.preservation.finetune import job_calls, tuned_copy
from ood_diffusion.study.preservation.images import Images, own_images, row, sheet, stored_own_images
from ood_diffusion.study.preservation.plots import sdedit_levels, trade_off
from ood_diffusion.study.preservation.section import (
    Edited,
    Figures,
    Finetuned,
    Frozen,
    Own,
    PreservationSection,
    Tuned,
)
from ood_diffusion.study.preservation.settings import FinetuneSettings, PreservationSettings
from ood_diffusion.study.preservation.verdict import against_sdedit, against_tuned, diverse, identical
from ood_diffusion.study.sdedit import sdedit

TRADE_OFF, LEVELS = "preservation.svg", "preservation_sdedit.svg"
MODELS, EDITS, OWN = "preservation.png", "preservation_sdedit.png", "preservation_own.png"
SHOWN = 8
"""Images in a row of a picture."""


@dataclass(frozen=True)
class Preservation(PreservationSettings, Stage):
    """The model's own images, every baseline, and the same images again."""

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "states", "draws", "features"})

    def __call__(self, run: Run, earlier: Results) -> dict[str, PreservationSection]:
        """The figures, and the checks of C8 and of the baselines.

        Everything that trains happens in between. Both times the own images are drawn in memory, never read
        from the store, where they could not differ.
        """
        first = own_images(run, self.n_own)
        job = run.at()
        invert(job)
        sample(job)
        samples = samples_of(job)
        ours = unseen_figures(run, samples)
        edits, tuned = edited(run, self.sdedit_levels, samples), None
        checks = against_sdedit(ours.fid_unseen, edits, self.most_copies, LEVELS)
        with optional(f"draw {LEVELS}"):
            save(run.workspace.folder / LEVELS, sdedit_levels(edits, ours))
        if self.finetune is not None:
            tuned = finetuned(run, self.finetune, samples)
            frozen = tuned.frozen.fid_training
            circular = drawn_by(run.training_domain, run.model)
            checks += against_tuned(ours.fid_unseen, frozen, tuned.copies, circular, TRADE_OFF)
            with optional(f"draw {TRADE_OFF}"):
                save(run.workspace.folder / TRADE_OFF, trade_off(frozen, ours.fid_unseen, tuned.copies))
        checks += diverse(ours, edits, tuned.copies if tuned else [], EDITS)
        second = own_images(run, self.n_own)
        differing = int((first != second).flatten(1).any(dim=1).sum())
        with optional(f"draw {OWN}"):
            atomic_write(
                run.workspace.folder / OWN, png_bytes(grid(run.view(torch.cat([first, second])), self.n_own))
            )
        same = run.model.digest() == earlier["weights"]["before"]
        checks = [*identical(differing, len(first), same, OWN), *checks]
        own = Own(len(first), differing, tensor_digest(second))
        return {"preservation": PreservationSection(own, ours, edits, tuned, checks)}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless the baselines can run, and their images be evaluated."""
        for level in self.sdedit_levels:
            name = f"stage.preservation.sdedit_levels: {level:g}"
            require(
                1 < level <= run.model.schedule.timesteps, "levels must lie in (1, T]", name, "Choose others."
            )
            _ = run.at(level=float(level)).levels
        require_images(run, "preservation", dict.fromkeys(("n_samples", "n_held_out", "n_training"), 2))
        if self.finetune is not None:
            check_trainable(run, "baseline=finetune")


def drawn_by(domain: Domain, model: FrozenModel) -> bool:
    """Whether a model of these weights drew the domain's pictures, or those that they are made of."""
    drawing = domain.drawing
    return drawing is not None and bool(drawing.model.recipe() == model.recipe())


def unseen_figures(run: Run, images: Images) -> Figures:
    """Of images in a store, against the held-out images."""
    features, held_out = features_in_order(run, *images), features_of(run, run.pictures, run.held_out)
    references = features_of(run, run.pictures, run.references)
    found, fid = novelty(features, references, held_out), fid_interval(features, held_out)
    around = diversity(run, features, references, held_out)
    return Figures(len(features), fid, found["ratio"], found["copies"], around)


def diversity(run: Run, features: Tensor, references: Tensor, held_out: Tensor) -> Estimate | None:
    """`IntraCluster` of features ``[m, d]`` with its interval; None if the run does not have it, or it is not
    defined, as where all images of a collapsed copy resemble one reference."""
    own = {name: make for name, make in run.make_metrics.items() if isinstance(make(), IntraCluster)}
    given = {"features": (held_out, features)}, {"features": references}
    found = intervals(own, score(own, *given), {}, *given).get("intra_cluster", {"value": math.nan})
    return Estimate(**found) if math.isfinite(found["value"]) else None  # type: ignore[arg-type]


def training_fid(run: Run, images: Images) -> Estimate:
    """FID of images as pictures of the training domain."""
    held_out = features_of(run, run.pictures, run.training_held_out)
    return fid_interval(features_in_order(run, *images), held_out)


def edited(run: Run, levels: Sequence[float], samples: Images) -> list[Edited]:
    """SDEdit at every level; and a picture of references, their edits, and our samples."""
    shown = list(run.references.values())[:SHOWN]
    figures, rows = [], [run.view(run.pictures.read(shown))]
    for level in levels:
        child = run.at(level=float(level))
        images = sdedit(child)
        figures.append(Edited(**vars(unseen_figures(child, images)), level=float(level)))
        rows.append(row(run, images, len(shown)))
    rows.append(row(run, samples, len(shown)))
    with optional(f"draw {EDITS}"):
        atomic_write(run.workspace.folder / EDITS, png_bytes(sheet(rows)))
    return figures


def finetuned(run: Run, settings: FinetuneSettings, samples: Images) -> Finetuned:
    """The frozen model and copies of it tuned on every budget, in both domains.

    A copy draws from N(0, I) at the top of the schedule, as a tuned model does; so its images are its
    attempt at both domains. The noise is the same for every model.
    """
    own, calls = stored_own_images(run), job_calls(run)
    frozen = Frozen(training_fid(run, own), len(own[1]))
    copies, rows = [], [row(run, own, SHOWN), row(run, samples, SHOWN)]
    for budget in settings.budgets:
        training = settings.training(budget * calls)
        model = tuned_copy(run, training)
        child = run.at(model=model)
        images = stored_own_images(child)
        figures = Tuned(
            budget=budget,
            steps=training.max_steps,
            training_calls=training.max_steps * training.batch_size * settings.calls_per_image,
            weights=model.digest(),
            **vars(unseen_figures(child, images)),
            fid_training=training_fid(child, images),
        )
        run.model.network_calls += model.network_calls  # of this stage, though of another model
        copies.append(figures)
        rows.append(row(run, images, SHOWN))
    with optional(f"draw {MODELS}"):
        atomic_write(run.workspace.folder / MODELS, png_bytes(sheet(rows)))
    return Finetuned(calls, frozen, copies)
