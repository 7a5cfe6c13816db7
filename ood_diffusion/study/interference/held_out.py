"""Images between two domains: which one a probe assigns them to, and how far they are from each."""

from dataclasses import dataclass

from torch import Tensor

from ood_diffusion.metrics.prdc import prdc
from ood_diffusion.metrics.probe import Probe, area_under_curve, fit_probe
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.features import features_of
from ood_diffusion.statistics.estimate import Array, Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.statistics.intervals import mean_interval, proportion_interval
from ood_diffusion.study.interference.section import Figures, Place, Quality
from ood_diffusion.study.interference.verdict import balanced, position

NEIGHBOURS = 5
"""Of precision, as `metrics.prdc.PRDC` has it."""


@dataclass(frozen=True)
class HeldOut:
    """What images are compared with: the probe, and held-out features of both domains.

    FID, precision and copies are of all held-out images, the probe's figures of those it was not fitted on.

    Args:
        probe: fitted on references of the training domain and on the first held-out images of the unseen
            one, never on the references that the samples are drawn from.
        unseen: ``[n, d]``, all that are held out of the unseen domain.
        fresh: ``[k, d]``, those of them that the probe was not fitted on.
        training: ``[m, d]``, held out of the training domain.
    """

    probe: Probe
    unseen: Tensor
    fresh: Tensor
    training: Tensor

    @property
    def equal(self) -> tuple[Tensor, Tensor]:
        """Equally many of each domain, so that FIDs against the two can be compared."""
        n = min(len(self.unseen), len(self.training))
        return self.unseen[:n], self.training[:n]

    @property
    def ends(self) -> tuple[float, float]:
        """Mean score of the unseen and of the training domain, of images that the probe never saw."""
        unseen, training = (self.probe.scores(x) for x in (self.fresh, self.training))
        return float(unseen.mean()), float(training.mean())


def held_out_of(run: Run) -> HeldOut:
    """Fit the run's probe and gather the features of the held-out images.

    Raises:
        UserError: if there are too few different images to fit it (`fit_probe`).
    """
    unseen = features_of(run, run.pictures, run.held_out)
    fitted = fitted_on(len(run.training_references), len(unseen))
    training = features_of(run, run.pictures, run.training_references)
    return HeldOut(
        fit_probe(training, unseen[:fitted], run.settings.seed),
        unseen,
        unseen[fitted:],
        features_of(run, run.pictures, run.training_held_out),
    )


def fitted_on(n_training: int, n_held_out: int) -> int:
    """Held-out images of the unseen domain that the probe is fitted on: as many as of the training domain,
    half of what there is at most."""
    return min(n_training, n_held_out // 2)


def quality(held_out: HeldOut) -> Quality:
    """Of the images that it was not fitted on."""
    unseen, training = (held_out.probe.scores(x) for x in (held_out.fresh, held_out.training))
    right = proportion_interval(int((unseen <= 0).sum()), len(unseen))
    recognised = capture_rate(training)
    auc, strength = area_under_curve(training, unseen), held_out.probe.strength
    return Quality(balanced(right, recognised), auc, capture_rate(unseen), recognised, strength)


def capture_rate(scores: Array) -> Estimate:
    """Share of images that the probe gives to the training domain, not corrected for its false rates."""
    return proportion_interval(int((scores > 0).sum()), len(scores))


def place(held_out: HeldOut, features: Tensor, seed: int) -> Place:
    """Of one set of images, features ``[n, d]``."""
    scores = held_out.probe.scores(features)
    between = mean_interval(position(scores, held_out.ends), seed)
    return Place(len(features), capture_rate(scores), between, fid_interval(features, held_out.equal[0]))


def figures(held_out: HeldOut, features: Tensor, seed: int) -> Figures:
    """Of one set of images that are not held out of the training domain themselves, as `place`."""
    far = fid_interval(features, held_out.equal[1])
    return Figures(**vars(place(held_out, features, seed)), fid_training=far)


def precision_of(features: Tensor, real: Tensor) -> Estimate:
    """Precision, conditional on the real images, with Wilson's interval; neighbours as many as there are."""
    k = min(NEIGHBOURS, len(features) - 1, len(real) - 1)
    share = float(prdc(real, features, k)["precision"])
    return proportion_interval(round(share * len(features)), len(features))
