"""C8, is the model unaffected; and, as a claim of this project, is it better than its baselines?

What decides C8 is whether anything changed. Comparisons with tuned copies and with SDEdit stood under C8 and
C5 at first; they were moved to a claim of their own, and the training domain's row made inconclusive where
it is circular, after a review that had seen a first run on one domain.
"""

from collections.abc import Sequence

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.combined import minus
from ood_diffusion.claims.verdict import above, below, within
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.preservation.section import Edited, Figures, Tuned

UNSEEN = "FID of new images without fine-tuning, unseen domain"


def identical(differing: int, n: int, same_weights: bool, picture: str) -> list[Check]:
    """Not one of the model's own images and not one bit of its weights may change during the job.

    Images that differ under equal weights decide nothing: kernels of a GPU may round differently twice.

    Args:
        differing: own images that differ between the start and the end.
        n: how many were drawn.
        same_weights: whether the weights have one digest at the start and at the end.
        picture: file that shows the images.
    """
    images, weights = exact(differing, n), exact(int(not same_weights), 1)
    unaffected = within(images, 0, 0)
    of_images: Verdict = "inconclusive" if differing and same_weights else unaffected
    figure = f"of {n} images of the model's own domain, those that differ after the job"
    of_weights = "digests of the weights that differ after the job"
    rounding = "the weights have not changed, so this is rounding"
    return [
        Check("C8", figure, images, "allowed", limit(0), of_images, picture, rounding),
        Check("C8", of_weights, weights, "allowed", limit(0), within(weights, 0, 0), picture),
    ]


def against_tuned(
    ours: Estimate, frozen: Estimate, copies: Sequence[Tuned], circular: bool, picture: str
) -> list[Check]:
    """For every tuned copy: whether it is worse than the frozen model, in either domain.

    Supported where the copy's FID is higher, denied where it is lower, by the interval of the difference.

    Args:
        ours: FID of our new images in the unseen domain.
        frozen: FID of the frozen model's own images in the training domain.
        copies: those compared with.
        circular: whether the frozen model drew the images of the training domain itself; then nothing can
            be nearer to them, and that domain's rows are inconclusive.
        picture: file that shows all of it.
    """
    checks = []
    for each in copies:
        against = f"a copy fine-tuned for {each.budget:g} × the job's network calls"
        for figure, found, other, undecided in (
            ("FID of the frozen model's images, training domain", frozen, each.fid_training, circular),
            (UNSEEN, ours, each.fid_unseen, False),
        ):
            if undecided:
                why = "the held-out images were drawn by the frozen model"
                check = Check("baseline", figure, found, against, other, "inconclusive", picture, why)
                checks.append(check)
            else:
                verdict = below(minus(found, other), 0)
                checks.append(Check("baseline", figure, found, against, other, verdict, picture))
    return checks


def against_sdedit(ours: Estimate, levels: Sequence[Edited], most_copies: float, picture: str) -> list[Check]:
    """Our new images against SDEdit at its best level, and at its best level that does not copy.

    Close to the references SDEdit cannot help having a low FID: it returns them. So its best level is
    compared first whatever it copies, and, unless they are one, so is the best of those whose
    share of copies is at most `most_copies`. Each is the best of several by the images that it is then
    compared with, which favours SDEdit; the row says so.

    Args:
        ours: FID of our new images in the unseen domain.
        levels: those at which it was run.
        most_copies: limit to the share of copies.
        picture: file that shows all levels.
    """
    new = [each for each in levels if each.copies <= most_copies]
    checks: list[Check] = []
    compared = []
    for among, which in (
        (levels, f"of {len(levels)} levels"),
        (new, f"of the {len(new)} with few near-copies"),
    ):
        each = lowest(among)
        if each is None or each in compared:
            continue
        compared.append(each)
        other, copies = each.fid_unseen, f"{each.copies:.0%} near-copies"
        against = f"SDEdit at level {each.level:g}, the best {which} on these held-out images, {copies}"
        verdict = below(minus(ours, other), 0)
        checks.append(Check("baseline", UNSEEN, ours, against, other, verdict, picture))
    return checks


def diverse(ours: Figures, levels: Sequence[Edited], copies: Sequence[Tuned], picture: str) -> list[Check]:
    """The other half of the few-shot protocol: whether images around one reference differ more than a
    baseline's, SDEdit at the level of its lowest FID or a tuned copy.

    Args:
        ours: our new images; without "intra_cluster" there is no check.
        levels: those at which SDEdit was run.
        copies: those compared with, where their diversity is defined.
        picture: file that shows images of both.
    """
    best = lowest(levels)
    others = [
        (f"a copy tuned for {each.budget:g} × the job's network calls", each.intra_cluster) for each in copies
    ]
    if best is not None:
        others.insert(0, (f"SDEdit at level {best.level:g}, that of its lowest FID", best.intra_cluster))
    figure, found = "distance between new images of one reference, over held-out images'", ours.intra_cluster
    return [
        Check("baseline", figure, found, against, other, above(minus(found, other), 0), picture)
        for against, other in others
        if found is not None and other is not None
    ]


def lowest(levels: Sequence[Edited]) -> Edited | None:
    """The level with the lowest FID, None if there is no level."""
    return min(levels, key=lambda each: each.fid_unseen.value, default=None)


def exact(value: float, n: int) -> Estimate:
    """A count without uncertainty."""
    return Estimate(value, value, value, n)
