"""The one feature pass that all metrics share."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from ood_diffusion.metrics.base import FeatureExtractor


class FeaturePass(pl.LightningModule):
    """Images to features by `Trainer.predict`.

    Args:
        extractor: the frozen feature extractor.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        super().__init__()
        self.extractor = extractor
        self.on_progress: Callable[[float], None] = lambda images: None

    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> Tensor:
        """``batch["data"]``: uint8 ``[B, 3, H, W]`` -> features float32 ``[B, num_features]``."""
        features: Tensor = self.extractor(batch["data"])
        self.on_progress(len(batch["ids"]))
        return features.float()
