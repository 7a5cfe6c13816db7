"""A run: its settings and parts, all frozen, and what follows from them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.controls.base import Control
from ood_diffusion.diffusion.grids import Grid
from ood_diffusion.diffusion.integrate import check_eta
from ood_diffusion.diffusion.solver import Convergence, Solver
from ood_diffusion.domains.base import Domain
from ood_diffusion.fields.view import View, described, judged_by
from ood_diffusion.lightning.batch_size import record_of, remembered_batch_size
from ood_diffusion.lightning.loop import Predictor
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.metrics.feature_metric import FeatureMetric
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import to_unit_range
from ood_diffusion.priors.base import Prior
from ood_diffusion.runs.images import Images
from ood_diffusion.runs.settings import Settings
from ood_diffusion.runs.stage import Stage
from ood_diffusion.runs.workspace import Workspace
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.propose import Proposer
from ood_diffusion.samplers.selection import Selection
from ood_diffusion.source import Recipe
from ood_diffusion.storage.store import TensorStore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What the stages are functions of. Parts are built once and checked before any compute is spent.

    Args:
        settings: the knobs.
        names: the choice made in every configuration group (model, domain, …).
        model: the frozen model.
        domain: where references and held-out images come from.
        training_domain: images of the domain that the model was trained on, or what stands for them.
        solver: the numerical method.
        grid: where it stops along the trajectory.
        prior: learned on the bank of latents; this one is never fitted, a copy is.
        sampler: proposes new latents; likewise.
        selection: keeps or drops proposals; likewise.
        stages: those of this run, by name, in the order in which they run.
        draw_recipe: what determines the draws beside the references and the seed; JSON.
        max_proposals: proposals per wanted sample before giving up.
        controls: what makes the samples without the network, by name.
        control_recipes: what determines the controls' images beside the draws', by name; JSON.
        dtype: of all images: uint8, or float32 where the domain is one of fields.
        view: what eyes and extractors see of the images.
        make_extractor: the feature extractor, built at the first call.
        make_metrics: metric name -> function that builds it.
        workspace: folder, stores, ranks and accounts.
        images: which images there are.
        subset: content digest -> picture id of the references, where they are not the domain's first ones.
    """

    settings: Settings
    names: Mapping[str, str]
    model: FrozenModel
    domain: Domain
    training_domain: Domain
    solver: Solver
    grid: Grid
    prior: Prior
    sampler: Sampler
    selection: Selection
    stages: Mapping[str, Stage]
    draw_recipe: Mapping[str, Any]
    max_proposals: int
    controls: Mapping[str, Control]
    control_recipes: Mapping[str, Any]
    dtype: torch.dtype
    view: View
    make_extractor: Callable[[], FeatureExtractor]
    make_metrics: Mapping[str, Callable[[], FeatureMetric]]
    workspace: Workspace
    images: Images
    subset: Mapping[str, str] | None = None

    def at(self, subset: Mapping[str, str] | None = None, **changes: Any) -> "Run":
        """The same run with other knobs, parts or references; folder, stores and accounts are shared.

        Args:
            subset: content digest -> picture id of what takes the place of the references: some of them, or
                images of the training domain, to be treated alike; None: the run's own.
            changes: knobs of `Settings`, or parts (``sampler=…``; then also ``draw_recipe=…``).
        """
        knobs = {name: changes.pop(name) for name in list(changes) if name in Settings.__dataclass_fields__}
        subset = self.subset if subset is None else subset
        if subset is not None:
            knobs["n_references"] = len(subset)
        return replace(self, settings=replace(self.settings, **knobs), subset=subset, **changes)

    @cached_property
    def levels(self) -> list[float]:
        """The trajectory's grid, ascending; raises `UserError` where settings and schedule disagree."""
        check_eta(self.settings.eta, self.solver)
        level = self.settings.level
        if isinstance(level, str):
            raise UserError(f"level={level} must be replaced before the trajectory is known. Set level=500.")
        return self.grid(self.model.schedule, level, self.settings.steps)

    @property
    def extractor(self) -> FeatureExtractor:
        """The feature extractor of all metrics."""
        return self.make_extractor()

    @property
    def view_recipe(self) -> Recipe:
        """What of the view determines features; empty where the images are RGB photographs themselves."""
        return described(self.view, self.model.image_shape, self.dtype)

    @property
    def judge(self) -> str:
        """See `judged_by`."""
        return judged_by(self.extractor.name, self.view_recipe)

    @cached_property
    def trajectory_recipe(self) -> Recipe:
        """Everything that determines where an image goes: model, solver, levels, arithmetic."""
        return {
            "model": self.model.recipe(),
            "solver": self.solver.recipe(),
            "levels": [float(f"{t:.9g}") for t in self.levels],
            **self.model.arithmetic_recipe(lambda: self.workspace.ranks.device),
        }

    @property
    def bank(self) -> TensorStore:
        """Latents of references, by the content digest of the image."""
        return self.workspace.stores.open("latents", self.trajectory_recipe, torch.float32)

    def decoded(self, eta: float) -> TensorStore:
        """Decoded latents, by the content digest of the latent (and the seed of the noise, if any)."""
        recipe = {**self.trajectory_recipe, "eta": eta, **named_dtype(self.dtype)}
        return self.workspace.stores.open("images", recipe, self.dtype)

    def draws_recipe(self, references: Sequence[str]) -> Recipe:
        """Everything that determines the draws, if the references have these digests."""
        return {
            **self.trajectory_recipe,
            **self.draw_recipe,
            "references": list(references),
            "seed": self.settings.seed,
            "n_samples": self.settings.n_samples,
        }

    def decoded_ids(self, latents: Sequence[str]) -> list[str]:
        """Ids of what latents with these digests decode to: with noise, the seed belongs to the address."""
        suffix = f"-seed{self.settings.seed}" if self.settings.eta else ""
        return [digest + suffix for digest in latents]

    @property
    def pictures(self) -> TensorStore:
        """The domains' own images, preprocessed, by the domain's key."""
        return self.images.pictures

    @property
    def references(self) -> Mapping[str, str]:
        """Content digest -> picture id of the references."""
        return self.images.references if self.subset is None else self.subset

    def reference_pictures(self) -> Tensor:
        """The references as images, float32 ``[n, C, H, W]`` in [-1, 1]."""
        return to_unit_range(self.pictures.read(list(self.references.values())))

    @property
    def held_out(self) -> Mapping[str, str]:
        """Content digest -> picture id of the held-out images; disjoint from the references."""
        return self.images.held_out

    @property
    def training_references(self) -> Mapping[str, str]:
        """Content digest -> picture id of images of the training domain, `n_training` at most."""
        return self.images.training_references

    @property
    def training_held_out(self) -> Mapping[str, str]:
        """Others of the training domain, `n_training` at most; disjoint from `training_references`."""
        return self.images.training_held_out

    @cached_property
    def batch_size(self) -> int:
        """Images per network call; "auto" is measured once per model, arithmetic and kind of device."""
        wanted = self.settings.batch_size
        if isinstance(wanted, int):
            return wanted
        return remembered_batch_size(self.model, self.workspace.ranks.device, self._batch_sizes)

    @property
    def _batch_sizes(self) -> Path:
        return self.workspace.stores.root / "batch_sizes"

    def proposer(self) -> Proposer:
        """How this run makes new latents from its bank."""
        n = self.settings.n_samples
        parts = self.prior, self.sampler, self.selection
        return Proposer(*parts, n, self.settings.seed, self.max_proposals * n)

    def network_calls(self) -> int:
        """Images passed so far through the model and through those that draw the domains' pictures."""
        drawings = (domain.drawing for domain in (self.domain, self.training_domain))
        models = [self.model, *(drawing.model for drawing in drawings if drawing)]
        return sum(model.network_calls for model in {id(model): model for model in models}.values())

    def network(self, key: str) -> FrozenModel | FeatureExtractor:
        """The run's own network by its key in `lightning.ranks.NETWORKS`."""
        return self.model if key == "model" else self.extractor

    def predict(
        self,
        target: TensorStore,
        source: TensorStore,
        ids: Mapping[str, str],
        module: Predictor,
        description: str,
        batch_size: int | None = None,
    ) -> Convergence:
        """Fill `target` with the module's predictions for items of `source` (`predict_into`).

        Args:
            batch_size: rows per network call; None: the run's own.

        Returns:
            How the implicit steps of what was computed here were solved; what had not converged is warned of.
        """
        done = self.workspace.predict(
            target, source, ids, module, lambda: batch_size or self.batch_size, description
        )
        if (
            module.most and batch_size is None and self.settings.batch_size == "auto"
        ):  # too large: measured again
            record_of(self.model, self.workspace.ranks.device, self._batch_sizes).unlink(missing_ok=True)
        if failed := done.convergence.not_converged:
            log.warning(
                "%s: %d steps of an image had not converged, of %d to level %g (last change up to %.1e): "
                "their round trip is not exact. Use more steps or raise solver.max_iterations.",
                self.solver.name, failed, done.convergence.steps, self.levels[-1],
                done.convergence.largest_change,
            )  # fmt: skip
        return done.convergence


def named_dtype(dtype: torch.dtype) -> dict[str, str]:
    """What of a dtype is in the address of a store of images; photographs' have nothing of it."""
    return {} if dtype == torch.uint8 else {"dtype": str(dtype).removeprefix("torch.")}
