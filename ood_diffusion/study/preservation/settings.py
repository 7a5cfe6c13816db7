"""What `conf/stage/preservation.yaml` and `conf/baseline` set; they check themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from ood_diffusion.checks import require, require_integer, require_positive
from ood_diffusion.stages.train import TrainingSettings

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Number formats that leave the copy's weights in float32."""


@dataclass(frozen=True)
class FinetuneSettings:
    """How a copy of the network is tuned on the references (`conf/baseline/finetune.yaml`).

    Args:
        budgets: what is spent on each copy, in units of the network calls of the whole job.
        calls_per_image: network calls that one image costs in training.
        batch_size: images per step.
        learning_rate: peak learning rate of AdamW.
        warmup: share of the steps in which it rises to that.
        precision: Lightning's name of the number format inside the network, one of `PRECISIONS`.
        gradient_clip: largest gradient norm, above 0.
        checkpoint_every: steps between checkpoints.

    Raises:
        UserError: for a value out of its range.
    """

    budgets: Sequence[float]
    calls_per_image: float
    batch_size: int
    learning_rate: float
    warmup: float
    precision: str
    gradient_clip: float
    checkpoint_every: int

    def __post_init__(self) -> None:
        where = "stage.preservation.finetune"
        least = min(self.budgets, default=0)
        require(least > 0, f"{where}.budgets must hold positive numbers", list(self.budgets), "Try [1,10].")
        for name in ("calls_per_image", "batch_size", "learning_rate", "gradient_clip", "checkpoint_every"):
            require_positive(f"{where}.{name}", getattr(self, name), f"Correct {name}.")
        require(
            self.precision in PRECISIONS,
            f"{where}.precision must be one of {', '.join(PRECISIONS)}",
            self.precision,
            "Try bf16-mixed.",
        )
        require(0 <= self.warmup <= 1, f"{where}.warmup must lie in [0, 1]", self.warmup, "Try 0.1.")

    def training(self, calls: float) -> TrainingSettings:
        """The settings of a training that costs about `calls` network calls, in at least one step."""
        steps = max(1, round(calls / self.calls_per_image / self.batch_size))
        return TrainingSettings(
            from_scratch=False,
            max_steps=steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            warmup_steps=max(1, round(self.warmup * steps)),
            ema_decay=0.0,
            precision=self.precision,
            gradient_clip=self.gradient_clip,
            checkpoint_every=self.checkpoint_every,
        )


@dataclass(frozen=True)
class PreservationSettings:
    """Settings of the stage `preservation`.

    Args:
        n_own: images of the model's own domain that are drawn before and after.
        sdedit_levels: levels to which the references are noised.
        most_copies: largest share of copies at which SDEdit still counts as making new images.
        finetune: the fine-tuning baseline, if there is to be one.

    Raises:
        UserError: for a value out of its range; limits that depend on the model are checked later.
    """

    n_own: int
    sdedit_levels: Sequence[float]
    most_copies: float
    finetune: FinetuneSettings | None

    def __post_init__(self) -> None:
        where, levels = "stage.preservation", self.sdedit_levels
        require_integer(f"{where}.n_own", self.n_own, 1, "Try 16.")
        require(
            len(levels) >= 1 and len(set(levels)) == len(levels),
            f"{where}.sdedit_levels must hold distinct levels, at least one",
            list(levels),
            "Try [300,500,700].",
        )
        require(
            0 <= self.most_copies <= 1,
            f"{where}.most_copies must lie in [0, 1]",
            self.most_copies,
            "Try 0.05.",
        )
        require(
            self.finetune is None or isinstance(self.finetune, FinetuneSettings),
            f"{where}.finetune must be whole or null",
            self.finetune,
            f"Set baseline=finetune; or, without a tuned copy, {where}.finetune=null.",
        )
