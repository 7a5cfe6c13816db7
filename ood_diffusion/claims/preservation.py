"""C8, is the model unharmed, and C5, do new images of the unseen domain need no tuning?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.verdict import below, within
from ood_diffusion.statistics.estimate import Estimate


def identical(differing: int, n: int, same_weights: bool, picture: str) -> list[Check]:
    """Not one of the model's own images and not one bit of its weights may change during the job.

    Args:
        differing: own images that differ between the start and the end.
        n: how many were drawn.
        same_weights: whether the weights have one digest at the start and at the end.
        picture: file that shows the images.
    """
    counts = {
        f"of {n} own images of the model, those that differ after the job": (differing, n),
        "digests of the weights that differ after the job": (int(not same_weights), 1),
    }
    return [
        Check("C8", figure, exact(count, n), "allowed", limit(0), within(exact(count, n), 0, 0), picture)
        for figure, (count, n) in counts.items()
    ]


def against_tuned(
    ours: Estimate, frozen: Estimate, copies: Sequence[Mapping[str, Any]], picture: str
) -> list[Check]:
    """For every tuned copy: whether tuning harms the training domain, and what it buys in the unseen one.

    Args:
        ours: FID of our new images in the unseen domain.
        frozen: FID of the frozen model's own images in the training domain.
        copies: each with "budget" and, as fields of `Estimate`, "id_fid" and "ood_fid".
        picture: file that shows all of it.

    Returns:
        C8 is supported where the copy is worse than the frozen model in the training domain; C5 where it is
        worse than our images in the unseen one. Either is denied where the copy is better.
    """
    checks = []
    for each in copies:
        against = f"a copy tuned for {each['budget']:g} × the job's network calls"
        for claim, figure, found, name in (
            ("C8", "FID of the frozen model's images, training domain", frozen, "id_fid"),
            ("C5", "FID of new images without tuning, unseen domain", ours, "ood_fid"),
        ):
            other = Estimate(**each[name])
            verdict = below(gap(found, other), 0)
            checks.append(Check(claim, figure, found, against, other, verdict, picture))
    return checks


def against_sdedit(
    ours: Estimate, levels: Sequence[Mapping[str, Any]], most_copies: float, picture: str
) -> list[Check]:
    """Our new images against SDEdit at its best level, and at its best level that does not copy.

    Close to the references SDEdit cannot help having a low FID: it returns them. So its best level is
    compared first whatever it copies, and, unless they are one, so is the best of those whose
    share of copies is at most `most_copies`.

    Args:
        ours: FID of our new images in the unseen domain.
        levels: each with "level", "copies" (share) and, as fields of `Estimate`, "ood_fid".
        most_copies: limit to the share of copies.
        picture: file that shows all levels.
    """
    new = [each for each in levels if each["copies"] <= most_copies]
    best = {id(each): each for each in (lowest(levels), lowest(new)) if each is not None}
    checks = []
    for each in best.values():
        other = Estimate(**each["ood_fid"])
        against = f"SDEdit at level {each['level']:g}, {each['copies']:.0%} of its images copies"
        verdict = below(gap(ours, other), 0)
        figure = "FID of new images without tuning, unseen domain"
        checks.append(Check("C5", figure, ours, against, other, verdict, picture))
    return checks


def lowest(levels: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The level with the lowest FID, None if there is no level."""
    return min(levels, key=lambda each: float(each["ood_fid"]["value"]), default=None)


def exact(value: float, n: int) -> Estimate:
    """A count without uncertainty."""
    return Estimate(value, value, value, n)


def gap(a: Estimate, b: Estimate) -> Estimate:
    """a - b, as if the two were independent: what both share (judge, noise) makes the interval too wide."""
    value = a.value - b.value
    half = math.hypot((a.high - a.low) / 2, (b.high - b.low) / 2)
    return Estimate(value, value - half, value + half, min(a.n, b.n))
