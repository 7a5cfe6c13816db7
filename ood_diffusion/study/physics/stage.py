"""Physical statistics of the new images: power spectrum, morphology and intensity against held-out images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.optional import optional
from ood_diffusion.physics.comparison import differences, statistics
from ood_diffusion.physics.curves import abscissae, band, curves
from ood_diffusion.physics.images import Array
from ood_diffusion.runs.cell import Cell
from ood_diffusion.stages.evaluate import features_in_order, features_of, samples_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
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
class PhysicsSettings:
    """Settings of the stage.

    Args:
        band: the largest standardised difference that counts as none, above 0.
        blur: standard deviation of the Gaussian that corrupts the references, pixels, above 0.
    """

    band: float
    blur: float

    def __post_init__(self) -> None:
        for name in ("band", "blur"):
            value = getattr(self, name)
            require(value > 0, f"stage.physics.{name} must be positive", value, "See the file's default.")


def physics(cell: Cell) -> None:
    """Compare samples, references and blurred references with the held-out images, in physics and in FID."""
    settings: PhysicsSettings = cell.stage_settings["physics"]
    own = cell.at()
    invert(own)
    sample(own)
    sets = {
        "samples": samples_of(own),
        "references": (own.pictures, list(own.references.values())),
        "blurred references": blurred_references(own, settings.blur),
    }
    features = {name: features_in_order(own, *where) for name, where in sets.items()}
    judges = features_of(own, own.pictures, own.held_out)
    numbers = {name: measured(*where) for name, where in sets.items()}
    real = measured(own.pictures, list(own.held_out.values()))
    found = {
        name: differences(each.statistics, real.statistics, own.settings.seed)
        for name, each in numbers.items()
    }
    n = min(len(x) for x in features.values())
    checks = physical(
        found["samples"],
        found["references"],
        found["blurred references"],
        settings.band,
        (len(features["samples"]), len(features["references"])),
        SHOWN_WITH,
    )
    cell.results["physics"] = {
        "n_held_out": len(judges),
        "n_fid": n,
        "sets": {
            name: {
                "n": len(features[name]),
                "fid": vars(fid_interval(features[name][:n], judges)),
                "statistics": found[name],
            }
            for name in sets
        },
        "checks": [check.as_json() for check in checks],
    }
    plot(cell, abscissae(own.pictures.read(list(own.held_out.values())[:1])), numbers, real)


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


def check_physics(cell: Cell) -> None:
    """Raise `UserError` unless every set of images has a spread."""
    size, wanted = cell.domain.size("held_out"), cell.settings.n_held_out
    counts = {
        "n_samples": cell.settings.n_samples,
        "n_references": cell.settings.n_references,
        "n_held_out": wanted if size is None else min(wanted, size),
    }
    for name, images in counts.items():
        require(
            images >= 2,
            f"the stage physics needs {name} to be at least 2",
            images,
            "Bring more images or leave out the stage physics.",
        )


def blurred_references(cell: Cell, blur: float) -> tuple[TensorStore, list[str]]:
    """References without their small scales: a store, and their ids in it, in order."""
    recipe = {"image_shape": list(cell.model.image_shape), "blur": blur}
    store, ids = cell.stores.open("blurred", recipe, torch.uint8), list(cell.references)

    def make(missing: list[str]) -> None:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            store.write(block, blurred(cell.pictures.read([cell.references[i] for i in block]), blur))

    store.fill(ids, make)
    return store, ids


def blurred(images: Tensor, blur: float) -> Tensor:
    """Images uint8 ``[n, C, H, W]`` under a Gaussian of standard deviation `blur` pixels, as uint8."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(images.numpy().astype(np.float64), (0, 0, blur, blur), mode="nearest")
    return torch.from_numpy(smooth.round().astype(np.uint8))


def plot(cell: Cell, x: Mapping[str, list[float]], numbers: Mapping[str, Measured], real: Measured) -> None:
    """One figure per curve, with all sets in it."""
    for curve, file in PLOTS.items():
        sets = {"held_out": real} | {name: numbers[name] for name in BACK_TO_FRONT}
        shown = {name: band(each.curves[curve]) for name, each in sets.items()}
        with optional(f"draw {file}"):
            atomic_write(cell.run_folder / file, bands(curve, x[curve], shown).encode())
