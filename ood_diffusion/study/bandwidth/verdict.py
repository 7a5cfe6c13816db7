"""C6: does a larger gap to the training domain give a wider usable band around a latent?"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ood_diffusion.claims.check import ACROSS, Check, limit, null_range
from ood_diffusion.claims.excess import Floor, excess
from ood_diffusion.claims.verdict import LEVEL, above, below, not_rejected
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import correlation_interval, rank_correlation

FEWEST_DOMAINS = 5
"""Of 4, no order is rare enough: the exact two-sided p-value of the best one is 0.08."""

ALIKE = ("solver", "grid", "steps", "precision", "n_references", "n_training")
"""Coordinates of a run, beside those that the stage names, that its band and gap depend on."""


BANDS = {
    "degrees": ("bandwidth in degrees, unseen minus training domain", "share inside at 0"),
    "eta": (
        "eta at which half of the images are still recognised, unseen minus training domain",
        "share recognised at eta 0",
    ),
}
"""Unit of a band -> what the figure is, and what the share is called of those that nothing was done to."""

ENDLESS = {
    "degrees": "a turned latent of the training domain is another latent of that domain",
    "eta": "the share falls to half in neither domain",
}
"""Unit of a band -> why there is nothing to compare where bands have no end."""


def wider(
    difference: Estimate,
    start: tuple[Estimate, Estimate],
    censored: tuple[bool, bool],
    least: float,
    level: float,
    unit: Literal["degrees", "eta"],
    picture: str,
) -> Check:
    """One run's share in C6: the unseen domain's gap is positive, the training domain's zero.

    The band is by angle, or by the noise that a trajectory bears. Inconclusive whatever the difference

    - unless, in both domains, significantly more than `least` of the images that were not moved are inside:
      where hardly any is, there is no band whose end could be found. Added after a review that had seen a
      first run on one domain;
    - by angle, where the training domain's band has no end. Its latents are about N(0, I), and such a latent
      turned at a fixed norm is another one of them: it decodes to the domain whatever the angle. The unseen
      domain's band is cut at the largest angle all the same, so that the difference could not be positive.
      By eta, where identity is asked for and both are cut at the same end, only if neither band has one.
      Added after a second review, which had seen runs on several domains with verdicts by angle that were
      "not supported" for this reason.

    Args:
        difference: bandwidth of the unseen domain minus that of the training domain.
        start: shares inside at 0, of the unseen and of the training domain, with Wilson's intervals.
        censored: whether their shares never fall to half.
        least: what the lower ends of both must exceed.
        level: at which both were measured.
        unit: of the band.
        picture: file that shows both.
    """
    what, share = BANDS[unit]
    unseen, training = (f"{x.value:.0%} ({x.low:.0%} to {x.high:.0%})" for x in start)
    figure = f"{what}, level {level:g}; {share}: {unseen} unseen, {training} training domain"
    there_is_one = min(x.low for x in start) > least
    endless = censored[1] if unit == "degrees" else all(censored)
    verdict = above(difference, 0) if there_is_one and not endless else "inconclusive"
    why = ENDLESS[unit] if endless else ACROSS
    if not there_is_one:
        why = f"the shares at 0 are not significantly above {least:.0%}, so there is no band to compare"
    return Check("C6", figure, difference, "equal bands", limit(0), verdict, picture, why)


def well_recommended(
    fids: Mapping[float, Estimate], floor: Floor, recommended: float, max_regret: float, picture: str
) -> Check:
    """Does the measured band say where to sample?

    Args:
        fids: level -> FID of samples from it, 2 levels or more.
        floor: of as many real images as there are samples.
        recommended: the level of them that was chosen without any FID.
        max_regret: largest excess (`claims.excess.excess`) over the lowest FID at any other level that still
            counts as well chosen.
        picture: file that shows it.

    Returns:
        The excess; negative where the recommended level is the best. Inconclusive where the lowest other FID
        is not significantly above the floor. Until a review that had seen a first run on one domain it was
        relative to the whole FID.
    """
    best = min((fid for level, fid in fids.items() if level != recommended), key=lambda fid: fid.value)
    found = excess(fids[recommended], best, floor.fid)
    figure = (
        f"excess FID of the recommended level {recommended:g} over the best other level, "
        f"relative to {floor.words}"
    )
    against = f"limit: at most {max_regret:.0%} above the best"
    return Check("auto", figure, found, against, limit(max_regret), below(found, max_regret), picture)


def across_domains(rows: Sequence[Mapping[str, Any]]) -> Check | None:
    """Spearman's correlation of bandwidth with the domain gap over the domains of several runs.

    Only runs that differ in nothing but the domain are compared: of one model, level, trajectory (`ALIKE`),
    extractor, set of training images and numbers of images; of several such groups the one with the most
    domains. Sampler, prior, selection, eta and the run's seed do not move the band. Runs of one domain, with
    whatever seeds, count once, with their means.

    Args:
        rows: `results.json` of the runs; those without a bandwidth, or with one that was measured before
            domains had an identity, are passed over.

    Returns:
        The correlation with its interval; the verdict is by the exact permutation test. None below 3 domains,
        where no correlation is defined; below 5 it is always inconclusive.
    """
    groups: dict[tuple[str, ...], dict[tuple[Any, str], list[tuple[float, ...]]]] = {}
    for row in rows:
        run, found = row.get("coordinates", {}), row.get("bandwidth", {})
        both = found.get("comparison", {})
        pair = tuple(each.get("value") for each in (found.get("gap", {}), both.get("unseen", {})))
        if "domain" in found and None not in pair:
            alike = (*both.get("equal", {}).values(), *(run.get(name) for name in ALIKE))
            group = groups.setdefault(tuple(map(str, alike)), {})
            group.setdefault((run.get("domain"), found["domain"]), []).append(pair)
    domains = max(groups.values(), key=len, default={})
    if len(domains) < 3:
        return None
    gaps, bands = np.array([np.mean(pairs, axis=0) for pairs in domains.values()]).T
    figure = f"rank correlation of bandwidth with the domain gap (FID), {len(domains)} domains"
    if min(np.ptp(gaps), np.ptp(bands)) == 0:  # such as: every band wider than the largest angle
        nothing = Estimate(float("nan"), float("-inf"), float("inf"), len(domains))
        why = "all gaps or all bands are equal"
        return Check("C6", figure, nothing, "no relation", limit(0), "inconclusive", why=why)
    test = rank_correlation(gaps, bands)
    found = correlation_interval(test.statistic, test.n)
    verdict: Verdict = "inconclusive"
    if test.n >= FEWEST_DOMAINS and test.p_value < LEVEL:
        verdict = "supported" if test.statistic > 0 else "not supported"
    why = f"fewer than {FEWEST_DOMAINS} domains" if test.n < FEWEST_DOMAINS else not_rejected(test)
    return Check(
        "C6", figure, found, "no relation: all orders equally likely", null_range(test), verdict, why=why
    )
