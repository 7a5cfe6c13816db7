"""What the stage `interference` adds to `results.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ood_diffusion.claims.check import Check
from ood_diffusion.statistics.estimate import Estimate


@dataclass(frozen=True)
class Quality:
    """How well the probe tells images apart that it never saw; both its false rates; its penalty."""

    accuracy: Estimate
    auc: float
    false_capture: Estimate
    recognised: Estimate
    strength: float


@dataclass(frozen=True)
class Own:
    """The run's own samples.

    Args:
        eta: of the run.
        n: images in each FID.
        capture: share that the probe assigns to the training domain.
        copies: share of near-copies of references.
        fid: of "samples", "references" and "training", against held-out images.
        precision: of the same.
        unbridged: where FID lies between real images of the unseen (0) and of the training domain (1).
    """

    eta: float
    n: int
    capture: Estimate
    copies: Estimate
    fid: Mapping[str, Estimate]
    precision: Mapping[str, Estimate]
    unbridged: float


@dataclass(frozen=True)
class Place:
    """Where n images lie: capture rate, position between the domains, FID to the unseen one."""

    n: int
    capture: Estimate
    position: Estimate
    fid_unseen: Estimate


@dataclass(frozen=True)
class Figures(Place):
    """And FID to the training domain."""

    fid_training: Estimate


@dataclass(frozen=True, kw_only=True)
class AtEta(Figures):
    """Of samples at one eta."""

    eta: float


@dataclass(frozen=True)
class InterferenceSection:
    """What the stage finds.

    Args:
        probe: its quality.
        own: of the run's samples.
        network_adds: space -> distance of the samples minus that of their twin.
        n_judges: held-out images of each domain in the FIDs of the others.
        training_domain: images of the training domain.
        etas: samples from the same latents at every eta, ascending.
        samplers: the run's own way to propose latents, and others.
        checks: of C5 and C7.
    """

    probe: Quality
    own: Own
    network_adds: Mapping[str, Estimate]
    n_judges: int
    training_domain: Place
    etas: Sequence[AtEta]
    samplers: Mapping[str, Figures]
    checks: Sequence[Check]
