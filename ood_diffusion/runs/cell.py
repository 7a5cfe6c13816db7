"""One cell of the grid: its parts, where its files are, and what it found out."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.grids import Grid
from ood_diffusion.diffusion.integrate import check_eta
from ood_diffusion.diffusion.solver import Convergence, Solver
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.lightning.batch_size import remembered_batch_size
from ood_diffusion.lightning.loop import Predictor
from ood_diffusion.lightning.predict import Done, predict_into
from ood_diffusion.lightning.progress import stage_line
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.priors.base import Prior
from ood_diffusion.runs.pictures import check_apart, stored_split, without_shared
from ood_diffusion.runs.settings import Settings
from ood_diffusion.runs.training_settings import TrainingSettings
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.selection import Selection
from ood_diffusion.storage.store import TensorStore
from ood_diffusion.storage.stores import Stores

log = logging.getLogger(__name__)

SPLIT_BY = {"domain", "training_domain", "n_held_out", "n_training"}
SHARED = ("extractor", "held_out", "training_references", "training_held_out")
"""What `Cell.at` need not find out again, unless something in `SPLIT_BY` changes."""
IMAGES = ("references", "held_out", "training_references", "training_held_out")
"""Which images there are, once their pictures are in the store."""


@dataclass
class Cell:
    """Everything the stages share. Parts are built once and checked before any compute is spent.

    Args:
        settings: the knobs.
        names: the choice made in every configuration group (model, domain, …).
        model: the frozen model.
        domain: where references and held-out images come from.
        training_domain: images of the domain that the model was trained on, or what stands for them.
        solver: the numerical method.
        grid: where it stops along the trajectory.
        prior: learned on the bank of latents.
        sampler: proposes new latents.
        selection: keeps or drops proposals.
        training: settings of the stage `train`.
        stage_settings: settings of the stages that have some, by the stage's name.
        draw_recipe: what determines the draws beside the references and the seed; JSON.
        max_proposals: proposals per wanted sample before giving up.
        make_extractor: builds the feature extractor (kept for when it is needed).
        make_metrics: metric name -> function that builds it.
        ranks: the processes that share the predict loops; a cell's stages run on rank 0 only.
        stores: all content-addressed stores.
        run_folder: where this cell's own outputs go.
        results: what goes to `results.json`; stages fill it.
        made: "images": items that went through predict loops so far, "found": items that were in the store
            already; those of `at`'s cells included.
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
    training: TrainingSettings
    stage_settings: Mapping[str, Any]
    draw_recipe: Mapping[str, Any]
    max_proposals: int
    make_extractor: Callable[[], FeatureExtractor]
    make_metrics: Mapping[str, Callable[[], Any]]
    ranks: Ranks
    stores: Stores
    run_folder: Path
    results: dict[str, Any] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)
    subset: dict[str, str] | None = None

    def at(self, subset: dict[str, str] | None = None, **changes: Any) -> "Cell":
        """The same cell with other knobs, parts or references; what it finds goes to `results` of its own.

        Args:
            subset: content digest -> picture id of what takes the place of the references: some of them, or
                images of the training domain, to be treated alike; None: the cell's own.
            changes: knobs of `Settings`, or parts (``sampler=…``; then also ``draw_recipe=…``).
        """
        knobs = {name: changes.pop(name) for name in list(changes) if name in Settings.__dataclass_fields__}
        subset = self.subset if subset is None else subset
        if subset is not None:
            knobs["n_references"] = len(subset)
        other = replace(self, settings=replace(self.settings, **knobs), subset=subset, results={}, **changes)
        if not SPLIT_BY & {*knobs, *changes}:
            other.__dict__.update({name: self.__dict__[name] for name in SHARED if name in self.__dict__})
        return other

    @cached_property
    def levels(self) -> list[float]:
        """The trajectory's grid, ascending; raises `UserError` where settings and schedule disagree."""
        check_eta(self.settings.eta, self.solver)
        level = self.settings.level
        if isinstance(level, str):
            raise UserError(f"level={level} must be replaced before the trajectory is known. Set level=500.")
        return self.grid(self.model.schedule, level, self.settings.steps)

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """The feature extractor of all metrics."""
        return self.make_extractor()

    @cached_property
    def trajectory_recipe(self) -> dict[str, Any]:
        """Everything that determines where an image goes: model, solver, levels, arithmetic."""
        return {
            "model": self.model.recipe(),
            "solver": self.solver.recipe(),
            "levels": [float(f"{t:.9g}") for t in self.levels],
            **self.model.arithmetic_recipe(lambda: self.ranks.device),
        }

    @property
    def bank(self) -> TensorStore:
        """Latents of references, by the content digest of the image."""
        return self.stores.open("latents", self.trajectory_recipe, torch.float32)

    @property
    def network_calls(self) -> int:
        """Images passed so far through the model and through those that draw the domains' pictures."""
        drawings = (domain.drawing for domain in (self.domain, self.training_domain))
        models = [self.model, *(drawing.model for drawing in drawings if drawing)]
        return sum(model.network_calls for model in {id(model): model for model in models}.values())

    def network(self, key: str) -> FrozenModel | FeatureExtractor:
        """The cell's own network by its key in `lightning.ranks.NETWORKS`."""
        return self.model if key == "model" else self.extractor

    @property
    def page(self) -> Path:
        """Where `report.html` is."""
        return self.run_folder / "report.html"

    def images(self, eta: float) -> TensorStore:
        """Decoded images, by the content digest of the latent (and the seed of the noise, if any)."""
        return self.stores.open("images", {**self.trajectory_recipe, "eta": eta}, torch.uint8)

    @property
    def pictures(self) -> TensorStore:
        """The domains' own images, preprocessed, by the domain's key."""
        return self.stores.open("pictures", {"image_shape": list(self.model.image_shape)}, torch.uint8)

    @cached_property
    def references(self) -> dict[str, str]:
        """Content digest -> picture id of the references."""
        if self.subset is not None:
            return self.subset
        return stored_split(self.domain, self.pictures, "references", self.settings.n_references, self.ranks)

    @cached_property
    def held_out(self) -> dict[str, str]:
        """Content digest -> picture id of the held-out images; disjoint from the references."""
        available = self.domain.size("held_out")
        wanted = self.settings.n_held_out
        n = wanted if available is None else min(wanted, available)
        held_out = stored_split(self.domain, self.pictures, "held_out", n, self.ranks)
        return without_shared(self.domain, self.references, held_out)

    @cached_property
    def training_references(self) -> dict[str, str]:
        """Content digest -> picture id of images of the training domain, `n_training` at most."""
        return self._training_split("references")

    @cached_property
    def training_held_out(self) -> dict[str, str]:
        """Others of the training domain, `n_training` at most; disjoint from `training_references`."""
        held_out = self._training_split("held_out")
        return without_shared(self.training_domain, self.training_references, held_out)

    def _training_split(self, split: Split) -> dict[str, str]:
        available, wanted = self.training_domain.size(split), self.settings.n_training
        n = wanted if available is None else min(wanted, available)
        images = stored_split(self.training_domain, self.pictures, split, n, self.ranks)
        unseen: dict[Split, dict[str, str]] = {"references": self.references, "held_out": self.held_out}
        check_apart(self.training_domain, {split: images}, self.domain, unseen)
        return images

    @cached_property
    def batch_size(self) -> int:
        """Images per network call; "auto" is measured once per model, arithmetic and kind of device."""
        wanted = self.settings.batch_size
        if isinstance(wanted, int):
            return wanted
        return remembered_batch_size(self.model, self.ranks.device, self.stores.root / "batch_sizes")

    def look_again(self) -> None:
        """Forget that the images' pictures are in the store, after it was damaged."""
        for name in IMAGES:
            self.__dict__.pop(name, None)

    def predict(
        self,
        target: TensorStore,
        source: TensorStore,
        ids: Mapping[str, str],
        module: Predictor,
        description: str,
        batch_size: int | None = None,
    ) -> Convergence:
        """`predict_into` with the cell's trainer and, unless another is given, its batch size.

        Returns:
            How the implicit steps of what was computed here were solved; what had not converged is warned of.
        """
        done = Done()
        if missing := target.missing(list(ids)):
            target.check_writable(missing)  # before a batch size is measured
            rows = batch_size or self.batch_size
            done = predict_into(target, source, ids, module, self.ranks, rows, description)
        self.made.update(images=done.items, found=len(ids) - done.items)
        if failed := done.convergence.not_converged:
            log.warning(
                "%s: %d steps of an image had not converged, of %d to level %g (last change up to %.1e): "
                "their round trip is not exact. Use more steps or raise solver.max_iterations.",
                self.solver.name, failed, done.convergence.steps, self.levels[-1],
                done.convergence.largest_change,
            )  # fmt: skip
        return done.convergence

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record a stage's seconds, network calls and speed, and say in one line what it has done."""
        calls, before, start = self.network_calls, self.made.copy(), time.perf_counter()
        cost = self.results.setdefault("cost", {})
        try:
            yield
        finally:  # on top of an earlier attempt's
            seconds, calls = time.perf_counter() - start, self.network_calls - calls
            for kind, spent in (("seconds", seconds), ("network_calls", calls)):
                account = cost.setdefault(kind, {})
                account[name] = round(account.get(name, 0) + spent, 3)
        made, found = (self.made[kind] - before[kind] for kind in ("images", "found"))
        if made:
            cost.setdefault("images_per_second", {})[name] = round(made / seconds, 3)
        log.info(stage_line(name, made, found, calls, seconds))
