"""From who is still inside at which angle to one figure: how far a latent may be turned."""

import numpy as np

from ood_diffusion.statistics.estimate import Array, Estimate
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.statistics.randomness import numpy_generator

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


def bandwidth_interval(angles: Array, inside: Array, seed: int) -> Estimate:
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
    return Estimate(value, float(low), float(high), len(inside))


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
