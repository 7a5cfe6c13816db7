"""Networks that make a run cheap."""

from torch import Tensor, nn

from ood_diffusion.metrics.base import FeatureExtractor


class Means(FeatureExtractor):
    """The mean of each channel in each quarter of an image."""

    def __init__(self) -> None:
        super().__init__("means", 12, nn.Identity())

    def features(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)
