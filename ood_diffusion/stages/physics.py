"""Physical statistics of the new images: power spectrum, morphology and intensity against held-out images."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.claims.physics import physical
from ood_diffusion.physics.comparison import differences, statistics
from ood_diffusion.physics.curves import curves
from ood_diffusion.report.claim_plots.physics import LABELS, bands
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.evaluate import features_in_order, features_of, samples_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.storage.store import TensorStore

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
    images = {name: store.read(ids) for name, (store, ids) in sets.items()}
    features = {name: features_in_order(own, *found) for name, found in sets.items()}
    judges = own.pictures.read(list(own.held_out.values()))
    judges_features, wanted = features_of(own, own.pictures, own.held_out), statistics(judges)
    found = {name: differences(statistics(x), wanted, own.settings.seed) for name, x in images.items()}
    n = min(len(x) for x in features.values())
    checks = physical(
        found["samples"],
        found["references"],
        found["blurred references"],
        settings.band,
        (len(images["samples"]), len(images["references"])),
        SHOWN_WITH,
    )
    cell.results["physics"] = {
        "n_held_out": len(judges),
        "n_fid": n,
        "sets": {
            name: {
                "n": len(images[name]),
                "fid": vars(fid_interval(features[name][:n], judges_features)),
                "statistics": found[name],
            }
            for name in sets
        },
        "checks": [check.as_json() for check in checks],
    }
    plot(cell, images, judges)


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
    store, ids = TensorStore(cell.store_root, "blurred", recipe, torch.uint8), list(cell.references)
    with store.exclusive():
        if missing := store.missing(ids):
            store.write(missing, blurred(cell.pictures.read([cell.references[i] for i in missing]), blur))
    return store, ids


def blurred(images: Tensor, blur: float) -> Tensor:
    """Images uint8 ``[n, C, H, W]`` under a Gaussian of standard deviation `blur` pixels, as uint8."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(images.numpy().astype(np.float64), (0, 0, blur, blur), mode="nearest")
    return torch.from_numpy(smooth.round().astype(np.uint8))


def plot(cell: Cell, images: dict[str, Tensor], judges: Tensor) -> None:
    """One figure per curve, with all sets in it."""
    each = {name: curves(x, judges) for name, x in images.items()}
    for curve, file in PLOTS.items():
        shown = each["samples"][curve]
        sets = {"held_out": shown["held_out"]} | {
            name: each[name][curve]["samples"] for name in BACK_TO_FRONT
        }
        atomic_write(cell.run_folder / file, bands(curve, shown["x"], sets).encode())
