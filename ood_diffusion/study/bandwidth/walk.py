"""Latents moved along the shell, what they decode to, and which of it is inside the domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import origin_angles, squared_norms
from ood_diffusion.geometry.shell import move
from ood_diffusion.geometry.slerp import slerp
from ood_diffusion.metrics.distances import inside, neighbour_radii
from ood_diffusion.pixels import psnr
from ood_diffusion.runs.images import first
from ood_diffusion.runs.run import Run
from ood_diffusion.seeding import generator, normal
from ood_diffusion.source import Recipe
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.statistics.estimate import Array
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.study.bandwidth.recommend import unexplained
from ood_diffusion.study.bandwidth.section import HalfWay, Point, Real
from ood_diffusion.study.bandwidth.settings import BandwidthSettings


@dataclass(frozen=True)
class Walk:
    """What n references become at one level, in columns as of `moved_latents`: turned by a angles in a random
    direction, then by t angles towards the next one, then half way to it.

    Args:
        angles: a, in degrees, from 0 on.
        towards: t, in degrees, above 0.
        apart: from each latent to the next one, in degrees, float64 ``[n]``.
        images: uint8 or float32 ``[n, a + t + 1, C, H, W]``.
        inside: whether each is in the domain, bool ``[n, a + t + 1]``.
        distances: feature distance to the reconstruction (angle 0), float64 ``[n, a + t + 1]``.
    """

    angles: Sequence[float]
    towards: Sequence[float]
    apart: Tensor
    images: Tensor
    inside: Tensor
    distances: Tensor

    @property
    def turned(self) -> Array:
        """Which images are inside, at each angle along a random direction, ``[n, a]``."""
        found: Array = self.inside[:, : len(self.angles)].numpy()
        return found

    def curve(self) -> list[Point]:
        """The figures at each angle: share inside, mean distance and PSNR (dB) to the reconstruction."""
        return [self._point(angle, i) for i, angle in enumerate(self.angles)]

    def curve_towards(self) -> list[Point]:
        """The same towards the next reference, from the shared angle 0 on; angles are means over images."""
        moved = [
            self._point(self._mean_turn(angle), i) for i, angle in enumerate(self.towards, len(self.angles))
        ]
        return [self.curve()[0], *moved]

    def half_way(self) -> HalfWay:
        """The figures half way, and how much of the images is no superposition of the two reconstructions."""
        start = self.images[:, 0]
        new = unexplained(self.images[:, -1], start, start.roll(-1, 0))
        return HalfWay(**vars(self._point(self._mean_turn(180.0), -1)), unexplained=float(new.mean()))

    def _mean_turn(self, angle: float) -> float:
        return float((self.apart / 2).clamp_max(angle).mean())

    def _point(self, angle: float, column: int) -> Point:
        share = proportion_interval(int(self.inside[:, column].sum()), len(self.inside))
        distance = float(self.distances[:, column].mean())
        decibels = float(psnr(self.images[:, column], self.images[:, 0]).mean())
        return Point(angle, share.value, share, distance, decibels)


def walk(run: Run, settings: BandwidthSettings, domain: Tensor) -> Walk:
    """Invert the run's references to its level, move them, and decode without noise.

    Args:
        run: with eta 0.
        settings: of the stage.
        domain: features of the images that stand for the domain, none of them moved, ``[m, d]``.
    """
    invert(run)
    references, seed, level = list(run.references), run.settings.seed, f"{run.settings.level:g}"
    z, angles, towards = run.bank.read(references), settings.angles, settings.towards
    moved = moved_latents(z, references, angles, towards, seed)
    recipe = moves_recipe(references, angles, towards, seed)
    flat = moved.flatten(0, 1)
    latents, ids = stored_latents(run, recipe, len(flat), flat.__getitem__)
    images, names = decode(run, latents, ids, f"bandwidth {level}")
    features = features_in_order(run, images, names)
    shape = moved.shape[:2]
    steps = features.double().view(*shape, -1)
    return Walk(
        angles,
        towards,
        apart(z),
        images.read(names).view(*shape, *run.model.image_shape),
        inside(features, domain, settings.nearest_k).view(shape),
        (steps - steps[:, :1]).square().sum(dim=2).sqrt(),
    )


def moved_latents(
    z: Tensor, names: Sequence[str], angles: Sequence[float], towards: Sequence[float], seed: int
) -> Tensor:
    """Each latent turned in a random direction, then towards its successor, then half way to that.

    An image has one direction at all angles and levels, so that they can be compared. Towards its successor
    it is turned by `slerp` with the share `angle / apart`, of each pair its own, and never beyond half way:
    of a pair less than twice an angle apart the point is the one half way.

    Args:
        z: float32 ``[n, …]``.
        names: of the images; with the seed they determine the directions.
        angles: of the random turns, in degrees.
        towards: of the turns to the successor, in degrees.
        seed: see `names`.

    Returns:
        float32 ``[n, len(angles) + len(towards) + 1, …]``.
    """
    directions = normal([generator(seed, "direction", name) for name in names], z.shape[1:])
    turned, between = [move(z, directions, angle) for angle in angles], apart(z)
    shares = [*((angle / between).clamp_max(0.5) for angle in towards), torch.full((len(z),), 0.5)]
    return torch.stack([*turned, *(slerp(z, z.roll(-1, 0), share) for share in shares)], dim=1)


def apart(z: Tensor) -> Tensor:
    """Angle in degrees from each latent to its successor, the last's being the first: float64 ``[n]``."""
    following, square = z.roll(-1, 0), squared_norms(z)
    inner = (z.double() * following.double()).flatten(1).sum(dim=1, keepdim=True)
    return origin_angles(inner, square, square.roll(-1)[:, None])[:, 0]


