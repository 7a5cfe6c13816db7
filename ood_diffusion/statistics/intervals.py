"""95 % intervals of means, proportions, differences, AUCs and correlations, and a rank correlation's null."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from ood_diffusion.checks import require
from ood_diffusion.statistics.estimate import Array, Estimate, NullTest
from ood_diffusion.statistics.randomness import numpy_generator

FEWEST_RESAMPLED = 30
"""Below this a bootstrap has too few values to draw from, and Student's t is used."""

RESAMPLES = 4000

FEWEST_PAIRS = 4
"""Below this the standard error of a correlation is not defined."""

MOST_PERMUTED = 8
"""Up to 8! = 40,320 orders are counted one by one."""

Values = Sequence[float] | Array


def mean_interval(values: Values, seed: int) -> Estimate:
    """The mean, with a bootstrap interval (BCa; Efron 1987) or, below 30 values, Student's t.

    With 3 seeds t is wide (4.3 standard errors), as it must be: it is exact for normal values and the only
    one of the two that does not fall far short of 95 % there. Equal values give an interval of no width.

    Args:
        values: independent observations, at least 2.
        seed: of the resampling.

    Raises:
        UserError: if there are fewer than 2 values, or one is not finite.
    """
    from scipy import stats

    x = _finite(values)
    value = float(x.mean())
    if np.ptp(x) == 0:
        return Estimate(value, value, value, len(x))
    if len(x) < FEWEST_RESAMPLED:
        low, high = stats.t.interval(0.95, len(x) - 1, loc=value, scale=stats.sem(x))
    else:
        low, high = _bootstrap((x,), np.mean, seed)
    return Estimate(value, float(low), float(high), len(x))


def proportion_interval(successes: int, n: int) -> Estimate:
    """A proportion with Wilson's score interval (1927), which never leaves [0, 1] and has width at 0 and 1.

    Raises:
        UserError: unless 0 <= successes <= n and n >= 1.
    """
    from scipy import stats

    require(0 <= successes <= n and n >= 1, "successes must lie in 0 … n", (successes, n), "Check them.")
    low, high = stats.binomtest(int(successes), int(n)).proportion_ci(method="wilson")
    return Estimate(successes / n, float(low), float(high), n)


def paired_difference(a: Values, b: Values, seed: int) -> Estimate:
    """Mean of a − b over pairs (same image, same seed), as `mean_interval`; `a` and `b` are equally long.

    Raises:
        UserError: if the lengths differ, or as `mean_interval`.
    """
    x, y = _finite(a), _finite(b)
    require(len(x) == len(y), "pairs need as many values of a as of b", (len(x), len(y)), "Pair them.")
    return mean_interval(x - y, seed)


def difference(a: Values, b: Values, seed: int) -> Estimate:
    """Mean of a minus mean of b, of independent samples: bootstrap (BCa), or Welch's t below 30 values of
    either.

    Returns:
        The difference; `n` counts both samples.

    Raises:
        UserError: as `mean_interval`.
    """
    from scipy import stats

    x, y = _finite(a), _finite(b)
    value = float(x.mean() - y.mean())
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        return Estimate(value, value, value, len(x) + len(y))
    if min(len(x), len(y)) < FEWEST_RESAMPLED:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Precision loss")  # one of the two may be constant
            low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    else:
        low, high = _bootstrap((x, y), lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis), seed)
    return Estimate(value, float(low), float(high), len(x) + len(y))


