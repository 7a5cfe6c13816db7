"""What the stage `preservation` adds to `results.json`."""

from collections.abc import Sequence
from dataclasses import dataclass

from ood_diffusion.claims.check import Check
from ood_diffusion.statistics.estimate import Estimate


@dataclass(frozen=True)
class Own:
    """`n` images of the model's own domain: how many differ after the job, and the digest of all."""

    n: int
    differing: int
    digest: str


@dataclass(frozen=True)
class Figures:
    """`n` images, judged in the unseen domain: FID, novelty, share of near-copies, and, if the run has the
    metric `intra_cluster` and it is defined for them, how diverse they are around their reference.
    """

    n: int
    fid_unseen: Estimate
    novelty: float
    copies: float
    intra_cluster: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Edited(Figures):
    """Of SDEdit at one level."""

    level: float


@dataclass(frozen=True)
class Frozen:
    """The frozen model's own images: FID in the training domain, and how many."""

    fid_training: Estimate
    n: int


@dataclass(frozen=True, kw_only=True)
class Tuned(Figures):
    """Of a fine-tuned copy of the model: its images, judged in both domains.

    Args:
        budget: in units of the job's network calls.
        steps: of the training.
        training_calls: network calls that it cost.
        weights: their digest.
        fid_training: FID in the training domain.
    """

    budget: float
    steps: int
    training_calls: float
    weights: str
    fid_training: Estimate


@dataclass(frozen=True)
class Finetuned:
    """The fine-tuning baseline: network calls of the whole job, the frozen model, and a copy per budget."""

    job_calls: int
    frozen: Frozen
    copies: Sequence[Tuned]


@dataclass(frozen=True)
class PreservationSection:
    """The model's own images, ours, and the baselines; `finetune` is None without ``baseline=finetune``."""

    own: Own
    ours: Figures
    sdedit: Sequence[Edited]
    finetune: Finetuned | None
    checks: Sequence[Check]