def moves_recipe(
    references: Sequence[str], angles: Sequence[float], towards: Sequence[float], seed: int
) -> Recipe:
    """What determines `moved_latents` beside the trajectory."""
    moves = {"angles": [float(angle) for angle in angles], "towards": list(towards), "half_way": True}
    return {"stage": "bandwidth", "references": list(references), **moves, "seed": seed}


def domain_features(run: Run, settings: BandwidthSettings) -> tuple[Tensor, Tensor]:
    """Features of equally many images of the unseen and of the training domain, none of them moved.

    They are references too, the ones after those that are moved: held-out images evaluate what is
    sampled from the recommended level, and a level that was chosen by them would have seen them (as it had
    before a review that had seen a first run on one domain).

    Raises:
        UserError: if `nearest_k` or fewer are left in a domain.
    """
    sets = (run.references, run.training_references)
    require_domain_images(min(map(len, sets)), settings)
    others = [dict(islice(images.items(), settings.n_images, None)) for images in sets]
    n = min(settings.n_judges, *map(len, others))
    unseen, own = (features_of(run, run.pictures, first(images, n)) for images in others)
    return unseen, own


def require_domain_images(n: int, settings: BandwidthSettings) -> None:
    """Raise `UserError` unless n images of each domain are enough to move some and make balls of the rest."""
    least = settings.n_images + settings.nearest_k
    require(
        n > least,
        f"the stage bandwidth needs more than {least} images of each domain: {settings.n_images} that it "
        f"moves and more than {settings.nearest_k} others",
        n,
        "Raise n_references and n_training, bring more images, or lower stage.bandwidth.n_images.",
    )


def real_images(run: Run, images: Mapping[str, str], domain: Tensor, settings: BandwidthSettings) -> Real:
    """What the images that are moved score as they are: the yardstick of `levels`.

    How many are inside depends on how far apart the domain's own images lie, not on the gap alone; `radius`
    says how far.

    Args:
        run: whose pictures they are.
        images: those that are moved, content digest -> picture id.
        domain: of `domain_features`, ``[m, d]``.
        settings: of the stage.
    """
    pictures = run.pictures.read(list(images.values()))
    new = unexplained(pictures, pictures.roll(-1, 0), pictures.roll(-2, 0))
    within = inside(features_of(run, run.pictures, images), domain, settings.nearest_k)
    share = proportion_interval(int(within.sum()), len(within))
    radius = median_radius(domain, settings.nearest_k)
    return Real(share.value, float(new.mean()), radius, share.n)


def median_radius(domain: Tensor, k: int) -> float:
    """Median distance from images of a domain, features ``[m, d]``, m > k, to their k-th nearest other."""
    return float(neighbour_radii(domain, k).quantile(0.5))
