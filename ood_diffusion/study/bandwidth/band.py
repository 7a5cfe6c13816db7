"""How far a latent may be turned, or how much fresh noise it bears: one figure from who stays inside."""

import numpy as np
import torch

from ood_diffusion.metrics.novelty import nearest
from ood_diffusion.runs.images import first
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.decode import decode
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.statistics.estimate import Array, Estimate
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.statistics.randomness import numpy_generator
from ood_diffusion.study.bandwidth.section import Band, EtaBand, EtaBands
from ood_diffusion.study.bandwidth.settings import BandwidthSettings

RESAMPLES = 4000


def half_fall(angles: Array, shares: Array) -> Array:
    """The angle at which each share has fallen to half of its value at the first angle.

    Args:
        angles: ascending, ``[a]``, in degrees.
        shares: share of images inside the domain at each, ``[r, a]``.

    Returns:
        ``[r]``, in degrees, by linear interpolation up to the first angle at or below the half; the largest
        angle where there is none, 0 where nothing is inside to begin with.
    """
    half, rows, (before, at) = shares[:, 0] / 2, np.arange(len(shares)), _gap(shares)
    drop = shares[rows, before] - shares[rows, at]
    part = (shares[rows, before] - half) / np.where(at > before, drop, 1)
    found: Array = angles[before] + part * (angles[at] - angles[before])
    return found


def censored(inside: Array) -> bool:
    """Whether the share inside, ``[n, a]``, never falls to half: the band is then wider than was looked."""
    share = inside.mean(axis=0)
    return bool((share > share[0] / 2).all())


def start(inside: Array) -> Estimate:
    """The share inside, ``[n, a]``, at the first angle, of which `half_fall` takes the half; by Wilson."""
    return proportion_interval(int(inside[:, 0].sum()), len(inside))


def bandwidth_interval(angles: Array, inside: Array, seed: int) -> Band:
    """`half_fall` of the share inside, with a percentile bootstrap interval over images.

    Between two angles of the grid nothing is known of who leaves where: of images that all leave in one gap,
    all may leave at its beginning. Each resample's half is therefore put anywhere in the gap in which it is
    reached, uniformly, and not where a straight line would put it; so the interval covers most of a gap at
    least, however many images there are. An image that leaves and comes back counts wherever it is inside.

    Args:
        angles: ascending, ``[a]``, in degrees.
        inside: of each image at each angle, bool ``[n, a]``.
        seed: of the resampling.
    """
    value = float(half_fall(angles, inside.mean(axis=0, keepdims=True))[0])
    low, high = np.quantile(_resampled(angles, inside, seed, "bandwidth"), [0.025, 0.975])
    return Band(value, float(low), float(high), len(inside), censored(inside))


def bandwidth_difference(angles: Array, a: Array, b: Array, seed: int) -> Estimate:
    """Bandwidth of `a` minus that of `b`, independent sets of images; interval as in `bandwidth_interval`.

    Args:
        angles: ascending, in degrees, the same for both.
        a: which images are inside, bool ``[n, angles]``.
        b: likewise, ``[m, angles]``.
        seed: of the resampling.
    """
    values = [half_fall(angles, inside.mean(axis=0, keepdims=True))[0] for inside in (a, b)]
    spread = _resampled(angles, a, seed, "first") - _resampled(angles, b, seed, "second")
    low, high = np.quantile(spread, [0.025, 0.975])
    return Estimate(float(values[0] - values[1]), float(low), float(high), len(a) + len(b))


def _gap(shares: Array) -> tuple[Array, Array]:
    """Columns, each ``[r]``, between which `shares`, ``[r, a]``, first fall to half: the last angle twice
    where they do not, the first one twice where nothing is inside to begin with."""
    fallen, last = shares <= shares[:, :1] / 2, shares.shape[1] - 1
    at, falls = fallen.argmax(axis=1), fallen.any(axis=1)
    return np.where(falls, np.maximum(at - 1, 0), last), np.where(falls, at, last)


def _resampled(angles: Array, inside: Array, seed: int, name: str) -> Array:
    n, rng = len(inside), numpy_generator(seed, "bandwidth", name)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    before, at = _gap(weights @ inside.astype(np.float64))
    found: Array = rng.uniform(angles[before], angles[at])
    return found


def recognised(run: Run, settings: BandwidthSettings) -> Array:
    """Decode the run's references from their latents with every eta.

    Returns:
        Whether each result's nearest reference, among the run's, is the one that it came from: bool
        ``[n, len(settings.etas)]``. By chance 1 in n is.
    """
    invert(run)
    originals = features_of(run, run.pictures, run.references)
    own, found = torch.arange(len(run.references)), []
    for eta in settings.etas:
        child = run.at(eta=eta)
        images, names = decode(child, child.bank, list(run.references), f"bandwidth, eta {eta:g}")
        found.append(nearest(features_in_order(child, images, names), originals)[1] == own)
    shares: Array = torch.stack(found, dim=1).numpy()
    return shares


def eta_bands(
    run: Run, unseen: dict[str, str], training: dict[str, str], settings: BandwidthSettings
) -> tuple[EtaBands, tuple[Estimate, Estimate]]:
    """The eta at which the share recognised has fallen to half, of both domains, and their difference.

    Args:
        run: at the level that is compared.
        unseen: images of the unseen domain, content digest -> picture id.
        training: likewise of the training domain. As many of each are used as the smaller set has: among
            more images it is harder to be the nearest.
        settings: of the stage.

    Returns:
        The bands; the shares recognised at eta 0, of both domains.
    """
    etas, seed = np.array(settings.etas, dtype=np.float64), run.settings.seed
    n = min(len(unseen), len(training))
    here, there = (recognised(run.at(subset=first(images, n)), settings) for images in (unseen, training))
    difference = bandwidth_difference(etas, here, there, seed)
    unseen_band, training_band = (
        EtaBand(**vars(bandwidth_interval(etas, found, seed)), recognised=found.mean(axis=0).tolist())
        for found in (here, there)
    )
    return EtaBands(etas.tolist(), unseen_band, training_band, difference), (start(here), start(there))
