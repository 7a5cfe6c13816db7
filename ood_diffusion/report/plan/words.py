"""Sentences about a plan: what is saved, how long it takes, what would stop it."""

from collections.abc import Sequence
from pathlib import Path

from ood_diffusion.report.plan.speed import newest_speed
from ood_diffusion.report.plan.work import Calls, Plan, spent, total
from ood_diffusion.report.wording import number

UNMEASURED = (
    "Time: no run here has measured this network yet; ood-diffusion 'stages=[inspect]' with the same model "
    "and precision does."
)


def sums(plans: Sequence[Plan]) -> list[str]:
    """Calls to do; and without what is on disk; and if, besides, no run shared anything."""
    now = total(spent(plans))
    empty = total(spent(plans, stored=False))
    alone = total(spent(plans, stored=False, shared=False))
    saved = Calls(empty.least - now.least, empty.most - now.most)
    return [
        f"Network calls: {span(now)} to do; {span(saved)} are already in the store.",
        f"With an empty store: {span(empty)}; if runs shared nothing: {span(alone)}.",
    ]


def estimates(plans: Sequence[Plan]) -> list[str]:
    """The time of the calls still to be made, one line per network."""
    costs, lines, outputs = spent(plans), [], {Path(plan.outputs) for plan in plans if plan.outputs}
    for network in dict.fromkeys(tuple(plan.network) for plan in plans if plan.network):
        calls = total(cost for cost, plan in zip(costs, plans, strict=True) if tuple(plan.network) == network)
        if not calls.most:
            continue
        if speed := newest_speed(outputs, network):
            time = " to ".join(dict.fromkeys(duration(n / speed.calls) for n in calls))
            rate = f"{number(round(speed.calls, 1))} calls/s as in {speed.run}"
            alone = "for the network, one run after another"
            lines.append(f"Time: {time} {alone}, at {rate}; pictures and metrics are additional.")
        else:
            lines.append(UNMEASURED)
    return lines


def failures(plans: Sequence[Plan]) -> dict[int, str]:
    """Number of a run that cannot run -> why: a mistake in its settings, or latents that nobody makes."""
    reasons = {i: plan.mistake or lacking(plans, i) for i, plan in enumerate(plans)}
    return {i: reason for i, reason in reasons.items() if reason}


def lacking(plans: Sequence[Plan], i: int) -> str:
    """What run i needs and nobody has made or makes before it; empty if there is nothing."""
    made = {(work.store, item) for plan in plans[: i + 1] for work in plan.works for item in work.items}
    for store, items in plans[i].needs.items():
        if missing := sum(not there and (store, item) not in made for item, there in items.items()):
            what, stage = ("latents", "invert") if store == plans[i].bank else ("images", "sample")
            return f"{missing} of its {what} are not in the store. Add {stage} to stages."
    return ""


def span(calls: Calls) -> str:
    """One number, or the fewest and the most."""
    return " to ".join(dict.fromkeys(number(n) for n in calls))


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever says it in two digits."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{number(float(f'{seconds / size:.2g}'))} {unit}"
    return f"{number(float(f'{seconds:.2g}'))} s"
