"""How likely does the frozen model find unseen images, and does that tell them from its own domain's?"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require, require_integer
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.figures import Figure
from ood_diffusion.optional import optional
from ood_diffusion.report.figures import save
from ood_diffusion.report.plan.work import Calls, Share, Work
from ood_diffusion.report.results import Results
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.feasible import require_images
from ood_diffusion.runs.images import first
from ood_diffusion.runs.known import Known, digests_of, on_disk
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.source import identity
from ood_diffusion.stages.invert import invert_images
from ood_diffusion.statistics.estimate import Array
from ood_diffusion.statistics.intervals import auc_interval, difference, mean_interval
from ood_diffusion.statistics.separability import score_separability, separability
from ood_diffusion.storage.store import TensorStore
from ood_diffusion.study.likelihood.density import CURVATURE, SLOPE, STATE, Density, bits_per_value
from ood_diffusion.study.likelihood.plots import bits_histogram
from ood_diffusion.study.likelihood.section import Bits, LikelihoodSection

PLOT = "likelihood.svg"
FOLDS = 5
"""Of the latent classifier, which needs as many images of each domain."""


@dataclass(frozen=True)
class Likelihood(Stage):
    """Bits per value of unseen and of training images, and what tells one from the other.

    Args:
        n_images: of each set, at most.
        steps: of the grid to the top of the schedule, of which the one below level 1 is not walked.
        probes: vectors of random signs per image and level.
        batch_size: images at a time; the gradients take several times the memory of an inversion.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "states"})
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            "likelihood/unseen/mean/value",
            "bits",
            label="bits per value",
            says="minus the log-density of unseen images under the model",
            interval="likelihood/unseen/mean",
            of="references",
        ),
        Figure(
            "likelihood/difference/value",
            "bits_minus_training",
            says="bits per value of unseen images minus those of the training domain",
            interval="likelihood/difference",
            of="references",
        ),
        Figure("likelihood/auroc/*/value", surfaces=frozenset(), better="higher"),
    )
    n_images: int
    steps: int
    probes: int
    batch_size: int

    def __post_init__(self) -> None:
        prefix = "stage.likelihood"
        require_integer(f"{prefix}.n_images", self.n_images, FOLDS, "Try 48.")
        require_integer(f"{prefix}.steps", self.steps, 2, "Try 24.")
        require_integer(f"{prefix}.probes", self.probes, 1, "Try 2.")
        require_integer(f"{prefix}.batch_size", self.batch_size, 1, "Try 8.")

    def __call__(self, run: Run, earlier: Results) -> dict[str, LikelihoodSection]:
        """Bits per value, and the AUROCs."""
        sets = {
            "known": first(run.training_references, self.n_images),
            "training": first(run.training_held_out, self.n_images),
            "unseen": first(run.references, self.n_images),
        }
        up, seed = self.upward(run), run.settings.seed
        levels, densities = from_one(up), self.store(up)
        module = Density(up.model, up.solver, levels, self.probes, seed)
        everyone = {digest: picture for images in sets.values() for digest, picture in images.items()}
        up.predict(densities, up.pictures, everyone, module, "likelihood", self.batch_size)
        rows = {name: densities.read(list(images)) for name, images in sets.items()}
        bits = {
            name: bits_per_value(rows[name], run.model.schedule, levels, run.dtype == torch.uint8)
            for name in ("training", "unseen")
        }
        means = {name: each.mean(dim=1).numpy() for name, each in bits.items()}
        statistics = {"likelihood": means, **unusual(rows)}
        areas = {
            name: score_separability(each["training"], each["unseen"], seed)
            for name, each in statistics.items()
        }
        invert_images(run, run.pictures, {**sets["training"], **sets["unseen"]})
        training, unseen = (run.bank.read(list(sets[name])) for name in ("training", "unseen"))
        areas["latent classifier"] = separability(training, unseen, seed, FOLDS)
        with optional(f"draw {PLOT}"):
            save(run.workspace.folder / PLOT, bits_histogram(means))
        section = LikelihoodSection(
            levels=[levels[0], levels[-1]],
            unseen=described(bits["unseen"], seed),
            training=described(bits["training"], seed),
            difference=difference(means["unseen"], means["training"], seed),
            auroc={name: auc_interval(area) for name, area in areas.items()},
            plots=[PLOT],
        )
        return {"likelihood": section}

    def upward(self, run: Run) -> Run:
        """The run whose trajectory leads as far up as there is some signal left."""
        top = float(run.model.schedule.timesteps)
        top = top if run.model.schedule.alpha(top) else top - 1
        return run.at(level=top, steps=self.steps, eta=0.0)

    def store(self, up: Run) -> TensorStore:
        """Rows of `Density` by the content digest of the image."""
        own = {"likelihood": self.probes, "seed": up.settings.seed, "code": identity(Density)}
        recipe = {**up.trajectory_recipe, **own, "levels": from_one(up)}
        return up.workspace.stores.open("densities", recipe, torch.float32)

    def check(self, run: Run) -> None:
        """Raise `UserError` unless the density is one of images, and there are enough of them."""
        _ = self.upward(run).levels
        require(
            run.model.state_shape == run.model.image_shape,
            "the stage likelihood needs a model of images, not of an autoencoder's latents",
            f"model={run.names['model']}",
            "Leave it out of stages.",
        )
        least = {"n_references": FOLDS, "n_training": FOLDS}
        require_images(run, "likelihood", least)

    def share(self, run: Run, known: Known) -> Share:
        """Solver, noise estimate and products with the Jacobian at every level, for three sets of images."""
        up = self.upward(run)
        levels, store = from_one(up), self.store(up)
        schedule, more = run.model.schedule, len(levels) * (1 + self.probes)
        along = calls_along(up.solver, schedule, levels)
        density = Calls(along.least + more, along.most + more)
        sets: list[tuple[Domain, Split, int]] = [
            (run.training_domain, "references", run.settings.n_training),
            (run.training_domain, "held_out", run.settings.n_training),
            (run.domain, "references", run.settings.n_references),
        ]
        known_keys, *others = (
            [domain.address(split, i) for i in range(min(n, self.n_images))] for domain, split, n in sets
        )
        classified = list(chain(*others))
        known_there, latents_there = (
            on_disk(target, digests_of(run.pictures, wanted))
            for target, wanted in ((store, known_keys + classified), (run.bank, classified))
        )
        inverting = calls_along(run.solver, schedule, run.levels)
        bank = str(run.bank.folder)
        works = [
            Work("likelihood", str(store.folder), known_there, density, self.batch_size),
            Work("likelihood", bank, latents_there, inverting, known.batch),
        ]
        drawn = "; pictures that the model draws are additional" if run.training_domain.drawing else ""
        note = f"likelihood: a product with the Jacobian counts as one call and takes about two{drawn}"
        return Share(works, {bank: latents_there}, [note])


