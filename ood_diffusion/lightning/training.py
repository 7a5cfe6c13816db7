"""How the embedded model was trained; also the recipe of a fine-tuning baseline."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ood_diffusion.diffusion.schedule import Schedule


class DenoiserTraining(pl.LightningModule):
    r"""Train a network to predict :math:`v = \alpha\varepsilon - \sigma x_0` (Salimans & Ho 2022).

    A v-network is used because an :math:`\varepsilon`-network's error is multiplied by
    :math:`\sigma/\alpha` at the top of the trajectory. Timesteps are stratified over the batch.
    Weight averaging is Lightning's `EMAWeightAveraging` callback.

    Args:
        network: maps ``(x [B, C, H, W], timestep [B])`` to an output shaped like ``x``.
        schedule: the noise schedule; the network sees timesteps ``0 … T-1``.
        learning_rate: peak learning rate of AdamW, after a linear warm-up and before a cosine to 0.
        warmup_steps: length of the warm-up.
        max_steps: length of the whole run, where the cosine reaches 0.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, learning_rate: float, warmup_steps: int, max_steps: int
    ) -> None:
        super().__init__()
        self.network = network
        self.learning_rate, self.warmup_steps, self.max_steps = learning_rate, warmup_steps, max_steps
        levels = range(1, schedule.timesteps + 1)
        alpha = torch.tensor([schedule.alpha(t) for t in levels])
        sigma = torch.tensor([schedule.sigma(t) for t in levels])
        self.register_buffer("alpha", alpha.view(-1, 1, 1, 1), persistent=False)
        self.register_buffer("sigma", sigma.view(-1, 1, 1, 1), persistent=False)
        self.alpha: Tensor
        self.sigma: Tensor

    def training_step(self, x0: Tensor, batch_idx: int) -> Tensor:
        """`x0`: images, float32 in [-1, 1], ``[B, 3, H, W]``; each is mirrored with probability 1/2."""
        flip = torch.rand(len(x0), 1, 1, 1, device=x0.device) < 0.5
        loss = self.loss(torch.where(flip, x0.flip(-1), x0))
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, x0: Tensor, batch_idx: int) -> None:
        """Mean v-loss on images never trained on: rises when the network starts to memorise."""
        self.log("held_out/loss", self.loss(x0), prog_bar=True)

    def loss(self, x0: Tensor) -> Tensor:
        """Mean squared error of v, with timesteps stratified over the batch."""
        batch, total = len(x0), len(self.alpha)
        strata = (torch.arange(batch, device=x0.device) + torch.rand(batch, device=x0.device)) / batch
        timestep = (strata * total).long().clamp_(max=total - 1)
        alpha, sigma, noise = self.alpha[timestep], self.sigma[timestep], torch.randn_like(x0)
        predicted = self.network(alpha * x0 + sigma * noise, timestep)
        return mse_loss(predicted.float(), alpha * noise - sigma * x0)

    def configure_optimizers(self) -> Any:
        """AdamW with linear warm-up and cosine decay, stepped once an optimiser step."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, betas=(0.9, 0.99), weight_decay=1e-2
        )

        def factor(step: int) -> float:
            warm = min(1.0, (step + 1) / self.warmup_steps)
            return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.max_steps)))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
