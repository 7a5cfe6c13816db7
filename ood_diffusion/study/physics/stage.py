"""Physical statistics of the new images: power spectrum, morphology and intensity against held-out images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require, require_positive
from ood_diffusion.claims.check import Check
from ood_diffusion.optional import optional
from ood_diffusion.physics.comparison import Difference, differences, statistics
from ood_diffusion.physics.curves import abscissae, band, curves
from ood_diffusion.physics.fields import Fields
from ood_diffusion.physics.images import SMALLEST, Array
from ood_diffusion.report.figures import save
from ood_diffusion.report.results import Results
from ood_diffusion.runs.feasible import require_images
from ood_diffusion.runs.run import Run, named_dtype
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.stages.control import controls_of
from ood_diffusion.stages.evaluate import TWIN, samples_of
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.store import BLOCK, TensorStore
from ood_diffusion.study.physics.plots import LABELS, bands
from ood_diffusion.study.physics.verdict import GROUPS, physical

SHOWN_WITH = {
    "power spectrum": "power_spectrum",
    "morphology": "radial_profile",
    "intensity": "intensity_pdf",
    "values": "pdf",
    "topology": "euler",
    "channels": "pdf",
}
"""Group -> the curve that shows it, of fields with several channels that of the first."""

BACK_TO_FRONT = ("references", "blurred references", "twin", "samples")


class Photographs:
    """What is measured of RGB photographs: their luminance."""

    statistics, curves, abscissae = staticmethod(statistics), staticmethod(curves), staticmethod(abscissae)
    groups, labels = GROUPS, LABELS
    unit = "share of white"

    @staticmethod
    def named(name: str, channel: int) -> str:
        """There is one channel."""
        return name


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
        sets: of samples, references, blurred references and, where there is one, the samples' twin.
        checks: of C10.
        unit: of the values that the statistics are of.
    """

    n_held_out: int
    n_fid: int
    sets: Mapping[str, Compared]
    checks: Sequence[Check]
    unit: str


@dataclass(frozen=True)
class Physics(Stage):
    """Compares samples, their twin, references and blurred references with the held-out images, in physics
    and in FID. Of photographs luminance is measured, of fields their own values in physical units.

    Args:
        band: the largest standardised difference that counts as none, above 0.
        blur: standard deviation of the Gaussian that corrupts the references, pixels, above 0.
    """

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
        if TWIN in run.controls:
            sets |= {name: each for name, each in controls_of(run).items() if name == TWIN}
        of = Fields(run.domain.physical_scale, run.domain.channels) if run.view_recipe else Photographs()
        features = {name: features_in_order(run, *where) for name, where in sets.items()}
        held_out = features_of(run, run.pictures, run.held_out)
        numbers = {name: measured(of, *where) for name, where in sets.items()}
        real = measured(of, run.pictures, list(run.held_out.values()))
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
            {group: plot_of(of.named(SHOWN_WITH[group], 0)) for group in of.groups},
            of.groups,
            found.get(TWIN),
        )
        compared = {
            name: Compared(len(x), fid_interval(x[:n], held_out), found[name]) for name, x in features.items()
        }
        x = of.abscissae(run.pictures.read(list(run.held_out.values())[:1]))
        plot(run, of.labels, x, numbers, real)
        return {"physics": PhysicsSection(len(held_out), n, compared, checks, of.unit)}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless every set of images has a spread."""
        if run.view_recipe:
            sides = run.model.image_shape[1:]
            remedy = "Leave the stage physics out."
            require(
                min(sides) >= SMALLEST, f"physics needs fields of {SMALLEST} pixels a side", sides, remedy
            )
        require_images(run, "physics", dict.fromkeys(("n_samples", "n_references", "n_held_out"), 2))


@dataclass(frozen=True)
class Measured:
    """What is kept of a set of n pictures.

    Args:
        statistics: name -> ``[n]``.
        curves: name -> ``[n, k]``.
    """

    statistics: dict[str, Array]
    curves: dict[str, Array]


def measured(of: Photographs | Fields, store: TensorStore, ids: Sequence[str]) -> Measured:
    """Statistics and curves of stored pictures, a block of them in memory at a time."""
    parts = [Measured(of.statistics(block), of.curves(block)) for block in store.blocks(ids)]
    joined = [
        {name: np.concatenate([part[name] for part in each]) for name in each[0]}
        for each in ([part.statistics for part in parts], [part.curves for part in parts])
    ]
    return Measured(*joined)


def blurred_references(run: Run, blur: float) -> tuple[TensorStore, list[str]]:
    """References without their small scales: a store, and their ids in it, in order."""
    recipe = {"image_shape": list(run.model.image_shape), "blur": blur, **named_dtype(run.dtype)}
    store, ids = run.workspace.stores.open("blurred", recipe, run.dtype), list(run.references)

    def make(missing: list[str]) -> None:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            store.write(block, blurred(run.pictures.read([run.references[i] for i in block]), blur))

    store.fill(ids, make)
    return store, ids


def blurred(images: Tensor, blur: float) -> Tensor:
    """Images ``[n, C, H, W]`` under a Gaussian of standard deviation `blur` pixels, of the same dtype."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(images.numpy().astype(np.float64), (0, 0, blur, blur), mode="nearest")
    return torch.from_numpy(smooth.round() if images.dtype == torch.uint8 else smooth).to(images.dtype)


def plot_of(curve: str) -> str:
    """The file that shows it."""
    return f"physics_{curve}.svg"


def plot(
    run: Run,
    labels: Mapping[str, tuple[str, str]],
    x: Mapping[str, list[float]],
    numbers: Mapping[str, Measured],
    real: Measured,
) -> None:
    """One figure per curve, with all sets in it."""
    for curve, axes in labels.items():
        sets = {"held_out": real} | {name: numbers[name] for name in BACK_TO_FRONT if name in numbers}
        shown = {name: band(each.curves[curve]) for name, each in sets.items()}
        with optional(f"draw {plot_of(curve)}"):
            save(run.workspace.folder / plot_of(curve), bands(curve, axes, x[curve], shown))
