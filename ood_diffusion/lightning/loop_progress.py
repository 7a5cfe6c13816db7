"""The meters of Lightning's loops, as its callbacks: of a predict loop in images, of a training in steps."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar

from ood_diffusion.lightning.progress import Meter


class LoopProgress(ProgressBar):
    """What the meters of Lightning's loops share; Lightning disables them on every rank but the first."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._meter: Meter | None = None

    def enable(self) -> None:
        """Called by Lightning on the rank that shows progress."""
        self._enabled = True

    def disable(self) -> None:
        """Called by Lightning on all other ranks."""
        self._enabled = False

    def begin(self, meter: Meter) -> None:
        """Show `meter`, if this rank shows anything."""
        if self._enabled:
            self._meter = meter.__enter__()

    def advance(self, amount: float = 1.0) -> None:
        """So much more is done."""
        if self._meter:
            self._meter.advance(amount)

    def end(self, error: BaseException | None = None) -> None:
        """The loop has ended, or failed; the terminal is usable again."""
        if self._meter:
            self._meter.__exit__(type(error) if error else None)
            self._meter = None

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The loop has failed."""
        self.end(exception)


class ImageProgress(LoopProgress):
    """The meter of one predict loop, moved by its module.

    Args:
        name: of the loop, as a rule the stage.
        total: images to do.
        mine: how many of them this rank does; figures of all ranks are estimated from its own.
    """

    def __init__(self, name: str, total: int, mine: int) -> None:
        super().__init__()
        self.name, self.total, self.mine = name, total, mine

    def on_predict_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Watch the module."""
        share, device = self.total / max(1, self.mine), trainer.strategy.root_device
        self.begin(Meter(self.name, self.total, calls=pl_module.calls_counter(), share=share, device=device))
        pl_module.on_progress = self.advance

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All images are done."""
        self.end()


class StepProgress(LoopProgress):
    """The meter of a training: optimiser steps, and the last loss."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A resumed training begins where it was."""
        total, device = int(trainer.max_steps), trainer.strategy.root_device
        self.begin(Meter("train", total, unit="steps", device=device, before=trainer.global_step))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """One more step."""
        if self._meter:
            self._meter.note = f"loss {float(trainer.callback_metrics['train/loss']):.4f}"
        self.advance()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All steps are done."""
        self.end()
