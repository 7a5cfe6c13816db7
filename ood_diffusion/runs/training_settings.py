"""What `conf/training` sets; it checks itself."""

from dataclasses import dataclass

from ood_diffusion.checks import require


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of `conf/training`.

    Args:
        from_scratch: start from fresh random weights instead of the model's.
        max_steps: optimiser steps in all.
        batch_size: images per step.
        learning_rate: peak learning rate of AdamW.
        warmup_steps: steps of linear warm-up.
        ema_decay: decay of the weight average, which is what is kept.
        precision: Lightning's name of the number format inside the network.
        gradient_clip: largest gradient norm.
        checkpoint_every: steps between checkpoints, from which a killed run continues.
    """

    from_scratch: bool
    max_steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    ema_decay: float
    precision: str
    gradient_clip: float
    checkpoint_every: int

    def __post_init__(self) -> None:
        for name in ("max_steps", "batch_size", "learning_rate", "warmup_steps", "checkpoint_every"):
            value = getattr(self, name)
            require(value > 0, f"training.{name} must be positive", value, f"Correct training.{name}.")
        require(
            0 <= self.ema_decay < 1, "training.ema_decay must lie in [0, 1)", self.ema_decay, "Try 0.999."
        )
