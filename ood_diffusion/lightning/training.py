"""Train a denoiser: how the embedded model was made, and what a fine-tuning baseline needs."""

import math
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ood_diffusion.diffusion.prediction import target
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.lightning.progress import Meter
from ood_diffusion.pixels import to_unit_range


class DenoiserTraining(pl.LightningModule):
    """Mean squared error of the network's output against `diffusion.prediction.target`.

    Timesteps are stratified over the batch, so that every batch covers the schedule. Weights are
    averaged by Lightning's `EMAWeightAveraging` callback.

    Args:
        network: maps ``(x [B, C, H, W], timestep [B])`` to an output shaped like x.
        schedule: the noise schedule; gives timesteps, and the scale of what the network sees.
        prediction_type: what the network is to predict (a key of `TO_EPS`).
        learning_rate: of AdamW, reached after a linear warm-up, then down to 0 along a cosine.
        warmup_steps: length of the warm-up.
        max_steps: length of the run, where the cosine reaches 0.
    """

    version = 1

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        prediction_type: str,
        learning_rate: float,
        warmup_steps: int,
        max_steps: int,
    ) -> None:
        super().__init__()
        self.network, self.prediction_type = network, prediction_type
        self.learning_rate, self.warmup_steps, self.max_steps = learning_rate, warmup_steps, max_steps
        levels = range(1, schedule.timesteps + 1)
        alpha = torch.tensor([schedule.alpha(t) / schedule.scale(t) for t in levels])
        sigma = torch.tensor([schedule.sigma(t) / schedule.scale(t) for t in levels])
        timesteps = torch.tensor([schedule.timestep(t) for t in levels])
        self.register_buffer("timesteps", timesteps, persistent=False)
        self.register_buffer("alpha", alpha.view(-1, 1, 1, 1), persistent=False)
        self.register_buffer("sigma", sigma.view(-1, 1, 1, 1), persistent=False)
        self.timesteps: Tensor
        self.alpha: Tensor
        self.sigma: Tensor

    def training_step(self, images: Tensor, batch_idx: int) -> Tensor:
        """`images`: uint8, or float32 fields, ``[B, C, H, W]``; each is mirrored with probability 1/2."""
        flip = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        loss = self.loss(to_unit_range(torch.where(flip, images.flip(-1), images)))
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, images: Tensor, batch_idx: int) -> None:
        """The same loss on images never trained on: it rises when the network starts to memorise."""
        self.log("held_out/loss", self.loss(to_unit_range(images)), prog_bar=True)

    def loss(self, x0: Tensor) -> Tensor:
        """Mean squared error over a batch of clean images, float32 in [-1, 1], ``[B, C, H, W]``."""
        batch, total = len(x0), len(self.alpha)
        strata = (torch.arange(batch, device=x0.device) + torch.rand(batch, device=x0.device)) / batch
        drawn = (strata * total).long().clamp_(max=total - 1)
        alpha, sigma, noise = self.alpha[drawn], self.sigma[drawn], torch.randn_like(x0)
        output = self.network(alpha * x0 + sigma * noise, self.timesteps[drawn])
        return mse_loss(output.float(), target(self.prediction_type, x0, noise, alpha, sigma))

    def configure_optimizers(self) -> Any:
        """AdamW with linear warm-up and cosine decay, one scheduler step per optimiser step."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, betas=(0.9, 0.99), weight_decay=1e-2
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """Share of the peak learning rate at optimiser step `step` (counted from 0)."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.max_steps)))


class StepProgress(pl.Callback):
    """Shows the progress of a training: optimiser steps, and the last loss.

    Args:
        shown: what ends the line when the training has ended, however it did.
    """

    def __init__(self, shown: ExitStack) -> None:
        self._shown = shown

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A resumed training begins where it was."""
        total, device = int(trainer.max_steps), trainer.strategy.root_device
        meter = Meter("train", total, unit="steps", device=device, before=trainer.global_step)
        self._meter = self._shown.enter_context(meter)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """One more step."""
        self._meter.note = f"loss {float(trainer.callback_metrics['train/loss']):.4f}"
        self._meter.advance()
