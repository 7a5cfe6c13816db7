"""Metrics that look at the images themselves, not at an extractor's features."""

from typing import Any

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.metrics.feature_metric import RowMetric, Side, flat_state


class ImageMetric(RowMetric):
    """A metric between two sets of images, uint8 ``[B, C, H, W]`` of any C, H and W, fed batch by batch.

    Image metrics in one `MetricCollection` share the images they keep, a byte per number.
    """

    takes = "images"
    shape: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_dtype(torch.uint8)
        self.add_state("shape", torch.zeros(3, dtype=torch.int64), dist_reduce_fx="max")

    def update(self, features: Tensor, real: bool) -> None:
        """Take in one batch.

        Args:
            features: the images, uint8 ``[B, C, H, W]``.
            real: True for held-out images, False for generated ones.

        Raises:
            UserError: if shape or type is wrong, or C, H, W change between batches.
        """
        require(
            features.dtype == torch.uint8 and features.ndim == 4,
            "images must be uint8 of shape [B, C, H, W]",
            f"{features.dtype} {list(features.shape)}",
            "Map [-1, 1] to bytes by ((x + 1) * 127.5).round().",
        )
        shape = list(features.shape[1:])
        require(
            self.shape.tolist() in ([0, 0, 0], shape),
            f"images must keep the shape {self.shape.tolist()}",
            shape,
            "Reset the metric before images of another size.",
        )
        self.shape = torch.tensor(shape, device=features.device)
        self.accumulate(features, "real" if real else "generated")

    def images(self, side: Side) -> Tensor:
        """All images of one side, uint8 ``[n, C, H, W]``."""
        return flat_state(getattr(self, side)).reshape(-1, *self.shape.clamp_min(1).tolist())
