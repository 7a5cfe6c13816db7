"""C6: does a larger gap to the training domain give a wider usable band around a latent?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ood_diffusion.claims.check import Check, limit, null_range
from ood_diffusion.claims.verdict import LEVEL, above, below
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import rank_correlation

FEWEST_DOMAINS = 5
"""Of 4, no order is rare enough: the exact two-sided p-value of the best one is 0.08."""


def wider(difference: Estimate, level: float, picture: str) -> Check:
    """One run's share in C6: the unseen domain's gap is positive, the training domain's zero.

    Args:
        difference: bandwidth of the unseen domain less that of the training domain, in degrees.
        level: at which both were measured.
        picture: file that shows both.
    """
    figure = f"bandwidth of the unseen domain less the training domain's at level {level:g}, degrees"
    return Check("C6", figure, difference, "equal bandwidths", limit(0), above(difference, 0), picture)


def noisier(difference: Estimate, level: float, picture: str) -> Check:
    """The same by the noise that a trajectory bears: eta of the unseen domain less the training domain's."""
    figure = f"eta that half of the inverted images survive, unseen less training domain, level {level:g}"
    return Check("C6", figure, difference, "equal etas", limit(0), above(difference, 0), picture)


def well_recommended(
    fids: Mapping[float, Estimate], recommended: float, max_regret: float, picture: str
) -> Check:
    """Does the measured band say where to sample?

    Args:
        fids: level -> FID of samples from it, 2 levels or more.
        recommended: the level of them that was chosen without any FID.
        max_regret: relative excess over the lowest FID at any other level that still counts as well chosen.
        picture: file that shows it.

    Returns:
        The relative excess; negative where the recommended level is the best. Its interval takes the two
        FIDs as independent; they share the held-out images, so it is too wide rather than too narrow.
    """
    chosen = fids[recommended]
    best = min((fid for level, fid in fids.items() if level != recommended), key=lambda fid: fid.value)
    regret = chosen.value / best.value - 1
    spread = math.hypot(*((fid.high - fid.low) / 2 / fid.value for fid in (chosen, best)))
    half = (1 + regret) * spread
    found = Estimate(regret, regret - half, regret + half, chosen.n)
    figure = f"FID at the recommended level {recommended:g} over the lowest at another, relative excess"
    against = f"limit: at most {max_regret:.0%} above the best"
    return Check("auto", figure, found, against, limit(max_regret), below(found, max_regret), picture)


def across_domains(rows: Sequence[Mapping[str, Any]]) -> Check | None:
    """Spearman's correlation of bandwidth with the domain gap over the domains of several runs.

    Only runs that differ in nothing but the domain are compared: of one model, level, extractor, set of
    training images and numbers of images; of several such groups the one with the most domains. Runs on the
    same images (other seeds) count as one domain, with their means.

    Args:
        rows: `results.json` of the runs; those without a bandwidth are passed over.

    Returns:
        None below 3 domains, where no correlation is defined; below 5 it is always inconclusive.
    """
    groups: dict[tuple[Any, ...], dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if "bandwidth" in row:
            found, both = row["bandwidth"], row["bandwidth"]["comparison"]
            group = groups.setdefault(tuple(map(str, both["equal"].values())), {})
            pair = (found["gap"]["value"], both["unseen"]["value"])
            group.setdefault(found["images"], []).append(pair)
    domains = max(groups.values(), key=len, default={})
    if len(domains) < 3:
        return None
    gaps, bands = np.array([np.mean(pairs, axis=0) for pairs in domains.values()]).T
    figure = f"rank correlation of bandwidth with the domain gap (FID), {len(domains)} domains"
    if min(np.ptp(gaps), np.ptp(bands)) == 0:  # such as: every band wider than the largest angle
        nothing = Estimate(float("nan"), float("-inf"), float("inf"), len(domains))
        return Check("C6", figure, nothing, "no relation", limit(0), "inconclusive")
    test = rank_correlation(gaps, bands)
    found = Estimate(test.statistic, test.statistic, test.statistic, test.n)
    verdict: Verdict = "inconclusive"
    if test.n >= FEWEST_DOMAINS and test.p_value < LEVEL:
        verdict = "supported" if test.statistic > 0 else "not supported"
    return Check("C6", figure, found, "no relation: all orders alike", null_range(test), verdict)
