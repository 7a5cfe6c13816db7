"""What the stage `likelihood` adds to `results.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ood_diffusion.statistics.estimate import Estimate


@dataclass(frozen=True)
class Bits:
    """Bits per value of the images of one domain.

    Args:
        mean: over images, with its interval.
        probe_error: root mean square over images of the standard error that the probes leave; None with one.
    """

    mean: Estimate
    probe_error: float | None


@dataclass(frozen=True)
class LikelihoodSection:
    """What the stage finds.

    Args:
        levels: the first, of which the density is, and the last, where it is taken to be normal.
        unseen: references of the unseen domain.
        training: held-out images of the training domain.
        difference: unseen minus training.
        auroc: how well each statistic of an image tells the unseen domain from the training domain.
        plots: files in the run folder.
    """

    levels: Sequence[float]
    unseen: Bits
    training: Bits
    difference: Estimate
    auroc: Mapping[str, Estimate]
    plots: Sequence[str]
