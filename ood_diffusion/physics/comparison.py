"""Are generated pictures physically like those of the domain? One two-sample test per statistic."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.physics.images import Array, luminance
from ood_diffusion.physics.intensity import moments
from ood_diffusion.physics.morphology import morphology
from ood_diffusion.physics.profile import source
from ood_diffusion.physics.spectrum import power_spectrum, slope, small_scale_power
from ood_diffusion.seeding import generator

LEVEL = 0.05
"""Chance that sets from one domain differ in any statistic by this test (family-wise, after Holm)."""

RESAMPLES = 1000
"""Bootstrap resamples of each interval."""

CONSTANT = 1e-9
"""Standard deviation, as a share of the largest value, up to which a statistic has no spread."""


@dataclass(frozen=True)
class Difference:
    """One statistic in two sets of images.

    Args:
        samples: mean of one set.
        held_out: mean of the other.
        difference: of the means, in standard deviations of the other set; 0 where neither set has a spread
            and they agree, NaN, like `low` and `high`, where the other set alone has none.
        low: lower end of its 95 % interval, by a percentile bootstrap.
        high: upper end.
        ks: Kolmogorov–Smirnov statistic, 0 … 1.
        p: its p-value.
        p_holm: adjusted for the number of statistics (Holm 1979).
        differs: whether `p_holm` is below 0.05: two sets of one domain differ anywhere in at most 5 % of
            cases.
    """

    samples: float
    held_out: float
    difference: float
    low: float
    high: float
    ks: float
    p: float
    p_holm: float
    differs: bool


def statistics(images: Tensor) -> dict[str, Array]:
    """Every scalar statistic of each picture of uint8 ``[n, 3, H, H]``: name -> ``[n]``, finite.

    Copies all of them as float64: hand over a block at a time.
    """
    shapes = [morphology(source(light)) for light in luminance(images)]
    log_powers = power_spectrum(images)
    return {
        **moments(images),
        "spectrum_slope": slope(log_powers),
        "small_scale_power": small_scale_power(log_powers),
        **{name: np.array([shape[name] for shape in shapes]) for name in shapes[0]},
    }


def differences(
    samples: Mapping[str, Array], held_out: Mapping[str, Array], seed: int
) -> dict[str, Difference]:
    """Test every statistic of two sets for a difference.

    Args:
        samples: name -> ``[n]``.
        held_out: name -> ``[m]``, the same names.
        seed: of the bootstrap.
    """
    from scipy.stats import ks_2samp

    tests = {name: ks_2samp(samples[name], held_out[name]) for name in samples}
    adjusted = holm(np.array([float(test.pvalue) for test in tests.values()]))
    found = {}
    for (name, test), p_holm in zip(tests.items(), adjusted, strict=True):
        a, b = samples[name], held_out[name]
        both = np.concatenate([a, b])
        least = CONSTANT * np.abs(both).max()
        spread = float(b.std(ddof=1))
        if spread <= least:
            spread = np.nan if np.ptp(both) > least else np.inf
        low, high = np.percentile(_bootstrap(a, b, spread, least, seed, name), [2.5, 97.5])
        found[name] = Difference(
            samples=float(a.mean()),
            held_out=float(b.mean()),
            difference=float((a.mean() - b.mean()) / spread),
            low=float(low),
            high=float(high),
            ks=float(test.statistic),
            p=float(test.pvalue),
            p_holm=float(p_holm),
            differs=bool(p_holm < LEVEL),
        )
    return found


def holm(p: Array) -> Array:
    """Adjusted p-values ``[k]``, at most 1: they bound the chance of any false alarm (Holm 1979)."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return adjusted


def _bootstrap(a: Array, b: Array, spread: float, least: float, seed: int, name: str) -> Array:
    """Standardised differences of the means of resampled sets, ``[RESAMPLES]``; a resample of `b` without a
    spread is given all of `b`'s."""
    start = torch.randint(2**62, (1,), generator=generator(seed, "physics bootstrap", name))
    rng = np.random.default_rng(int(start))
    again_a, again_b = (x[rng.integers(0, len(x), (RESAMPLES, len(x)))] for x in (a, b))
    sd = again_b.std(axis=1, ddof=1)
    sd = np.where(sd > least, sd, spread)
    drawn: Array = (again_a.mean(axis=1) - again_b.mean(axis=1)) / sd
    return drawn