def from_one(up: Run) -> list[float]:
    """The trajectory from level 1 on: the network knows no cleaner images."""
    return [1.0, *(t for t in up.levels if t > 1)]


def described(bits: Tensor, seed: int) -> Bits:
    """Of bits per value ``[n, probes]``, one for each image and probe."""
    probes = bits.shape[1]
    error = float((bits.var(dim=1).mean() / probes).sqrt()) if probes > 1 else None
    return Bits(mean_interval(bits.mean(dim=1).numpy(), seed), error)


def unusual(rows: Mapping[str, Tensor]) -> dict[str, dict[str, Array]]:
    """How unlike the images "known" those of the other two sets are: statistic -> set -> ``[n]``.

    Args:
        rows: of `Density`, by set.

    Returns:
        - latent norm: distance of the mean square of the latent at the top to that of the images known.
        - DiffPath: Mahalanobis distance to the images known, in the logarithms of two sums along the
          trajectory, of the squares of eps (its rate of change) and of the change of eps (its curvature): of
          the six statistics of Heng et al. 2024 (arXiv 2405.11881) those of second order.
    """
    norms = {name: each[:, STATE, -1].double().numpy() for name, each in rows.items()}
    paths = {
        name: each[:, [SLOPE, CURVATURE]].double().sum(dim=2).log().numpy() for name, each in rows.items()
    }
    centre = paths["known"].mean(axis=0)
    precision = np.linalg.pinv(np.cov(paths["known"], rowvar=False))
    others = ("training", "unseen")
    return {
        "latent norm": {name: np.abs(norms[name] - norms["known"].mean()) for name in others},
        "DiffPath": {name: mahalanobis(paths[name] - centre, precision) for name in others},
    }


def mahalanobis(away: Array, precision: Array) -> Array:
    """Squared length of each row of `away` ``[n, k]`` in the metric `precision` ``[k, k]``."""
    found: Array = np.einsum("ni,ij,nj->n", away, precision, away)
    return found
