"""C10, astrophysics: are new images physically like those of the domain?"""

import math
from collections.abc import Mapping, Sequence

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.verdict import LEVEL, within
from ood_diffusion.physics.comparison import Difference
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate

GROUPS = {
    "power spectrum": ("spectrum_slope", "small_scale_power"),
    "morphology": ("half_light_radius", "concentration", "asymmetry", "smoothness", "gini", "m20"),
    "intensity": ("intensity_mean", "intensity_sd", "intensity_skewness", "intensity_kurtosis"),
}
"""Every statistic of `physics.comparison.statistics`, in the groups that have one verdict."""

Differences = Mapping[str, Difference]
"""Of `physics.comparison.differences`."""


def group_verdict(differences: Differences, names: Sequence[str], band: float) -> tuple[str, Verdict]:
    """The statistic of a group that speaks most against likeness, and the verdict on the whole group.

    Supported: every interval lies within ± `band` and no distribution differs (Holm-adjusted p at least
    0.05); each must pass, so none needs correcting (intersection–union). Not supported: one interval lies
    wholly beyond the band, even when widened for the number of all statistics (Bonferroni), so that chance
    denies anywhere in at most 5 % of cases. Inconclusive: all else, such as a distribution of the same mean
    and another shape, or a statistic that does not vary among held-out images.

    Args:
        differences: of all statistics, in standard deviations.
        names: those of the group.
        band: the largest difference that counts as none.
    """
    rank: dict[str, tuple[bool, bool, float]] = {}
    for name in names:
        found = estimate(differences[name], 0)
        denied = within(widened(found, len(differences)), -band, band) == "not supported"
        reach = math.inf if math.isnan(found.value) else max(found.low, -found.high)
        rank[name] = (denied, differences[name].p_holm < LEVEL, reach)
    worst = max(rank, key=lambda name: rank[name])
    if rank[worst][0]:
        return worst, "not supported"
    all_within = all(within(estimate(differences[n], 0), -band, band) == "supported" for n in names)
    return worst, "supported" if all_within and not any(rank[n][1] for n in names) else "inconclusive"


def physical(
    samples: Differences, references: Differences, corrupted: Differences, band: float, n: tuple[int, int],
    pictures: Mapping[str, str], groups: Mapping[str, Sequence[str]] = GROUPS,
    twin: Differences | None = None,
) -> list[Check]:  # fmt: skip
    """One check per group, of the statistic that speaks most against likeness.

    Inconclusive as well where the measure itself fails: real references are denied (then denial says
    nothing), or the power spectrum of the corrupted ones is not (then support says nothing).

    Args:
        samples: differences from the held-out images.
        references: the same of real images.
        corrupted: the same of references without their small scales.
        band: the largest difference that counts as none, in standard deviations.
        n: numbers of samples and of references.
        pictures: group -> file that shows it.
        groups: group -> its statistics, "power spectrum" among them.
        twin: differences of the samples' twin, the same recipe without the network, shown beside them.
    """
    found_out = group_verdict(corrupted, groups["power spectrum"], band)[1] == "not supported"
    checks = []
    for group, names in groups.items():
        worst, verdict = group_verdict(samples, names, band)
        real = group_verdict(references, names, band)[1]
        why = undecided(samples, names, worst, band)
        if verdict == "supported" and not found_out:
            verdict, why = (
                "inconclusive",
                "references without small scales are not detected, so samples would not be either",
            )
        if verdict == "not supported" == real:
            verdict, why = "inconclusive", "real references are rejected as well"
        figure = (
            f"{group}: {worst.replace('_', ' ')}, difference from held-out images in standard deviations "
            f"(distribution: p = {samples[worst].p_holm:.2g}, Holm)"
        )
        if twin is not None and math.isfinite(twin[worst].difference):
            figure += f"; the twin's {twin[worst].difference:.3g}".replace("-", "−")
        against = f"negligible within ± {band:g}; real references"
        found, yardstick = estimate(samples[worst], n[0]), estimate(references[worst], n[1])
        checks.append(Check("C10", figure, found, against, yardstick, verdict, pictures[group], why))
    return checks


def undecided(differences: Differences, names: Sequence[str], worst: str, band: float) -> str:
    """Why `group_verdict` neither supports nor denies: what is missing for each."""
    found = estimate(differences[worst], 0)
    if within(found, -band, band) == "not supported":
        wide = widened(found, len(differences))
        return (
            f"beyond ± {band:g}, but not significantly: corrected for {len(differences)} statistics the "
            f"interval is [{wide.low:.3g}, {wide.high:.3g}]"
        )
    if constant := [n for n in names if math.isnan(differences[n].difference)]:
        return f"no spread among held-out images: {', '.join(constant).replace('_', ' ')}"
    across = [n for n in names if within(estimate(differences[n], 0), -band, band) == "inconclusive"]
    if across:
        return f"the interval crosses ± {band:g}: {', '.join(across).replace('_', ' ')}"
    other = [n for n in names if differences[n].p_holm < LEVEL]
    return f"the means agree, the distributions do not: {', '.join(other).replace('_', ' ')}"


def estimate(difference: Difference, n: int) -> Estimate:
    """The standardised difference with its 95 % interval."""
    return Estimate(difference.difference, difference.low, difference.high, n)


def widened(found: Estimate, tests: int) -> Estimate:
    """The interval that all of `tests` intervals hold together in 95 % of cases, by the normal quantiles."""
    from scipy.stats import norm

    factor = float(norm.isf(LEVEL / 2 / tests) / norm.isf(LEVEL / 2))
    low, high = (found.value + factor * (end - found.value) for end in (found.low, found.high))
    return Estimate(found.value, low, high, found.n)
