"""Physical statistics of the new images: power spectrum, morphology and intensity against held-out images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require_positive
from ood_diffusion.claims.check import Check
from ood_diffusion.optional import optional
from ood_diffusion.physics.comparison import Difference, differences, statistics
from ood_diffusion.physics.curves import abscissae, band, curves
from ood_diffusion.physics.images import Array
from ood_diffusion.report.results import Results
from ood_diffusion.runs.feasible import require_images
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.stages.evaluate import samples_of
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.storage.store import BLOCK, TensorStore
from ood_diffusion.study.physics.plots import LABELS, bands
from ood_diffusion.study.physics.verdict import physical

PLOTS = {name: f"physics_{name}.svg" for name in LABELS}
SHOWN_WITH = {
    "power spectrum": PLOTS["power_spectrum"],
    "morphology": PLOTS["radial_profile"],
    "intensity": PLOTS["intensity_pdf"],
}

BACK_TO_FRONT = ("references", "blurred references", "samples")


@dataclass(frozen=True)
class Compared:
    """A set of `n` images against the held-out images: FID of `PhysicsSection.n_fid` of them, statistics."""

    n: int
    fid: Estimate
    statistics: Mapping[str, Difference]


@dataclass(frozen=True)
class PhysicsSection:
    """What the stage adds to `results.json`.

    Args:
        n_held_out: held-out images.
        n_fid: images in each FID.
        sets: of samples, references and blurred references.
        checks: of C10.
    """

    n_held_out: int
    n_fid: int
    sets: Mapping[str, Compared]
    checks: Sequence[Check]


@dataclass(frozen=True)
class Physics(Stage):
    """Compares samples, references and blurred references with the held-out images, in physics and in FID.

    Args:
        band: the largest standardised difference that counts as none, above 0.
        blur: standard deviation of the Gaussian that corrupts the references, pixels, above 0.
    """

    photographs: ClassVar[bool] = True
    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "draws", "features"})
    band: float
    blur: float

    def __post_init__(self) -> None:
        for name in ("band", "blur"):
            require_positive(f"stage.physics.{name}", getattr(self, name), "See the file's default.")

    def __call__(self, run: Run, earlier: Results) -> dict[str, PhysicsSection]:
        """Statistics of each set, and the checks of C10."""
        invert(run)
        sample(run)
        sets = {
            "samples": samples_of(run),
            "references": (run.pictures, list(run.references.values())),
            "blurred references": blurred_references(run, self.blur),
        }
        features = {name: features_in_order(run, *where) for name, where in sets.items()}
        held_out = features_of(run, run.pictures, run.held_out)
        numbers = {name: measured(*where) for name, where in sets.items()}
        real = measured(run.pictures, list(run.held_out.values()))
        found = {
            name: differences(each.statistics, real.statistics, run.settings.seed)
            for name, each in numbers.items()
        }
        n = min(len(x) for x in features.values())
        checks = physical(
            found["samples"],
            found["references"],
            found["blurred references"],
            self.band,
            (len(features["samples"]), len(features["references"])),
            SHOWN_WITH,
        )
        compared = {
            name: Compared(len(x), fid_interval(x[:n], held_out), found[name]) for name, x in features.items()
        }
        plot(run, abscissae(run.pictures.read(list(run.held_out.values())[:1])), numbers, real)
        return {"physics": PhysicsSection(len(held_out), n, compared, checks)}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless every set of images has a spread."""
        require_images(run, "physics", dict.fromkeys(("n_samples", "n_references", "n_held_out"), 2))


@dataclass(frozen=True)
class Measured:
    """What is kept of a set of n pictures.

    Args:
        statistics: name -> ``[n]``, of `physics.comparison.statistics`.
        curves: name -> ``[n, k]``, of `physics.curves.curves`.
    """

    statistics: dict[str, Array]
    curves: dict[str, Array]


def measured(store: TensorStore, ids: Sequence[str]) -> Measured:
    """Statistics and curves of stored pictures, a block of them in memory at a time."""
    parts = [Measured(statistics(block), curves(block)) for block in store.blocks(ids)]
    joined = [
        {name: np.concatenate([part[name] for part in each]) for name in each[0]}
        for each in ([part.statistics for part in parts], [part.curves for part in parts])
    ]
    return Measured(*joined)


def blurred_references(run: Run, blur: float) -> tuple[TensorStore, list[str]]:
    """References without their small scales: a store, and their ids in it, in order."""
    recipe = {"image_shape": list(run.model.image_shape), "blur": blur}
    store, ids = run.workspace.stores.open("blurred", recipe, torch.uint8), list(run.references)

    def make(missing: list[str]) -> None:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            store.write(block, blurred(run.pictures.read([run.references[i] for i in block]), blur))

    store.fill(ids, make)
    return store, ids


def blurred(images: Tensor, blur: float) -> Tensor:
    """Images uint8 ``[n, C, H, W]`` under a Gaussian of standard deviation `blur` pixels, as uint8."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(images.numpy().astype(np.float64), (0, 0, blur, blur), mode="nearest")
    return torch.from_numpy(smooth.round().astype(np.uint8))


def plot(run: Run, x: Mapping[str, list[float]], numbers: Mapping[str, Measured], real: Measured) -> None:
    """One figure per curve, with all sets in it."""
    for curve, file in PLOTS.items():
        sets = {"held_out": real} | {name: numbers[name] for name in BACK_TO_FRONT}
        shown = {name: band(each.curves[curve]) for name, each in sets.items()}
        with optional(f"draw {file}"):
            atomic_write(run.workspace.folder / file, bands(curve, x[curve], shown).encode())
