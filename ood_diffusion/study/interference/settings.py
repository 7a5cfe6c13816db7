"""Settings of the stage `interference`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ood_diffusion.checks import require

OWN = "own"
"""What the run's own samples are called among the others."""


@dataclass(frozen=True)
class InterferenceSettings:
    """Settings of the stage; the limits are explained in `conf/stage/interference.yaml`.

    Args:
        etas: 0 and others up to 1.
        samplers: name -> settings of prior, sampler and selection, compared with the run's own; or None.
        n_images: new images per eta and per sampler, at most; `n_samples` is the other limit.
        least_accuracy: balanced accuracy of the probe above which its whole interval must lie.
        negligible: a rise of the capture rate below this counts as none.
        precision_share: share of the references' precision that the samples must reach.
        copy_margin: share of copies, beyond those by chance, that the samples must stay below.
    """

    etas: Sequence[float]
    samplers: Mapping[str, Mapping[str, Any]] | None
    n_images: int
    least_accuracy: float
    negligible: float
    precision_share: float
    copy_margin: float

    def __post_init__(self) -> None:
        etas, prefix = list(self.etas), "stage.interference"
        known = bool(etas) and min(etas) == 0 and max(etas) <= 1
        require(known, f"{prefix}.etas must hold 0 and lie between 0 and 1", etas, "Try [0,0.5,1].")
        require(self.n_images >= 6, f"{prefix}.n_images must be at least 6", self.n_images, "Try 64.")
        require(
            OWN not in (self.samplers or {}),
            f"{prefix}.samplers must not use the name of the run's own",
            OWN,
            "Choose another name.",
        )
        for name in ("least_accuracy", "negligible", "precision_share", "copy_margin"):
            share = getattr(self, name)
            require(
                0 < share < 1, f"{prefix}.{name} must lie between 0 and 1", share, "See the file's default."
            )
