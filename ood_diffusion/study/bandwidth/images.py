"""Which images the stage `bandwidth` moves, and which ones say what is inside the domain."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Domain
from ood_diffusion.domains.source import Source
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.metrics.distances import neighbour_radii
from ood_diffusion.metrics.manifold import inside
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.evaluate import features_of
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.study.bandwidth.recommend import unexplained
from ood_diffusion.study.bandwidth.settings import BandwidthSettings

SELECTING = {"seed", "limit", "device", "image_size"}
"""Settings that choose pictures of a domain, or how to show them, and make no other domain of it."""


def first(images: Mapping[str, str], n: int) -> dict[str, str]:
    """The first n of them."""
    return dict(islice(images.items(), n))


def judges(run: Run, settings: BandwidthSettings) -> tuple[Tensor, Tensor]:
    """Features of equally many images of the unseen and of the training domain, none of them moved.

    They are references too, the ones after those that are moved: held-out images are to judge what is
    sampled from the recommended level, and a level that was chosen by them would have seen its judges (as it
    did before a review that had seen a first run on one domain).

    Raises:
        UserError: if `nearest_k` or fewer are left in a domain.
    """
    sets = (run.references, run.training_references)
    others = [dict(islice(images.items(), settings.n_images, None)) for images in sets]
    n = min(settings.n_judges, *map(len, others))
    require_judges(n, settings)
    unseen, own = (features_of(run, run.pictures, first(images, n)) for images in others)
    return unseen, own


def require_judges(n: int, settings: BandwidthSettings) -> None:
    """Raise `UserError` unless n images of each domain, beside those moved, are enough for the balls."""
    require(
        n > settings.nearest_k,
        f"the stage bandwidth needs more than {settings.nearest_k} images of each domain, in addition to "
        f"the {settings.n_images} that it moves",
        n,
        f"Raise n_references and n_training above {settings.n_images + settings.nearest_k}, or lower "
        "stage.bandwidth.n_images.",
    )


def real_images(
    run: Run, images: Mapping[str, str], domain: Tensor, settings: BandwidthSettings
) -> dict[str, Any]:
    """What the images that are moved score as they are: the yardstick of `levels`.

    How many are inside depends on how far apart the domain's own images lie, not on the gap alone;
    "radius", the median of the judges' balls (feature distance), says how far.

    Args:
        run: whose pictures they are.
        images: those that are moved, content digest -> picture id.
        domain: features of `judges`, ``[m, d]``.
        settings: of the stage.
    """
    pictures = run.pictures.read(list(images.values()))
    new = unexplained(pictures, pictures.roll(-1, 0), pictures.roll(-2, 0))
    within = inside(features_of(run, run.pictures, images), domain, settings.nearest_k)
    share = proportion_interval(int(within.sum()), len(within))
    radius = median_radius(domain, settings.nearest_k)
    return {"inside": share.value, "unexplained": float(new.mean()), "radius": radius, "n": share.n}


def median_radius(domain: Tensor, k: int) -> float:
    """Median distance from images of a domain, features ``[m, d]``, m > k, to their k-th nearest other."""
    return float(neighbour_radii(domain, k).quantile(0.5))


def domain_identity(domain: Domain) -> str:
    """Hash what makes a domain another one than others: its type, place and settings, but no seed or limit.

    So that runs on other pictures of one domain are known as such. Paths count as they are: a copy of a
    folder is another domain.

    Returns:
        16 hexadecimal digits.
    """
    return fingerprint(_traits(domain))


def _traits(part: Domain | Source[Any]) -> dict[str, Any]:
    recipe = getattr(part, "recipe", None)  # of what a model draws: its weights and trajectory
    settings = recipe if isinstance(recipe, Mapping) else vars(part)
    traits: dict[str, Any] = {"type": type(part).__name__}
    for name, value in settings.items():
        if name in SELECTING or name.startswith("_"):
            continue
        if isinstance(value, Domain | Source):
            traits[name] = _traits(value)
        elif isinstance(value, Path | str | int | float | Mapping) or name == "classes":
            traits[name] = str(value)
    return traits