def rank_correlation(x: Values, y: Values) -> NullTest:
    """Spearman's rho, with its exact permutation null up to 8 pairs and Student's t for more.

    Ties share their mean rank. The p-value is two-sided; from 4 pairs on it can fall below 0.1, from 5 on
    below 0.05.

    Raises:
        UserError: if the lengths differ, there are fewer than 3 pairs, or one side is constant.
    """
    from scipy import stats

    first, second = _finite(x), _finite(y)
    n = len(first)
    require(
        n == len(second) and n >= 3, "x and y must be equally long, 3 or more", (n, len(second)), "Pair them."
    )
    varies = float(min(np.ptp(first), np.ptp(second)))
    require(varies > 0, "both sides of a rank correlation must vary", varies, "Compare more settings.")
    found = stats.spearmanr(first, second)
    rho = float(found.statistic)
    if n > MOST_PERMUTED:
        bound = float(stats.t.ppf(0.975, n - 2))
        edge = bound / math.sqrt(n - 2 + bound**2)
        return NullTest(rho, 0.0, -edge, edge, float(found.pvalue), n)
    ranks = stats.rankdata(second)
    exact = stats.permutation_test(
        (stats.rankdata(first),),
        lambda ranked: np.corrcoef(ranked, ranks)[0, 1],
        permutation_type="pairings",
        n_resamples=np.inf,
    )
    low, high = np.quantile(exact.null_distribution, [0.025, 0.975])
    return NullTest(
        rho, float(exact.null_distribution.mean()), float(low), float(high), float(exact.pvalue), n
    )


def _finite(values: Values) -> Array:
    x = np.asarray(values, dtype=np.float64)
    require(x.ndim == 1 and len(x) >= 2, "an interval needs 2 values or more", x.shape, "Give more values.")
    require(
        bool(np.isfinite(x).all()), "values must be finite", x[~np.isfinite(x)][:3].tolist(), "Remove them."
    )
    return x


def _bootstrap(samples: tuple[Array, ...], statistic: object, seed: int) -> tuple[float, float]:
    from scipy import stats

    interval = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=500,
        vectorized=True,
        method="BCa",
        rng=numpy_generator(seed, "bootstrap"),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def auc_interval(test: NullTest) -> Estimate:
    r"""The AUC of `separability.separability` with a score interval.

    With A the AUC and h half the width of the null's 95 % range, all areas :math:`\theta` are inside with
    :math:`|A - \theta| \le 2h\sqrt{\theta(1-\theta)}`: Wilson's interval (1927) of a proportion, of as many
    trials as give a proportion of ½ the spread of the permuted AUC. The shape is that of the largest variance
    that an area can have, :math:`\theta(1-\theta)/\min(n, m)` (van Dantzig 1951), so that the interval has
    width at an AUC of 1, too. It holds ½ about where the permutation test does not reject.

    Placements of held-out scores within their folds (DeLong et al. 1988; LeDell et al. 2015) were tried. They
    take folds for independent, but two latents in different folds meet twice, either as the one that is held
    out: where domains are alike the standard error is about 1/√2 of the true one (85 % coverage), and at an
    AUC of 1 it is 0.

    Returns:
        The interval is for the expected AUC of classifiers trained on four fifths of as many latents (the
        share that folds leave), within [0, 1].
    """
    c, area = (test.null_high - test.null_low) ** 2, test.statistic
    centre, half = area + c / 2, math.sqrt(c * area * (1 - area) + c**2 / 4)
    low, high = max(centre - half, 0.0) / (1 + c), min((centre + half) / (1 + c), 1.0)
    return Estimate(area, min(low, area), max(high, area), test.n)


def correlation_interval(rho: float, n: int) -> Estimate:
    r"""Spearman's rho with Fisher's z interval, standard error of Bonett & Wright (2000).

    .. math:: \tanh\Bigl(\operatorname{artanh} r \pm 1.96 \sqrt{\frac{1 + r^2 / 2}{n - 3}}\Bigr)

    At rho = ±1, where artanh has no value, r is put half way to the next value that n untied pairs can have
    (1 − 12 / (n³ − n)), as a continuity correction; larger |rho| than that are taken so, too, and rho itself
    always lies in the interval. Approximate: at few pairs a test is better taken from the exact null
    (`rank_correlation`).

    Args:
        rho: in [-1, 1].
        n: pairs behind it; below `FEWEST_PAIRS` the interval is [-1, 1].

    Raises:
        UserError: if rho is out of range.
    """
    require(-1 <= rho <= 1, "a correlation must lie in [-1, 1]", rho, "Check how it was computed.")
    if n < FEWEST_PAIRS:
        return Estimate(rho, -1.0, 1.0, n)
    most = 1 - 6 / (n**3 - n)
    r = min(max(rho, -most), most)
    reach = 1.96 * math.sqrt((1 + r**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(r) + sign * reach) for sign in (-1, 1))
    return Estimate(rho, min(low, rho), max(high, rho), n)
