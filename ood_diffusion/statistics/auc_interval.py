"""A 95 % interval of a cross-validated AUC, from the spread that it has with permuted labels."""

import math

from ood_diffusion.statistics.estimate import Estimate, NullTest


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
